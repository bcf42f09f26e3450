"""Data: every source gives the same `Sample`, a `Loader` makes batches of them.

Read in this order: sample.py, csv_pairs.py, open.py, resize.py, augment.py, loader.py.
"""

from minidepth.data import augment
from minidepth.data.input_form import network_input
from minidepth.data.loader import Loader
from minidepth.data.open import open_dataset, open_splits
from minidepth.data.pictures import read_picture
from minidepth.data.resize import resize_image, resize_sample
from minidepth.data.sample import MAX_DEPTH_M, Batch, Dataset, Sample
from minidepth.data.split import split_blocks

__all__ = [
    "MAX_DEPTH_M",
    "Batch",
    "Dataset",
    "Loader",
    "Sample",
    "augment",
    "network_input",
    "open_dataset",
    "open_splits",
    "read_picture",
    "resize_image",
    "resize_sample",
    "split_blocks",
]

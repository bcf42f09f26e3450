import subprocess
import sys

import numpy as np
import pytest
from data_folders import (
    make_frames,
    metres,
    write_csv_folder,
    write_diode,
    write_fastdepth,
    write_kitti,
    write_mat,
    write_modest,
    write_pets,
)

from minidepth.data import open_dataset, open_splits
from minidepth.errors import InputError


def test_every_layout_gives_the_same_sample(tmp_path):
    frames = make_frames(3)
    paths = [
        write_csv_folder(tmp_path / "csv", test=frames),
        write_fastdepth(tmp_path / "fast", test=frames),
        write_mat(tmp_path / "nyu.mat", frames),
    ]
    for path in paths:
        for i, (sample, frame) in enumerate(zip(open_dataset(path, "test"), frames)):
            assert (sample.image.dtype, sample.depth_m.dtype, sample.valid.dtype) == (np.uint8, np.float32, bool)
            np.testing.assert_array_equal(sample.image, frame.image)
            np.testing.assert_allclose(sample.depth_m, metres(frame), rtol=1e-6)
            assert str(tmp_path) in open_dataset(path, "test").source(i)


@pytest.mark.parametrize(
    "kind, targets, max_depth_m",
    [("csv", "depth", 10), ("fast", "depth", 10), ("pets", "labels", 10), ("modest", "mask depth", 10),
     ("diode", "depth", 50), ("kitti", "depth", 80)],
)  # fmt: skip
def test_every_folder_is_recognised_and_says_what_it_teaches(tmp_path, kind, targets, max_depth_m):
    frames = make_frames(2)
    writers = {
        "csv": lambda root: write_csv_folder(root, frames, frames),
        "fast": lambda root: write_fastdepth(root, frames, frames),
        "pets": lambda root: write_pets(root, frames, frames),
        "modest": lambda root: write_modest(root, 4, frames_of_a_background=2),
        "diode": lambda root: write_diode(root, frames, frames),
        "kitti": lambda root: [write_kitti(root / split, frames) for split in ("train", "test")],
    }
    writers[kind](tmp_path / kind)
    splits = open_splits(tmp_path / kind)
    assert list(splits) == ["train", "test"]
    for split, dataset in splits.items():
        assert (len(dataset), dataset.name, dataset.targets) == (2, kind, tuple(targets.split()))
        assert dataset.max_depth_m == max_depth_m
        assert type(open_dataset(tmp_path / kind, split)) is type(dataset)
        for i in (2, -1):
            with pytest.raises(IndexError, match=f"{kind}: frame {i} of 2"):
                dataset[i]


def test_rooms_say_what_they_teach():
    rooms = open_dataset("rooms")
    assert (rooms.targets, rooms.max_depth_m) == (("depth",), 10)


def test_a_frame_number_out_of_range(tmp_path):
    dataset = open_dataset(write_mat(tmp_path / "nyu.mat", make_frames(2)))
    for i in (2, -1):
        with pytest.raises(IndexError, match=f"nyu: frame {i} of 2"):
            dataset[i]


def test_a_missing_path_says_what_can_be_given():
    with pytest.raises(InputError, match=r"nowhere: does not exist; give 'rooms', a labelled \.mat file, a \.csv file"):
        open_dataset("nowhere")


def test_what_is_not_recognised_says_what_was_looked_for(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    for path in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(InputError, match=r"no data set recognised here; looked for 'rooms', .*nyu2_train\.csv"):
            open_dataset(path)
        with pytest.raises(InputError, match="no data set recognised here"):
            open_splits(path)


def test_a_csv_folder_without_the_split(tmp_path):
    write_csv_folder(tmp_path, test=make_frames(1))
    with pytest.raises(InputError, match=r"has a test split but no train split; looked for data/nyu2_train\.csv"):
        open_dataset(tmp_path, "train")
    assert list(open_splits(tmp_path)) == ["test"]


def test_an_unknown_split(tmp_path):
    with pytest.raises(InputError, match="split 'val': use 'train' or 'test'"):
        open_dataset(tmp_path, "val")


def test_slow_libraries_are_imported_only_when_needed():
    program = """
import sys, minidepth.data
slow = {"matplotlib", "h5py", "tqdm", "minidepth.data.rooms"} & set(sys.modules)
sys.exit(", ".join(slow) or None)
"""
    subprocess.run([sys.executable, "-c", program], check=True)

"""The labelled NYU Depth V2 file, nyu_depth_v2_labeled.mat: MATLAB v7.3, which is HDF5. h5py opens it as it is.

MATLAB stores columns first, so the axes arrive reversed:

    images    MATLAB 480x640x3xN    here (N, 3, 640, 480) uint8
    depths    MATLAB 480x640xN      here (N, 640, 480) float32, metres, holes in-painted

One frame is one chunk of the file: reading a frame decodes that chunk and no more (the whole is 2.8 GB). If the
official splits.mat lies beside the file, "train" and "test" are its 795 and 654 frames. Without it both splits are all
frames, and the note of the data set says so: evaluating on it what was trained on it measures memory.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from minidepth.data.pictures import one_line
from minidepth.data.sample import StoredFrames
from minidepth.data.splits_mat import read_splits
from minidepth.errors import DataError

KEYS = ("images", "depths")


class NyuMat(StoredFrames):
    """The frames of one split. The file stays open; h5py lets one thread at a time into it, so threads may share it."""

    units = "float32 metres"

    def __init__(self, path: Path, split: str) -> None:
        import h5py  # slow to import, and only needed here

        self.path = Path(path)
        try:
            file = h5py.File(self.path, "r")
        except OSError as error:
            raise DataError(
                f"{self.path}: cannot be opened as HDF5, truncated or not a MATLAB v7.3 file ({one_line(error)})"
            ) from error
        missing = [key for key in KEYS if key not in file]
        if missing:
            raise DataError(
                f"{self.path}: no dataset {' and no '.join(missing)} in the file;"
                f" keys found: {', '.join(file) or 'none'}"
            )
        self.images, self.depths = file["images"], file["depths"]
        count, *size = self.depths.shape
        if len(size) != 2 or self.images.shape != (count, 3, *size):
            raise DataError(
                f"{self.path}: images {self.images.shape} and depths {self.depths.shape} do not fit together;"
                " expected (N, 3, W, H) and (N, W, H)"
            )
        self.frames, self.note = choose_frames(self.path, split, count)
        self.name = self.path.stem

    def __len__(self) -> int:
        return len(self.frames)

    def source(self, i: int) -> str:
        return f"{self.path} frame {self.frames[i]}"

    def read(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        frame = int(self.frames[i])
        try:
            image, depth = self.images[frame], self.depths[frame]
        except OSError as error:
            raise DataError(f"{self.source(i)}: cannot be read, the file is damaged ({one_line(error)})") from error
        return np.ascontiguousarray(image.transpose(2, 1, 0)), np.ascontiguousarray(depth.T, np.float32)


def splits_beside(path: Path) -> Path:
    """Where splits.mat is looked for."""
    return path.parent / "splits.mat"


def choose_frames(path: Path, split: str, count: int) -> tuple[np.ndarray, str]:
    """The frame numbers of a split (from 0), and a note if they are not the official ones."""
    beside = splits_beside(path)
    if not beside.is_file():
        return np.arange(count), f"no splits.mat beside it: train and test are both all {count} frames"
    frames = read_splits(beside)[split]
    if frames.size == 0 or frames.min() < 0 or frames.max() >= count:
        raise DataError(
            f"{beside}: its {split} split does not fit the {count} frames of {path.name};"
            " move it away to use all frames"
        )
    return frames, ""

"""NYU Depth V2 as FastDepth and sparse-to-dense distribute it: one HDF5 file for each frame.

    ROOT/train/<scene>/<5 digits>.h5        47,584 frames
    ROOT/val/official/<5 digits>.h5         654 frames: our split "test"

Keys: rgb uint8 (3, H, W), channels first; depth float32 (H, W) in metres. The axes are not reversed here. 0 is invalid.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from minidepth.data.pictures import one_line
from minidepth.data.sample import StoredFrames
from minidepth.errors import DataError

PATTERNS = {"train": "train/*/*.h5", "test": "val/*/*.h5"}


class FastDepth(StoredFrames):
    """The frames of one split, by scene and number. A file is open only while it is read: there may be 47,584."""

    units = "float32 metres"

    def __init__(self, folder: Path, split: str) -> None:
        self.name = Path(folder).resolve().name
        self.paths = sorted(Path(folder).glob(PATTERNS[split]))

    def __len__(self) -> int:
        return len(self.paths)

    def source(self, i: int) -> str:
        return str(self.paths[i])

    def read(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        import h5py  # slow to import, and only needed here

        path = self.paths[i]
        try:
            with h5py.File(path, "r") as file:
                missing = [key for key in ("rgb", "depth") if key not in file]
                if missing:
                    raise DataError(
                        f"{path}: no dataset {' and no '.join(missing)} in the file;"
                        f" keys found: {', '.join(file) or 'none'}"
                    )
                rgb, depth = file["rgb"][()], file["depth"][()]
        except FileNotFoundError:
            raise DataError(f"{path}: the file is missing") from None
        except OSError as error:
            raise DataError(f"{path}: cannot be read as HDF5, truncated or no HDF5 ({one_line(error)})") from error
        if rgb.ndim != 3 or rgb.shape[0] != 3 or rgb.dtype != np.uint8 or depth.ndim != 2:
            raise DataError(
                f"{path}: rgb is {rgb.dtype} {rgb.shape} and depth {depth.dtype} {depth.shape};"
                " expected uint8 (3, H, W) and float (H, W) in metres"
            )
        return np.ascontiguousarray(rgb.transpose(1, 2, 0)), depth.astype(np.float32, copy=False)


def parts(folder: Path) -> tuple[str, ...]:
    """The splits of which a folder holds at least one frame in this layout."""
    return tuple(split for split, pattern in PATTERNS.items() if next(Path(folder).glob(pattern), None) is not None)

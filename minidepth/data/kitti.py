"""KITTI's depth maps: 16-bit PNG, metres = v / 256, 0 where the laser scanner saw nothing, which is most pixels.

    ROOT/train/image/NAME.png (or .jpg)    pictures
    ROOT/train/depth/NAME.png              depth maps, under the same name
    ROOT/test/...                          the same

KITTI itself comes in many folders; this is a simple one to sort frames into. What it offers for download with pictures
and depth side by side, depth_selection/val_selection_cropped with its folders image and groundtruth_depth, is read as
it is: there a picture has "image" in its name where the depth map has "groundtruth_depth". ROOT may itself hold the two
folders; then both splits are all frames, and the note says so. Depth counts up to 80 m. Uhrig et al. 2017.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from minidepth.data.pictures import read_depth_16_bit, read_picture
from minidepth.data.sample import StoredFrames
from minidepth.errors import DataError

STEPS_PER_M = 256
SPLITS = ("train", "test")
DEPTH_FOLDERS = ("depth", "groundtruth_depth")
ENDINGS = (".png", ".jpg", ".jpeg")


class Kitti(StoredFrames):
    """The depth maps of one split that are there, by name, each with its picture."""

    units = "16-bit png: v/256 m"
    max_depth_m = 80.0

    def __init__(self, folder: Path, split: str) -> None:
        folder = Path(folder)
        self.name = folder.resolve().name
        whole = parts(folder) == ("all",)
        self.folder = folder if whole else folder / split
        self.depths = depth_maps(self.folder)
        if whole:
            self.note = f"no folders train and test: both are all {len(self.depths)} frames"

    def __len__(self) -> int:
        return len(self.depths)

    def source(self, i: int) -> str:
        return str(self.depths[i])

    def read(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        depth = self.depths[i]
        stem = self.folder / "image" / depth.stem.replace("groundtruth_depth", "image")
        picture = next((path for ending in ENDINGS if (path := Path(f"{stem}{ending}")).is_file()), None)
        if picture is None:
            raise DataError(f"{depth}: there is no picture for it; looked for {stem}.png and .jpg")
        return read_picture(picture), read_depth_16_bit(depth, STEPS_PER_M)


def parts(folder: Path) -> tuple[str, ...]:
    """The splits that a folder holds in this layout; "all" where it holds the two folders itself."""
    if depth_maps(folder):
        return ("all",)
    return tuple(split for split in SPLITS if depth_maps(folder / split))


def depth_maps(folder: Path) -> list[Path]:
    """The depth maps beside a folder image/, sorted; none where there is no such pair of folders."""
    if not (folder / "image").is_dir():
        return []
    found = [path for name in DEPTH_FOLDERS for path in (folder / name).glob("*.png")]
    return sorted(path for path in found if not path.name.startswith("._"))

"""DIODE: pictures of rooms and streets with the depth of a laser scanner (Vasiljevic et al. 2019).

    ROOT/train/indoors/scene_00000/scan_00000/NAME.png               768 x 1024 picture
                                              NAME_depth.npy         float32 (H, W, 1), metres
                                              NAME_depth_mask.npy    (H, W), 1 where the scanner saw something
    ROOT/val/...                                                     the same: our split "test"

ROOT may also be one of these parts (what holds indoors/ or outdoors/); then both splits are all its frames, and the
note says so. Depth counts up to 300 m, or 50 m where all frames are indoors. Files whose names begin with "._" are
remains of a Macintosh and no pictures.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from minidepth.data.pictures import one_line, read_picture
from minidepth.data.sample import Sample, StoredFrames, check_size, make_sample
from minidepth.errors import DataError

PARTS = {"train": "train", "test": "val"}
FRAMES = "*doors/scene_*/scan_*/*.png"
OUTDOOR_MAX_M, INDOOR_MAX_M = 300.0, 50.0


class Diode(StoredFrames):
    """The frames of one split, by scene, scan and name."""

    units = "float32 metres, npy, with a mask"

    def __init__(self, folder: Path, split: str) -> None:
        folder = Path(folder)
        self.name = folder.resolve().name
        self.paths = frames(folder / PARTS[split])
        if parts(folder) == ("all",):
            self.paths = frames(folder)
            self.note = f"one part of DIODE: train and test are both all {len(self.paths)} frames"
        indoors = all(path.parents[2].name == "indoors" for path in self.paths)
        self.max_depth_m = INDOOR_MAX_M if indoors else OUTDOOR_MAX_M

    def __len__(self) -> int:
        return len(self.paths)

    def source(self, i: int) -> str:
        return str(self.paths[i])

    def load(self, i: int) -> Sample:
        path = self.paths[i]
        depth_path, mask_path = (path.with_name(f"{path.stem}{ending}.npy") for ending in ("_depth", "_depth_mask"))
        image = read_picture(path)
        depth_m, mask = read_map(depth_path), read_map(mask_path)
        check_size(image, mask, f"mask {mask_path.name}", str(path))
        check_size(image, depth_m, f"depth map {depth_path.name}", str(path))
        seen = np.where(mask > 0, depth_m, np.float32(0))  # where the scanner saw nothing, anything may stand
        return make_sample(image, seen.astype(np.float32, copy=False), str(path), self.max_depth_m)


def parts(folder: Path) -> tuple[str, ...]:
    """The splits that a folder holds in this layout; "all" where it is itself one part."""
    if next(folder.glob(FRAMES), None) is not None:
        return ("all",)
    return tuple(split for split, part in PARTS.items() if next((folder / part).glob(FRAMES), None) is not None)


def frames(part: Path) -> list[Path]:
    """The pictures of a part, sorted."""
    return sorted(path for path in part.glob(FRAMES) if not path.name.startswith("._"))


def read_map(path: Path) -> np.ndarray:
    """A .npy file of (H, W) or (H, W, 1) numbers as (H, W).

    Raises:
        DataError: missing, truncated, or of another shape or kind.
    """
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise DataError(f"{path}: the file is missing") from None
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"{path}: cannot be read, truncated or not a .npy file ({one_line(error)})") from error
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim != 2 or array.dtype.kind not in "fbiu":
        raise DataError(f"{path}: is {array.dtype} {array.shape}; expected numbers (H, W) or (H, W, 1)")
    return array

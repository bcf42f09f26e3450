"""The Oxford-IIIT pets: 7,349 pictures of cats and dogs, each with a trimap that says which pixels are animal.

    ROOT/images/NAME.jpg                 any size; a few are grey, or PNG and GIF files under that name
    ROOT/annotations/trimaps/NAME.png    8-bit, one channel: 1 pet, 2 background, 3 border
    ROOT/annotations/trainval.txt        one picture a line, its name first: our split "train"
    ROOT/annotations/test.txt            the same: our split "test"

Labels count from 0 here: 0 pet, 1 background, 2 border. The lists may also lie in ROOT. Without them both splits are
all trimaps, and the note of the data set says so. Files whose names begin with "._" are remains of a Macintosh and no
pictures. Parkhi et al., Cats and Dogs, 2012.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from minidepth.data.pictures import one_line, read_bytes, read_picture
from minidepth.data.sample import Sample, StoredFrames, check_size
from minidepth.errors import DataError

LISTS = {"train": "trainval.txt", "test": "test.txt"}
TRIMAPS = "annotations/trimaps"
STORED = "1 pet, 2 background, 3 border"


class Row(NamedTuple):
    """A picture's name, and where it was found, for messages."""

    name: str
    place: str


class Pets(StoredFrames):
    """The pictures of one split, in the order of its list."""

    units = f"8-bit trimap: {STORED}"
    targets: tuple[str, ...] = ("labels",)
    classes: tuple[str, ...] = ("pet", "background", "border")

    def __init__(self, folder: Path, split: str) -> None:
        self.folder = Path(folder)
        self.name = self.folder.resolve().name
        listed = find_list(self.folder, split)
        if listed is None:
            self.rows = [Row(path.stem, str(path)) for path in trimaps(self.folder)]
            self.note = f"no {LISTS[split]}: train and test are both all {len(self.rows)} pictures"
        else:
            self.rows = read_list(listed)

    def __len__(self) -> int:
        return len(self.rows)

    def source(self, i: int) -> str:
        return f"{self.rows[i].place} ({self.rows[i].name})"

    def load(self, i: int) -> Sample:
        row = self.rows[i]
        trimap_path = self.folder / TRIMAPS / f"{row.name}.png"
        try:
            image = read_picture(self.folder / "images" / f"{row.name}.jpg")
            trimap = read_bytes(trimap_path, "a trimap")
            check_size(image, trimap, "trimap", str(trimap_path))
            labels = trimap - np.uint8(1)  # 0 becomes 255
            wrong = labels >= len(self.classes)
            if wrong.any():
                y, x = np.argwhere(wrong)[0]
                raise DataError(
                    f"{trimap_path}: label {trimap[y, x]} out of range at {wrong.sum()} pixels, first at row {y},"
                    f" column {x}; a trimap holds {STORED}"
                )
        except DataError as error:
            raise DataError(f"{row.place}: {error}") from error
        return Sample(image, np.zeros(labels.shape, np.float32), np.ones(labels.shape, bool), labels)


def parts(folder: Path) -> tuple[str, ...]:
    """The splits that a folder holds in this layout; "all" where pictures and trimaps have no lists."""
    if not ((folder / "images").is_dir() and (folder / TRIMAPS).is_dir()):
        return ()
    return tuple(split for split in LISTS if find_list(folder, split)) or ("all",)


def find_list(folder: Path, split: str) -> Path | None:
    """The list of a split, or None."""
    candidates = (folder / "annotations" / LISTS[split], folder / LISTS[split])
    return next((path for path in candidates if path.is_file()), None)


def trimaps(folder: Path) -> list[Path]:
    """Every trimap, by name."""
    return sorted(path for path in (folder / TRIMAPS).glob("*.png") if not path.name.startswith("._"))


def read_list(path: Path) -> list[Row]:
    """The rows of a list: the first word of each line is a picture's name; # begins a comment.

    Raises:
        DataError: cannot be read, or names nothing.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as a list of names ({one_line(error)})") from error
    words = [(number, line.partition("#")[0].split()) for number, line in enumerate(lines, 1)]
    rows = [Row(names[0], f"{path} row {number}") for number, names in words if names]
    if not rows:
        raise DataError(f"{path}: names no pictures; expected lines such as Abyssinian_1 1 1 1")
    return rows

"""MODEST museum (source 004): a thing pasted on a background, with its mask and the depth of the whole.

    ROOT/file_map.txt                       four names a line, tab between: bg, bg_fg, mask, depth; no endings
    ROOT/bg/bg001.jpeg                      the background alone
    ROOT/bg_fg/bg001_fg001_01.jpeg          with the thing in front
    ROOT/bg_fg_mask/..._mask.jpeg           8-bit grey, 255 where the thing is; JPEG leaves values between
    ROOT/bg_fg_depth_map/..._depth_map.jpeg 8-bit grey, v / 255 * 10 m

The depth was not measured: it is what DenseDepth said, clipped and stored as JPEG. There is no official split. Frames
drawn at random would share backgrounds between training and test, so whole backgrounds are set apart here: three in ten
of them, evenly spread over their sorted names, are "test". With a single background both splits are all frames, and the
note says so.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from minidepth.data.pictures import BYTE_TO_M, one_line, read_bytes, read_picture
from minidepth.data.sample import Sample, StoredFrames, check_size, make_sample
from minidepth.errors import DataError

FILE_MAP = "file_map.txt"
FOLDERS = ("bg", "bg_fg", "bg_fg_mask", "bg_fg_depth_map")
"""In the order of the columns of file_map.txt."""
TEST_SHARE = 0.3


class Row(NamedTuple):
    """A line of file_map.txt: its number from 1, and the four names."""

    line: int
    names: tuple[str, ...]


class Modest(StoredFrames):
    """The frames of one split, in the order of file_map.txt."""

    units = "8-bit jpeg: mask v/255, depth v/255*10 m"
    targets: tuple[str, ...] = ("mask", "depth")

    def __init__(self, folder: Path, split: str) -> None:
        self.folder = Path(folder)
        self.name = self.folder.resolve().name
        self.path = self.folder / FILE_MAP
        rows = read_rows(self.path)
        for_test = test_backgrounds({row.names[0] for row in rows})
        if for_test:
            self.rows = [row for row in rows if (row.names[0] in for_test) == (split == "test")]
        else:
            self.rows = rows
            self.note = f"a single background: train and test are both all {len(rows)} frames"

    def __len__(self) -> int:
        return len(self.rows)

    def source(self, i: int) -> str:
        return f"{self.path} row {self.rows[i].line} ({self.rows[i].names[1]})"

    def load(self, i: int) -> Sample:
        row = self.rows[i]
        try:
            background, image, mask, depth = (
                self.folder / folder / f"{name}.jpeg" for folder, name in zip(FOLDERS, row.names)
            )
            picture, behind = read_picture(image), read_picture(background)
            share = read_bytes(mask, "a mask")
            depth_m = read_bytes(depth, "a depth map").astype(np.float32) * np.float32(BYTE_TO_M)
            check_size(picture, behind, f"background {background.name}", str(image))
            check_size(picture, share, f"mask {mask.name}", str(image))
            sample = make_sample(picture, depth_m, str(depth), self.max_depth_m)
        except DataError as error:
            raise DataError(f"{self.path} row {row.line}: {error}") from error
        return sample._replace(mask=share.astype(np.float32) / np.float32(255), background=behind)


def parts(folder: Path) -> tuple[str, ...]:
    """Both splits where file_map.txt and its folders are there."""
    there = (folder / FILE_MAP).is_file() and (folder / "bg_fg").is_dir()
    return ("train", "test") if there else ()


def test_backgrounds(names: set[str]) -> set[str]:
    """Those that are set apart, evenly spread over the sorted names; none of a single one."""
    ordered = sorted(names)
    wanted = 0 if len(ordered) < 2 else max(1, round(len(ordered) * TEST_SHARE))
    return {ordered[(2 * k + 1) * len(ordered) // (2 * wanted)] for k in range(wanted)}


def read_rows(path: Path) -> list[Row]:
    """The rows of file_map.txt, whether or not its last line ends with a line break.

    Raises:
        DataError: a row that does not hold four names, or no row at all.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({one_line(error)})") from error
    rows = []
    for number, line in enumerate(lines, 1):
        names = tuple(name.strip().removesuffix(".jpeg") for name in line.split("\t"))
        if not any(names):
            continue
        if len(names) != 4 or not all(names):
            raise DataError(
                f"{path} row {number}: expected four names with tabs between (bg, bg_fg, mask, depth), found {line!r}"
            )
        rows.append(Row(number, names))
    if not rows:
        raise DataError(f"{path}: has no rows; expected bg, bg_fg, mask and depth names with tabs between")
    return rows

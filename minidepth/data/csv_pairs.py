"""The CSV layout of NYU Depth V2 (as on Kaggle): one row for each pair of picture file and depth file.

    ROOT/data/nyu2_train.csv     data/nyu2_train/<scene>_out/<i>.jpg,data/nyu2_train/<scene>_out/<i>.png
    ROOT/data/nyu2_test.csv      data/nyu2_test/00000_colors.png,data/nyu2_test/00000_depth.png

Paths are relative to ROOT, the folder that holds data/. There is no header. The depth files of the training split are
8-bit (metres = v / 255 * 10), those of the test split 16-bit (millimetres): see pictures.py.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minidepth.data.pictures import one_line, read_depth_png, read_picture
from minidepth.data.sample import StoredFrames
from minidepth.errors import DataError

CSV_NAMES = {"train": "nyu2_train.csv", "test": "nyu2_test.csv"}


class Row(NamedTuple):
    """One pair of files, and the line of the CSV file that names it (1 is the first)."""

    line: int
    image: Path
    depth: Path


class CsvPairs(StoredFrames):
    """The pairs of one CSV file, in its order."""

    units = "grey png: 8-bit v/255*10 m, 16-bit v/1000 m"

    def __init__(self, csv_path: Path) -> None:
        self.path = Path(csv_path)
        rows = read_rows(self.path)
        root = find_root(self.path, rows)
        self.name = self.path.stem if root == self.path.parent else root.resolve().name
        self.rows = [Row(line, root / image, root / depth) for line, image, depth in rows]

    def __len__(self) -> int:
        return len(self.rows)

    def source(self, i: int) -> str:
        return f"{self.path} row {self.rows[i].line} ({self.rows[i].image.name}, {self.rows[i].depth.name})"

    def read(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        row = self.rows[i]
        try:
            return read_picture(row.image), read_depth_png(row.depth)
        except DataError as error:
            raise DataError(f"{self.path} row {row.line}: {error}") from error


def find_csv(folder: Path, split: str) -> Path | None:
    """The CSV file of a split, given the folder that holds data/ or data/ itself; None where there is none."""
    candidates = [folder / "data" / CSV_NAMES[split], folder / CSV_NAMES[split]]
    return next((path for path in candidates if path.is_file()), None)


def parts(folder: Path) -> tuple[str, ...]:
    """The splits that a folder holds in this layout."""
    return tuple(split for split in CSV_NAMES if find_csv(folder, split))


def open_split(folder: Path, split: str) -> CsvPairs:
    """The CSV file of a split that is there."""
    csv_path = find_csv(folder, split)
    if csv_path is None:
        raise DataError(f"{folder}: data/{CSV_NAMES[split]} is missing")
    return CsvPairs(csv_path)


def read_rows(csv_path: Path) -> list[tuple[int, str, str]]:
    """(line, picture, depth) for each row; Windows separators, blank lines, a byte-order mark and a header do no harm.

    Raises:
        DataError: a row that does not hold two names, or no row at all.
    """
    rows: list[tuple[int, str, str]] = []
    try:
        with csv_path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            for cells in reader:
                names = [cell.strip().replace("\\", "/") for cell in cells]
                if not any(names):
                    continue
                if len(names) != 2 or not all(names):
                    raise DataError(
                        f"{csv_path} row {reader.line_num}: expected two names (picture,depth),"
                        f" found {','.join(cells)!r}"
                    )
                is_header = not rows and not any(Path(name).suffix for name in names)  # file names have a suffix
                if not is_header:
                    rows.append((reader.line_num, names[0], names[1]))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{csv_path}: cannot be read as a CSV file ({one_line(error)})") from error
    if not rows:
        raise DataError(
            f"{csv_path}: has no rows; expected lines such as data/nyu2_train/a/1.jpg,data/nyu2_train/a/1.png"
        )
    return rows


def find_root(csv_path: Path, rows: list[tuple[int, str, str]]) -> Path:
    """The folder that the names are relative to: the one above the CSV file's, else the CSV file's own.

    Files decide; if none of them exists in either place, the layout above does, so that the error names the usual
    place.
    """
    folder = csv_path.parent
    above = folder.resolve().parent if folder.name in ("", ".", "..") else folder.parent
    for root in (above, folder):
        if any((root / image).is_file() for _, image, _ in rows):
            return root
    return above

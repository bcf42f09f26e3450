"""`open_dataset`: which reader a path needs, recognised from the path alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from minidepth.data import csv_pairs, diode, fastdepth, kitti, modest, pets
from minidepth.data.csv_pairs import CsvPairs
from minidepth.data.nyu_mat import NyuMat, splits_beside
from minidepth.data.sample import Dataset
from minidepth.errors import InputError

SPLITS = ("train", "test")


class Layout(NamedTuple):
    """A way in which a folder holds frames."""

    open_split: Callable[[Path, str], Dataset]
    parts: Callable[[Path], tuple[str, ...]]
    """The splits that a folder holds: none, some, or ("all",) where they are not told apart."""
    form: str
    """What it is called and looks like, for messages."""
    patterns: dict[str, str]
    """What a folder with a split must hold."""


LAYOUTS = (
    Layout(
        csv_pairs.open_split,
        csv_pairs.parts,
        "a folder with data/nyu2_train.csv or data/nyu2_test.csv",
        {split: f"data/{name}" for split, name in csv_pairs.CSV_NAMES.items()},
    ),
    Layout(
        fastdepth.FastDepth,
        fastdepth.parts,
        "a FastDepth folder (train/<scene>/*.h5, val/official/*.h5)",
        fastdepth.PATTERNS,
    ),
    Layout(
        pets.Pets,
        pets.parts,
        "Oxford-IIIT pets (images, annotations/trimaps)",
        {split: f"annotations/{name}" for split, name in pets.LISTS.items()},
    ),
    Layout(
        modest.Modest, modest.parts, "MODEST (file_map.txt, bg_fg)", dict.fromkeys(SPLITS, "file_map.txt with bg_fg")
    ),
    Layout(
        diode.Diode,
        diode.parts,
        "DIODE (train or val, with indoors/scene_*/scan_*)",
        {split: f"{part}/{diode.FRAMES}" for split, part in diode.PARTS.items()},
    ),
    Layout(
        kitti.Kitti,
        kitti.parts,
        "KITTI (train/image with train/depth, 16-bit png)",
        {split: f"{split}/image with {split}/depth" for split in SPLITS},
    ),
)
KNOWN = "'rooms', a labelled .mat file, a .csv file, " + ", ".join(layout.form for layout in LAYOUTS)


def open_dataset(path: str | Path, split: str = "train") -> Dataset:
    """The data set at a path, or the procedural one.

    Args:
        path: ``"rooms"``, a labelled ``.mat`` file, a ``.csv`` file (taken whole, whatever the split), or a folder in
            one of the layouts that the readers beside this file describe.
        split: ``"train"`` or ``"test"``.

    Raises:
        InputError: nothing there, not recognised, or without that split; the text says what was looked for.
    """
    if split not in SPLITS:
        raise InputError(f"split {split!r}: use 'train' or 'test'")
    if str(path) == "rooms":
        from minidepth.data.rooms import RoomsDataset  # only where wanted: it brings the renderer

        return RoomsDataset(split=split)
    path = existing(path)
    if path.suffix.lower() == ".mat" and path.is_file():
        return NyuMat(path, split)
    if path.suffix.lower() == ".csv" and path.is_file():
        return CsvPairs(path)
    found = {layout: parts for layout in range(len(LAYOUTS)) if (parts := LAYOUTS[layout].parts(path))}
    for layout, parts in found.items():
        if split in parts or parts == ("all",):
            return LAYOUTS[layout].open_split(path, split)
    if found:
        other = SPLITS[1 - SPLITS.index(split)]
        wanted = " and ".join(LAYOUTS[layout].patterns[split] for layout in found)
        raise InputError(f"{path}: has a {other} split but no {split} split; looked for {wanted}")
    raise InputError(f"{path}: no data set recognised here; looked for {KNOWN}")


def open_splits(path: str | Path) -> dict[str, Dataset]:
    """Every split that is there, by name; ``"all"`` alone where a path has no splits.

    Raises:
        InputError: as `open_dataset`.
    """
    if str(path) == "rooms":
        return {split: open_dataset(path, split) for split in SPLITS}
    path = existing(path)
    suffix = path.suffix.lower()
    if path.is_file():
        whole = suffix == ".csv" or not splits_beside(path).is_file()
        return {"all": open_dataset(path)} if whole else {split: open_dataset(path, split) for split in SPLITS}
    for layout in LAYOUTS:
        parts = layout.parts(path)
        if parts == ("all",):
            return {"all": open_dataset(path)}
        if parts:
            return {split: layout.open_split(path, split) for split in parts}
    return {"train": open_dataset(path)}  # raises, and says what was looked for


def existing(path: str | Path) -> Path:
    """The path with ~ expanded, which must be a folder or a file of a known kind."""
    path = Path(path).expanduser()
    if not path.exists():
        raise InputError(f"{path}: does not exist; give {KNOWN}")
    if path.is_file() and path.suffix.lower() not in (".mat", ".csv"):
        raise InputError(f"{path}: no data set recognised here; looked for {KNOWN}")
    return path

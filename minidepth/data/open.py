"""`open_dataset`: which reader a path needs, recognised from the path alone."""

from __future__ import annotations

from pathlib import Path

from minidepth.data.csv_pairs import CSV_NAMES, CsvPairs, find_csv
from minidepth.data.fastdepth import PATTERNS, FastDepth, has_frames
from minidepth.data.nyu_mat import NyuMat, splits_beside
from minidepth.data.sample import Dataset
from minidepth.errors import InputError

SPLITS = ("train", "test")
KNOWN = (
    "'rooms', a labelled .mat file, a .csv file, a folder with data/nyu2_train.csv or data/nyu2_test.csv,"
    " or a FastDepth folder (train/<scene>/*.h5, val/official/*.h5)"
)


def open_dataset(path: str | Path, split: str = "train") -> Dataset:
    """The data set at a path, or the procedural one.

    Args:
        path: ``"rooms"``, a labelled ``.mat`` file, a ``.csv`` file (taken whole, whatever the split), the folder that
        holds
            ``data/nyu2_train.csv``, or a FastDepth folder.
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
    if path.suffix.lower() == ".mat":
        return NyuMat(path, split)
    if path.suffix.lower() == ".csv":
        return CsvPairs(path)
    csv_path = find_csv(path, split)
    if csv_path is not None:
        return CsvPairs(csv_path)
    if has_frames(path, split):
        return FastDepth(path, split)
    other = SPLITS[1 - SPLITS.index(split)]
    if find_csv(path, other) is not None or has_frames(path, other):
        raise InputError(
            f"{path}: has a {other} split but no {split} split;"
            f" looked for data/{CSV_NAMES[split]} and {PATTERNS[split]}"
        )
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
    if suffix == ".csv" or (suffix == ".mat" and not splits_beside(path).is_file()):
        return {"all": open_dataset(path)}
    if suffix == ".mat":
        return {split: open_dataset(path, split) for split in SPLITS}
    present = [split for split in SPLITS if find_csv(path, split) or has_frames(path, split)]
    return {split: open_dataset(path, split) for split in present or SPLITS[:1]}


def existing(path: str | Path) -> Path:
    """The path with ~ expanded, which must be a folder or a file of a known kind."""
    path = Path(path).expanduser()
    if not path.exists():
        raise InputError(f"{path}: does not exist; give {KNOWN}")
    if path.is_file() and path.suffix.lower() not in (".mat", ".csv"):
        raise InputError(f"{path}: no data set recognised here; looked for {KNOWN}")
    return path

"""`make`: one folder of a stand-in data set."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from minidepth.data.make import diode, modest, pets, rooms
from minidepth.data.make.parts import Plan
from minidepth.data.open import open_splits
from minidepth.data.rooms.view import check_size
from minidepth.errors import InputError

Size = tuple[int, int]


class Kind(NamedTuple):
    """A data set that has a stand-in."""

    write: Callable[[Path, Plan], None]
    frames: int
    """Training and test frames together, unless given."""
    size: Size
    """(height, width), unless given."""


class Made(NamedTuple):
    """What was written."""

    folder: Path
    frames: dict[str, int]
    """Of each split, as `open_splits` finds them."""


KINDS = {
    "pets": Kind(pets.write, 500, (160, 160)),
    "modest": Kind(modest.write, 600, (112, 112)),
    "diode": Kind(diode.write, 240, (192, 256)),
    "rooms": Kind(rooms.write, 480, (120, 160)),
}


def make(kind: str, folder: str | Path, frames: int | None = None, size: Size | None = None, seed: int = 0) -> Made:
    """Write a stand-in data set, which `open_dataset` then opens like the real one.

    Args:
        kind: one of `KINDS`.
        folder: where; it must not exist, or be empty.
        frames: training and test frames together. A fifth is for the test, of modest three tenths.
        size: (height, width) of the pictures; pets vary about it, as photographs do.
        seed: another seed, other pictures.

    Raises:
        InputError: an unknown kind, too few frames, a size or seed that cannot be, or a folder with something in it.
    """
    if kind not in KINDS:
        raise InputError(f"make {kind!r}: unknown; use {', '.join(KINDS)}")
    usual = KINDS[kind]
    frames, size = usual.frames if frames is None else frames, usual.size if size is None else size
    if frames < 2:
        raise InputError(f"make {kind}: {frames} frames; at least 2 are needed, one to train on and one to test")
    if seed < 0:
        raise InputError(f"make {kind}: seed {seed}; it must be 0 or more")
    check_size(size)
    folder = Path(folder).expanduser()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder}: is there already and not an empty folder; give a new one")
    usual.write(folder, Plan(frames, (int(size[0]), int(size[1])), seed))
    return Made(folder, {split: len(dataset) for split, dataset in open_splits(folder).items()})

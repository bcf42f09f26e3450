"""Numbers and names out of an HDF5 file that nobody vouches for: only what lies in the file itself is read.

An HDF5 file can point into other files, claim arrays far larger than itself, and have groups that contain themselves.
And one wrong byte can send the HDF5 library into a loop without an end, which not even Ctrl-C stops: see `check_heaps`.
"""

from __future__ import annotations

import io
import math
import mmap
import os
import struct
from typing import Any

import numpy as np

from minidepth.pretrained.refused import RefusedError, shown
from minidepth.pretrained.tensors import MOST_NUMBERS

MOST_NAMES = 100_000
"""Arrays in a file, and names in a list."""
GREATEST_RATIO = 100
"""Compressed numbers that take less than a hundredth of their size are a trap."""


HEAP = b"GCOL\x01"
"""How a collection of texts of any length begins: signature and version, three bytes, and its size in bytes."""


def check_heaps(file: str | os.PathLike[str] | io.BytesIO) -> None:
    """Walk through the collections of texts as the library would, which trusts the sizes in them.

    A collection is a row of objects: number, two more fields, size, then as many bytes, rounded up to 8. The object of
    number 0 is the free space at the end, and its size counts its own 16 bytes too; where it is 0, the library never
    gets on. Source: HDF5 file format specification, III.E (global heap).

    Raises:
        RefusedError: the sizes do not add up.
        OSError: the disk.
    """
    if isinstance(file, io.BytesIO):
        _check_heaps(file.getvalue())
        return
    with open(file, "rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        _check_heaps(data)


def _check_heaps(data: bytes | mmap.mmap) -> None:
    start = data.find(HEAP)
    while start >= 0:
        position, end = start + 16, start + int.from_bytes(data[start + 8 : start + 16], "little")
        while position + 16 <= min(end, len(data)):
            number, size = struct.unpack("<H6xQ", data[position : position + 16])
            position += 16 + (size + 7) // 8 * 8 if number else size
            if position > end or (number == 0 and position != end):
                break
        if not position <= end <= len(data) or end - position >= 16:
            raise RefusedError(f"the HDF5 file is damaged (its texts at byte {start}); get it again")
        start = data.find(HEAP, start + 1)


def child(group: Any, path: str) -> Any:
    """What lies at `path` below `group`; links into other files are refused, step by step.

    Raises:
        RefusedError: nothing is there, or a link.
    """
    import h5py

    for step in path.split("/"):
        if step in ("", ".", "..") or not isinstance(group, h5py.Group) or step not in group:
            raise RefusedError(f"the array or group {shown(path)!r} that it names is not there")
        if not isinstance(group.get(step, getlink=True), h5py.HardLink):
            raise RefusedError(f"{shown(path)!r} is a link to somewhere else, which is not followed")
        group = group[step]
    return group


def array(group: Any, path: str) -> np.ndarray:
    """The numbers of the array at `path`.

    Raises:
        RefusedError: it is none, or its numbers are not in the file.
    """
    import h5py

    dataset = child(group, path)
    if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
        raise RefusedError(f"{shown(path)!r} is no array, or its numbers lie in another file")
    if dataset.shape is None or dataset.dtype.kind not in "fiub":
        raise RefusedError(f"{shown(path)!r} holds no numbers")
    there = dataset.id.get_storage_size()
    if dataset.size > MOST_NUMBERS or dataset.nbytes > there * GREATEST_RATIO:
        raise RefusedError(f"{shown(path)!r} claims {dataset.size} numbers, but has {there} bytes")
    return np.asarray(dataset[()])


def names(group: Any, attribute: str) -> list[str]:
    """The list of names in an attribute or, where it was too long for one, in several with a number behind the name.

    Raises:
        RefusedError: too many.
    """
    pieces, number = ([attribute] if attribute in group.attrs else []), 0
    while not pieces or pieces[0] != attribute:
        if f"{attribute}{number}" not in group.attrs:
            break
        pieces.append(f"{attribute}{number}")
        number += 1
    found: list[str] = []
    for piece in pieces:
        if len(found) + math.prod(group.attrs.get_id(piece).shape or ()) > MOST_NAMES:
            raise RefusedError(f"its {attribute} has too many entries; at most {MOST_NAMES} are read")
        items = np.asarray(group.attrs[piece]).ravel().tolist()
        found.extend(item.decode("utf-8") if isinstance(item, bytes) else str(item) for item in items)
    return found

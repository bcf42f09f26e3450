"""Numbers and names out of an HDF5 file that nobody vouches for: only what lies in the file itself is read.

An HDF5 file can point into other files, claim arrays far larger than itself, and have groups that contain themselves.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidepth.pretrained.refused import RefusedError, shown
from minidepth.pretrained.tensors import MOST_NUMBERS

MOST_NAMES = 100_000
"""Arrays in a file, and names in a list."""
GREATEST_RATIO = 100
"""Compressed numbers that take less than a hundredth of their size are a trap."""


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

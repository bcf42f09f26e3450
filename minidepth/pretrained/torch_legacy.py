"""Weights as torch saved them from 0.1.10 to 1.5: five pickles one after the other, then the storages.

    magic number, version 1001, facts about the machine, the object, the list of storage keys
    for each key in that order: how many numbers (int64), and the numbers

There is no checksum in this form: a wrong byte among the numbers is a wrong number. (Files of torchvision carry a
checksum in their name, see read.py.)
"""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np

from minidepth.pretrained import pickle_machine, tensors
from minidepth.pretrained.refused import RefusedError, shown
from minidepth.pretrained.state_dict import find_weights

MAGIC = 0x1950A86A20F9469CFC6C
MAGIC_BYTES = MAGIC.to_bytes(10, "little")
"""As it lies in the first pickle."""
VERSION = 1001


def read(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The weights by name, read-only, and the names of what was left aside.

    Raises:
        RefusedError: damaged, hostile, or no file of weights.
        OSError: the disk.
    """
    data = np.fromfile(path, np.uint8)
    pickles = io.BytesIO(data[: 3 * pickle_machine.LONGEST].tobytes())
    if pickle_machine.run(pickles) != MAGIC or pickle_machine.run(pickles) != VERSION:
        raise RefusedError(f"its first two numbers are not those of torch's old files, version {VERSION}")
    facts = pickle_machine.run(pickles)
    if not isinstance(facts, dict) or facts.get("little_endian") is not True:
        raise RefusedError("its numbers are in big-endian byte order, which is not read, or it is damaged")
    content = pickle_machine.run(pickles)
    keys = pickle_machine.run(pickles)
    weights, aside = find_weights(content)
    where = _positions(data, pickles.tell(), keys, _storages(content))

    def read_storage(storage: tensors.Storage) -> np.ndarray:
        start = where[storage.key]
        return data[start : start + storage.n_bytes]

    return tensors.arrays(weights, read_storage), aside


def _storages(content: Any) -> dict[str, tensors.Storage]:
    """Every storage that a tensor anywhere in `content` is a view of, by its key: only there is its dtype."""
    found: dict[str, tensors.Storage] = {}
    seen: set[int] = set()
    waiting = [content]
    while waiting:  # content may share parts and even contain itself, so each is visited once
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, tensors.StoredTensor):
            found[value.storage.key] = value.storage
        elif isinstance(value, tensors.Storage):
            found[value.key] = value
        elif isinstance(value, dict):
            waiting.extend(value.values())
        elif isinstance(value, (list, tuple)):
            waiting.extend(value)
    return found


def _positions(data: np.ndarray, start: int, keys: Any, storages: dict[str, tensors.Storage]) -> dict[str, int]:
    """Where the numbers of each storage begin; they lie behind `start` in the order of `keys`, to the file's end."""
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or len(set(keys)) != len(keys):
        raise RefusedError("its list of storages is damaged")
    if set(keys) != set(storages):
        raise RefusedError("its list of storages is not that of its tensors; it is damaged")
    where: dict[str, int] = {}
    for key in keys:
        count = int.from_bytes(data[start : start + 8].tobytes(), "little")
        storage = storages[key]
        if count != storage.count:
            raise RefusedError(f"storage {shown(key)} begins with the count {count}, but should have {storage.count}")
        where[key], start = start + 8, start + 8 + storage.n_bytes
    if start != data.size:
        raise RefusedError(f"it has {data.size} bytes, but its storages end at {start}: cut off, or damaged")
    return where

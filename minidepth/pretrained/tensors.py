"""Tensors as torch files describe them: a piece of a numbered storage, seen with a size and strides.

A storage is a row of `count` numbers of one dtype. A tensor is the view of it that begins at `offset` and goes on by
`stride[d]` numbers along dimension d, all counted in numbers and not in bytes. Several tensors may share a storage.
Everything is checked before any array is made: a view must lie inside its storage, and no tensor may have more numbers
than its storage, so that no small file can ask for large memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minidepth.pretrained.refused import RefusedError, shown

DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "<u2",  # the upper half of a float32; NumPy has no such dtype, see `from_bfloat16`
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
"""Names of torch's storage classes, and how their numbers lie in a file."""

MOST_DIMENSIONS = 8
MOST_NUMBERS = 2**30
"""In one file, over all its tensors: seven times the largest network of this package."""


@dataclass(frozen=True)
class Storage:
    """`count` numbers, filed under `key`; a tensor of it sees those from `start` to `stop`."""

    kind: str
    key: str
    count: int
    start: int
    stop: int

    @property
    def n_bytes(self) -> int:
        """How many bytes it takes in the file."""
        return self.count * np.dtype(DTYPES[self.kind]).itemsize


@dataclass(frozen=True)
class StoredTensor:
    """A view of a storage that has been found to lie inside it."""

    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]

    @property
    def n_numbers(self) -> int:
        """How many numbers the view shows."""
        return math.prod(self.size)


def storage(kind: str, key: Any, count: Any, view: Any = None) -> Storage:
    """A storage, checked; `view` is None or, in old files, (key, offset, size) of the part that is meant.

    Raises:
        RefusedError: a key that is no number, a count that is none, a view that lies outside.
    """
    if not isinstance(key, str) or not (key.isascii() and key.isdigit() and len(key) <= 20):
        raise RefusedError(f"the storage key {shown(key)!r} is no number (a key must not be a path)")
    _check_counts("the size of a storage", (count,))
    start, stop = 0, count
    if view is not None:
        if not isinstance(view, tuple) or len(view) != 3:
            raise RefusedError(f"storage {key}: its view is not (key, offset, size)")
        _check_counts(f"the view of storage {key}", view[1:])
        start, stop = view[1], view[1] + view[2]
        if stop > count:
            raise RefusedError(f"storage {key}: a view of numbers {start} to {stop}, but it has only {count}")
    return Storage(kind, key, count, start, stop)


def tensor(storage: Any, offset: Any, size: Any, stride: Any) -> StoredTensor:
    """A view of a storage, checked.

    Raises:
        RefusedError: sizes or strides that are no counts, or a view that does not lie inside the storage.
    """
    if not isinstance(storage, Storage):
        raise RefusedError(f"a tensor of a {shown(storage)} instead of a storage")
    if not isinstance(size, tuple) or not isinstance(stride, tuple) or len(size) != len(stride):
        raise RefusedError("the size and the strides of a tensor are not two tuples of one length")
    if len(size) > MOST_DIMENSIONS:
        raise RefusedError(f"a tensor of {len(size)} dimensions; at most {MOST_DIMENSIONS} are read")
    _check_counts("a tensor's offset, size or stride", (offset, *size, *stride))
    there = storage.stop - storage.start
    last = offset + sum((n - 1) * step for n, step in zip(size, stride)) if 0 not in size else offset - 1
    if last >= there:
        raise RefusedError(f"a tensor {size} reaches number {last} of storage {storage.key}, which has {there}")
    if math.prod(size) > there:
        raise RefusedError(f"a tensor {size} shows more numbers than its storage {storage.key} has ({there})")
    return StoredTensor(storage, storage.start + offset, size, stride)


def arrays(tensors: dict[str, StoredTensor], read: Callable[[Storage], np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays of `tensors`, as read-only views of what `read` gives: the bytes of a storage, uint8, each asked once.

    Raises:
        RefusedError: too many numbers in all, or a storage that is described in two ways.
    """
    n_numbers = sum(tensor.n_numbers for tensor in tensors.values())
    if n_numbers > MOST_NUMBERS:
        raise RefusedError(f"its tensors have {n_numbers} numbers in all; at most {MOST_NUMBERS} are read")
    described: dict[str, tuple[str, int]] = {}
    numbers: dict[str, np.ndarray] = {}
    for tensor in tensors.values():
        kind, key, count = tensor.storage.kind, tensor.storage.key, tensor.storage.count
        if described.setdefault(key, (kind, count)) != (kind, count):
            raise RefusedError(f"storage {key} is a {kind} of {count} for one tensor, and something else for another")
        if key not in numbers:
            numbers[key] = _numbers(tensor.storage, read(tensor.storage))
    return {name: _view(tensor, numbers[tensor.storage.key]) for name, tensor in tensors.items()}


def from_bfloat16(halves: np.ndarray) -> np.ndarray:
    """Numbers in bfloat16, given as uint16, as float32: the same numbers with sixteen zero bits behind them."""
    return (halves.astype(np.uint32) << np.uint32(16)).view(np.float32)


def _numbers(storage: Storage, data: np.ndarray) -> np.ndarray:
    """The bytes of a storage as a row of numbers."""
    if data.size != storage.n_bytes:
        raise RefusedError(f"storage {storage.key} has {data.size} bytes, but {storage.n_bytes} are needed")
    numbers = np.require(data.view(DTYPES[storage.kind]), requirements="A")  # old files put storages anywhere
    return from_bfloat16(numbers) if storage.kind == "BFloat16Storage" else numbers


def _view(tensor: StoredTensor, numbers: np.ndarray) -> np.ndarray:
    """One tensor's view of the numbers of its storage."""
    strides = tuple(step * numbers.itemsize for step in tensor.stride)
    return as_strided(numbers[tensor.offset :], tensor.size, strides, writeable=False)


def _check_counts(what: str, values: tuple[Any, ...]) -> None:
    """Refuse what is not a whole number between 0 and `MOST_NUMBERS`; a bool is none."""
    for value in values:
        if type(value) is not int or value < 0:
            raise RefusedError(f"{what} must be whole numbers from 0, not {shown(value)}")
        if value > MOST_NUMBERS:
            raise RefusedError(f"{what}: {shown(value, 30)} is too large; at most {MOST_NUMBERS} is read")

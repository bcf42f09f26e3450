"""Memory that is used again: large arrays come from a pool, so that a steady training step asks the system for nothing.

Fresh memory is slow. The system hands it out page by page and zeroes each page at its first touch, so that writing to a
fresh array takes two to three times as long as writing to one that was used before. A training step makes the same
arrays as the step before it, so nearly all of that time can be saved.

The pool keeps buffers, and `empty` hands out arrays that are views of them. Nobody has to give anything back: an array,
or any view of it, holds a reference to its buffer for as long as it lives. A buffer that only the pool refers to is
free again, and Python's own reference count says so. `release` gives the free buffers back to the system; the pool does
that by itself with buffers that nobody has asked for in a long while, and with as many as its limit demands.
"""

from __future__ import annotations

import math
import sys
import threading
import warnings

import numpy as np

from minidepth.backend import Array

SMALL_BYTES = 1 << 16
"""Smaller arrays come from NumPy itself: it keeps small memory anyway."""
WASTE = 2.5
"""How much larger than the request a buffer may be, if there is none of just the right size. A level of a U-Net makes
arrays of half the size of the level above; more than twice lets it use what that one has freed."""
LONG_WHILE = 5000
"""After so many requests, of which a training step makes a few hundred, an unused buffer is given back."""


class Pool:
    """Buffers that are used again once no array lives in them.

    Args:
        limit_bytes: the most that the buffers may take together; None for no limit. Beyond it, arrays are made afresh
            each time: everything works, more slowly, and one warning says so.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        self.limit_bytes = limit_bytes
        self.held_bytes = 0
        self._buffers: dict[int, list[_Buffer]] = {}  # by size
        self._requests = 0
        self._warned = False
        self._lock = threading.RLock()  # a garbage collection inside `empty` may run code that comes here again

    def empty(self, shape: tuple[int, ...], dtype: np.dtype | type) -> Array:
        """An uninitialised C-contiguous array, as from ``np.empty``."""
        dtype = np.dtype(dtype)
        n_bytes = math.prod(shape) * dtype.itemsize
        if n_bytes < SMALL_BYTES:
            return np.empty(shape, dtype)
        with self._lock:
            self._requests += 1
            buffer = self._find(n_bytes) or self._make(n_bytes)
            if buffer is None:
                return np.empty(shape, dtype)
            buffer.last_request = self._requests
            return buffer.memory[:n_bytes].view(dtype).reshape(shape)

    def release(self) -> None:
        """Give all free buffers back to the system. Arrays in use stay as they are."""
        with self._lock:
            self._drop(self._free_buffers())

    def _find(self, n_bytes: int) -> _Buffer | None:
        for buffer in self._buffers.get(n_bytes, ()):
            if buffer.is_free():
                return buffer
        fitting = [size for size in self._buffers if n_bytes < size <= WASTE * n_bytes]
        for size in sorted(fitting):
            for buffer in self._buffers[size]:
                if buffer.is_free():
                    return buffer
        return None

    def _make(self, n_bytes: int) -> _Buffer | None:
        """A new buffer, or None where the limit leaves no room for it."""
        free = self._free_buffers()
        self._drop([buffer for buffer in free if self._requests - buffer.last_request > LONG_WHILE])
        if self.limit_bytes is not None and self.held_bytes + n_bytes > self.limit_bytes:
            self._drop(free)  # what was dropped already is passed over
            if self.held_bytes + n_bytes > self.limit_bytes:
                self._warn(n_bytes)
                return None
        buffer = _Buffer(n_bytes)
        self._buffers.setdefault(n_bytes, []).append(buffer)
        self.held_bytes += n_bytes
        return buffer

    def _free_buffers(self) -> list[_Buffer]:
        return [buffer for buffers in self._buffers.values() for buffer in buffers if buffer.is_free()]

    def _drop(self, buffers: list[_Buffer]) -> None:
        for buffer in buffers:
            same_size = self._buffers.get(buffer.memory.nbytes, [])
            if buffer in same_size:
                same_size.remove(buffer)
                self.held_bytes -= buffer.memory.nbytes

    def _warn(self, n_bytes: int) -> None:
        if not self._warned and self.limit_bytes is not None:
            self._warned = True
            warnings.warn(
                f"the pool's limit of {self.limit_bytes / 2**20:.0f} MiB is smaller than one step needs (it holds "
                f"{self.held_bytes / 2**20:.0f} MiB in use and was asked for {n_bytes / 2**20:.1f} MiB more); "
                "arrays beyond it are made afresh each time, which is slower; raise the limit or use a smaller batch",
                RuntimeWarning,
                stacklevel=2,
            )


class _Buffer:
    """Some memory, and when it was last asked for."""

    __slots__ = ("last_request", "memory")

    def __init__(self, n_bytes: int) -> None:
        self.memory = np.empty(n_bytes, np.uint8)
        self.last_request = 0

    def is_free(self) -> bool:
        """Whether nothing but this object refers to the memory."""
        return sys.getrefcount(self.memory) <= _ONLY_ITS_BUFFER


_ONLY_ITS_BUFFER = (lambda buffer: sys.getrefcount(buffer.memory))(_Buffer(1))
"""What `getrefcount` says of memory that only its buffer refers to: 2, since the question itself holds one."""

_pool = Pool()


def empty(shape: tuple[int, ...], dtype: np.dtype | type) -> Array:
    """`Pool.empty` of the pool that all kernels share."""
    return _pool.empty(shape, dtype)


def empty_like(x: Array) -> Array:
    """An uninitialised C-contiguous array of the shape and dtype of `x`."""
    return _pool.empty(x.shape, x.dtype)


def zeros(shape: tuple[int, ...], dtype: np.dtype | type) -> Array:
    """An array of zeros; large ones are zeroed by hand, as their memory was used before."""
    array = _pool.empty(shape, dtype)
    array.fill(0)
    return array

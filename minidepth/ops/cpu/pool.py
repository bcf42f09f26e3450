"""Memory that is used again: large arrays come from a pool, so that a steady training step asks the system for nothing.

Fresh memory is slow. The system hands it out page by page and zeroes each page at its first touch, so that writing to a
fresh array takes two to three times as long as writing to one that was used before. A training step makes the same
arrays as the step before it, so nearly all of that time can be saved.

The pool keeps buffers, and `empty` hands out arrays that are views of them. Nobody has to give anything back: an array,
or any view of it, holds a reference to its buffer for as long as it lives. A buffer that only the pool refers to is
free again, and Python's own reference count says so. Free buffers go back to the system when `release_memory` is
called, when nobody has asked for them in a long while, and where the limit demands it.

Arrays begin at a multiple of 64 bytes, a line of the cache and the width of the widest vector registers. (NumPy's own
begin 16 bytes after one: an addition of float32 then takes up to twice as long.)
"""

from __future__ import annotations

import logging
import math
import os
import sys
import threading
from collections.abc import Iterator
from weakref import WeakKeyDictionary

import numpy as np

from minidepth.backend import Array
from minidepth.errors import InputError

SMALL_BYTES = 1 << 16
"""Smaller arrays come from NumPy itself: it keeps small memory anyway."""
WASTE = 2.5
"""How much larger than the request a buffer may be, if there is none of just the right size. A level of a U-Net makes
arrays of half the size of the level above; more than twice lets it use what that one has freed."""
LINE_BYTES = 64
LONG_WHILE = 5000
"""Requests, of which a training step makes a few hundred; a buffer not used for as many is given back."""

log = logging.getLogger("minidepth")


class Pool:
    """Buffers that are used again once no array lives in them.

    Args:
        limit_bytes: the most that the buffers may take together; None for no limit. Beyond it, arrays are made afresh
            each time: everything works, more slowly, and one line in the log says so.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        self._buffers: dict[int, list[_Buffer]] = {}  # by size
        self._requests = 0
        self._lock = threading.RLock()  # a garbage collection inside `empty` may run code that comes here again
        self.set_limit(limit_bytes)

    @property
    def held_bytes(self) -> int:
        """What the buffers take together, those in use and those that are free."""
        return sum(size * len(same_size) for size, same_size in list(self._buffers.items()))

    def set_limit(self, limit_bytes: int | None) -> None:
        """Another limit; what is free beyond it is given back now, what is in use beyond it when it is free."""
        with self._lock:
            self.limit_bytes = limit_bytes
            self._told = False
            self._make_room(0)

    def empty(self, shape: tuple[int, ...], dtype: np.dtype | type) -> Array:
        """An uninitialised C-contiguous array, as from ``np.empty``."""
        dtype = np.dtype(dtype)
        n_bytes = math.prod(shape) * dtype.itemsize
        if n_bytes < SMALL_BYTES:
            return np.empty(shape, dtype)
        with self._lock:
            part = self._take(n_bytes)
            tell = part is None and not self._told
            self._told = self._told or tell
        if part is None:
            part = _Buffer(n_bytes).part(n_bytes)
        if tell:
            log.warning(
                "minidepth: the pool's limit of %.1f MiB is smaller than one step needs: it holds %.1f MiB, and %.1f "
                "more were asked for. Everything works, but more slowly; raise the limit or make the batch smaller",
                *(number / 2**20 for number in (self.limit_bytes or 0, self.held_bytes, n_bytes)),
            )
        return part.view(dtype).reshape(shape)

    def release(self) -> None:
        """Give all free buffers back to the system. Arrays in use stay as they are."""
        with self._lock:
            for buffer in self._free_buffers():
                self._drop(buffer)

    def _take(self, n_bytes: int) -> Array | None:
        """A part of a free buffer, or of a new one; None where the limit leaves no room for it."""
        self._requests += 1
        if self._requests % LONG_WHILE == 0:
            for buffer in self._free_buffers():
                if buffer.last_request < self._requests - LONG_WHILE:
                    self._drop(buffer)
        self._make_room(0)  # for once it was more, and the limit was lowered since
        for buffer in self._candidates(n_bytes):
            part = buffer.part(n_bytes)  # holds the memory from here on, so nobody can find it free a moment later
            if buffer.references() == _UNUSED + 1:
                break
        else:
            if not self._make_room(n_bytes):
                return None
            buffer = _Buffer(n_bytes)
            part = buffer.part(n_bytes)
            self._buffers.setdefault(n_bytes, []).append(buffer)
        buffer.last_request = self._requests
        return part

    def _candidates(self, n_bytes: int) -> Iterator[_Buffer]:
        """The buffers that are large enough: those of the right size, then larger ones up to `WASTE`."""
        yield from self._buffers.get(n_bytes, ())
        for size in sorted(size for size in list(self._buffers) if n_bytes < size <= WASTE * n_bytes):
            yield from self._buffers.get(size, ())

    def _make_room(self, n_bytes: int) -> bool:
        """Whether `n_bytes` more stay within the limit, if need be after free buffers were given back, oldest first."""
        if self.limit_bytes is None:
            return True
        excess_bytes = self.held_bytes + n_bytes - self.limit_bytes
        for buffer in self._free_buffers() if excess_bytes > 0 else ():
            self._drop(buffer)
            excess_bytes -= buffer.size
            if excess_bytes <= 0:
                break
        return excess_bytes <= 0

    def _free_buffers(self) -> list[_Buffer]:
        """Those that are not in use, the one first that was not asked for in the longest while."""
        buffers = [buffer for same_size in list(self._buffers.values()) for buffer in same_size]
        free = [buffer for buffer in buffers if buffer.references() == _UNUSED]
        return sorted(free, key=lambda buffer: buffer.last_request)

    def _drop(self, buffer: _Buffer) -> None:
        same_size = self._buffers.get(buffer.size, [])
        if buffer in same_size:  # not if a garbage collection has come here in between
            same_size.remove(buffer)
        if not same_size:
            self._buffers.pop(buffer.size, None)


class _Buffer:
    """Memory for `size` bytes and the way to the next cache line, and when it was last asked for."""

    __slots__ = ("last_request", "memory", "size", "start")

    def __init__(self, size: int) -> None:
        self.size = size
        self.memory = np.empty(size + LINE_BYTES, np.uint8)
        self.start = -self.memory.ctypes.data % LINE_BYTES
        self.last_request = 0

    def part(self, n_bytes: int) -> Array:
        """The first bytes. NumPy makes `memory` the base of this array and of each view of it: they keep it alive."""
        return self.memory[self.start : self.start + n_bytes]

    def references(self) -> int:
        """How many references there are to the memory, with this object's own and those that the question takes."""
        memory = self.memory
        return sys.getrefcount(memory)


_UNUSED = _Buffer(1).references()
"""The references to a memory that nobody uses."""

_pool = Pool()
_scratch: WeakKeyDictionary[threading.Thread, dict[str, Array]] = WeakKeyDictionary()


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


def scratch(name: str, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """An uninitialised array that belongs to this thread and is used again at the next call with the same name.

    It is for the inside of a tile and must not outlive it. Small tiles find it in the core's cache.
    """
    buffers = _scratch.setdefault(threading.current_thread(), {})
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    buffer = buffers.get(name)
    if buffer is None or buffer.nbytes < n_bytes:
        buffers[name] = buffer = _Buffer(n_bytes).part(n_bytes)
    return buffer[:n_bytes].view(dtype).reshape(shape)


def scratch_bytes() -> int:
    """What `scratch` keeps for this thread."""
    return sum(buffer.nbytes for buffer in _scratch.get(threading.current_thread(), {}).values())


def set_pool_limit(limit_bytes: int | None) -> None:
    """Keep at most `limit_bytes` of memory for arrays that are used again; None, as at the start, keeps all that comes.

    It is no limit to what a program uses: arrays beyond it are made afresh each time, which is slower. With 0, all are.

    Raises:
        InputError: `limit_bytes` is neither None nor a whole number of at least 0.
    """
    if limit_bytes is not None:
        if isinstance(limit_bytes, bool) or not isinstance(limit_bytes, (int, np.integer)) or limit_bytes < 0:
            raise InputError(
                f"set_pool_limit: limit_bytes is {limit_bytes!r}; it must be a whole number of at least 0, or None"
            )
        limit_bytes = int(limit_bytes)
    _pool.set_limit(limit_bytes)


def release_memory() -> None:
    """Give back to the system what is kept to be used again and not in use: after training, say, in a long program."""
    _pool.release()
    _scratch.clear()


if hasattr(os, "register_at_fork"):  # a child must not find the pool locked by a thread that it does not have
    os.register_at_fork(
        before=_pool._lock.acquire, after_in_parent=_pool._lock.release, after_in_child=_pool._lock.release
    )

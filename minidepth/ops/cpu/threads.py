"""Run the tiles of a kernel on all cores.

NumPy lets go of the interpreter lock inside large copies, arithmetic and matrix products, so plain Python threads do
run NumPy code side by side. A kernel cuts its work into *tiles* small enough for a core's own cache (about 1 MB), and
`run_tiles` hands them to one thread per core. Inside a tile BLAS must not start threads of its own, or two threads per
core would push each other's tiles out of the cache; so BLAS is held to one thread meanwhile, and set back afterwards.

What a tile computes must not depend on which thread runs it. The sizes of tiles depend on shapes alone, and sums over
tiles are taken in tile order, so the results of a tiled kernel are the same bits whatever the number of threads.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from minidepth.backend import Array

TILE_ELEMENTS = 1 << 16
"""Numbers per array in a tile of an elementwise kernel: three float32 arrays of it fit into a 1 MB cache."""

_thread = threading.local()


def thread_count() -> int:
    """The cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_tiles(task: Callable[[int], object], count: int) -> None:
    """Call ``task(0) ... task(count - 1)``, on all cores where there is more than one tile and more than one core."""
    if count <= 1 or getattr(_thread, "is_worker", False):  # a single tile may have all of BLAS's threads
        for tile in range(count):
            task(tile)
        return
    tiles = iter(range(count))  # one iterator for all: whoever is free takes the next tile

    def work() -> None:
        for tile in tiles:
            task(tile)

    with _single_threaded_blas():
        futures = [_pool().submit(work) for _ in range(min(thread_count(), count) - 1)]
        try:
            work()
        finally:
            for future in futures:
                future.result()


def run_slices(task: Callable[[slice], object], size: int, step: int = TILE_ELEMENTS) -> None:
    """Call `task` with slices that cover ``range(size)``, `step` at a time: the loop of an elementwise kernel."""
    run_tiles(lambda tile: task(slice(tile * step, min(size, (tile + 1) * step))), -(-size // step))


def scratch(name: str, shape: tuple[int, ...], dtype: np.dtype) -> Array:
    """An uninitialised array that belongs to this thread and is used again at the next call with the same name.

    Fresh memory costs page faults at every use; a kept buffer stays in the cache. It must not outlive the tile.
    """
    buffers: dict[str, Array] = _thread.__dict__.setdefault("buffers", {})
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize  # np.prod takes 20 us when the caches are full of numbers
    buffer = buffers.get(name)
    if buffer is None or buffer.nbytes < n_bytes:
        buffers[name] = buffer = np.empty(n_bytes, np.uint8)
    return buffer[:n_bytes].view(dtype).reshape(shape)


@cache
def _pool() -> ThreadPoolExecutor:
    def mark() -> None:
        _thread.is_worker = True

    return ThreadPoolExecutor(max(1, thread_count() - 1), thread_name_prefix="minidepth", initializer=mark)


if hasattr(os, "register_at_fork"):  # a forked child has the pool, but none of its threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController().select(user_api="blas")


_lock = threading.Lock()
_users = 0
_saved: list[int] = []


@contextmanager
def _single_threaded_blas() -> Iterator[None]:
    """Hold BLAS to one thread while any kernel runs; the last one to leave sets back what the first one found."""
    global _users, _saved
    with _lock:
        if _users == 0:
            _saved = [library.num_threads for library in _blas().lib_controllers]
            for library in _blas().lib_controllers:
                library.set_num_threads(1)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                for library, number in zip(_blas().lib_controllers, _saved):
                    library.set_num_threads(number)

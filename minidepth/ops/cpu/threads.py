"""Run the tiles of a kernel on all cores.

NumPy lets go of the interpreter lock inside large copies, arithmetic and matrix products, so plain Python threads do
run NumPy code side by side. A kernel cuts its work into *tiles* small enough for a core's own cache (about 1 MB), and
`run_tiles` hands them to one thread per core. Meanwhile BLAS has one thread for each product (blas.py).

What a tile computes must not depend on which thread runs it. The sizes of tiles depend on shapes alone, and sums over
tiles are taken in tile order, so the results of a tiled kernel are the same bits whatever the number of threads.

Cost: about 20 us for waking a helper up, so tiles should take longer than that, and 15 us for holding BLAS.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar, copy_context
from queue import SimpleQueue

import numpy as np

from minidepth.errors import InputError
from minidepth.ops.cpu import blas
from minidepth.ops.cpu.pool import scratch as scratch

TILE_ELEMENTS = 1 << 16
"""Numbers per array in a tile of an elementwise kernel: three float32 arrays of it fit into a 1 MB cache."""

Job = Callable[[], None]

_most_tiles: ContextVar[int | None] = ContextVar("most_tiles", default=None)
_num_threads: int | None = None
_jobs: SimpleQueue[Job | None] | None = None
_helpers = 0
"""The queue from which helpers take jobs, and how many of them wait at it."""
_lock = threading.Lock()


def get_num_threads() -> int:
    """How many threads a kernel may use: what `set_num_threads` was given, else the cores this process may run on."""
    if _num_threads is not None:
        return _num_threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_num_threads(n: int) -> None:
    """Let kernels use `n` threads, the caller's included: with 1, everything runs in the caller's thread.

    The results are the same bits for every `n`; more than there are cores does no good. Kernels that are running go on
    with the threads they have.

    Raises:
        InputError: `n` is not a whole number of at least 1.
    """
    global _num_threads, _jobs
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1:
        raise InputError(f"set_num_threads: n is {n!r}; it must be a whole number of at least 1")
    with _lock:
        _num_threads = int(n)
        if _jobs is not None:
            _jobs.put(None)
            _jobs = None  # the next kernel starts new helpers


def run_tiles(task: Callable[[int], object], count: int, products: bool = True) -> None:
    """Call ``task(0) ... task(count - 1)``, on all cores where there is more than one tile and more than one core.

    The caller's thread takes part, and returns when every tile is done. An error in a tile is raised here; other tiles
    may then have run or not. A tile may itself call this function.

    Args:
        task: what to do for one tile.
        count: how many there are.
        products: whether there are matrix products in `task`; without them BLAS need not be held, which saves 15 us.
    """
    most = _most_tiles.get()
    count = count if most is None else min(count, most)
    tiles = iter(range(count))  # one iterator for all: whoever is free takes the next tile

    def work() -> None:
        for tile in tiles:
            task(tile)

    with blas.one_thread() if products else nullcontext():
        _run_together(work, min(get_num_threads(), count) - 1)


@contextmanager
def only_tiles(most: int) -> Iterator[None]:
    """In this block kernels run at most so many of their tiles: with 0, they ask for their memory and do no work.

    What they give means nothing. It is how the memory of a step is found without the step, see dry_run.py.
    """
    token = _most_tiles.set(most)
    try:
        yield
    finally:
        _most_tiles.reset(token)


def run_slices(task: Callable[[slice], object], size: int, step: int = TILE_ELEMENTS, products: bool = True) -> None:
    """Call `task` with slices that cover ``range(size)``, `step` at a time; the rest is as in `run_tiles`."""
    run_tiles(lambda tile: task(slice(tile * step, min(size, (tile + 1) * step))), -(-size // step), products)


def _run_together(work: Job, helpers: int) -> None:
    """Run `work` in this thread, and in up to `helpers` more that are free before this one is done."""
    if helpers < 1:
        return work()
    # A helper that starts takes a ticket; those left at the end are torn up. In the context np.errstate holds as here.
    tickets = iter([(copy_context(), work) for _ in range(helpers)])
    reports: SimpleQueue[BaseException | None] = SimpleQueue()

    def take_part() -> None:
        for context, job in tickets:
            report = None
            try:
                context.run(job)
            except BaseException as error:  # raised below, in the thread that called the kernel
                report = error
            del job  # before the caller goes on, whose arrays hang on it
            reports.put(report)

    jobs = _queue(helpers)
    for _ in range(helpers):
        jobs.put(take_part)
    try:
        work()
    finally:
        started = helpers - len(list(tickets))
        errors = [error for error in (reports.get() for _ in range(started)) if error is not None]
    if errors:
        try:
            raise errors[0]
        finally:
            del errors  # an error knows this frame: a circle, in which large arrays would wait for the collector


def _queue(helpers: int) -> SimpleQueue[Job | None]:
    """The queue of jobs, at which at least so many helpers wait."""
    global _jobs, _helpers
    with _lock:
        if _jobs is None:
            _jobs, _helpers = SimpleQueue(), 0
        while _helpers < helpers:
            threading.Thread(target=_serve, args=(_jobs,), name=f"minidepth-{_helpers}", daemon=True).start()
            _helpers += 1
        return _jobs


def _serve(jobs: SimpleQueue[Job | None]) -> None:
    while (job := jobs.get()) is not None:
        job()
    jobs.put(None)  # the next helper is to end, too


def _after_fork() -> None:
    """A forked child has none of the threads."""
    global _jobs, _lock
    _jobs, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

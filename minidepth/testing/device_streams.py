"""Streams, events and pinned memory of the emulated GPU, in the order of events that does most harm to a mistake.

What is computed on the emulated GPU is computed at once. A copy on a stream of its own comes as late as it may: only
when the computing stream, or the CPU, waits for an event behind it. Whoever computes without waiting finds the NaN that
stood there before. The copy reads its source when it comes, so what was overwritten too early arrives overwritten, and
where pinned memory was forgotten too early nothing arrives. A copy into memory that the computing stream may still be
using is refused: its stream has to wait for an event of the computing stream that is younger than that memory.
"""

from __future__ import annotations

import ctypes
import itertools
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

_clock = itertools.count()


def now() -> int:
    """A number that grows: what is made later has a larger one."""
    return next(_clock)


class PinnedMemory(bytearray):
    """Memory of the CPU that the system cannot move."""


class Event:
    """The place in a stream at which it was recorded."""

    def __init__(self, stream: Stream) -> None:
        self.stream, self.place, self.time = stream, len(stream.work), now()

    @property
    def done(self) -> bool:
        """Whether all that came before it in its stream has happened."""
        return self.stream.done >= self.place

    def synchronize(self) -> None:
        """Let the CPU wait for it."""
        self.stream.run(self.place)


def _nothing() -> None:
    """In place of work that is done."""


class Stream:
    """Work in order. Of the computing stream nothing waits here, as it is done at once."""

    def __init__(self, non_blocking: bool = False) -> None:
        self.work: list[Callable[[], None]] = []
        self.done = 0
        self.knows = -1
        """All that the computing stream did up to this time has happened before what comes next in this stream."""

    def record(self) -> Event:
        """An event behind all that is in the stream now."""
        return Event(self)

    def wait_event(self, event: Event) -> None:
        """What comes next in this stream waits for `event`."""
        if event.stream is COMPUTING:
            self.knows = max(self.knows, event.time)
        elif self is COMPUTING:
            event.synchronize()
        else:
            self.work.append(event.synchronize)

    def synchronize(self) -> None:
        """Let the CPU wait for all that is in the stream."""
        self.run(len(self.work))

    def run(self, place: int) -> None:
        """Do what is in the stream up to `place`."""
        while self.done < place:
            self.work[self.done]()
            self.work[self.done] = _nothing  # it would hold on to its arrays
            self.done += 1

    def copy(self, source: np.ndarray, target: np.ndarray, born: int) -> None:
        """Copy `source` into `target`, which was made at the time `born`, some time."""
        if self.knows < born:
            raise RuntimeError(
                "a copy into memory that kernels launched before may still use: let its stream wait for an event of "
                "the computing stream that is recorded after the array was made"
            )
        owner, place = weakref.ref(_owner(source)), source.ctypes.data

        def happen() -> None:
            if owner() is not None:
                ctypes.memmove(target.ctypes.data, place, target.nbytes)

        self.work.append(happen)


def _owner(array: np.ndarray) -> PinnedMemory:
    """The pinned memory in which `array` lies."""
    base: Any = array
    while isinstance(base, np.ndarray) and base.base is not None:
        base = base.base
    owner = base.obj if isinstance(base, memoryview) else base
    if not isinstance(owner, PinnedMemory) or not array.flags.c_contiguous:
        raise RuntimeError("a copy beside the computing needs a C-contiguous array in memory of alloc_pinned_memory")
    return owner


COMPUTING = Stream()
"""The stream in which everything is launched where nothing else is said."""

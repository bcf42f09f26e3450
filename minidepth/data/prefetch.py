"""Batches on a GPU, each copied there while the step before it is computed.

A copy that runs beside the computing goes through a stream of its own, and needs three things:

* Memory of the CPU that the system cannot move ("pinned"). The loader's threads put their pictures right into it, in
  arrays that `pinned` makes; CuPy keeps that memory, and gives it out again once such an array is forgotten.
* Two waits, of which the CPU knows nothing. What is computed with a batch waits for the event that ends its copy. And
  the copy waits for what was launched before it: its memory on the GPU may be that of an array which Python has
  forgotten, but which a kernel still reads that has not run yet.
* A batch in pinned memory must be left alone until it is copied, so it is remembered here. `AHEAD` batches later its
  copy is done, or the CPU waits for it: more launches in the queue would make nothing faster.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

from minidepth.data.loader import Empty
from minidepth.data.sample import Batch

AHEAD = 2


def pinned(cupy: ModuleType | None) -> Empty:
    """What makes arrays that can be copied to a GPU without the CPU; without CuPy, what makes ordinary ones."""
    if cupy is None:
        return np.empty

    def empty(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        count = math.prod(shape)
        memory = cupy.cuda.alloc_pinned_memory(count * np.dtype(dtype).itemsize)
        return np.frombuffer(memory, dtype, count).reshape(shape)

    return empty


def ahead(batches: Iterable[Batch], cupy: ModuleType | None) -> Iterator[Batch]:
    """Each batch on the GPU, one after the other; without CuPy, the batches as they are."""
    if cupy is None:
        yield from batches
        return
    copying, computing = cupy.cuda.Stream(non_blocking=True), cupy.cuda.get_current_stream()
    waiting: deque[tuple[Batch, Any]] = deque()  # batches on the GPU, each with the event that ends its copy
    sources: deque[tuple[Batch, Any]] = deque()  # the same batches in pinned memory
    try:
        for batch in batches:
            targets: list[Any] = [None if array is None else cupy.empty(array.shape, array.dtype) for array in batch]
            copying.wait_event(computing.record())
            for source, target in zip(batch, targets):
                if target is not None:
                    target.set(source, stream=copying)
            copied = copying.record()
            waiting.append((Batch(*targets), copied))
            sources.append((batch, copied))
            if len(sources) > AHEAD:
                sources[0][1].synchronize()
                sources.popleft()
            if len(waiting) == AHEAD:
                yield _ready(computing, *waiting.popleft())
        while waiting:
            yield _ready(computing, *waiting.popleft())
    finally:  # neither memory may be given out again before
        copying.synchronize()


def _ready(computing: Any, batch: Batch, copied: Any) -> Batch:
    """The batch, which whatever is launched from now on may use."""
    computing.wait_event(copied)
    return batch

"""How much memory of a GPU a run needs: the most that its arrays held at one time, and what CuPy's pool holds for them.

The pool asks the GPU for memory, and keeps what comes back to give it out again. It counts what it holds, and adds up
what is in use when asked; the peak, in the middle of a step, somebody has to see. A hook that is called for every array
costs a tenth of a small network's step, so only the first steps of an epoch are watched, and all steps are alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from types import ModuleType
from typing import Any, TypeVar

from minidepth.cuda.device import mib

WATCHED_BATCHES = 3

_Batch = TypeVar("_Batch")


class PoolMemory:
    """The figures of a run; without CuPy there are none."""

    def __init__(self, cupy: ModuleType | None) -> None:
        self.cupy = cupy
        self.peak_bytes = 0
        """The most that was in use at one time, in the batches that were watched."""

    def watch(self, batches: Iterable[_Batch]) -> Iterator[_Batch]:
        """The batches as they are; while the first few are computed with, the peak is looked for."""
        rest = iter(batches)
        if self.cupy is not None:
            with self._hook(self.cupy):
                yield from islice(rest, WATCHED_BATCHES)
        yield from rest

    def text(self) -> str:
        """Both figures in one line."""
        if self.cupy is None:
            return ""
        held = self.cupy.get_default_memory_pool().total_bytes()
        return f"GPU memory: peak {mib(self.peak_bytes)} in use, {mib(held)} held by the pool"

    def _hook(self, cupy: ModuleType) -> Any:
        """For ``with``: follows what is in use."""
        memory, used = self, cupy.get_default_memory_pool().used_bytes()

        class Hook(cupy.cuda.MemoryHook):  # type: ignore[name-defined]
            """Adds up what is given out and what comes back."""

            name = "minidepth"

            def malloc_postprocess(self, **facts: Any) -> None:
                nonlocal used
                used += facts["mem_size"]
                memory.peak_bytes = max(memory.peak_bytes, used)

            def free_postprocess(self, **facts: Any) -> None:
                nonlocal used
                used -= facts["mem_size"]

        return Hook()

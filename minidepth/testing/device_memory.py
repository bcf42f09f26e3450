"""The memory of the emulated GPU: what arrays hold now, what they held at most, and a limit on that."""

from __future__ import annotations

import weakref
from types import TracebackType
from typing import Any

import numpy as np

UNIT_BYTES = 512
"""CuPy's pool gives out whole units of that."""
CARD_BYTES = 16 << 30


class OutOfMemoryError(MemoryError):
    """As CuPy's, text and all."""


class MemoryHook:
    """As CuPy's: what happens to memory while ``with hook:`` holds."""

    name = "MemoryHook"

    def __enter__(self) -> MemoryHook:
        POOL.hooks.append(self)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        POOL.hooks.remove(self)

    def malloc_postprocess(self, **facts: Any) -> None:
        """Memory was given out."""

    def free_postprocess(self, **facts: Any) -> None:
        """Memory came back."""


class Pool:
    """As CuPy's memory pool, but every piece that comes back fits whatever is asked for next."""

    def __init__(self) -> None:
        self.hooks: list[MemoryHook] = []
        self._living: dict[int, tuple[weakref.ref[np.ndarray], int]] = {}
        self._used = self._total = 0
        self._limit: int | None = None

    def add(self, array: np.ndarray) -> None:
        """Count `array` for as long as it lives, unless it is a view of another one.

        Raises:
            OutOfMemoryError: there is a limit, and no room for it.
        """
        if array.base is not None or id(array) in self._living:
            return
        size = -(-array.nbytes // UNIT_BYTES) * UNIT_BYTES
        if self._limit is not None and self._used + size > self._limit:
            raise OutOfMemoryError(
                f"Out of memory allocating {array.nbytes:,} bytes (allocated so far: {self._used:,} bytes, "
                f"limit set to: {self._limit:,} bytes)."
            )
        self._used += size
        self._total = max(self._total, self._used)
        key = id(array)
        self._living[key] = weakref.ref(array, lambda _: self._free(key)), size
        for hook in self.hooks:
            hook.malloc_postprocess(device_id=0, size=array.nbytes, mem_size=size, mem_ptr=key, pmem_id=key)

    def _free(self, key: int) -> None:
        _, size = self._living.pop(key)
        self._used -= size
        for hook in self.hooks:
            hook.free_postprocess(device_id=0, mem_size=size, mem_ptr=key, pmem_id=key)

    def used_bytes(self) -> int:
        """What arrays hold."""
        return self._used

    def total_bytes(self) -> int:
        """What the pool has asked the GPU for."""
        return self._total

    def free_bytes(self) -> int:
        """What it has of that to give out."""
        return self._total - self._used

    def free_all_blocks(self) -> None:
        """Give back what no array holds."""
        self._total = self._used

    def set_limit(self, size: int) -> None:
        """Refuse to hold more than `size` bytes; 0 is without a limit."""
        self._limit = size or None

    def get_limit(self) -> int:
        """The limit, 0 for none."""
        return self._limit or 0


POOL = Pool()


def card_memory() -> tuple[int, int]:
    """What is free beside the pool, and all there is, in bytes: ``cupy.cuda.runtime.memGetInfo``."""
    card = POOL.get_limit() or CARD_BYTES
    return card - POOL.total_bytes(), card

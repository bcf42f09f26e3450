"""Large arrays number by number: in blocks on all cores, and into memory that was used before.

``a + b`` on large arrays is slow for two reasons: NumPy writes the sum to fresh memory, and one core alone does not
use up the memory's speed. `elementwise` is the same call without either.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minidepth.backend import Array, xp
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.threads import run_tiles

BLOCK_ELEMENTS = 1 << 17
"""Numbers in a block. Half of it fits a cache better, but a NumPy call must last some 20 us for threads to gain."""

Block = tuple["int | slice", ...]


def elementwise(function: Callable[..., object], *arrays: Any, out: Array | None = None) -> Array:
    """What ``function(*arrays, out=out)`` gives, for a NumPy function of each element such as np.add.

    Args:
        function: takes blocks of the arrays and, as `out`, the block of the result to fill.
        arrays: arrays of any layout that broadcast, and numbers; the first one is an array.
        out: where to write; None for a new C-contiguous array of the dtype that the arrays have together.
    """
    lib = xp(arrays[0])
    if out is None:
        shape, dtype = np.broadcast_shapes(*map(_shape, arrays)), lib.result_type(*arrays)
        out = pool.empty(shape, dtype) if lib is np else lib.empty(shape, dtype)
    if out.size <= BLOCK_ELEMENTS or lib is not np:
        function(*arrays, out=out)
        return out
    full = [np.broadcast_to(array, out.shape) if np.ndim(array) else array for array in arrays]
    run_blocks(lambda block: function(*(a[block] if np.ndim(a) else a for a in full), out=out[block]), out.shape)
    return out


def _shape(array: Any) -> tuple[int, ...]:
    return getattr(array, "shape", ())


def run_blocks(task: Callable[[Block], object], shape: tuple[int, ...], size: int = BLOCK_ELEMENTS) -> None:
    """Call `task` with indices that cut an array of `shape` into blocks of at most `size` numbers, on all cores.

    A block is (n, slice of channels) where a few channels make a block, (n, c, slice of rows) where rows do, and so on.
    `task` is to have no matrix products in it, as BLAS is not held to one thread.
    """
    size = max(1, size)
    axis = next(axis for axis in range(len(shape)) if math.prod(shape[axis + 1 :]) <= size)
    step = size // max(1, math.prod(shape[axis + 1 :]))
    slices = [slice(start, start + step) for start in range(0, shape[axis], step)]
    blocks = [(*outer, part) for outer in np.ndindex(shape[:axis]) for part in slices]
    run_tiles(lambda index: task(blocks[index]), len(blocks), products=False)

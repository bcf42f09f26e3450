"""The product of two matrices on all cores, some rows at a time.

BLAS has threads of its own, but with them the bits of a result depend on how many there are. Here they do not.
"""

from __future__ import annotations

import numpy as np

from minidepth.backend import Array
from minidepth.ops.cpu.threads import run_slices

SMALL_PRODUCT = 1 << 18
"""Multiplications up to which BLAS starts no threads of its own."""
TILE_PRODUCT = 1 << 25
"""Multiplications in a tile of a larger one: about a millisecond."""


def product(a: Array, b: Array) -> Array:
    """a @ b of NumPy matrices (..., M, K) and (..., K, N)."""
    if a.size * b.shape[-1] <= SMALL_PRODUCT:
        return np.matmul(a, b)
    shape = (*np.broadcast_shapes(a.shape[:-2], b.shape[:-2]), a.shape[-2], b.shape[-1])
    y = np.empty(shape, np.result_type(a, b))
    step = max(64, TILE_PRODUCT * shape[-2] // (y.size * a.shape[-1]))
    run_slices(lambda rows: np.matmul(a[..., rows, :], b, out=y[..., rows, :]), shape[-2], step)
    return y

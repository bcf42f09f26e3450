"""A Gaussian window slid over pictures, as products with banded matrices.

    y[r, c] = sum_ij w_i w_j x[r + i, c + j]        i, j = 0 .. k-1: only where the window lies inside ("valid")

The window is separable: first along the rows, then along the columns. Along a row, `BLOCK` sums of k products each are
one product with a band, the window written once for each of them, one place further down each time:

           | w0          |
    band = | w1 w0       |      y[c : c + BLOCK] = x[c : c + BLOCK + k - 1] @ band
           | w2 w1 w0    |
           |    w2 w1 .. |

BLAS multiplies the zeros too, and is still 4 times as fast as NumPy adding up 2k pictures. The window is symmetric, so
the adjoint is the same filter over y in a frame of k - 1 zeros.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from minidepth.backend import Array
from minidepth.ops.cpu.threads import scratch

BLOCK = 32


@cache
def band(size: int, sigma: float, dtype: np.dtype) -> Array:
    """The band (BLOCK + size - 1, BLOCK) of the Gaussian window of `size` numbers, which add up to 1."""
    taps = np.exp(-((np.arange(size) - (size - 1) / 2) ** 2) / (2 * sigma**2))
    taps /= taps.sum()
    matrix = np.zeros((BLOCK + size - 1, BLOCK), dtype)
    for column in range(BLOCK):
        matrix[column : column + size, column] = taps
    return matrix


def slide(x: Array, size: int, sigma: float, out: Array) -> Array:
    """The window over each picture of x (P, H, W), into `out` (P, H - size + 1, W - size + 1), which is returned."""
    pictures, height, width = x.shape
    weights = band(size, sigma, x.dtype)
    along = scratch("gaussian_rows", (pictures, height, width - size + 1), x.dtype)
    for part, under in _blocks(width, size):
        np.matmul(x[:, :, under], _cut(weights, part, size), out=along[:, :, part])
    for part, under in _blocks(height, size):
        np.matmul(_cut(weights, part, size).T, along[:, under], out=out[:, part])
    return out


def complete(valid: Array, size: int) -> Array:
    """Where the window sees valid pixels only: bool (N, 1, H, W) -> (N, 1, H - size + 1, W - size + 1)."""
    for axis in (2, 3):
        reach = 1  # how many pixels, from its own place on, `valid` now speaks for
        while reach < size:
            step = min(reach, size - reach)
            n = valid.shape[axis] - step
            ahead, here = [slice(None)] * 4, [slice(None)] * 4
            here[axis], ahead[axis] = slice(n), slice(step, None)
            valid = valid[tuple(here)] & valid[tuple(ahead)]
            reach += step
    return valid


def _blocks(n: int, size: int) -> list[tuple[slice, slice]]:
    """For n numbers: slices of the results, and of the numbers under their windows."""
    results = n - size + 1
    starts = range(0, results, BLOCK)
    parts = [slice(start, min(start + BLOCK, results)) for start in starts]
    return [(part, slice(part.start, part.stop + size - 1)) for part in parts]


def _cut(weights: Array, part: slice, size: int) -> Array:
    """The part of the band that a last, shorter block needs."""
    n = part.stop - part.start
    return weights[: n + size - 1, :n]

"""Work on whole channels: tiles of a few channels of all pictures, and sums over everything but the channels.

Batch-norm needs sums over a channel before it can change a single number of it. In a tile that holds the whole channel,
the second look at a number finds it in the cache, so each is read from main memory once.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from minidepth.backend import Array
from minidepth.ops.cpu.threads import run_tiles

TILE_ELEMENTS = 1 << 18
"""Numbers per array in a tile, unless one channel has more. A core's cache does not hold that. But the cache that the
cores share is nearly as quick, and with fewer and longer NumPy calls two threads wait less for each other."""
SEGMENT = 256
"""Numbers that are added up in one go, see `channel_sums`."""


def run_channels(tile: Callable[..., None], *arrays: Array, elements: int = TILE_ELEMENTS) -> None:
    """Call ``tile(channels, part of each array...)`` for all channels and on all cores.

    Args:
        tile: gets a slice of channels, and of each array those channels as (N, c, pixels).
        arrays: (N, C, ...); those that are to be written to must be C-contiguous.
        elements: about how many numbers per array make a tile.
    """
    n, channels = arrays[0].shape[:2]
    planes = [array.reshape(n, channels, math.prod(array.shape[2:])) for array in arrays]
    count = max(1, -(-arrays[0].size // elements))
    count += count > 1 and count % 2  # an even number, so that two cores are done at the same time
    step = -(-channels // count)
    slices = [slice(first, first + step) for first in range(0, channels, step)]
    run_tiles(lambda t: tile(slices[t], *(plane[:, slices[t]] for plane in planes)), len(slices), products=False)


def channel_sums(a: Array, b: Array | None = None) -> Array:
    """Sum of a b, or of a, over pictures and pixels: (N, c, pixels) -> (c, 1) in float64.

    BLAS adds up segments of 256 numbers, and those sums are added in float64, so little is lost to rounding. There must
    be many segments: NumPy lets go of the interpreter lock only in a `vecdot` that has more than 500 results.
    """
    n, channels, pixels = a.shape
    whole, rest = divmod(pixels, SEGMENT)
    if rest == 0:
        return _sums_of_segments(a, b, (n, channels, whole, SEGMENT))
    cut = whole * SEGMENT
    tail, b_tail = a[:, :, cut:], None if b is None else b[:, :, cut:]
    total = _sums_of_segments(tail, b_tail, (n, channels, 1, rest))
    if whole > 0:
        start, b_start = a[:, :, :cut], None if b is None else b[:, :, :cut]
        total += _sums_of_segments(start, b_start, (n, channels, whole, SEGMENT))
    return total


def _sums_of_segments(a: Array, b: Array | None, shape: tuple[int, int, int, int]) -> Array:
    other = _ones(shape[-1], a.dtype) if b is None else b.reshape(shape)
    sums = np.vecdot(a.reshape(shape), other)
    return np.add.reduce(sums, axis=(0, 2), dtype=np.float64)[:, None]


@cache
def _ones(n: int, dtype: np.dtype) -> Array:
    return np.ones(n, dtype)


def column(values: Array, dtype: np.dtype) -> Array:
    """(C,) -> (C, 1), to go with (N, C, pixels)."""
    return values.astype(dtype)[:, None]

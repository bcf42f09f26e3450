"""Work on whole channels: tiles of a few channels of all pictures, and sums over everything but the channels.

Batch-norm needs sums over a channel before it can change a single number of it. In a tile that holds the whole channel,
the second look at a number finds it in the cache, so each is read from main memory once.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from minidepth.backend import Array
from minidepth.ops.cpu.threads import run_tiles

TILE_ELEMENTS = 1 << 18
"""Numbers per array in a tile, unless one channel has more. A core's cache does not hold that. But the cache that the
cores share is nearly as quick, and with fewer and longer NumPy calls two threads wait less for each other."""
SEGMENT = 256
"""Numbers that are added up in one go, see `channel_sums`."""


def run_channels(tile: Callable[..., None], *arrays: Array) -> None:
    """Call ``tile(channels, part of each array...)`` for all channels and on all cores.

    Args:
        tile: gets a slice of channels, and of each array those channels as (N, c, pixels).
        arrays: (N, C, ...); those that are to be written to must be C-contiguous.
    """
    n, channels = arrays[0].shape[:2]
    planes = [array.reshape(n, channels, math.prod(array.shape[2:])) for array in arrays]
    count = max(1, -(-arrays[0].size // TILE_ELEMENTS))
    count += count > 1 and count % 2  # an even number, so that two cores are done at the same time
    step = -(-channels // count)
    slices = [slice(first, first + step) for first in range(0, channels, step)]
    run_tiles(lambda t: tile(slices[t], *(plane[:, slices[t]] for plane in planes)), len(slices), products=False)


def channel_sums(a: Array, b: Array | None = None) -> Array:
    """Sum of a b, or of a, over pictures and pixels: (N, c, pixels) -> (c,) in float64.

    BLAS adds up segments of 256 numbers, and those sums are added in float64, so little is lost to rounding. There must
    be many segments: NumPy lets go of the interpreter lock only in a `vecdot` that has more than 500 results.
    """
    n, channels, pixels = a.shape
    whole = pixels // SEGMENT
    cut = whole * SEGMENT
    segments, rest = a[:, :, :cut].reshape(n, channels, whole, SEGMENT), a[:, :, cut:]
    if b is None:
        ones = np.ones(SEGMENT, a.dtype)
        sums, last = np.vecdot(segments, ones), np.vecdot(rest, ones[: pixels - cut])
    else:
        sums = np.vecdot(segments, b[:, :, :cut].reshape(segments.shape))
        last = np.vecdot(rest, b[:, :, cut:])
    return sums.sum(axis=(0, 2), dtype=np.float64) + last.sum(axis=0, dtype=np.float64)


def column(values: Array, dtype: np.dtype) -> Array:
    """(c,) -> (c, 1), to go with (N, c, pixels)."""
    return values.astype(dtype)[:, None]

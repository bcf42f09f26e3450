"""Inputs for gradient checks that stay away from kinks and ties by construction.

A central difference compares two points, x + h v and x - h v, and is right if the function is smooth between them.
Steps are around 1e-6, so a gap of 1e-2 to the next kink is plenty; what matters is that the gap is there by the way
the numbers are made, not because a seed was lucky. Each function returns a float64 array.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidepth.backend import Array

Shape = Sequence[int]


def normal(rng: np.random.Generator, shape: Shape) -> Array:
    """Standard normal numbers, for functions without kinks."""
    return rng.standard_normal(tuple(shape))


def positive(rng: np.random.Generator, shape: Shape) -> Array:
    """Numbers from 0.5 to 2.5, for logarithms, roots and divisors."""
    return rng.uniform(0.5, 2.5, tuple(shape))


def distinct(rng: np.random.Generator, shape: Shape) -> Array:
    """Odd multiples of 0.05 around 0, shuffled, none of them twice: 0.1 from each other and 0.05 from 0."""
    n = int(np.prod(shape))
    return (rng.permutation(n) - n // 2 + 0.5).reshape(shape) * 0.1


def away_from(rng: np.random.Generator, shape: Shape, kinks: Sequence[float], gap: float = 0.1) -> Array:
    """Numbers spread evenly over the intervals that `kinks` cut the line into, at least `gap` away from each kink.

    The two outer intervals are taken 2 wide. Every interval gets its share of the numbers, so every branch is checked.
    """
    edges = [min(kinks) - 2, *sorted(kinks), max(kinks) + 2]
    n = int(np.prod(shape))
    interval = rng.permutation(np.arange(n) % (len(edges) - 1))
    low, high = np.array(edges)[interval] + gap, np.array(edges)[interval + 1] - gap
    return (low + (high - low) * rng.random(n)).reshape(shape)


def ramp(rng: np.random.Generator, shape: Shape, start: float, per_row: float, per_column: float) -> Array:
    """A tilted plane (N, C, H, W) and a little noise: its Sobel filter is nowhere near 0, also at a zero-padded edge.

    The filter of the plane is 8 times its slopes; noise of at most a fiftieth of them changes that by at most a
    fiftieth. Where a frame of zeros is under the filter, it sees the height itself, which must stay positive.
    """
    rows, columns = np.arange(shape[-2])[:, None], np.arange(shape[-1])
    noise = 0.02 * min(abs(per_row), abs(per_column)) * rng.uniform(-1, 1, tuple(shape))
    return start + per_row * rows + per_column * columns + noise


def nested_levels(rng: np.random.Generator, shape: Shape, depth: int) -> Array:
    """Pictures (N, C, H, W) for `depth` rounds of 2x2 max-pooling: no round meets a tie.

    The four pixels of each 2x2 window have four levels, 1 apart; so have the four windows of each 2x2 block of
    windows, and so on. What a round keeps are pixels of one level, and the next round sees the levels of the windows.
    All channels have the same order of levels, each with a contrast of its own, so it survives any mixing by positive
    weights.
    """
    n, channels, height, width = shape
    rows, columns = np.arange(height)[:, None], np.arange(width)
    levels = np.zeros((n, 1, height, width))
    for round_number in range(depth):
        quarter = 2 * ((rows >> round_number) & 1) + ((columns >> round_number) & 1)  # (H, W): 0 to 3
        levels += np.stack([rng.permutation(4)[quarter] for _ in range(n)])[:, None]
    contrast = rng.uniform(0.8, 1.2, (1, channels, 1, 1))
    return contrast * levels + rng.uniform(-0.05, 0.05, tuple(shape))

"""Tools for procedural textures that do not flicker: random fields and stripes, averaged over a pixel.

A texture finer than a pixel must fade to its mean. Two tools do that:
  pulse   the mean of a periodic stripe over the pixel, in closed form
  noise   a smooth random field kept at several resolutions (mip-map), read at the one that fits the pixel
"""

from __future__ import annotations

import functools

import numpy as np

Array = np.ndarray
Colour = tuple[float, float, float]

NOISE_SIZE = 256


@functools.cache
def _noise_levels() -> tuple[Array, Array]:
    """A periodic field of mean 0 and deviation 1, halved again and again: (all levels in one row, their offsets)."""
    rng = np.random.default_rng(7)
    level = rng.standard_normal((NOISE_SIZE, NOISE_SIZE))
    level += 0.5 * (np.roll(level, 1, 0) + np.roll(level, 1, 1))
    level = (level / level.std()).astype(np.float32)
    levels, offsets, offset = [], [], 0
    while True:
        levels.append(level.ravel())
        offsets.append(offset)
        offset += level.size
        if len(level) == 1:
            return np.concatenate(levels), np.array(offsets, np.int32)
        level = level.reshape(len(level) // 2, 2, -1, 2).mean((1, 3))


@functools.cache
def _uniform_table() -> Array:
    return np.random.default_rng(11).random(4096, dtype=np.float32)


def noise(x: Array, y: Array, blur: Array) -> Array:
    """Smooth random field at (x, y), averaged over `blur`; all three in cells of the field (it repeats after 256)."""
    values, offsets = _noise_levels()
    level = np.minimum(np.maximum(np.frexp(blur)[1], 0), 6)
    x, y = np.ldexp(x, -level), np.ldexp(y, -level)
    left, low = np.floor(x), np.floor(y)
    x, y = x - left, y - low
    width = NOISE_SIZE >> level
    column, row = left.astype(np.int32) & (width - 1), low.astype(np.int32) & (width - 1)
    next_column, next_row = (column + 1) & (width - 1), (row + 1) & (width - 1)
    row, next_row = row * width + offsets[level], next_row * width + offsets[level]
    below = values[row + column] * (1 - x) + values[row + next_column] * x
    above = values[next_row + column] * (1 - x) + values[next_row + next_column] * x
    return below + (above - below) * y


def pick(i: Array, j: Array | float, seed: int) -> Array:
    """A fixed random number in 0..1 for each pair of whole numbers (i, j): the shade of a brick, of a plank."""
    key = i * np.float32(127.0) + np.float32(311.0) * j
    return _uniform_table()[(key.astype(np.int32) + seed * 53) & 4095]


def pulse(x: Array, duty: float, blur: Array) -> Array:
    """Share of a window of width `blur` around x covered by stripes [k, k + duty), k whole: 0..1, no aliasing."""

    def covered(at: Array) -> Array:  # length of stripe between 0 and at
        whole = np.floor(at)
        return whole * duty + np.minimum(at - whole, duty)

    half = 0.5 * blur
    return (covered(x + half) - covered(x - half)) / blur


def limit(x: Array) -> Array:
    """Into 0..1 (np.clip takes three times as long on the few hundred pixels of a face)."""
    return np.minimum(np.maximum(x, 0), 1)


def inside(distance: Array, blur: Array) -> Array:
    """1 inside an edge (distance < 0), 0 outside, a ramp of one pixel between."""
    return limit(0.5 - distance / blur)


def mix(first: Colour | Array, second: Colour | Array, weight: Array) -> Array:
    """first + (second - first) * weight, (n, 3)."""
    first, second = np.asarray(first, np.float32), np.asarray(second, np.float32)
    return first + (second - first) * weight[:, None]

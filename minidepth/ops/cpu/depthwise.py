"""Depthwise convolution (every channel by itself) as products with a banded matrix.

A kernel of I*J numbers for each channel gives BLAS nothing to do: im2col leaves one row times I*J columns. But several
output rows of a channel look at the same input rows. The *band* is a column of the kernel, w, written once for each of
them, moved on by the stride; here for three rows and I = 3:

           | w0 w1 w2       |
    band = |    w0 w1 w2    |
           |       w0 w1 w2 |

So for a *group* of `ROWS` output rows there is one product: the bands of all J columns, times the U input rows under
the group. That is done for the whole width of the picture in its frame of zeros, so nothing has to be copied for it.
What the j-th band gave is then moved on by j columns and added up. The zeros of the bands are multiplied as well, but
BLAS is through with U taps before NumPy has added up I pictures times a number.

    forward      y[group] = sum over j of  (band[j] @ framed[rows under it])[:, j:]
    grad_x       the forward of dL/dy with the kernel flipped; where there is a stride, with zeros between its pixels
    grad_weight  dL/dband[j] = dL/dy[group] @ framed[rows under it, j:]^T; what lies on one of its diagonals is added up

With a stride the columns of the framed picture are dealt out to as many *parts*; each tap finds all it needs in one.

Cost: N C R S U J multiply-adds, U = (ROWS - 1) stride + (I - 1) dilation + 1, and J additions a number of y.
Accuracy: plain sums of I*J products (N R S for the weight): errors below eps sqrt(I*J) times the largest result.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from minidepth.backend import Array
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.finish import Limits, finish
from minidepth.ops.cpu.threads import run_tiles, scratch
from minidepth.ops.cpu.tiles import output_size

Pair = tuple[int, int]

ROWS = 8
"""Output rows of a group: with more of them BLAS is faster, but there are more zeros in the band."""
BUFFER_BYTES = 1 << 20
"""About the size of the products of a tile: what fits into a core's cache."""


def forward(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    limits: Limits | None = None,
) -> Array:
    """x (N, C, H, W), weight (C, 1, I, J) -> y (N, C, R, S)."""
    y = pool.empty((*x.shape[:2], *output_size(x.shape, weight.shape, stride, padding, dilation)), x.dtype)
    _convolve(x, weight, bias, _Walk(weight.shape[2:], stride, padding, dilation), y, limits)
    return y


def grad_x(
    grad: Array,
    weight: Array,
    x_shape: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    bias: Array | None = None,
) -> Array:
    """grad (N, C, R, S), weight (C, 1, I, J) -> (N, C, H, W)."""
    rest = [d * (k - 1) - p for d, k, p in zip(dilation, weight.shape[2:], padding)]
    walk = _Walk(weight.shape[2:], (1, 1), (rest[0], rest[1]), dilation, spread=stride)
    result = pool.empty(x_shape, grad.dtype)
    _convolve(grad, weight[:, :, ::-1, ::-1], bias, walk, result)
    return result


def grad_weight(
    grad: Array, x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """grad (N, C, R, S), x (N, C, H, W) -> (C, 1, I, J)."""
    walk, columns = _Walk(weight_shape[2:], stride, padding, dilation), grad.shape[3]
    tiles = _tiles(grad.shape, walk, x.itemsize, ROWS, BUFFER_BYTES)
    parts = np.zeros((len(tiles), *weight_shape), x.dtype)  # of each tile only its channels are filled

    def tile(index: int) -> None:
        picture, some, lines, height = tiles[index]
        framed = walk.framed(x[picture, some], lines, height, columns)
        grads = grad[picture, some, lines].reshape(*framed.shape[1:3], height, columns)
        bands = scratch("bands", (*grads.shape[:3], framed.shape[3]), x.dtype)
        for part, taps in enumerate(walk.taps()):
            for j, along in taps:
                np.matmul(grads, framed[part, ..., along : along + columns].swapaxes(2, 3), out=bands)
                parts[index, some, 0, :, j] = walk.diagonals(bands.sum(axis=1)).sum(axis=1)

    run_tiles(tile, len(tiles))
    return parts.sum(axis=0)


def _convolve(x: Array, weight: Array, bias: Array | None, walk: _Walk, y: Array, limits: Limits | None = None) -> None:
    """Fill y (N, C, R, S), of whatever size, as if x (N, C, H, W) went on with zeros."""
    tiles, columns = _tiles(y.shape, walk, x.itemsize, ROWS, BUFFER_BYTES), y.shape[3]
    added = np.zeros((y.shape[1], 1, 1, 1), x.dtype) if bias is None else bias[:, None, None, None]
    bands = {height: walk.bands(weight[:, 0], height) for height in {height for *_, height in tiles}}

    def tile(index: int) -> None:
        picture, some, lines, height = tiles[index]
        framed = walk.framed(x[picture, some], lines, height, columns)
        _, c, groups, _, width = framed.shape
        result = y[picture, some, lines]
        total, offset = result.reshape(c, groups, height, columns), added[some]
        first = True
        for part, (taps, band) in enumerate(zip(walk.taps(), bands[height])):
            products = scratch("products", (c, groups, height * len(taps), width), x.dtype)
            np.matmul(band[some, None], framed[part], out=products)
            products = products.reshape(c, groups, height, len(taps), width)
            for n, (_, along) in enumerate(taps):
                np.add(products[:, :, :, n, along : along + columns], offset if first else total, out=total)
                first = False
        finish(result, None, limits)

    run_tiles(tile, len(tiles))


@lru_cache(maxsize=1024)
def _tiles(
    y_shape: tuple[int, ...], walk: _Walk, itemsize: int, most_rows: int, buffer_bytes: int
) -> list[tuple[int, slice, slice, int]]:
    """How the work on y (N, C, R, S) is cut: picture, channels, rows, and the rows of a group, of which they are some.

    All groups have the same height but the last one, which is a tile of its own.
    """
    n, channels, rows, columns = y_shape
    height = -(-rows // -(-rows // most_rows))  # equal groups rather than a short one at the end
    groups = rows // height
    most = max(1, buffer_bytes // (walk.kernel[1] * height * walk.width(columns) * itemsize))  # groups in a tile
    step = min(groups, most)
    share = -(-channels // _even(-(-channels * step // most)))
    lines = [(slice(first * height, min(groups, first + step) * height), height) for first in range(0, groups, step)]
    if rows % height:
        lines.append((slice(groups * height, rows), rows % height))
    return [
        (picture, slice(first, min(channels, first + share)), part, high)
        for picture in range(n)
        for first in range(0, channels, share)
        for part, high in lines
    ]


def _even(n: int) -> int:
    """`n` or the number after it: two cores are to be done at the same time."""
    return n + n % 2


class _Walk(NamedTuple):
    """How a kernel walks over pictures."""

    kernel: tuple[int, ...]
    stride: Pair
    padding: Pair
    dilation: Pair
    spread: Pair = (1, 1)
    """How far apart the pixels of x lie, with zeros between them. Where that is more than 1, the stride is 1."""

    def rows_under(self, rows: int) -> int:
        """Input rows under so many output rows."""
        return (rows - 1) * self.stride[0] + (self.kernel[0] - 1) * self.dilation[0] + 1

    def width(self, columns: int) -> int:
        """Columns of a framed picture, or of its parts: those of the first tap, and how far the last one moves on."""
        return columns + (self.kernel[1] - 1) * self.dilation[1] // self.stride[1]

    def taps(self) -> list[list[Pair]]:
        """For each part of a framed picture, the columns of the kernel that meet it: (j, how far it moves on)."""
        return _taps(self.kernel[1], self.dilation[1], self.stride[1])

    def framed(self, x: Array, lines: slice, height: int, columns: int) -> Array:
        """The rows of x (c, H, W) under output rows `lines`, in a frame of zeros: (parts, c, groups, U, width).

        Groups overlap in memory.
        """
        rows, width, parts = self.rows_under(lines.stop - lines.start), self.width(columns), len(self.taps())
        framed = scratch("framed", (parts, len(x), rows, width), x.dtype)
        framed.fill(0)
        to_rows, from_rows = _meet(x.shape[1], rows, self.padding[0] - lines.start * self.stride[0], 1, self.spread[0])
        for part in range(parts):
            to, source = _meet(x.shape[2], width, self.padding[1] - part, self.stride[1], self.spread[1])
            framed[part, :, to_rows, to] = x[:, from_rows, source]
        shape = (parts, len(x), (lines.stop - lines.start) // height, self.rows_under(height), width)
        part_step, c_step, row_step, step = framed.strides
        strides = (part_step, c_step, height * self.stride[0] * row_step, row_step, step)
        return np.ndarray(shape, x.dtype, framed, 0, strides)  # as_strided, in a tenth of its time

    def bands(self, weight: Array, height: int) -> list[Array]:
        """For each part the bands of the columns of the kernel that meet it: weight (C, I, J) -> (C, height * taps, U).

        They go row by row. What belongs to one row is what belongs to the row before, moved on by the stride, and so
        all rows are copies of one run of numbers that is as much longer.
        """
        c, rows, reach = len(weight), self.rows_under(height), (self.kernel[0] - 1) * self.dilation[0] + 1
        bands = []
        for taps in self.taps():
            run = np.zeros((c, len(taps) * rows + self.stride[0]), weight.dtype)
            for n, (j, _) in enumerate(taps):
                run[:, n * rows : n * rows + reach : self.dilation[0]] = weight[:, :, j]
            band = pool.empty((c, height, run.shape[1]), weight.dtype)
            np.copyto(band, run[:, None])
            bands.append(band.reshape(c, -1)[:, : height * len(taps) * rows].reshape(c, -1, rows))
        return bands

    def diagonals(self, band: Array) -> Array:
        """A view (c, rows, I) of band (c, rows, U): what belongs to the taps of each output row."""
        c_step, row_step, step = band.strides
        strides = (c_step, row_step + self.stride[0] * step, self.dilation[0] * step)
        return np.ndarray((*band.shape[:2], self.kernel[0]), band.dtype, band, 0, strides)


@lru_cache(maxsize=1024)
def _taps(columns: int, dilation: int, stride: int) -> list[list[Pair]]:
    """Column j of a kernel meets part (j dilation) mod stride; parts that none meets, at the end, are left out."""
    places = [divmod(j * dilation, stride) for j in range(columns)]
    parts = 1 + max(part for _, part in places)
    return [[(j, along) for j, (along, meets) in enumerate(places) if meets == part] for part in range(parts)]


@lru_cache(maxsize=1024)
def _meet(n: int, size: int, offset: int, stride: int, spread: int) -> tuple[slice, slice]:
    """Where numbers 0 .. n - 1, number q at place (q spread + offset) / stride of `size`, lie: (places, numbers).

    Stride or spread is 1. With a stride, numbers that would lie between two places are not there.
    """
    if stride == 1:
        first = max(0, -(offset // spread))
        last = max(first, min(n, (size - 1 - offset) // spread + 1))
        return slice(first * spread + offset, max(0, last * spread + offset), spread), slice(first, last)
    first = max(0, -(-offset // stride))
    last = max(first, min(size, (n - 1 + offset) // stride + 1))
    return slice(first, last), slice(first * stride - offset, max(0, last * stride - offset), stride)

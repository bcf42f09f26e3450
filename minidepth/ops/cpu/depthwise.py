"""Depthwise convolution (every channel by itself) as products with a banded matrix.

A kernel of I*J numbers for each channel gives BLAS nothing to do: im2col leaves one row times I*J columns. But several
output rows of a channel look at the same input rows. The *band* is the kernel written once for each of them, moved on
by the stride; here for three rows and I = 3, where every w is a row of J taps:

           | w0 w1 w2       |
    band = |    w0 w1 w2    |
           |       w0 w1 w2 |

So a *group* of `ROWS` output rows is one product: a band, times the U input rows under the group. Each of these rows is
laid down J times, in *lanes* that are moved on by one tap each, with zeros around; row beside row, so that one band
reaches into all lanes, and groups overlap in memory. The zeros of the band are multiplied as well, but BLAS is through
with U taps before NumPy has added up I pictures times a number.

    forward      y[group] = band @ lanes[rows under it]
    grad_x       the forward of dL/dy with the kernel flipped; where there is a stride, with zeros between its pixels
    grad_weight  dL/dband = dL/dy[group] @ lanes[rows under it]^T; what lies on one of its diagonals is added up

Cost: J copies of x, and N C R S U J multiply-adds, U = (ROWS - 1) stride + (I - 1) dilation + 1.
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
"""About the size of a tile's lanes: what fits into a core's cache."""


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
        lanes = walk.lanes(x[picture, some], lines, height, columns)
        grads = grad[picture, some, lines].reshape(*lanes.shape[:2], height, columns)
        bands = scratch("bands", (*grads.shape[:3], lanes.shape[2]), x.dtype)
        np.matmul(grads, lanes.swapaxes(2, 3), out=bands)
        parts[index, some, 0] = walk.diagonals(bands.sum(axis=1)).sum(axis=1)

    run_tiles(tile, len(tiles))
    return parts.sum(axis=0)


def _convolve(x: Array, weight: Array, bias: Array | None, walk: _Walk, y: Array, limits: Limits | None = None) -> None:
    """Fill y (N, C, R, S), of whatever size, as if x (N, C, H, W) went on with zeros."""
    tiles, columns = _tiles(y.shape, walk, x.itemsize, ROWS, BUFFER_BYTES), y.shape[3]
    bands = {height: walk.bands(weight[:, 0], height) for height in {height for *_, height in tiles}}

    def tile(index: int) -> None:
        picture, some, lines, height = tiles[index]
        lanes = walk.lanes(x[picture, some], lines, height, columns)
        result = y[picture, some, lines]
        np.matmul(bands[height][some, None], lanes, out=result.reshape(*lanes.shape[:2], height, columns))
        finish(result, None if bias is None else bias[some], limits)

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
    most = max(1, buffer_bytes // (walk.kernel[1] * walk.rows_under(height) * columns * itemsize))  # groups
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

    def lanes(self, x: Array, lines: slice, height: int, columns: int) -> Array:
        """What is under output rows `lines` of x (c, H, W), group by group: (c, groups, U*J, S)."""
        rows, top = self.rows_under(lines.stop - lines.start), self.padding[0] - lines.start * self.stride[0]
        lanes = scratch("lanes", (len(x), rows, self.kernel[1], columns), x.dtype)
        lanes.fill(0)
        to_rows, from_rows = _meet(x.shape[1], rows, top, 1, self.spread[0])
        for j in range(self.kernel[1]):
            left = self.padding[1] - j * self.dilation[1]
            to, source = _meet(x.shape[2], columns, left, self.stride[1], self.spread[1])
            lanes[:, to_rows, j, to] = x[:, from_rows, source]
        shape = (len(x), (lines.stop - lines.start) // height, self.rows_under(height) * self.kernel[1], columns)
        c_step, row_step, j_step, step = lanes.strides
        strides = (c_step, height * self.stride[0] * row_step, j_step, step)
        return np.ndarray(shape, x.dtype, lanes, 0, strides)  # as_strided, in a tenth of its time

    def bands(self, weight: Array, height: int) -> Array:
        """The band of each channel: weight (C, I, J) -> (C, height, U*J).

        A row of it is the row before, moved on by the stride. So all rows are copies of one run of numbers, which is as
        much longer.
        """
        (c, i_size, j_size), size = weight.shape, self.rows_under(height) * self.kernel[1]
        run = np.zeros((c, size + self.stride[0] * j_size), weight.dtype)
        run[:, :size].reshape(c, -1, j_size)[:, : (i_size - 1) * self.dilation[0] + 1 : self.dilation[0]] = weight
        band = pool.empty((c, height, run.shape[1]), weight.dtype)
        np.copyto(band, run[:, None])
        return band.reshape(c, -1)[:, : height * size].reshape(c, height, size)

    def diagonals(self, band: Array) -> Array:
        """A view (c, rows, I, J) of band (c, rows, U*J): the numbers that belong to the taps of each output row."""
        c_step, row_step, step = band.strides
        u_step = self.kernel[1] * step
        strides = (c_step, row_step + self.stride[0] * u_step, self.dilation[0] * u_step, step)
        return np.ndarray((*band.shape[:2], *self.kernel), band.dtype, band, 0, strides)


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

"""Depthwise convolution (every channel by itself) as products with a banded matrix.

A kernel of I*J numbers for each channel gives BLAS nothing to do: im2col leaves one row times I*J columns. But several
output rows of a channel look at the same input rows. The *band* is the kernel written once for each of them, moved on
by the stride; here for three rows and I = 3, where every w is a row of J taps:

           | w0 w1 w2       |
    band = |    w0 w1 w2    |
           |       w0 w1 w2 |

So `ROWS` output rows are one product: the band, times the U input rows under them, each copied J times, moved on by
one tap. The zeros of the band are multiplied as well, but BLAS is through with U taps before NumPy has added up I
pictures times a number.

    forward      y[rows] = band @ shifted[rows under them]: the operands of neighbouring groups overlap in memory
    grad_x       the forward of dL/dy with the kernel flipped; where there is a stride, with zeros between its pixels
    grad_weight  dL/dband = dL/dy[rows] @ shifted[rows under them]^T; what lies on one of its diagonals is added up

Cost: J copies of x, and N C R S U J multiply-adds, U = (ROWS - 1) stride + (I - 1) dilation + 1.
Accuracy: plain sums of I*J products (N R S for the weight): errors below eps sqrt(I*J) times the largest result.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minidepth.backend import Array
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.row_gemm import fill_shifted
from minidepth.ops.cpu.threads import run_tiles, scratch
from minidepth.ops.cpu.tiles import output_size

Pair = tuple[int, int]

ROWS = 8
"""Output rows of a product: with more of them BLAS is faster, but there are more zeros in the band."""
BUFFER_BYTES = 1 << 21
"""About the size of a tile's shifted rows: smaller ones fit a core's cache, but then the calls are too short for two
threads to gain from each other, and larger ones were slower again."""


def forward(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """x (N, C, H, W), weight (C, 1, I, J) -> y (N, C, R, S)."""
    y = pool.empty((*x.shape[:2], *output_size(x.shape, weight.shape, stride, padding, dilation)), x.dtype)
    _convolve(x, weight, bias, stride, padding, dilation, y)
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
    result = pool.empty(x_shape, grad.dtype)
    _convolve(grad, weight[:, :, ::-1, ::-1], bias, (1, 1), (rest[0], rest[1]), dilation, result, spread=stride)
    return result


def grad_weight(
    grad: Array, x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """grad (N, C, R, S), x (N, C, H, W) -> (C, 1, I, J)."""
    (n, channels, rows, columns), kernel = grad.shape, weight_shape[2:]
    blocks = _Blocks(channels, rows, columns, kernel, stride, dilation, x.itemsize)
    parts = np.empty((n, channels, *kernel), x.dtype)

    def tile(index: int) -> None:
        picture, some = blocks[index]
        shifted = blocks.shift(x[picture, some], padding)
        total = parts[picture, some]
        total[...] = 0
        for group, under in blocks.groups(shifted):
            grads = grad[picture, some, group].reshape(*under.shape[:2], -1, columns)  # (c, groups, rows, S)
            bands = scratch("bands", (*grads.shape[:3], under.shape[2]), x.dtype)
            np.matmul(grads, under.swapaxes(2, 3), out=bands)
            total += blocks.diagonals(bands.sum(axis=1)).sum(axis=1)

    run_tiles(tile, n * len(blocks))
    return parts.sum(axis=0).reshape(weight_shape)


def _convolve(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    y: Array,
    spread: Pair = (1, 1),
) -> None:
    """Fill y (N, C, R, S), of whatever size, as if x (N, C, H, W), its pixels `spread` apart, went on with zeros."""
    n, channels, rows, columns = y.shape
    blocks = _Blocks(channels, rows, columns, weight.shape[2:], stride, dilation, x.itemsize)
    band = np.zeros((channels, *blocks.band_shape), x.dtype)
    blocks.diagonals(band)[...] = weight

    def tile(index: int) -> None:
        picture, some = blocks[index]
        shifted = blocks.shift(_with_zeros_between(x[picture, some], spread), padding)
        result = y[picture, some]
        for group, under in blocks.groups(shifted):
            out = result[:, group].reshape(*under.shape[:2], -1, columns)  # (c, groups, rows, S)
            np.matmul(band[some, None, : out.shape[2], : under.shape[2]], under, out=out)
        if bias is not None:
            result += bias[some, None, None]

    run_tiles(tile, n * len(blocks))


class _Blocks:
    """How a depthwise convolution with results (N, C, R, S) is cut: index -> (picture, channels)."""

    def __init__(
        self,
        channels: int,
        rows: int,
        columns: int,
        kernel: tuple[int, ...],
        stride: Pair,
        dilation: Pair,
        itemsize: int,
    ) -> None:
        self._channels, self._rows, self._columns = channels, rows, columns
        self._kernel, self._stride, self._dilation = kernel, stride, dilation
        self._height = -(-rows // -(-rows // ROWS))  # equal groups rather than a short one at the end
        row_bytes = kernel[1] * columns * itemsize
        most = max(1, BUFFER_BYTES // (self._rows_under(rows) * row_bytes))
        self._share = -(-channels // -(-channels // most))
        self._per_picture = -(-channels // self._share)
        self.band_shape = self._height, self._rows_under(self._height) * kernel[1]

    def __len__(self) -> int:
        """Tiles in a picture."""
        return self._per_picture

    def __getitem__(self, index: int) -> tuple[int, slice]:
        picture, block = divmod(index, self._per_picture)
        return picture, slice(block * self._share, min(self._channels, (block + 1) * self._share))

    def _rows_under(self, rows: int) -> int:
        return (rows - 1) * self._stride[0] + (self._kernel[0] - 1) * self._dilation[0] + 1

    def shift(self, x: Array, padding: Pair) -> Array:
        """x (c, H, W) -> (c, U, J, S): the rows under all results, once for each tap of a row."""
        shifted = scratch("rows", (len(x), self._rows_under(self._rows), self._kernel[1], self._columns), x.dtype)
        fill_shifted(shifted.transpose(2, 0, 1, 3), x, -padding[0], padding[1], self._stride[1], self._dilation[1])
        return shifted

    def groups(self, shifted: Array) -> Iterator[tuple[slice, Array]]:
        """Output rows, and what is under them, (c, groups, U*J, S): all full groups at once, then the rest."""
        step, (c_step, u_step, j_step, s_step) = self._stride[0], shifted.strides
        full = self._rows - self._rows % self._height
        for first, last, height in ((0, full, self._height), (full, self._rows, self._rows - full)):
            if first < last:
                shape = (len(shifted), (last - first) // height, self._rows_under(height) * self._kernel[1])
                strides = (c_step, height * step * u_step, j_step, s_step)
                yield slice(first, last), as_strided(shifted[:, first * step :], (*shape, self._columns), strides)

    def diagonals(self, band: Array) -> Array:
        """A view (c, rows, I, J) of band (c, rows, U*J): the numbers that belong to the taps of each output row."""
        c_step, row_step, step = band.strides
        u_step = self._kernel[1] * step
        strides = (c_step, row_step + self._stride[0] * u_step, self._dilation[0] * u_step, step)
        return as_strided(band, (*band.shape[:2], *self._kernel), strides)


def _with_zeros_between(x: Array, spread: Pair) -> Array:
    """x (c, H, W) -> (c, (H - 1) spread + 1, (W - 1) spread + 1), in scratch; x itself where `spread` is 1."""
    if spread == (1, 1):
        return x
    apart = scratch("apart", (len(x), *((n - 1) * s + 1 for n, s in zip(x.shape[1:], spread))), x.dtype)
    apart[...] = 0
    apart[:, :: spread[0], :: spread[1]] = x
    return apart

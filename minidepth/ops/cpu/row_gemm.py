"""Convolution with stride 1 as matrix products over rows, in tiles that stay in a core's cache.

`im2col` copies every number I*J times (9 times for a 3x3 kernel), all of it through main memory. Two ideas save that:

1. **Copy only the J shifts along a row.** In a buffer (rows, C, J, S) the patches of output row r are the I input rows
   r .. r + I - 1, and those lie one after another. So the patch matrix of row r is a *view* of the buffer, (I*C*J, S),
   and the one of row r + 1 starts one row later: the matrices overlap in memory, and BLAS does not mind.
2. **One tile at a time.** The buffer for a few output rows of one picture fits the cache; each thread keeps its own
   and uses it again. The products are written straight to their place in y.

The gradient in x is the same convolution of dL/dy with the kernel flipped and its channels exchanged, padded by
kernel - 1 - padding. The gradient in the weight needs the same patches of dL/dy, times x: so `backward` fills one
buffer for both. `grad_weight` alone takes the patches of x, times dL/dy.

Cost: J copies in place of I*J, and the same multiply-adds as im2col.
Source: the row view is MEC, Cho and Brand, "Memory-efficient convolution for deep neural network" (2017).
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minidepth.backend import Array
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.finish import Limits, finish
from minidepth.ops.cpu.threads import run_tiles, scratch

Pair = tuple[int, int]

BUFFER_BYTES = 1 << 21
"""Size of a tile's buffer. Twice a core's cache measured best: fewer and larger products make up for the misses."""
MOST_ROWS = 64
UNPACKED = 1_000_000
"""OpenBLAS packs the operands of products with more multiplications into blocks, which is slow for thin ones."""
FEWEST_COLUMNS = 64
"""Where the cut parts would be narrower than that, there is nothing to gain."""


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
    """x (N, C, H, W), weight (O, C, I, J) -> y (N, O, R, S)."""
    (n, channels, height, width), (out, _, i_size, j_size) = x.shape, weight.shape
    rows, columns = height + 2 * padding[0] - i_size + 1, width + 2 * padding[1] - j_size + 1
    y = pool.empty((n, out, rows, columns), x.dtype)
    kernels = np.ascontiguousarray(weight.transpose(0, 2, 1, 3)).reshape(out, -1)  # (O, I*C*J)
    tiles = _Tiles(n, rows, channels * j_size * columns * x.itemsize, i_size)

    def tile(index: int) -> None:
        picture, first, last = tiles[index]
        buffer = scratch("rows", (last - first + i_size - 1, channels, j_size, columns), x.dtype)
        fill_shifted(buffer.transpose(2, 1, 0, 3), x[picture], first - padding[0], padding[1])
        result = y[picture, :, first:last]  # (O, rows, S)
        _multiply(kernels, _patches(buffer, i_size), result)
        finish(result, bias, limits)

    run_tiles(tile, len(tiles))
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
    """grad (N, O, R, S), weight (O, C, I, J) -> (N, C, H, W)."""
    flipped = weight[:, :, ::-1, ::-1].transpose(1, 0, 2, 3)  # (C, O, I, J)
    padding = (weight.shape[2] - 1 - padding[0], weight.shape[3] - 1 - padding[1])
    return forward(grad, flipped, bias, stride, padding, dilation, groups)


def grad_weight(
    grad: Array, x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """grad (N, O, R, S), x (N, C, H, W) -> (O, C, I, J)."""
    (n, out, rows, columns), (_, channels, i_size, j_size) = grad.shape, weight_shape
    tiles = _Tiles(n, rows, channels * j_size * columns * x.itemsize, i_size)
    parts = pool.empty((len(tiles), i_size * channels * j_size, out), x.dtype)  # added up in tile order at the end

    def tile(index: int) -> None:
        picture, first, last = tiles[index]
        buffer = scratch("rows", (last - first + i_size - 1, channels, j_size, columns), x.dtype)
        fill_shifted(buffer.transpose(2, 1, 0, 3), x[picture], first - padding[0], padding[1])
        _multiply_and_add(_patches(buffer, i_size), grad[picture, :, first:last], parts[index])

    run_tiles(tile, len(tiles))
    total = parts.sum(axis=0).reshape(i_size, channels, j_size, out)
    return np.ascontiguousarray(total.transpose(3, 1, 0, 2))


def backward(
    grad: Array, x: Array, weight: Array, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> tuple[Array, Array]:
    """Both gradients from one buffer of dL/dy: dx[r] = kernels patches[r], dL/dkernels = sum of x[r] patches[r]^T."""
    (n, out, _, _), (_, channels, i_size, j_size), (height, width) = grad.shape, weight.shape, x.shape[2:]
    kernels = np.ascontiguousarray(weight[:, :, ::-1, ::-1].transpose(1, 2, 0, 3)).reshape(channels, -1)  # (C, I*O*J)
    padding = (i_size - 1 - padding[0], j_size - 1 - padding[1])
    result = pool.empty(x.shape, x.dtype)
    tiles = _Tiles(n, height, out * j_size * width * x.itemsize, i_size)
    parts = pool.empty((len(tiles), kernels.shape[1], channels), x.dtype)  # added up in tile order at the end

    def tile(index: int) -> None:
        picture, first, last = tiles[index]
        buffer = scratch("rows", (last - first + i_size - 1, out, j_size, width), x.dtype)
        fill_shifted(buffer.transpose(2, 1, 0, 3), grad[picture], first - padding[0], padding[1])
        patches = _patches(buffer, i_size)
        _multiply(kernels, patches, result[picture, :, first:last])
        _multiply_and_add(patches, x[picture, :, first:last], parts[index])

    run_tiles(tile, len(tiles))
    total = parts.sum(axis=0).reshape(i_size, out, j_size, channels)[::-1, :, ::-1]
    return result, np.ascontiguousarray(total.transpose(1, 3, 0, 2))


def _patches(buffer: Array, i_size: int) -> Array:
    """The patch matrices of all rows, (rows, I*C*J, S), as a view of buffer (rows + I - 1, C, J, S)."""
    rows, channels, j_size, columns = buffer.shape
    row_step, _, j_step, step = buffer.strides
    return as_strided(buffer, (rows - i_size + 1, i_size * channels * j_size, columns), (row_step, j_step, step))


def _multiply(kernels: Array, patches: Array, y: Array) -> None:
    """y (O, rows, S) = kernels (O, K) times patches (rows, K, S), so many columns at a time that BLAS skips packing."""
    (rows, k, columns), (o_step, r_step, s_step) = patches.shape, y.strides
    least_cuts = -(-len(kernels) * k * columns // UNPACKED)
    cuts = next((n for n in range(least_cuts, columns // FEWEST_COLUMNS + 1) if columns % n == 0), 1)
    shape, (row_step, k_step, step) = (rows, cuts, k, columns // cuts), patches.strides
    np.matmul(
        kernels,
        as_strided(patches, shape, (row_step, step * shape[3], k_step, step)),
        out=as_strided(y, (rows, cuts, len(y), shape[3]), (r_step, s_step * shape[3], o_step, s_step)),
    )


def _multiply_and_add(patches: Array, x: Array, total: Array) -> None:
    """total (K, C) = the sum over rows of patches (rows, K, S) times x (C, rows, S) transposed."""
    products = scratch("products", (len(patches), *total.shape), x.dtype)
    np.matmul(patches, x.transpose(1, 2, 0), out=products)
    np.sum(products, axis=0, out=total)


class _Tiles:
    """The tiles of N pictures of `rows` output rows: tile -> (picture, first row, last row + 1)."""

    def __init__(self, pictures: int, rows: int, row_bytes: int, i_size: int) -> None:
        most = max(4, min(MOST_ROWS, BUFFER_BYTES // row_bytes - i_size + 1))
        self.per_picture = -(-rows // most)
        self.height = -(-rows // self.per_picture)  # equal tiles rather than a short one at the end
        self.per_picture = -(-rows // self.height)
        self.pictures, self.rows = pictures, rows

    def __len__(self) -> int:
        return self.pictures * self.per_picture

    def __getitem__(self, index: int) -> tuple[int, int, int]:
        picture, tile = divmod(index, self.per_picture)
        return picture, tile * self.height, min(self.rows, (tile + 1) * self.height)


def fill_shifted(buffer: Array, picture: Array, top: int, pad: int, stride: int = 1, dilation: int = 1) -> None:
    """Write buffer[j, c, r, s] = picture[c, top + r, s stride + j dilation - pad], and 0 where that lies outside.

    Zeros are written only where there are any: every call of NumPy makes the other threads wait for the interpreter.
    """
    (_, height, width), (_, _, rows, columns) = picture.shape, buffer.shape
    r_from = min(max(0, -top), rows)
    r_to = max(r_from, min(rows, height - top))
    if r_from > 0:
        buffer[:, :, :r_from] = 0
    if r_to < rows:
        buffer[:, :, r_to:] = 0
    for j, shifted in enumerate(buffer[:, :, r_from:r_to]):
        left = j * dilation - pad  # the column of the picture that goes to s = 0
        s_from = min(-(min(0, left) // stride), columns)
        s_to = max(s_from, min(columns, -((left - width) // stride)))
        if s_from > 0:
            shifted[..., :s_from] = 0
        if s_to < columns:
            shifted[..., s_to:] = 0
        source = picture[:, top + r_from : top + r_to, s_from * stride + left : s_to * stride + left : stride]
        np.copyto(shifted[..., s_from:s_to], source[..., : s_to - s_from])

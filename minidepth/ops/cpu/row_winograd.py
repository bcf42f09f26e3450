"""Row products with half the multiplications: Winograd's F(4, 3) down the columns.

`row_gemm` multiplies the patches of each output row with the whole kernel. Four output rows look at six input rows, and
Winograd's one-dimensional algorithm gets them from 6 products in place of 12, each with one row of a transformed kernel
(matrices A, B, G as in `winograd.py`):

    y[4 t + i] = sum over k of A^T[i, k] (U[k] V[t, k])        U[k] = sum over i of G[k, i] weight[:, :, i]   (O, C*J)
                                                              V[t, k] = sum over i of B^T[k, i] row[4 t + i]  (C*J, S)

where row[r] holds input row r once for each of the J shifts, as in `row_gemm`. Along the rows nothing is transformed,
so the numbers stay where they are, and each transform is one product of a 6 x 6 matrix with long rows of numbers.
That saves half of the multiplications for much less than half of what the two-dimensional algorithm costs beside them.

The gradients: dx is the same convolution of dL/dy with the turned kernel. Its patches V serve the gradient in the
weight as well, which is the adjoint of that map:

    dU[k] = sum over t of  V[t, k] X[t, k]^T       X[t, k] = sum over i of A[k, i] x[4 t + i]       (C, S)

Cost: per input number 3 copies and 4.5 products of the transform, and 4.5 O multiply-adds in place of 9 O.
Accuracy: as good as a direct sum within a factor of 3: float32 is off by 1e-6 of the size of y or a gradient.
Source: Winograd (1980); the rows: Cho and Brand, "MEC" (2017).
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minidepth.backend import Array
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.row_gemm import fill_shifted
from minidepth.ops.cpu.threads import run_tiles, scratch
from minidepth.ops.cpu.winograd_transforms import matrix

Pair = tuple[int, int]

M, K = 4, 6
"""Rows that a group puts out, and products it takes."""
BUFFER_BYTES = 3 << 19
"""Size of V in a tile."""


def forward(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """x (N, C, H, W), weight (O, C, 3, J) -> y (N, O, R, S), for stride 1."""
    (n, _, height, width), out, j_size = x.shape, len(weight), weight.shape[3]
    rows, columns = height + 2 * padding[0] - 2, width + 2 * padding[1] - j_size + 1
    y = pool.empty((n, out, rows, columns), x.dtype)
    u = _transform_kernel(weight)
    strips = _Strips(n, rows, u.shape[2] * columns * x.itemsize)

    def strip(index: int) -> None:
        picture, first, count = strips[index]
        v = _transform_rows(x[picture], first, count, columns, j_size, padding)
        _to_rows(u, v, bias, y[picture, :, first : first + M * count])

    run_tiles(strip, len(strips))
    return y


def backward(
    grad: Array, x: Array, weight: Array, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> tuple[Array, Array]:
    """dL/dx (N, C, H, W) and dL/dweight (O, C, 3, J) from grad (N, O, R, S)."""
    (n, out), (_, channels, _, j_size), (height, width) = grad.shape[:2], weight.shape, x.shape[2:]
    u = _transform_kernel(weight[:, :, ::-1, ::-1].swapaxes(0, 1))
    padding = (2 - padding[0], j_size - 1 - padding[1])
    grad_x = pool.empty(x.shape, x.dtype)
    strips = _Strips(n, height, u.shape[2] * width * x.itemsize)
    parts = pool.empty((len(strips), K, out * j_size, channels), x.dtype)  # added up in the order of strips at the end
    a = matrix("A", M, x.dtype)

    def strip(index: int) -> None:
        picture, first, count = strips[index]
        v = _transform_rows(grad[picture], first, count, width, j_size, padding)
        _to_rows(u, v, None, grad_x[picture, :, first : first + M * count])
        rows = scratch("row_winograd_rows", (count * M, channels, width), x.dtype)
        inside = x[picture, :, first : first + M * count].swapaxes(0, 1)
        np.copyto(rows[: len(inside)], inside)
        rows[len(inside) :] = 0
        transformed = scratch("row_winograd_along", (count, K, channels * width), x.dtype)
        np.matmul(a, rows.reshape(count, M, -1), out=transformed)
        products = scratch("row_winograd_products", (count, *parts.shape[1:]), x.dtype)
        np.matmul(v, transformed.reshape(count, K, channels, width).swapaxes(2, 3), out=products)
        np.sum(products, axis=0, out=parts[index])

    run_tiles(strip, len(strips))
    grad_u = parts.sum(axis=0).reshape(K, -1)
    turned = np.matmul(matrix("G^T", M, x.dtype), grad_u).reshape(3, out, j_size, channels)
    return grad_x, np.ascontiguousarray(turned[::-1, :, ::-1].transpose(1, 3, 0, 2))


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
    """dL/dx alone, plus `bias`."""
    turned = weight[:, :, ::-1, ::-1].swapaxes(0, 1)
    padding = (2 - padding[0], weight.shape[3] - 1 - padding[1])
    return forward(grad, turned, bias, stride, padding, dilation, groups)


def grad_weight(
    grad: Array, x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """dL/dweight alone."""
    return backward(grad, x, np.zeros(weight_shape, x.dtype), stride, padding, dilation, groups)[1]


def _transform_kernel(weight: Array) -> Array:
    """weight (O, C, 3, J) -> U (K, O, C*J)."""
    out, channels, _, j_size = weight.shape
    taps = np.ascontiguousarray(weight.transpose(2, 0, 1, 3)).reshape(3, -1)
    return np.matmul(matrix("G", M, weight.dtype), taps).reshape(K, out, channels * j_size)


def _transform_rows(picture: Array, first: int, count: int, columns: int, j_size: int, padding: Pair) -> Array:
    """V (T, K, C*J, S) of the T = `count` groups of output rows from row `first` on, of picture (C, H, W)."""
    channels, rows = len(picture), M * count + 2
    buffer = scratch("row_winograd_rows", (rows, channels, j_size, columns), picture.dtype)
    fill_shifted(buffer.transpose(2, 1, 0, 3), picture, first - padding[0], padding[1])
    row_step, step = buffer.strides[0], buffer.itemsize
    groups = as_strided(buffer, (count, K, buffer[0].size), (M * row_step, row_step, step))  # neighbours share two rows
    v = scratch("row_winograd_v", (count, K, channels * j_size, columns), picture.dtype)
    np.matmul(matrix("B^T", M, picture.dtype), groups, out=v.reshape(count, K, -1))
    return v


def _to_rows(u: Array, v: Array, bias: Array | None, y: Array) -> None:
    """A^T (U V) + bias, into y (O, rows, S); rows that a last group has too many are dropped."""
    count, (out, rows, columns) = len(v), y.shape
    products = scratch("row_winograd_products", (count, K, out, columns), y.dtype)
    np.matmul(u, v, out=products)
    along = scratch("row_winograd_along", (count, M, out, columns), y.dtype)
    np.matmul(matrix("A^T", M, y.dtype), products.reshape(count, K, -1), out=along.reshape(count, M, -1))
    result = along.reshape(count * M, out, columns)[:rows].swapaxes(0, 1)
    if bias is None:
        np.copyto(y, result)
    else:
        np.add(result, bias[:, None, None], out=y)


class _Strips:
    """The strips of N pictures of `rows` output rows: index -> (picture, first row, groups of M rows)."""

    def __init__(self, pictures: int, rows: int, row_bytes: int) -> None:
        groups = -(-rows // M)
        most = max(1, BUFFER_BYTES // (K * row_bytes))
        self.per_picture = -(-groups // most)
        self.count = -(-groups // self.per_picture)  # equal strips rather than a short one at the end
        self.per_picture = -(-groups // self.count)
        self.pictures, self.groups = pictures, groups

    def __len__(self) -> int:
        return self.pictures * self.per_picture

    def __getitem__(self, index: int) -> tuple[int, int, int]:
        picture, strip = divmod(index, self.per_picture)
        first = strip * self.count
        return picture, first * M, min(self.count, self.groups - first)

"""im2col lays every patch that the kernel of a convolution meets into a column; col2im, its adjoint, adds them back.

    patches[n, k i j, r c] = x[n, k, r s + i d - p, c s + j d - p]        0 where that is outside the picture

The letters are those of `conv2d`, which becomes one matrix product with these columns. Cost: each number of x is copied
up to I*J times, and the copies take that many times the memory of x.
"""

from __future__ import annotations

import numpy as np

from minidepth.backend import Array, cuda, empty, kernel
from minidepth.cuda import flat, launch
from minidepth.ops.conv_sizes import Pair, output_size
from minidepth.ops.cpu import pool


@kernel
def im2col(x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int) -> Array:
    """x (N, C, H, W) -> patches (N, G, K, R*S): column r*S + c holds what the kernel meets at output (r, c)."""
    (n, channels, height, width), (i_size, j_size) = x.shape, weight_shape[2:]
    rows, columns = output_size("conv2d", x.shape, weight_shape, stride, padding, dilation)
    padded = pool.zeros((n, channels, height + 2 * padding[0], width + 2 * padding[1]), x.dtype)
    padded[:, :, padding[0] : padding[0] + height, padding[1] : padding[1] + width] = x
    patches = pool.empty((n, channels, i_size, j_size, rows, columns), x.dtype)
    for i in range(i_size):
        for j in range(j_size):
            patches[:, :, i, j] = padded[_tap(i, j, rows, columns, stride, dilation)]
    return patches.reshape(n, groups, -1, rows * columns)


@kernel
def col2im(
    patches: Array,
    x_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> Array:
    """The adjoint of `im2col`: patches (N, G, K, R*S) -> (N, C, H, W), adding where patches overlap."""
    (n, channels, height, width), (i_size, j_size) = x_shape, weight_shape[2:]
    rows, columns = output_size("conv2d", x_shape, weight_shape, stride, padding, dilation)
    patches = patches.reshape(n, channels, i_size, j_size, rows, columns)
    padded = pool.zeros((n, channels, height + 2 * padding[0], width + 2 * padding[1]), patches.dtype)
    for i in range(i_size):
        for j in range(j_size):
            padded[_tap(i, j, rows, columns, stride, dilation)] += patches[:, :, i, j]
    return np.ascontiguousarray(padded[:, :, padding[0] : padding[0] + height, padding[1] : padding[1] + width])


def _tap(i: int, j: int, rows: int, columns: int, stride: Pair, dilation: Pair) -> tuple[slice, ...]:
    """Where the kernel's tap (i, j) lies in the padded picture, for all outputs at once."""
    top, left = i * dilation[0], j * dilation[1]
    return (
        slice(None),
        slice(None),
        slice(top, top + stride[0] * (rows - 1) + 1, stride[0]),
        slice(left, left + stride[1] * (columns - 1) + 1, stride[1]),
    )


@cuda(im2col)
def im2col_cuda(
    x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    size = output_size("conv2d", x.shape, weight_shape, stride, padding, dilation)
    patches = empty((*x.shape[:2], *weight_shape[2:], *size), x)
    sizes = *x.shape, *weight_shape[2:], *size, *stride, *padding, *dilation
    launch("im2col_forward", flat(patches.size), x, patches, *sizes)
    return patches.reshape(len(x), groups, -1, size[0] * size[1])


@cuda(col2im)
def col2im_cuda(
    patches: Array,
    x_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> Array:
    size = output_size("conv2d", x_shape, weight_shape, stride, padding, dilation)
    x = empty(x_shape, patches)
    sizes = *x_shape, *weight_shape[2:], *size, *stride, *padding, *dilation
    launch("im2col_adjoint", flat(x.size), patches, x, *sizes)
    return x

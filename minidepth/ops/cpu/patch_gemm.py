"""Convolution whose kernel is as large as its stride, so that patches do not overlap: one product, and one reordering.

Every number of x belongs to one patch only. Laying out patches is then a mere reordering, "space to depth": the I*J
pixels of a patch become I*J channels of one pixel. What remains is a 1x1 convolution, a plain matrix product. Backwards
nothing has to be added up: each number of dL/dx is written once, "depth to space".

    forward      y = weight @ patches
    grad_x       weight^T @ dL/dy gives the patches of dL/dx
    grad_weight  dL/dy @ patches^T, summed over tiles of pixels in their order

The up-convolution of a U-Net is of this kind, 2x2 with stride 2: there `grad_x` is the forward.

Cost: N O R S K multiply-adds; one strided copy of x, about 0.6 ns a number. It goes tap by tap, so that NumPy's inner
loop runs along a row; left to itself it would choose an inner loop over the taps, of length 2.
Accuracy: float32 sums of K products (O for x, N R S for the weight).
Source: the reordering is `depth_to_space` of Shi et al., "Real-time single image and video super-resolution using an
efficient sub-pixel convolutional neural network" (2016).
"""

from __future__ import annotations

import math

import numpy as np

from minidepth.backend import Array
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.threads import run_tiles, scratch
from minidepth.ops.cpu.tiles import PixelTiles, multiply, multiply_into, pixel_matrix

Pair = tuple[int, int]

TILE_ELEMENTS = 1 << 17
"""Numbers of x in a tile: half a core's cache."""
LEAST_PIXELS = 256


def forward(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """x (N, C, H, W), weight (O, C, I, J) -> y (N, O, H // I, W // J)."""
    y = pool.empty((len(x), len(weight), x.shape[2] // stride[0], x.shape[3] // stride[1]), x.dtype)
    kernels = np.ascontiguousarray(weight).reshape(len(weight), -1)
    tiles = _tiles(y.shape, weight.shape)

    def tile(index: int) -> None:
        pictures, rows = tiles[index]
        result = y[pictures, :, rows]
        multiply_into(result, kernels, _patches(x[pictures], rows, y.shape[3], stride))
        if bias is not None:
            result += bias[:, None, None]

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
    """grad (N, O, R, S), weight (O, C, I, J) -> (N, C, H, W); rows and columns that fill no patch get 0."""
    result = pool.empty(x_shape, grad.dtype)
    kernels = np.ascontiguousarray(weight).reshape(len(weight), -1).T
    tiles = _tiles(grad.shape, weight.shape)
    column = None if bias is None else np.repeat(bias, math.prod(stride))[:, None]  # for each row of the patches
    result[:, :, grad.shape[2] * stride[0] :] = 0 if bias is None else bias[:, None, None]
    result[:, :, :, grad.shape[3] * stride[1] :] = 0 if bias is None else bias[:, None, None]

    def tile(index: int) -> None:
        pictures, rows = tiles[index]
        grads = grad[pictures, :, rows]
        patches = scratch("patches", (x_shape[1], *stride, len(grads), *grads.shape[2:]), grad.dtype)
        matrix = patches.reshape(len(kernels), -1)
        multiply(kernels, pixel_matrix(grads, "grads"), out=matrix)
        if column is not None:
            matrix += column
        for i, j in np.ndindex(stride):
            np.copyto(_tap(result[pictures], i, j, rows, grad.shape[3], stride), patches[:, i, j])

    run_tiles(tile, len(tiles))
    return result


def grad_weight(
    grad: Array, x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """grad (N, O, R, S), x (N, C, H, W) -> (O, C, I, J)."""
    tiles = _tiles(grad.shape, weight_shape)
    parts = pool.empty((len(tiles), len(grad[0]), math.prod(weight_shape[1:])), x.dtype)

    def tile(index: int) -> None:
        pictures, rows = tiles[index]
        patches = _patches(x[pictures], rows, grad.shape[3], stride)
        np.matmul(pixel_matrix(grad[pictures, :, rows], "grads"), patches.T, out=parts[index])

    run_tiles(tile, len(tiles))
    return parts.sum(axis=0).reshape(weight_shape)


def _patches(x: Array, rows: slice, columns: int, stride: Pair) -> Array:
    """x (n, C, H, W) -> (C*I*J, n*rows*S), the patches of some output rows."""
    patches = scratch("patches", (x.shape[1], *stride, len(x), rows.stop - rows.start, columns), x.dtype)
    for i, j in np.ndindex(stride):
        np.copyto(patches[:, i, j], _tap(x, i, j, rows, columns, stride))
    return patches.reshape(x.shape[1] * math.prod(stride), -1)


def _tap(x: Array, i: int, j: int, rows: slice, columns: int, stride: Pair) -> Array:
    """Number (i, j) of every patch of some output rows, as a view (C, n, rows, S) of x (n, C, H, W)."""
    lines = slice(rows.start * stride[0] + i, rows.stop * stride[0], stride[0])
    return x[:, :, lines, j : columns * stride[1] : stride[1]].swapaxes(0, 1)


def _tiles(y_shape: tuple[int, ...], weight_shape: tuple[int, ...]) -> PixelTiles:
    n, _, rows, columns = y_shape
    return PixelTiles(n, rows, columns, max(LEAST_PIXELS, TILE_ELEMENTS // max(1, math.prod(weight_shape[1:]))))

"""Convolution with few outputs of many inputs: multiply first, and move the products to where they belong.

im2col makes I*J copies of all C input channels, before the product brings them down to O outputs. Where O is far
below C it is cheaper the other way round: the product comes first, from x as it is, and gives each tap's share of each
output; those shares, I*J times O numbers a pixel, are added up, each moved by its tap's offset.

    forward      shares = weight @ x, (I*J*O, C) times (C, pixels), a tile of rows with those around it at a time;
                 y[r, c] = sum over i, j of  shares[i, j, r + i d - p, c + j d - p]
    grad_x       has many outputs of few inputs, so im2col is cheap there: that of `tile_gemm`
    grad_weight  patches of dL/dy (O channels) and not of x (C channels), times x^T, a tile of pixels at a time; what
                 tap i of the kernel hands to an output is, seen from x, at the patch's opposite end, I - 1 - i

Cost: N O R S K multiply-adds, and those of the rows that two tiles share; I*J additions a number of y. x is read once.
Accuracy: sums of C products, I*J of which are added up: errors below eps sqrt(K) times the largest result.
Source: the products-first order is that of Vasudevan, Anderson and Gregg, "Parallel multi channel convolution using
general matrix multiplication" (2017), there called kn2row.
"""

from __future__ import annotations

import math

import numpy as np

from minidepth.backend import Array
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.threads import run_tiles, scratch
from minidepth.ops.cpu.tile_gemm import grad_x, lay_patches
from minidepth.ops.cpu.tiles import PixelTiles, multiply, output_size, pixel_matrix

__all__ = ["forward", "grad_weight", "grad_x"]

Pair = tuple[int, int]

BUFFER_BYTES = 1 << 22
"""About the size of the shares of a tile: beyond a core's cache, as the rows around a tile are computed twice."""
LEAST_PIXELS = 1024
WEIGHT_PIXELS = 2048
"""Pixels of a tile of the weight gradient at least."""
PARTS_BYTES = 1 << 25
"""About the most that the tiles' parts of the weight gradient may take together; tiles grow beyond that."""


def forward(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """x (N, C, H, W), weight (O, C, I, J) -> y (N, O, R, S)."""
    (n, channels, height, width), (out, _, i_size, j_size) = x.shape, weight.shape
    rows, columns = output_size(x.shape, weight.shape, stride, padding, dilation)
    kernels = np.ascontiguousarray(weight.transpose(2, 3, 0, 1)).reshape(-1, channels)  # (I*J*O, C)
    y = pool.empty((n, out, rows, columns), x.dtype)
    tiles = PixelTiles(1, rows, columns, max(LEAST_PIXELS, BUFFER_BYTES // (len(kernels) * x.itemsize)))

    def tile(index: int) -> None:
        picture, number = divmod(index, len(tiles))
        lines = tiles[number][1]
        first = max(0, lines.start - padding[0])  # rows first .. last - 1 of x reach into this tile
        last = min(height, lines.stop - padding[0] + (i_size - 1) * dilation[0])
        shares = scratch("shares", (i_size, j_size, out, last - first, width), x.dtype)
        matrix = x[picture, :, first:last].reshape(channels, -1)
        multiply(kernels, matrix, out=shares.reshape(len(kernels), -1))
        total = scratch("total", (out, lines.stop - lines.start, columns), x.dtype)
        total[...] = 0 if bias is None else bias[:, None, None]
        for i, j in np.ndindex(i_size, j_size):
            down, right = i * dilation[0] - padding[0], j * dilation[1] - padding[1]
            top, bottom = max(lines.start, first - down), min(lines.stop, last - down)
            left, end = max(0, -right), min(columns, width - right)
            if top < bottom and left < end:
                share = shares[i, j, :, top + down - first : bottom + down - first, left + right : end + right]
                total[:, top - lines.start : bottom - lines.start, left:end] += share
        y[picture, :, lines] = total

    run_tiles(tile, n * len(tiles))
    return y


def grad_weight(
    grad: Array, x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """grad (N, O, R, S), x (N, C, H, W) -> (O, C, I, J)."""
    (n, channels, height, width), (out, _, *kernel) = x.shape, weight_shape
    rest = (dilation[0] * (kernel[0] - 1) - padding[0], dilation[1] * (kernel[1] - 1) - padding[1])
    fewest = n * height * width * math.prod(weight_shape) * x.itemsize // PARTS_BYTES
    tiles = PixelTiles(n, height, width, max(WEIGHT_PIXELS, fewest))
    parts = pool.empty((len(tiles), out * math.prod(kernel), channels), x.dtype)

    def tile(index: int) -> None:
        pictures, lines = tiles[index]
        patches = lay_patches(grad[pictures], lines, width, tuple(kernel), (1, 1), rest, dilation)
        pixels = pixel_matrix(x[pictures, :, lines], "pixels")
        np.matmul(patches.reshape(parts.shape[1], -1), pixels.T, out=parts[index])

    run_tiles(tile, len(tiles))
    total = parts[0] if len(parts) == 1 else parts.sum(axis=0)
    flipped = total.reshape(out, *kernel, channels)[:, ::-1, ::-1]
    return np.ascontiguousarray(flipped.transpose(0, 3, 1, 2))

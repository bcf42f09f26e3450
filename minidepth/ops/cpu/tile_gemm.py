"""Convolution by im2col, a tile at a time: for any stride, padding, dilation and groups, and for many channels.

`im2col` of a whole batch takes I*J times the memory of x, and writing and reading that is slow. But a matrix product
can be cut along its columns, which are output pixels: a *tile* is some output rows of a picture, or several pictures
where they are small. Each thread lays the patches of one tile into a buffer of its own, multiplies, and uses the
buffer again for the next tile. A tile has many columns, as BLAS re-packs the weight for every product. Where there are
many channels and few pixels, the copies are cheap beside the product, and a tile is a whole picture or several.

Groups are a batch of products. Where every channel is a group of its own they are tiny, and `depthwise` does better.

    forward      y = weight @ patches, a tile of pixels at a time
    grad_x       stride 1: the forward of dL/dy with the kernel flipped and its channels exchanged;
                 otherwise: weight^T @ dL/dy gives what each patch is to receive, which is added up where patches
                 overlap, a picture and a block of channels at a time, so that no two tiles add to the same place
    grad_weight  dL/dy @ patches^T, a tile of pixels and a block of input channels at a time, summed in tile order

Cost: N O R S K multiply-adds; x is copied I*J times, through the cache, at about 0.5 ns a number.
Accuracy: plain sums of K products (N R S for the weight): errors below eps sqrt(K) times the largest result.
Source: Chellapilla, Puri and Simard, "High performance convolutional neural networks for document processing" (2006);
in tiles: Chetlur et al., "cuDNN: efficient primitives for deep learning" (2014).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minidepth.backend import Array
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.finish import Limits, finish
from minidepth.ops.cpu.threads import run_slices, run_tiles, scratch
from minidepth.ops.cpu.tiles import ChannelBlocks, PixelTiles, multiply, multiply_into, output_size, pixel_matrix

Pair = tuple[int, int]

BUFFER_BYTES = 1 << 20
"""About the size of the patches of a tile: what fits into a core's cache."""
LEAST_PIXELS = 256
"""Pixels of a tile, even if the buffer grows beyond its size: fewer columns make a poor matrix product."""
WEIGHT_PIXELS = 2048
WEIGHT_BUFFER_BYTES = 1 << 22
"""The same for the weight gradient: larger, as every tile of pixels leaves a part as large as the weight to add up."""
PARTS_BYTES = 1 << 25
"""About the most that these parts may take together; tiles grow beyond that."""
FLIPPED_ROWS = 32
"""Output channels that are transposed at once: with more of them a cache line is gone before its next use."""


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
    """x (N, C, H, W), weight (O, C/G, I, J) -> y (N, O, R, S)."""
    out, kernel = len(weight), weight.shape[2:]
    size = output_size(x.shape, weight.shape, stride, padding, dilation)
    y = pool.empty((len(x), out, *size), x.dtype)
    kernels = np.ascontiguousarray(weight).reshape(groups, out // groups, -1)  # (G, O/G, K)
    patch_bytes = max(1, groups * kernels.shape[2]) * x.itemsize
    tiles = PixelTiles(len(x), *size, max(LEAST_PIXELS, BUFFER_BYTES // patch_bytes))

    def tile(index: int) -> None:
        pictures, rows = tiles[index]
        patches = lay_patches(x[pictures], rows, size[1], kernel, stride, padding, dilation)
        patches = patches.reshape(groups, kernels.shape[2], -1)  # (G, K, pixels)
        result = y[pictures, :, rows]
        multiply_into(result, kernels, patches)
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
    """grad (N, O, R, S), weight (O, C/G, I, J) -> (N, C, H, W)."""
    rest = [d * (k - 1) - p for d, k, p in zip(dilation, weight.shape[2:], padding)]
    if stride == (1, 1) and min(rest) >= 0:
        return forward(grad, _flipped(weight, groups), bias, stride, (rest[0], rest[1]), dilation, groups)
    (n, channels, height, width), (out, per_group, i_size, j_size) = x_shape, weight.shape
    rows, columns = grad.shape[2:]
    kernels = np.ascontiguousarray(weight).reshape(groups, out // groups, per_group, -1)  # (G, O/G, C/G, I*J)
    result = pool.empty(x_shape, grad.dtype)
    blocks = ChannelBlocks(channels, groups, BUFFER_BYTES // (i_size * j_size * rows * columns * grad.itemsize))

    def tile(index: int) -> None:
        picture, block = divmod(index, len(blocks))
        part, of_group, within = blocks[block]
        grads = grad[picture].reshape(groups, out // groups, -1)[of_group]  # (g, O/G, R*S)
        spread = kernels[of_group, :, within].reshape(len(grads), out // groups, -1).swapaxes(1, 2)
        patches = scratch("patches", (part.stop - part.start, i_size, j_size, rows, columns), grad.dtype)
        multiply(spread, grads, out=patches.reshape(len(grads), -1, rows * columns))
        padded = scratch("padded", (len(patches), height + 2 * padding[0], width + 2 * padding[1]), grad.dtype)
        padded[...] = 0 if bias is None else bias[part, None, None]
        for i, j in np.ndindex(i_size, j_size):
            tap = padded[:, i * dilation[0] :: stride[0], j * dilation[1] :: stride[1]][:, :rows, :columns]
            tap += patches[:, i, j]
        result[picture, part] = padded[:, padding[0] : padding[0] + height, padding[1] : padding[1] + width]

    run_tiles(tile, n * len(blocks))
    return result


def grad_weight(
    grad: Array, x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """grad (N, O, R, S), x (N, C, H, W) -> (O, C/G, I, J)."""
    (n, out, rows, columns), (_, per_group, *kernel) = grad.shape, weight_shape
    fewest = n * rows * columns * math.prod(weight_shape) * x.itemsize // PARTS_BYTES
    tiles = PixelTiles(n, rows, columns, max(WEIGHT_PIXELS, fewest))
    blocks = ChannelBlocks(x.shape[1], groups, WEIGHT_BUFFER_BYTES // (math.prod(kernel) * tiles.largest * x.itemsize))
    parts = pool.empty((len(tiles), groups, out // groups, per_group * math.prod(kernel)), x.dtype)

    def tile(index: int) -> None:
        pixels, block = divmod(index, len(blocks))
        (pictures, lines), (part, of_group, within) = tiles[pixels], blocks[block]
        patches = lay_patches(x[pictures, part], lines, columns, tuple(kernel), stride, padding, dilation)
        grads = pixel_matrix(grad[pictures, :, lines], "grads").reshape(groups, out // groups, -1)[of_group]
        taps = slice(within.start * math.prod(kernel), within.stop * math.prod(kernel))
        patches = patches.reshape(len(grads), -1, grads.shape[2])  # (g, taps, pixels)
        np.matmul(grads, patches.swapaxes(1, 2), out=parts[pixels, of_group, :, taps])

    run_tiles(tile, len(tiles) * len(blocks))
    return (parts[0] if len(parts) == 1 else parts.sum(axis=0)).reshape(weight_shape)


def lay_patches(
    x: Array, rows: slice, columns: int, kernel: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair
) -> Array:
    """The patches (C, I, J, n, rows, S) that the kernel meets in x (n, C, H, W) at some output rows."""
    n, channels, height, width = x.shape
    count, top = rows.stop - rows.start, rows.start * stride[0] - padding[0]
    bottom = top + (count - 1) * stride[0] + (kernel[0] - 1) * dilation[0] + 1
    first = max(0, top)
    last = max(first, min(height, bottom))  # rows first .. last - 1 lie inside the picture
    padded = x[:, :, top:bottom].swapaxes(0, 1)
    if padding != (0, 0):
        padded = scratch("padded", (channels, n, bottom - top, width + 2 * padding[1]), x.dtype)
        padded[:, :, : first - top] = 0
        padded[:, :, last - top :] = 0
        padded[..., : padding[1]] = 0
        padded[..., padding[1] + width :] = 0
        padded[:, :, first - top : last - top, padding[1] : padding[1] + width] = x[:, :, first:last].swapaxes(0, 1)
    c, m, u, v = padded.strides
    strides = (c, u * dilation[0], v * dilation[1], m, u * stride[0], v * stride[1])
    patches = scratch("patches", (channels, *kernel, n, count, columns), x.dtype)
    np.copyto(patches, as_strided(padded, patches.shape, strides))  # all taps in one call: NumPy runs along rows
    return patches


def _flipped(weight: Array, groups: int) -> Array:
    """(O, C/G, I, J) -> (C, O/G, I, J), flipped: the kernel that leads a gradient back."""
    out, per_group, i_size, j_size = weight.shape
    kernels = weight.reshape(groups, out // groups, per_group, i_size, j_size)[..., ::-1, ::-1].swapaxes(1, 2)
    result = pool.empty(kernels.shape, weight.dtype)
    run_slices(lambda some: np.copyto(result[:, :, some], kernels[:, :, some]), out // groups, FLIPPED_ROWS)
    return result.reshape(groups * per_group, out // groups, i_size, j_size)

"""Convolution with a 1x1 kernel: every pixel's channels times the weight, one plain matrix product without any copy.

    forward      y = weight @ x           x as (C, pixels), y as (O, pixels)
    grad_x       weight^T @ dL/dy
    grad_weight  dL/dy @ x^T, summed over tiles of pixels in their order

The last layer of a U-Net is one, with a single output channel. There is little to compute for each number then, and the
memory decides: x is read once, in tiles, on all cores.

Cost: N O C R S multiply-adds.
Accuracy: plain sums of C products (O for x, N R S for the weight): errors below eps sqrt(C) times the largest result.
"""

from __future__ import annotations

import numpy as np

from minidepth.backend import Array
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.finish import Limits, finish
from minidepth.ops.cpu.threads import run_tiles
from minidepth.ops.cpu.tiles import PixelTiles, multiply_into, pixel_matrix

Pair = tuple[int, int]

TILE_ELEMENTS = 1 << 18
"""Numbers of x or y in a tile, whichever has more channels: 1 MB, a core's cache."""
LEAST_PIXELS = 256
TILE_PRODUCT = 1 << 24
"""Multiplications from which on a tile is worth cutting, along the output channels, where there are few tiles: half a
millisecond. A single small picture keeps two cores busy that way."""
ENOUGH_TILES = 4


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
    """x (N, C, H, W), weight (O, C, 1, 1) -> y (N, O, H, W)."""
    y = pool.empty((len(x), len(weight), *x.shape[2:]), x.dtype)
    kernels = weight[:, :, 0, 0]
    tiles = _tiles(x.shape, weight.shape)
    share = _channel_share(len(tiles), tiles.largest, *kernels.shape)
    blocks = [slice(first, first + share) for first in range(0, len(kernels), share)]

    def tile(index: int) -> None:
        (pictures, rows), some = tiles[index // len(blocks)], blocks[index % len(blocks)]
        result = y[pictures, some, rows]
        multiply_into(result, kernels[some], pixel_matrix(x[pictures, :, rows], "pixels"))
        finish(result, None if bias is None else bias[some], limits)

    run_tiles(tile, len(tiles) * len(blocks))
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
    """grad (N, O, H, W), weight (O, C, 1, 1) -> (N, C, H, W)."""
    return forward(grad, weight.swapaxes(0, 1), bias, stride, padding, dilation, groups)


def grad_weight(
    grad: Array, x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """grad (N, O, H, W), x (N, C, H, W) -> (O, C, 1, 1)."""
    tiles = _tiles(x.shape, weight_shape)
    parts = pool.empty((len(tiles), *weight_shape[:2]), x.dtype)

    def tile(index: int) -> None:
        pictures, rows = tiles[index]
        grads = pixel_matrix(grad[pictures, :, rows], "grads")
        np.matmul(grads, pixel_matrix(x[pictures, :, rows], "pixels").T, out=parts[index])

    run_tiles(tile, len(tiles))
    return parts.sum(axis=0).reshape(weight_shape)


def _channel_share(tiles: int, pixels: int, out: int, channels: int) -> int:
    """How many output channels to compute at once: all, unless tiles of so many pixels are too few for all cores."""
    wanted = min(-(-ENOUGH_TILES // max(1, tiles)), -(-pixels * out * channels // TILE_PRODUCT))
    wanted += wanted > 1 and wanted % 2  # an even number, so that two cores are done at the same time
    return -(-out // max(1, wanted))


def _tiles(x_shape: tuple[int, ...], weight_shape: tuple[int, ...]) -> PixelTiles:
    n, _, height, width = x_shape
    return PixelTiles(n, height, width, max(LEAST_PIXELS, TILE_ELEMENTS // max(1, *weight_shape[:2])))

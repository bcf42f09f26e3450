"""Convolution whose kernel is as large as its stride: patches do not overlap, and the way back is a mere reordering.

Every number of x belongs to one patch only. So laying out patches is no multiplication of the data, but "space to
depth": the I*J pixels of a patch become I*J channels of one pixel, and the convolution becomes a 1x1 one. `tile_gemm`
computes `forward` and `grad_weight` in just this way. In `grad_x` it adds up what overlaps; here nothing does, and each
number of dL/dx is written once, "depth to space".

    grad_x    weight^T @ dL/dy gives the patches of dL/dx, which are put in their places

The up-convolution of a U-Net is of this kind, 2x2 with stride 2: there `grad_x` is the forward.

Cost: N O R S K multiply-adds; one strided copy, about 0.6 ns a number. It goes tap by tap, so that NumPy's inner loop
runs along a row; left to itself it would choose an inner loop over the taps, of length 2, which takes 2.5 ns a number.
Accuracy: plain sums of O products: errors below eps sqrt(O) times the largest result.
Source: the reordering is `depth_to_space` of Shi et al., "Real-time single image and video super-resolution using an
efficient sub-pixel convolutional neural network" (2016).
"""

from __future__ import annotations

import numpy as np

from minidepth.backend import Array
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.threads import run_tiles, scratch
from minidepth.ops.cpu.tile_gemm import forward, grad_weight
from minidepth.ops.cpu.tiles import PixelTiles, multiply, pixel_matrix

__all__ = ["forward", "grad_weight", "grad_x"]

Pair = tuple[int, int]

TILE_ELEMENTS = 1 << 17
"""Numbers of dL/dx in a tile: half a core's cache."""
LEAST_PIXELS = 256


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
    """grad (N, O, R, S), weight (O, C, I, J) -> (N, C, H, W); what lies in no patch gets 0, or the bias."""
    (n, out, rows, columns), (i_size, j_size) = grad.shape, stride
    kernels = np.ascontiguousarray(weight).reshape(out, -1).T  # (C*I*J, O)
    added = None if bias is None else np.repeat(bias, i_size * j_size)[:, None]
    result = pool.empty(x_shape, grad.dtype)
    result[:, :, rows * i_size :] = 0 if bias is None else bias[:, None, None]
    result[:, :, :, columns * j_size :] = 0 if bias is None else bias[:, None, None]
    tiles = PixelTiles(n, rows, columns, max(LEAST_PIXELS, TILE_ELEMENTS // max(1, len(kernels))))

    def tile(index: int) -> None:
        pictures, lines = tiles[index]
        grads = pixel_matrix(grad[pictures, :, lines], "grads")
        patches = scratch("patches", (len(kernels), grads.shape[1]), grad.dtype)
        multiply(kernels, grads, out=patches)
        if added is not None:
            patches += added
        part = result[pictures, :, lines.start * i_size : lines.stop * i_size, : columns * j_size].swapaxes(0, 1)
        taps = patches.reshape(len(part), i_size, j_size, part.shape[1], -1, columns)
        for i, j in np.ndindex(stride):
            np.copyto(part[:, :, i::i_size, j::j_size], taps[:, i, j])

    run_tiles(tile, len(tiles))
    return result

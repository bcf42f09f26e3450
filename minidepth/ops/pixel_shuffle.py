"""Pixel shuffle: channels become pixels, so that a convolution at low resolution makes a picture of r times the size.

    y[n, c, h r + i, w r + j] = x[n, c r^2 + i r + j, h, w]          i, j = 0 .. r - 1

    dL/dx[n, c r^2 + i r + j, h, w] = dL/dy[n, c, h r + i, w r + j]

Nothing is computed: numbers change their places. Cost: one read and one write per number.
Source: Shi et al., "Real-time single image and video super-resolution using an efficient sub-pixel convolutional neural
network" (2016).
"""

from __future__ import annotations

import math

from minidepth.backend import Array, cuda, empty, kernel
from minidepth.cuda import flat, launch
from minidepth.engine import Tensor
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.elementwise import Block, run_blocks
from minidepth.ops.cpu.threads import TILE_ELEMENTS


def pixel_shuffle(x: Tensor, upscale_factor: int) -> Tensor:
    """x (N, C r^2, H, W) -> (N, C, H r, W r), with r = `upscale_factor`."""
    r = upscale_factor
    if not isinstance(r, int) or r < 1:
        raise ValueError(f"pixel_shuffle: upscale_factor is {r!r}; it must be a whole number of at least 1")
    if x.ndim != 4 or x.shape[1] % r**2:
        raise ValueError(
            f"pixel_shuffle: x must be (N, C, H, W) with C a multiple of {r**2}, upscale_factor squared (x {x.shape})"
        )
    return Tensor.from_op("pixel_shuffle", forward(x.data, r), (x,), lambda grad: (grad_x(grad, r),))


@kernel
def forward(x: Array, r: int) -> Array:
    """(N, C r^2, H, W) -> (N, C, H r, W r)."""
    n, channels, height, width = x.shape
    y = pool.empty((n, channels // r**2, height * r, width * r), x.dtype)
    small = x.reshape(n, channels // r**2, r, r, height, width)
    _copy(small.transpose(0, 1, 4, 2, 5, 3), y.reshape(n, channels // r**2, height, r, width, r))
    return y


@kernel
def grad_x(grad: Array, r: int) -> Array:
    """(N, C, H r, W r) -> (N, C r^2, H, W)."""
    n, channels, height, width = (*grad.shape[:2], grad.shape[2] // r, grad.shape[3] // r)
    result = pool.empty((n, channels * r**2, height, width), grad.dtype)
    shuffled = grad.reshape(n, channels, height, r, width, r).transpose(0, 1, 3, 5, 2, 4)
    _copy(shuffled, result.reshape(n, channels, r, r, height, width))
    return result


@cuda(forward, half=True)
def forward_cuda(x: Array, r: int) -> Array:
    n, channels, height, width = x.shape
    y = empty((n, channels // r**2, height * r, width * r), x)
    launch("pixel_shuffle_forward", flat(y.size, each=4), x, y, r, height, width, y.size)
    return y


@cuda(grad_x, half=True)
def grad_x_cuda(grad: Array, r: int) -> Array:
    n, channels, height, width = (*grad.shape[:2], grad.shape[2] // r, grad.shape[3] // r)
    result = empty((n, channels * r**2, height, width), grad)
    launch("pixel_shuffle_grad_x", flat(grad.size, each=4), grad, result, r, height, width, grad.size)
    return result


def _copy(source: Array, target: Array) -> None:
    """target[...] = source, some planes at a time on all cores."""

    def task(planes: Block) -> None:
        target[planes] = source[planes]

    run_blocks(task, source.shape[:2], TILE_ELEMENTS // max(1, math.prod(source.shape[2:])))

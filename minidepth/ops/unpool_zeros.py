"""Unpooling with zeros: the picture becomes s times as large, each pixel with zeros to its right and below.

    y[n, c, h s, w s] = x[n, c, h, w]          y = 0 elsewhere

    dL/dx[n, c, h, w] = dL/dy[n, c, h s, w s]

With a convolution behind it this is an up-convolution: the up-projection of FCRN fills the holes with 5x5 kernels.
Cost: one write per number of y; in backward a read and a write per number of x.
Source: Laina et al., "Deeper depth prediction with fully convolutional residual networks" (2016).
"""

from __future__ import annotations

import numpy as np

from minidepth.backend import Array, cuda, empty, kernel
from minidepth.cuda import flat, launch
from minidepth.engine import Tensor
from minidepth.ops.conv2d import Pair, pair
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.elementwise import Block, elementwise, run_blocks
from minidepth.ops.cpu.threads import TILE_ELEMENTS


def unpool_zeros(x: Tensor, stride: int | Pair = 2) -> Tensor:
    """x (N, C, H, W) -> (N, C, H s, W s): every pixel at the top left of a block of s x s, s = `stride`, of zeros."""
    step = pair("unpool_zeros", "stride", stride)
    if x.ndim != 4:
        raise ValueError(f"unpool_zeros: x must have 4 dimensions, (N, C, H, W), not {x.ndim} (x {x.shape})")
    return Tensor.from_op("unpool_zeros", forward(x.data, step), (x,), lambda grad: (grad_x(grad, step),))


@kernel
def forward(x: Array, stride: Pair) -> Array:
    """(N, C, H, W) -> (N, C, H s, W s)."""
    y = pool.empty((*x.shape[:2], x.shape[2] * stride[0], x.shape[3] * stride[1]), x.dtype)

    def task(planes: Block) -> None:
        y[planes] = 0
        y[planes][..., :: stride[0], :: stride[1]] = x[planes]

    run_blocks(task, y.shape[:2], TILE_ELEMENTS // max(1, y.shape[2] * y.shape[3]))
    return y


@kernel
def grad_x(grad: Array, stride: Pair) -> Array:
    """(N, C, H s, W s) -> (N, C, H, W)."""
    return elementwise(np.positive, grad[:, :, :: stride[0], :: stride[1]])


@cuda(forward, half=True)
def forward_cuda(x: Array, stride: Pair) -> Array:
    y = empty((*x.shape[:2], x.shape[2] * stride[0], x.shape[3] * stride[1]), x)
    launch("unpool_zeros_forward", flat(y.size, each=4), x, y, x.shape[3], *stride, y.size)
    return y


@cuda(grad_x, half=True)
def grad_x_cuda(grad: Array, stride: Pair) -> Array:
    result = empty((*grad.shape[:2], grad.shape[2] // stride[0], grad.shape[3] // stride[1]), grad)
    launch("unpool_zeros_grad_x", flat(result.size, each=4), grad, result, result.shape[3], *stride, result.size)
    return result

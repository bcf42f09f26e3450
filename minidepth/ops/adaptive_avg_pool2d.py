"""Adaptive average pooling: the mean of R x Q parts of the picture, whatever its size.

Along one axis of n numbers in R parts, part r is what its ends touch, also where they cut a pixel:

    start[r] = floor(r n / R)          end[r] = ceil((r + 1) n / R)

    y[n, c, r, q]  =  mean of x[n, c, start[r] : end[r], start[q] : end[q]]

    dL/dx: every pixel gets dL/dy / (pixels in the part), from each part that it is in

Where R does not divide n, neighbours share a pixel. R = Q = 1 is the mean of the whole picture.

Rows and columns are independent, and are averaged one after the other.
Cost: an addition per number of x. Nothing of x is kept. Source: PyTorch's definition of the parts.
"""

from __future__ import annotations

import numpy as np

from minidepth.backend import Array, cuda, empty, kernel
from minidepth.cuda import flat, launch
from minidepth.engine import Tensor
from minidepth.ops.conv2d import Pair, pair
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.elementwise import Block, run_blocks
from minidepth.ops.cpu.threads import TILE_ELEMENTS


def adaptive_avg_pool2d(x: Tensor, output_size: int | Pair) -> Tensor:
    """The means of `output_size` (R, Q) parts of x (N, C, H, W); the result is (N, C, R, Q)."""
    size = pair("adaptive_avg_pool2d", "output_size", output_size)
    if x.ndim != 4 or 0 in x.shape[2:]:
        raise ValueError(f"adaptive_avg_pool2d: x must be (N, C, H, W) with at least one pixel (x {x.shape})")
    x_shape = x.shape
    y = forward(x.data, size)
    return Tensor.from_op("adaptive_avg_pool2d", y, (x,), lambda grad: (grad_x(grad, x_shape),))


@kernel
def forward(x: Array, size: Pair) -> Array:
    """(N, C, H, W) -> (N, C, R, Q)."""
    y = np.empty((*x.shape[:2], *size), x.dtype)
    rows, columns = parts(x.shape[2], size[0]), parts(x.shape[3], size[1])

    def task(planes: Block) -> None:
        strips = np.stack([x[planes][..., part, :].mean(axis=-2) for part in rows], axis=-2)  # (..., R, W)
        for q, part in enumerate(columns):
            strips[..., part].mean(axis=-1, out=y[planes][..., q])

    run_blocks(task, x.shape[:2], TILE_ELEMENTS // (x.shape[2] * x.shape[3]))
    return y


@kernel
def grad_x(grad: Array, x_shape: tuple[int, ...]) -> Array:
    """(N, C, R, Q) -> (N, C, H, W): the steps of `forward`, their adjoints in reverse."""
    result = pool.empty(x_shape, grad.dtype)
    height, width = x_shape[2:]
    rows, columns = parts(height, grad.shape[2]), parts(width, grad.shape[3])

    def task(planes: Block) -> None:
        strips = np.zeros((*grad[planes].shape[:-1], width), grad.dtype)  # (..., R, W)
        for q, part in enumerate(columns):
            strips[..., part] += grad[planes][..., q, None] / (part.stop - part.start)
        result[planes] = 0
        for r, part in enumerate(rows):
            result[planes][..., part, :] += strips[..., r, None, :] / (part.stop - part.start)

    run_blocks(task, x_shape[:2], TILE_ELEMENTS // (height * width))
    return result


@cuda(forward, half=True)
def forward_cuda(x: Array, size: Pair) -> Array:
    y = empty((*x.shape[:2], *size), x)
    warps = flat(32 * y.size)  # one for each number
    launch("adaptive_avg_pool2d_forward", warps, x, y, *x.shape[2:], *size, y.size)
    return y


@cuda(grad_x, half=True)
def grad_x_cuda(grad: Array, x_shape: tuple[int, ...]) -> Array:
    result = empty(x_shape, grad)
    launch("adaptive_avg_pool2d_grad_x", flat(result.size), grad, result, *x_shape[2:], *grad.shape[2:], result.size)
    return result


def parts(length: int, count: int) -> list[slice]:
    """The parts of one axis."""
    return [slice(r * length // count, -(-(r + 1) * length // count)) for r in range(count)]

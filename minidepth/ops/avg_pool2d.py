"""Average pooling: the mean of each window.

    y[n, c, r, q] = (1 / D[r, q])  sum over i, j of  x[n, c, r s + i - p, q s + j - p]     (outside the picture x is 0)

D[r, q] is how many places of the window lie in the padded picture, or with ``count_include_pad=False`` in the picture
itself. It is a product of a count of rows and a count of columns, and differs from I*J at the border only.

    dL/dx: every place of a window gets dL/dy / D, added up where windows overlap

Cost: I*J additions per output, forward and backward. Nothing of x is kept. Source: PyTorch's definition of sizes and D.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minidepth.backend import Array, cuda, empty, kernel
from minidepth.cuda import flat, launch
from minidepth.engine import Tensor
from minidepth.ops.conv2d import Pair, pair
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.elementwise import BLOCK_ELEMENTS, Block, run_blocks
from minidepth.ops.cpu.threads import scratch
from minidepth.ops.max_pool2d import pool_size


def avg_pool2d(
    x: Tensor,
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """The mean of every window of x (N, C, H, W); the result is (N, C, R, Q).

    R = (H + 2 padding - kernel_size) / stride + 1, rounded down (up with ceil_mode, as long as the last window still
    starts inside the picture or its padding). `stride` is the window's size by default.
    """
    window = pair("avg_pool2d", "kernel_size", kernel_size)
    stride = window if stride is None else pair("avg_pool2d", "stride", stride)
    padding = pair("avg_pool2d", "padding", padding, 0)
    size = pool_size("avg_pool2d", x.shape, window, stride, padding, (1, 1), ceil_mode)
    frame = padding if count_include_pad else (0, 0)
    x_shape = x.shape

    def pullback(grad: Array) -> tuple[Array]:
        return (grad_x(grad, x_shape, window, stride, padding, frame),)

    return Tensor.from_op("avg_pool2d", forward(x.data, size, window, stride, padding, frame), (x,), pullback)


@kernel
def forward(x: Array, size: Pair, window: Pair, stride: Pair, padding: Pair, frame: Pair) -> Array:
    """One pass for each place of the window, over a few planes that stay in the cache; the frame counts in D."""
    y = pool.empty((*x.shape[:2], *size), x.dtype)
    share = _share(x, x.shape, size, window, stride, padding, frame)
    padded_size = _padded_size(x.shape, size, window, stride, padding)
    taps = _taps(window, stride, size)

    def task(planes: Block) -> None:
        part = _padded(x[planes], padded_size, padding)
        total = y[planes]
        total[...] = part[taps[0]]
        for tap in taps[1:]:
            total += part[tap]
        total *= share

    run_blocks(task, x.shape[:2], BLOCK_ELEMENTS // (padded_size[0] * padded_size[1]))
    return y


@kernel
def grad_x(grad: Array, x_shape: tuple[int, ...], window: Pair, stride: Pair, padding: Pair, frame: Pair) -> Array:
    """The adjoint: what the forward pass read is added to here."""
    result = pool.empty(x_shape, grad.dtype)
    size = (grad.shape[2], grad.shape[3])
    share = _share(grad, x_shape, size, window, stride, padding, frame)
    padded_size = _padded_size(x_shape, size, window, stride, padding)
    taps = _taps(window, stride, size)
    inside = (..., slice(padding[0], padding[0] + x_shape[2]), slice(padding[1], padding[1] + x_shape[3]))

    def task(planes: Block) -> None:
        g = np.multiply(grad[planes], share, out=scratch("share", grad[planes].shape, grad.dtype))
        padded = scratch("padded", (*g.shape[:-2], *padded_size), grad.dtype)
        padded.fill(0)
        for tap in taps:
            padded[tap] += g
        result[planes] = padded[inside]

    run_blocks(task, x_shape[:2], BLOCK_ELEMENTS // (padded_size[0] * padded_size[1]))
    return result


@cuda(forward, half=True)
def forward_cuda(x: Array, size: Pair, window: Pair, stride: Pair, padding: Pair, frame: Pair) -> Array:
    y = empty((*x.shape[:2], *size), x)
    sizes = (*x.shape[2:], *size, *window, *stride, *padding, *frame)
    launch("avg_pool2d_forward", flat(y.size), x, y, *sizes, y.size)
    return y


@cuda(grad_x, half=True)
def grad_x_cuda(grad: Array, x_shape: tuple[int, ...], window: Pair, stride: Pair, padding: Pair, frame: Pair) -> Array:
    result = empty(x_shape, grad)
    sizes = (*x_shape[2:], *grad.shape[2:], *window, *stride, *padding, *frame)
    launch("avg_pool2d_grad_x", flat(result.size), grad, result, *sizes, result.size)
    return result


def _padded(x: Array, size: Pair, padding: Pair) -> Array:
    """Planes (..., H, W) of x within a frame of zeros, or x itself where no window reaches outside."""
    height, width = x.shape[-2:]
    if size == (height, width):
        return x
    padded = scratch("padded", (*x.shape[:-2], *size), x.dtype)
    padded.fill(0)
    padded[..., padding[0] : padding[0] + height, padding[1] : padding[1] + width] = x
    return padded


def _share(
    like: Array, x_shape: tuple[int, ...], size: Pair, window: Pair, stride: Pair, padding: Pair, frame: Pair
) -> Array:
    """1 / D, (R, Q): D is how many rows times how many columns of each window lie in the picture and its frame."""
    rows, columns = map(_places, x_shape[2:], size, window, stride, padding, frame)
    return 1 / np.outer(rows, columns).astype(like.dtype)


def _places(length: int, size: int, window: int, stride: int, padding: int, frame: int) -> Array:
    """How many places of each window lie in the picture and a frame around it, along one axis: (R,)."""
    start = np.arange(size) * stride - padding
    return np.minimum(start + window, length + frame) - np.maximum(start, -frame)


def _taps(window: Pair, stride: Pair, size: Pair) -> list[tuple[Any, ...]]:
    """For each place (i, j) of the window, where it lies in the padded picture for all outputs at once."""
    return [
        (
            ...,
            slice(i, i + stride[0] * (size[0] - 1) + 1, stride[0]),
            slice(j, j + stride[1] * (size[1] - 1) + 1, stride[1]),
        )
        for i in range(window[0])
        for j in range(window[1])
    ]


def _padded_size(x_shape: tuple[int, ...], size: Pair, window: Pair, stride: Pair, padding: Pair) -> Pair:
    """Rows and columns that hold the picture, its padding, and the end of the last window."""
    needed = [window[axis] + stride[axis] * (size[axis] - 1) for axis in (0, 1)]
    return max(needed[0], x_shape[2] + 2 * padding[0]), max(needed[1], x_shape[3] + 2 * padding[1])

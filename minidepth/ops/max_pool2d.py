"""Max-pooling: the largest number in each window.

    y[n, c, r, q] = max over i, j of  x[n, c, r s + i d - p, q s + j d - p]         (outside the picture x is -inf)

    dL/dx gets dL/dy at the place of each window's maximum, the first in reading order where several are equal (as in
    PyTorch), and adds up where windows overlap.

Backward keeps, for each output, the number of the tap (i, j) that won: one byte in place of the whole input. Where no
gradient is wanted it is not worked out. The usual windows of 2x2 go backward through `ops/cpu/unpool_2x2.py`, whose
oracle the kernel here is.

Cost: I*J comparisons per output. Source: Zhou and Chellapilla (1988); PyTorch's definition of the sizes.
"""

from __future__ import annotations

import numpy as np

from minidepth.backend import Array, cuda, empty, kernel
from minidepth.cuda import aligned, flat, launch
from minidepth.engine import Tensor
from minidepth.ops.conv2d import Pair, pair
from minidepth.ops.cpu import pool, unpool_2x2
from minidepth.ops.cpu.elementwise import BLOCK_ELEMENTS, Block, run_blocks
from minidepth.ops.cpu.threads import TILE_ELEMENTS, scratch


def max_pool2d(
    x: Tensor,
    kernel_size: int | Pair,
    stride: int | Pair | None = None,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """The maximum of every window of x (N, C, H, W); the result is (N, C, R, Q).

    R = (H + 2 padding - dilation (kernel_size - 1) - 1) / stride + 1, rounded down (up with ceil_mode, as long as the
    last window still starts inside the picture or its padding). `stride` is the window's size by default.
    """
    window = pair("max_pool2d", "kernel_size", kernel_size)
    stride = window if stride is None else pair("max_pool2d", "stride", stride)
    padding, dilation = pair("max_pool2d", "padding", padding, 0), pair("max_pool2d", "dilation", dilation)
    size = pool_size("max_pool2d", x.shape, window, stride, padding, dilation, ceil_mode)
    y, winner = forward(x.data, window, stride, padding, dilation, size, x.requires_grad)
    x_shape = x.shape

    def pullback(grad: Array) -> tuple[Array]:
        return (grad_x(grad, winner, x_shape, window, stride, padding, dilation),)

    return Tensor.from_op("max_pool2d", y, (x,), pullback)


@kernel
def forward(
    x: Array, window: Pair, stride: Pair, padding: Pair, dilation: Pair, size: Pair, need_winner: bool = True
) -> tuple[Array, Array | None]:
    """y (N, C, R, Q) and the number of the tap that won, i * J + j, in the smallest integer type that holds it."""
    y = pool.empty((*x.shape[:2], *size), x.dtype)
    winner = pool.empty(y.shape, np.uint8 if window[0] * window[1] <= 256 else np.uint32) if need_winner else None
    x = _padded(x, window, stride, padding, dilation, size)
    first, *others = [x[tap] for tap in _taps(window, stride, dilation, size)]  # each (N, C, R, Q)

    def task(block: Block) -> None:
        best = y[block]
        value = scratch("value", best.shape, x.dtype)
        np.copyto(best, first[block])
        if winner is not None:
            who, better = winner[block], scratch("better", best.shape, np.dtype(np.uint8))
            number = scratch("number", best.shape, winner.dtype)
            who.fill(0)
        for k, tap in enumerate(others, start=1):
            np.copyto(value, tap[block])  # every stride-th number; the rest then runs on numbers side by side
            if winner is not None:
                np.greater(value, best, out=better.view(bool))
                np.multiply(better, winner.dtype.type(k), out=number)
                np.maximum(who, number, out=who)  # k only grows, so the larger number is the later winner
            np.maximum(best, value, out=best)

    run_blocks(task, y.shape, TILE_ELEMENTS)
    return y, winner


@kernel
def grad_x(
    grad: Array,
    winner: Array,
    x_shape: tuple[int, ...],
    window: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> Array:
    """Each output's gradient goes to the tap that won."""
    if window == stride == (2, 2) and dilation == (1, 1) and unpool_2x2.fits(grad, x_shape):
        return unpool_2x2.grad_x(grad, winner)
    size = (grad.shape[2], grad.shape[3])
    height, width = _padded_size(x_shape, window, stride, padding, dilation, size)
    result = pool.zeros((*x_shape[:2], height, width), grad.dtype)
    places = [result[tap] for tap in _taps(window, stride, dilation, size)]  # each (N, C, R, Q)

    def task(planes: Block) -> None:  # whole planes: windows that overlap add to the same places
        share = scratch("share", grad[planes].shape, grad.dtype)
        for k, place in enumerate(places):
            np.multiply(grad[planes], winner[planes] == k, out=share)
            place[planes] += share

    run_blocks(task, grad.shape[:2], BLOCK_ELEMENTS // (size[0] * size[1]))
    inside = result[:, :, padding[0] : padding[0] + x_shape[2], padding[1] : padding[1] + x_shape[3]]
    return np.ascontiguousarray(inside)


@cuda(forward, half=True)
def forward_cuda(
    x: Array, window: Pair, stride: Pair, padding: Pair, dilation: Pair, size: Pair, need_winner: bool = True
) -> tuple[Array, Array | None]:
    y = empty((*x.shape[:2], *size), x)
    wide = window[0] * window[1] > 256
    winner = empty(y.shape, x, np.uint32 if wide else np.uint8) if need_winner else None
    if _in_pairs(x.shape, window, stride, padding, dilation, size) and aligned(x, y):
        launch("max_pool2d_forward_2x2", flat(y.size // 2), x, y, winner, x.shape[3] // 4, y.size // 2)
        return y, winner
    name = "max_pool2d_forward_wide" if wide else "max_pool2d_forward"
    sizes = (*x.shape[2:], *size, *window, *stride, *padding, *dilation)
    launch(name, flat(y.size), x, y, winner, *sizes, y.size)
    return y, winner


@cuda(grad_x, half=True)
def grad_x_cuda(
    grad: Array,
    winner: Array,
    x_shape: tuple[int, ...],
    window: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> Array:
    result = empty(x_shape, grad)
    size = (grad.shape[2], grad.shape[3])
    if _in_pairs(x_shape, window, stride, padding, dilation, size) and aligned(grad, winner, result):
        launch("max_pool2d_grad_x_2x2", flat(grad.size // 2), grad, winner, result, x_shape[3] // 4, grad.size // 2)
        return result
    name = "max_pool2d_grad_x_wide" if winner.dtype == np.uint32 else "max_pool2d_grad_x"
    sizes = (*x_shape[2:], *size, *window, *stride, *padding, *dilation)
    launch(name, flat(result.size), grad, winner, result, *sizes, result.size)
    return result


def _in_pairs(x_shape: tuple[int, ...], window: Pair, stride: Pair, padding: Pair, dilation: Pair, size: Pair) -> bool:
    """Whether windows of 2x2 cover the picture exactly, and each row holds pairs of them."""
    usual = window == stride == (2, 2) and padding == (0, 0) and dilation == (1, 1)
    return usual and x_shape[2:] == (2 * size[0], 2 * size[1]) and x_shape[3] % 4 == 0


def pool_size(
    op: str, x_shape: tuple[int, ...], window: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> Pair:
    """(R, Q) of a pooling; ValueError where the window does not fit. Shared with avg_pool2d."""
    if len(x_shape) != 4:
        raise ValueError(f"{op}: x must have 4 dimensions, (N, C, H, W), not {len(x_shape)} (x {x_shape})")
    size = []
    for axis in (0, 1):
        if 2 * padding[axis] > window[axis]:
            raise ValueError(f"{op}: padding {padding} may be at most half of kernel_size {window}")
        length = x_shape[2 + axis]
        room = length + 2 * padding[axis] - dilation[axis] * (window[axis] - 1) - 1
        count = (-(-room // stride[axis]) if ceil_mode else room // stride[axis]) + 1
        if ceil_mode and (count - 1) * stride[axis] >= length + padding[axis]:
            count -= 1  # the last window would start in the padding at the end
        if room < 0 or count < 1:
            raise ValueError(f"{op}: kernel_size {window} is larger than the picture (x {x_shape}, padding {padding})")
        size.append(count)
    return size[0], size[1]


def _taps(window: Pair, stride: Pair, dilation: Pair, size: Pair) -> list[tuple[slice, ...]]:
    """For each tap (i, j) in reading order, where it lies in the padded picture for all outputs at once."""
    return [
        (
            slice(None),
            slice(None),
            slice(i * dilation[0], i * dilation[0] + stride[0] * (size[0] - 1) + 1, stride[0]),
            slice(j * dilation[1], j * dilation[1] + stride[1] * (size[1] - 1) + 1, stride[1]),
        )
        for i in range(window[0])
        for j in range(window[1])
    ]


def _padded_size(
    x_shape: tuple[int, ...], window: Pair, stride: Pair, padding: Pair, dilation: Pair, size: Pair
) -> Pair:
    """Rows and columns that hold the picture, its padding, and the end of the last window."""
    needed = [dilation[axis] * (window[axis] - 1) + stride[axis] * (size[axis] - 1) + 1 for axis in (0, 1)]
    return max(needed[0], x_shape[2] + 2 * padding[0]), max(needed[1], x_shape[3] + 2 * padding[1])


def _padded(x: Array, window: Pair, stride: Pair, padding: Pair, dilation: Pair, size: Pair) -> Array:
    """x within a frame of -inf, or x itself where no window reaches outside."""
    height, width = _padded_size(x.shape, window, stride, padding, dilation, size)
    if (height, width) == x.shape[2:]:
        return x
    padded = np.full((*x.shape[:2], height, width), -np.inf, x.dtype)
    padded[:, :, padding[0] : padding[0] + x.shape[2], padding[1] : padding[1] + x.shape[3]] = x
    return padded

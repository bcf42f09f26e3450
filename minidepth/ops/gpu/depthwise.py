"""Convolution of every channel by itself, see `depthwise.cu`."""

from __future__ import annotations

from minidepth.backend import Array, empty
from minidepth.cuda import Grid, constant, flat, launch
from minidepth.ops.conv_sizes import NO_LIMITS, Limits, Pair, dtype_of_sums, numbers, output_size
from minidepth.ops.gpu.sum_parts import sum_parts

BLOCKS = 1024
"""For the weight's gradient, so that each of some 130 multiprocessors has several."""
LEAST_PIXELS = 2048
"""That such a block adds up, eight for each thread."""


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
    rows, columns = output_size("conv2d", x.shape, weight.shape, stride, padding, dilation)
    y = empty((*x.shape[:2], rows, columns), x)
    threads = x.shape[0] * x.shape[1] * -(-rows // constant("depthwise", "STRIP")) * columns
    sizes = numbers(x.shape, weight.shape, stride, padding, dilation, groups)
    launch("depthwise_forward", flat(threads), x, weight, bias, y, *sizes, *(limits or NO_LIMITS))
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
    result = empty(x_shape, grad)
    sizes = numbers(x_shape, weight.shape, stride, padding, dilation, groups)
    launch("depthwise_grad_x", flat(result.size), grad, weight, bias, result, *sizes)
    return result


def grad_weight(
    grad: Array, x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    chunks = -(-weight_shape[2] * weight_shape[3] // constant("depthwise", "TAPS"))
    pixels = grad.shape[0] * grad.shape[2] * grad.shape[3]
    each = max(LEAST_PIXELS, -(-pixels * groups * chunks // BLOCKS))
    parts = empty((max(1, -(-pixels // each)), *weight_shape), grad, dtype_of_sums(grad))
    grid = Grid((groups, chunks, len(parts)), (constant("depthwise", "THREADS"), 1, 1))
    sizes = numbers(x.shape, weight_shape, stride, padding, dilation, groups)
    launch("depthwise_grad_weight", grid, grad, x, parts, *sizes, each)
    return sum_parts(parts)

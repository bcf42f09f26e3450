"""Convolution by the kernels of `ops/conv2d.cu`: a thread for each number of the result, which does it all."""

from __future__ import annotations

import math

from minidepth.backend import Array, empty
from minidepth.cuda import flat, launch
from minidepth.ops.conv_sizes import NO_LIMITS, Limits, Pair, dtype_of_sums, numbers, output_size


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
    """See `ops/conv2d.py`, as for the others."""
    sizes = numbers(x.shape, weight.shape, stride, padding, dilation, groups)
    y = empty((len(x), len(weight), *output_size("conv2d", x.shape, weight.shape, stride, padding, dilation)), x)
    launch("conv2d_forward", flat(y.size), x, weight, bias, y, *sizes, *(limits or NO_LIMITS))
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
    sizes = numbers(x_shape, weight.shape, stride, padding, dilation, groups)
    result = empty(x_shape, grad)
    launch("conv2d_grad_x", flat(result.size), grad, weight, bias, result, *sizes)
    return result


def grad_weight(
    grad: Array, x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    sizes = numbers(x.shape, weight_shape, stride, padding, dilation, groups)
    result = empty(weight_shape, grad, dtype_of_sums(grad))
    launch("conv2d_grad_weight", flat(math.prod(weight_shape)), grad, x, result, *sizes)
    return result

"""What a convolution asks of its arguments, and how large its result is; `conv2d` and `conv_transpose2d` share it."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np

from minidepth.backend import Array
from minidepth.engine import Tensor

Pair = tuple[int, int]

Limits = tuple[float, float]
"""The least and the most that comes out of a convolution; (0, infinity) is a ReLU."""
NO_LIMITS = (-math.inf, math.inf)
KEPT = 4096
"""Sizes that are remembered as checked: a network has some dozens, and the same ones in every step."""


@functools.lru_cache(KEPT, typed=True)
def output_size(
    op: str, x_shape: tuple[int, ...], weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair
) -> Pair:
    """(R, S) of a convolution; ValueError where the kernel does not fit into the padded picture."""
    sizes = []
    for axis in (0, 1):
        room = x_shape[2 + axis] + 2 * padding[axis] - dilation[axis] * (weight_shape[2 + axis] - 1) - 1
        sizes.append(room // stride[axis] + 1)
        if room < 0:
            raise ValueError(
                f"{op}: the kernel is larger than the padded picture (x {x_shape}, weight {weight_shape}, "
                f"padding {padding}, dilation {dilation}); pad more or pass a larger x"
            )
    return sizes[0], sizes[1]


@functools.lru_cache(KEPT, typed=True)
def numbers(
    x_shape: tuple[int, ...], weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> tuple[int, ...]:
    """The sizes in the order in which the CUDA kernels of a convolution take them."""
    size = output_size("conv2d", x_shape, weight_shape, stride, padding, dilation)
    return (*x_shape, weight_shape[0], *weight_shape[2:], *size, *stride, *padding, *dilation, groups)


def pair(op: str, name: str, value: int | Pair, least: int = 1) -> Pair:
    """A number for both axes, or one for each (height first), as a pair of whole numbers of at least `least`."""
    if type(value) is tuple and len(value) == 2 and type(value[0]) is type(value[1]) is int and min(value) >= least:
        return value  # as layers have it, in every call
    values = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(values) != 2 or any(not isinstance(v, (int, np.integer)) or v < least for v in values):
        raise ValueError(f"{op}: {name} is {value!r}; it must be a whole number of at least {least}, or a pair of them")
    return int(values[0]), int(values[1])


def check(op: str, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int, bias_size: int | None = None) -> None:
    """What conv2d and conv_transpose2d ask of their arguments alike."""
    _check_shapes(op, x.shape, weight.shape, None if bias is None else bias.shape, groups, bias_size)
    check_dtypes(op, x, weight, bias)


@functools.lru_cache(KEPT, typed=True)
def _check_shapes(
    op: str,
    x: tuple[int, ...],
    weight: tuple[int, ...],
    bias: tuple[int, ...] | None,
    groups: int,
    bias_size: int | None,
) -> None:
    shapes = f"x {x}, weight {weight}, bias {bias}, groups {groups}"
    if len(x) != 4 or len(weight) != 4:
        raise ValueError(f"{op}: x and weight must have 4 dimensions, (N, C, H, W) and (O, C, I, J) ({shapes})")
    if not isinstance(groups, int) or groups < 1 or x[1] % groups or weight[0] % groups:
        raise ValueError(f"{op}: groups must divide the channels of x and the first size of weight ({shapes})")
    if 0 in weight:
        raise ValueError(f"{op}: weight must not be empty ({shapes})")
    bias_size = weight[0] if bias_size is None else bias_size
    if bias is not None and bias != (bias_size,):
        raise ValueError(f"{op}: bias must have shape ({bias_size},) ({shapes})")


def check_dtypes(op: str, x: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    """All have one dtype; or x is float16 and the parameters are float32, in which an optimiser can add to them."""
    expected = dtype_of_sums(x)
    if weight.dtype != expected or (bias is not None and bias.dtype != expected):
        dtypes = f"x {x.dtype}, weight {weight.dtype}, bias {None if bias is None else bias.dtype}"
        rule = "weight and bias must be float32 where x is float16" if x.dtype != expected else ""
        raise TypeError(f"{op}: {rule or 'x, weight and bias must have one dtype'} ({dtypes})")


def dtype_of_sums(x: Array | Tensor) -> np.dtype[Any]:
    """The dtype of parameters and of their gradients beside x: that of x, but float32 beside float16."""
    return np.promote_types(x.dtype, np.float32)

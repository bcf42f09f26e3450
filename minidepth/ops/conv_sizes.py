"""What a convolution asks of its arguments, and how large its result is; `conv2d` and `conv_transpose2d` share it."""

from __future__ import annotations

import math

import numpy as np

from minidepth.engine import Tensor

Pair = tuple[int, int]

Limits = tuple[float, float]
"""The least and the most that comes out of a convolution; (0, infinity) is a ReLU."""
NO_LIMITS = (-math.inf, math.inf)


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


def numbers(
    x_shape: tuple[int, ...], weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> tuple[int, ...]:
    """The sizes in the order in which the CUDA kernels of a convolution take them."""
    size = output_size("conv2d", x_shape, weight_shape, stride, padding, dilation)
    return (*x_shape, weight_shape[0], *weight_shape[2:], *size, *stride, *padding, *dilation, groups)


def pair(op: str, name: str, value: int | Pair, least: int = 1) -> Pair:
    """A number for both axes, or one for each (height first), as a pair of whole numbers of at least `least`."""
    values = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(values) != 2 or any(not isinstance(v, (int, np.integer)) or v < least for v in values):
        raise ValueError(f"{op}: {name} is {value!r}; it must be a whole number of at least {least}, or a pair of them")
    return int(values[0]), int(values[1])


def check(op: str, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int, bias_size: int | None = None) -> None:
    """What conv2d and conv_transpose2d ask of their arguments alike."""
    shapes = f"x {x.shape}, weight {weight.shape}, bias {None if bias is None else bias.shape}, groups {groups}"
    if x.ndim != 4 or weight.ndim != 4:
        raise ValueError(f"{op}: x and weight must have 4 dimensions, (N, C, H, W) and (O, C, I, J) ({shapes})")
    if not isinstance(groups, int) or groups < 1 or x.shape[1] % groups or weight.shape[0] % groups:
        raise ValueError(f"{op}: groups must divide the channels of x and the first size of weight ({shapes})")
    if weight.size == 0:
        raise ValueError(f"{op}: weight must not be empty ({shapes})")
    bias_size = weight.shape[0] if bias_size is None else bias_size
    if bias is not None and bias.shape != (bias_size,):
        raise ValueError(f"{op}: bias must have shape ({bias_size},) ({shapes})")
    if x.dtype != weight.dtype or (bias is not None and bias.dtype != x.dtype):
        dtypes = f"x {x.dtype}, weight {weight.dtype}, bias {None if bias is None else bias.dtype}"
        raise TypeError(f"{op}: x, weight and bias must have one dtype ({dtypes})")

"""Batch normalisation: every channel is shifted and scaled to mean 0 and variance 1, then to what the network wants.

    x^ = (x - mean) / sqrt(var + eps)          y = weight x^ + bias

In training, mean and var (divided by n, the numbers per channel: N H W) are those of the batch, and the running
statistics move towards them:

    running_mean = (1 - momentum) running_mean + momentum mean
    running_var  = (1 - momentum) running_var  + momentum var n / (n - 1)        (the unbiased estimate, as in PyTorch)

In evaluation, the running statistics take their place and are constants. For the gradients, with g = dL/dy and
s = weight / sqrt(var + eps):

    dL/dbias   = sum g
    dL/dweight = sum g x^
    dL/dx      = s (g - mean(g) - x^ mean(g x^))     in training: mean and var depend on x too
    dL/dx      = s g                                 in evaluation

The kernels can put y through an `Activation` before they write it, see `batch_norm_leaky_relu.py`.

Cost: x is read from main memory once and y written once, dL/dy and x are read once and dL/dx written once: all other
steps find their numbers in the cache, as a tile is a few channels of all pictures.
Source: Ioffe and Szegedy, "Batch normalization" (2015).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from minidepth.backend import Array, kernel
from minidepth.engine import Tensor
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.channels import channel_sums, column, run_channels
from minidepth.ops.cpu.threads import TILE_ELEMENTS as CACHED_ELEMENTS
from minidepth.ops.cpu.threads import scratch
from minidepth.ops.recompute import is_second_run


class Activation(NamedTuple):
    """A leaky ReLU with `slope` below 0, cut off at `ceiling` (for slope 0 only): z = min(max(y, slope y), ceiling)."""

    slope: float
    ceiling: float = math.inf


NONE = Activation(slope=1)


def batch_norm(
    x: Tensor,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Normalise each channel of x (N, C, ...).

    Args:
        running_mean, running_var: arrays (C,), updated in place in training; they may be None in training only.
        weight, bias: scale and shift (C,); 1 and 0 where None.
        training: use the batch's own statistics, and update the running ones.
        momentum: the weight of the new statistics (Keras calls 1 - momentum its momentum).
    """
    args = x, running_mean, running_var, weight, bias, training, momentum, eps
    return normalise_and_activate("batch_norm", *args, NONE)


def normalise_and_activate(
    op: str,
    x: Tensor,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    act: Activation,
) -> Tensor:
    """What `batch_norm` and its siblings with an activation have in common."""
    _check(op, x, running_mean, running_var, weight, bias, training)
    scale = np.ones(x.shape[1], x.dtype) if weight is None else weight.data
    shift = np.zeros(x.shape[1], x.dtype) if bias is None else bias.data
    if training or running_mean is None or running_var is None:
        y, mean, var = forward(x.data, scale, shift, eps, act)
        count = x.size // x.shape[1]
        if running_mean is not None and running_var is not None and not is_second_run():
            running_mean += momentum * (mean - running_mean)
            running_var += momentum * (var * (count / (count - 1)) - running_var)
    else:
        mean, var = running_mean.astype(x.dtype), running_var.astype(x.dtype)  # copies: training changes the buffers
        y = normalise(x.data, mean, var, scale, shift, eps, act)
    x_data = x.data
    needed = [parent is not None and parent.requires_grad for parent in (x, weight, bias)]

    def pullback(grad: Array) -> tuple[Array | None, ...]:
        grads = backward(grad, x_data, mean, var, scale, shift, eps, training, act)
        return tuple(g if need else None for g, need in zip(grads, needed))

    return Tensor.from_op(op, y, (x, weight, bias), pullback)


@kernel
def forward(x: Array, scale: Array, shift: Array, eps: float, act: Activation) -> tuple[Array, Array, Array]:
    """y, and mean and var (C,) of the batch; the variance is taken about the mean, so nothing cancels."""
    y = pool.empty_like(x)
    mean, var = np.empty((x.shape[1], 1), x.dtype), np.empty((x.shape[1], 1), x.dtype)
    scale, shift = column(scale, x.dtype), column(shift, x.dtype)
    count = x.size // x.shape[1]

    def tile(channels: slice, part: Array, result: Array) -> None:
        exact_mean = channel_sums(part) / count
        mean[channels] = exact_mean
        centred = np.subtract(part, mean[channels], out=scratch("centred", part.shape, x.dtype))
        var[channels] = channel_sums(centred, centred) / count
        factor = scale[channels] / np.sqrt(var[channels] + eps)
        offset = shift[channels] + factor * (mean[channels] - exact_mean)  # makes up for the rounding of mean
        centred *= factor
        np.add(centred, offset.astype(x.dtype), out=result if act == NONE else centred)
        _activate(centred, act, result)

    run_channels(tile, x, y)
    return y, mean[:, 0], var[:, 0]


@kernel
def normalise(x: Array, mean: Array, var: Array, scale: Array, shift: Array, eps: float, act: Activation) -> Array:
    """y with given statistics: one multiplication and one addition per number."""
    y = pool.empty_like(x)
    factor = scale / np.sqrt(var + eps)
    offset = column(shift - mean * factor, x.dtype)
    factor = column(factor, x.dtype)

    def tile(channels: slice, part: Array, result: Array) -> None:
        np.multiply(part, factor[channels], out=result)
        np.add(result, offset[channels], out=result)
        _activate(result, act, result)

    run_channels(tile, x, y, elements=CACHED_ELEMENTS)
    return y


@kernel
def backward(
    grad: Array,
    x: Array,
    mean: Array,
    var: Array,
    scale: Array,
    shift: Array,
    eps: float,
    training: bool,
    act: Activation,
) -> tuple[Array, Array, Array]:
    """dL/dx, dL/dweight, dL/dbias: the sums of the last two are what the first one needs."""
    result = pool.empty_like(x)
    grad_scale, grad_shift = np.empty_like(scale)[:, None], np.empty_like(scale)[:, None]
    count = x.size // x.shape[1]
    mean, shift = column(mean, x.dtype), column(shift, x.dtype)
    inverse_std = column(1 / np.sqrt(var + eps), x.dtype)
    factor = column(scale, x.dtype) * inverse_std
    first, steps = _derivative(factor, shift, act)

    def tile(channels: slice, part: Array, result: Array, g: Array) -> None:
        centred = np.subtract(part, mean[channels], out=scratch("centred", part.shape, x.dtype))
        if act != NONE:  # g becomes dL/dy
            _fill_with_steps(centred, first[channels], [(t[channels], s[channels]) for t, s in steps], result)
            g = np.multiply(result, g, out=result)
        sum_g, sum_gx = channel_sums(g), channel_sums(g, centred) * inverse_std[channels]
        grad_shift[channels], grad_scale[channels] = sum_g, sum_gx
        np.multiply(g, factor[channels], out=result)
        if training:
            share = factor[channels] / -count
            centred *= (share * inverse_std[channels] * sum_gx).astype(x.dtype)
            centred += (share * sum_g).astype(x.dtype)
            result += centred

    run_channels(tile, x, result, grad)
    return result, grad_scale[:, 0], grad_shift[:, 0]


def _derivative(factor: Array, shift: Array, act: Activation) -> tuple[Array, list[tuple[Array, Array]]]:
    """The derivative of the activation in terms of d = x - mean, where y = factor d + shift: `first`, and `steps`.

    dz/dy = first + sum over (threshold, step) of  step [d > threshold]            where [true] = 1, [false] = 0

    It changes where y passes 0 and, if there is one, the ceiling. Both belong to the side that is flat.
    """
    kinks = [(0.0, 1 - act.slope)] + ([(act.ceiling, -1.0)] if act.ceiling < math.inf else [])
    last = sum((change for _, change in kinks), act.slope)  # the derivative for very large y
    of_bias = np.where(shift > 0, np.where(shift < act.ceiling, 1, last), act.slope)  # factor 0: y is shift everywhere
    first = np.where(factor > 0, act.slope, np.where(factor < 0, last, of_bias)).astype(shift.dtype)
    steps = []
    for level, change in kinks:
        with np.errstate(over="ignore"):
            threshold = np.divide(level - shift, factor, out=np.zeros_like(shift), where=factor != 0)
        # d at the threshold itself is to count as above it for the ceiling, and where y falls with d for 0: then the
        # next smaller number takes its place, as d > that is d >= it.
        includes_itself = (factor < 0) != (change < 0)
        lower = np.nextafter(threshold, -np.inf, dtype=shift.dtype)
        steps.append((np.where(includes_itself, lower, threshold), (np.sign(factor) * change).astype(shift.dtype)))
    return first, steps


def _fill_with_steps(d: Array, first: Array, steps: list[tuple[Array, Array]], result: Array) -> None:
    """result = first + sum over (threshold, step) of step [d > threshold]."""
    (threshold, step), *others = steps
    np.greater(d, threshold, out=result)  # 1 or 0: arithmetic on that is ten times as fast as np.where
    result *= step
    for threshold, step in others:
        above = np.greater(d, threshold, out=scratch("above", d.shape, d.dtype))
        above *= step
        result += above
    result += first


def _activate(y: Array, act: Activation, result: Array) -> None:
    """result = activation of y, which may be the same array; nothing happens where there is none."""
    if act.ceiling < math.inf:
        np.clip(y, 0, act.ceiling, out=result)
    elif act != NONE:
        bound = result if result is not y else scratch("bound", y.shape, y.dtype)
        if act.slope == 0:
            bound.fill(0)
        else:
            np.multiply(y, act.slope, out=bound)
        np.maximum(y, bound, out=result)  # slopes are at most 1; of two arrays, which is quicker than with a number


def _check(
    op: str,
    x: Tensor,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
) -> None:
    if x.ndim < 2:
        raise ValueError(f"{op}: x must have at least 2 dimensions, (N, C, ...) (x {x.shape})")
    given = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    for name, value in given.items():
        if value is not None and value.shape != (x.shape[1],):
            raise ValueError(f"{op}: {name} must have shape ({x.shape[1]},), not {value.shape} (x {x.shape})")
    if not training and (running_mean is None or running_var is None):
        raise ValueError(f"{op}: evaluation needs running_mean and running_var; pass them, or training=True")
    if training and x.size // x.shape[1] < 2:
        raise ValueError(f"{op}: training needs more than one number per channel (x {x.shape})")

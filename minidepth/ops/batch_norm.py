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

The kernels can put y through a leaky ReLU before they write it, see `batch_norm_leaky_relu.py`; slope 1 is none.

Cost: x is read from main memory once and y written once, dL/dy and x are read once and dL/dx written once: all other
steps find their numbers in the cache, as a tile is a few channels of all pictures.
Source: Ioffe and Szegedy, "Batch normalization" (2015).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from minidepth.backend import Array, kernel
from minidepth.engine import Tensor
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.threads import run_tiles, scratch
from minidepth.ops.recompute import is_second_run

TILE_ELEMENTS = 1 << 18
"""Numbers per array in a tile, if a channel has not more. The calls are then long enough for two threads not to wait
for the interpreter lock, and the arrays of a tile still fit the cache that the cores share."""
SEGMENT = 256
"""Numbers that are added up in one go, see `_channel_sums`."""


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
    return normalise_and_activate("batch_norm", *args, slope=1)


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
    slope: float,
) -> Tensor:
    """What `batch_norm` and `batch_norm_leaky_relu` have in common; a slope of 1 is no activation."""
    _check(op, x, running_mean, running_var, weight, bias, training)
    scale = np.ones(x.shape[1], x.dtype) if weight is None else weight.data
    shift = np.zeros(x.shape[1], x.dtype) if bias is None else bias.data
    if training or running_mean is None or running_var is None:
        y, mean, var = forward(x.data, scale, shift, eps, slope)
        count = x.size // x.shape[1]
        if running_mean is not None and running_var is not None and not is_second_run():
            running_mean += momentum * (mean - running_mean)
            running_var += momentum * (var * (count / (count - 1)) - running_var)
    else:
        mean, var = running_mean.astype(x.dtype), running_var.astype(x.dtype)  # copies: training changes the buffers
        y = normalise(x.data, mean, var, scale, shift, eps, slope)
    x_data = x.data
    needed = [parent is not None and parent.requires_grad for parent in (x, weight, bias)]

    def pullback(grad: Array) -> tuple[Array | None, ...]:
        grads = backward(grad, x_data, mean, var, scale, shift, eps, training, slope)
        return tuple(g if need else None for g, need in zip(grads, needed))

    return Tensor.from_op(op, y, (x, weight, bias), pullback)


@kernel
def forward(x: Array, scale: Array, shift: Array, eps: float, slope: float) -> tuple[Array, Array, Array]:
    """y, and mean and var (C,) of the batch; the variance is taken about the mean, so nothing cancels."""
    y = pool.empty_like(x)
    mean, var = np.empty(x.shape[1], x.dtype), np.empty(x.shape[1], x.dtype)
    count = x.size // x.shape[1]

    def tile(channels: slice, part: Array, result: Array) -> None:
        exact_mean = _channel_sums(part) / count
        mean[channels] = exact_mean
        centred = scratch("centred", part.shape, x.dtype)
        np.subtract(part, _column(mean[channels], x.dtype), out=centred)
        var[channels] = _channel_sums(centred, centred) / count
        factor = scale[channels] / np.sqrt(var[channels] + eps)
        offset = shift[channels] + factor * (mean[channels] - exact_mean)  # makes up for the rounding of mean
        centred *= _column(factor, x.dtype)
        _shift_and_activate(centred, _column(offset, x.dtype), slope, result)

    _run_channels(tile, x, y)
    return y, mean, var


@kernel
def normalise(x: Array, mean: Array, var: Array, scale: Array, shift: Array, eps: float, slope: float) -> Array:
    """y with given statistics: one multiplication and one addition per number."""
    factor = scale / np.sqrt(var + eps)
    offset = shift - mean * factor
    y = pool.empty_like(x)

    def tile(channels: slice, part: Array, result: Array) -> None:
        scaled = np.multiply(part, _column(factor[channels], x.dtype), out=scratch("scaled", part.shape, x.dtype))
        _shift_and_activate(scaled, _column(offset[channels], x.dtype), slope, result)

    _run_channels(tile, x, y)
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
    slope: float,
) -> tuple[Array, Array, Array]:
    """dL/dx, dL/dweight, dL/dbias: the sums of the last two are what the first one needs.

    In place of x^ it computes u = sign(scale) x^, since y = |scale| u + shift is positive where u > -shift / |scale|.
    """
    result = pool.empty_like(x)
    grad_scale, grad_shift = np.empty_like(scale), np.empty_like(scale)
    count = x.size // x.shape[1]
    sign = np.where(scale < 0, -1, 1)
    inverse_std = 1 / np.sqrt(var + eps)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        threshold = -shift / np.abs(scale)  # a scale of 0 makes it infinite, or NaN if y is 0: nothing exceeds that
    slopes = np.full(math.prod(x.shape[2:]), slope, x.dtype)

    def tile(channels: slice, part: Array, result: Array, g: Array) -> None:
        u = np.subtract(part, _column(mean[channels], x.dtype), out=scratch("u", part.shape, x.dtype))
        u *= _column(sign[channels] * inverse_std[channels], x.dtype)
        if slope != 1:  # g becomes dL/dy: dL/dz, times slope where y is not positive
            np.greater(u, _column(threshold[channels], x.dtype), out=result)
            np.maximum(result, slopes, out=result)  # slopes is a row: a single number would take four times as long
            g = np.multiply(result, g, out=result)
        sum_g, sum_gu = _channel_sums(g), _channel_sums(g, u)
        grad_shift[channels], grad_scale[channels] = sum_g, sign[channels] * sum_gu
        factor = scale[channels] * inverse_std[channels]
        np.multiply(g, _column(factor, x.dtype), out=result)
        if training:
            u *= _column(-factor * sum_gu / count, x.dtype)
            u += _column(-factor * sum_g / count, x.dtype)
            result += u

    _run_channels(tile, x, result, grad)
    return result, grad_scale, grad_shift


def _shift_and_activate(y: Array, offset: Array, slope: float, result: Array) -> None:
    """result = leaky ReLU of y + offset, which is max(y, slope y) for slopes up to 1. Overwrites y."""
    if slope == 1:
        np.add(y, offset, out=result)
    else:
        y += offset
        np.multiply(y, slope, out=result)
        np.maximum(y, result, out=result)


def _run_channels(tile: Callable[..., None], *arrays: Array) -> None:
    """Call ``tile(channels, part of each array...)``, the parts (N, c, pixels), for all channels and on all cores."""
    n, channels = arrays[0].shape[:2]
    planes = [array.reshape(n, channels, math.prod(array.shape[2:])) for array in arrays]
    count = -(-arrays[0].size // TILE_ELEMENTS)
    count += count > 1 and count % 2  # an even number, so that two cores are done at the same time
    step = -(-channels // max(1, count))
    slices = [slice(first, first + step) for first in range(0, channels, step)]
    run_tiles(lambda t: tile(slices[t], *(plane[:, slices[t]] for plane in planes)), len(slices))


def _channel_sums(a: Array, b: Array | None = None) -> Array:
    """Sum of a b, or of a, over pictures and pixels: (N, c, pixels) -> (c,) in float64.

    BLAS adds up segments of 256 numbers, and those sums are added in float64. So little is lost to rounding; BLAS does
    not share a segment among threads, which would make the result depend on their number; and there are many results,
    which matters as NumPy lets go of the interpreter lock only in a `vecdot` that has more than 500.
    """
    n, channels, pixels = a.shape
    whole = pixels // SEGMENT
    cut = whole * SEGMENT
    segments, rest = a[:, :, :cut].reshape(n, channels, whole, SEGMENT), a[:, :, cut:]
    if b is None:
        ones = np.ones(SEGMENT, a.dtype)
        sums, last = np.vecdot(segments, ones), np.vecdot(rest, ones[: pixels - cut])
    else:
        sums = np.vecdot(segments, b[:, :, :cut].reshape(segments.shape))
        last = np.vecdot(rest, b[:, :, cut:])
    return sums.sum(axis=(0, 2), dtype=np.float64) + last.sum(axis=0, dtype=np.float64)


def _column(values: Array, dtype: np.dtype) -> Array:
    """(c,) -> (c, 1), to go with (N, c, pixels)."""
    return values.astype(dtype)[:, None]


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

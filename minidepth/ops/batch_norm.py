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

Cost: two passes over a channel forward (mean; variance and result), two backward, each channel in a core's cache.
Source: Ioffe and Szegedy, "Batch normalization" (2015).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minidepth.backend import Array, kernel
from minidepth.engine import Tensor
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.threads import TILE_ELEMENTS, run_tiles, scratch
from minidepth.ops.recompute import is_second_run


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
    _check(x, running_mean, running_var, weight, bias, training)
    scale = np.ones(x.shape[1], x.dtype) if weight is None else weight.data
    shift = np.zeros(x.shape[1], x.dtype) if bias is None else bias.data
    count = x.size // x.shape[1]
    if training or running_mean is None or running_var is None:
        y, mean, var = forward(x.data, scale, shift, eps)
        if running_mean is not None and running_var is not None and not is_second_run():
            running_mean += momentum * (mean - running_mean)
            running_var += momentum * (var * (count / (count - 1)) - running_var)
    else:
        mean, var = running_mean.astype(x.dtype), running_var.astype(x.dtype)  # copies: training changes the buffers
        y = normalise(x.data, mean, var, scale, shift, eps)
    x_data = x.data
    needed = [parent is not None and parent.requires_grad for parent in (x, weight, bias)]

    def pullback(grad: Array) -> tuple[Array | None, ...]:
        grads = backward(grad, x_data, mean, var, scale, eps, training)
        return tuple(g if need else None for g, need in zip(grads, needed))

    return Tensor.from_op("batch_norm", y, (x, weight, bias), pullback)


@kernel
def forward(x: Array, scale: Array, shift: Array, eps: float) -> tuple[Array, Array, Array]:
    """y, and mean and var (C,) of the batch; the variance is taken about the mean, so nothing cancels."""
    y = pool.empty_like(x)
    mean, var = np.empty(x.shape[1], x.dtype), np.empty(x.shape[1], x.dtype)
    count = x.size // x.shape[1]

    def tile(channels: slice) -> None:
        part, result = x[:, channels], y[:, channels]
        np.divide(_channel_sums(part), count, out=mean[channels])
        np.subtract(part, _column(mean[channels], x.ndim), out=result)
        square = scratch("square", part.shape, x.dtype)
        np.divide(_channel_sums(np.multiply(result, result, out=square)), count, out=var[channels])
        result *= _column(scale[channels] / np.sqrt(var[channels] + eps), x.ndim)
        result += _column(shift[channels], x.ndim)

    _run_channels(tile, x)
    return y, mean, var


@kernel
def normalise(x: Array, mean: Array, var: Array, scale: Array, shift: Array, eps: float) -> Array:
    """y with given statistics: one multiplication and one addition per number."""
    factor = scale / np.sqrt(var + x.dtype.type(eps))
    offset = shift - mean * factor
    y = pool.empty_like(x)

    def tile(channels: slice) -> None:
        np.multiply(x[:, channels], _column(factor[channels], x.ndim), out=y[:, channels])
        y[:, channels] += _column(offset[channels], x.ndim)

    _run_channels(tile, x)
    return y


@kernel
def backward(
    grad: Array, x: Array, mean: Array, var: Array, scale: Array, eps: float, training: bool
) -> tuple[Array, Array, Array]:
    """dL/dx, dL/dweight, dL/dbias: the sums of the last two are what the first one needs."""
    result = pool.empty_like(x)
    grad_scale, grad_shift = np.empty_like(scale), np.empty_like(scale)
    inverse_std = 1 / np.sqrt(var + x.dtype.type(eps))
    count = x.size // x.shape[1]

    def tile(channels: slice) -> None:
        g, out = grad[:, channels], result[:, channels]
        np.subtract(x[:, channels], _column(mean[channels], x.ndim), out=out)
        out *= _column(inverse_std[channels], x.ndim)  # x^
        product = scratch("product", g.shape, x.dtype)
        grad_shift[channels] = _channel_sums(g)
        grad_scale[channels] = _channel_sums(np.multiply(g, out, out=product))
        if training:
            out *= _column(grad_scale[channels] / -count, x.ndim)
            out -= _column(grad_shift[channels] / count, x.ndim)
            out += g
        else:
            out[...] = g
        out *= _column(scale[channels] * inverse_std[channels], x.ndim)

    _run_channels(tile, x)
    return result, grad_scale, grad_shift


def _run_channels(tile: Callable[[slice], None], x: Array) -> None:
    """Call `tile` with slices of channels, as many at a time as make a tile of the usual size."""
    step = max(1, TILE_ELEMENTS * x.shape[1] // max(1, x.size))
    run_tiles(lambda t: tile(slice(t * step, min(x.shape[1], (t + 1) * step))), -(-x.shape[1] // step))


def _channel_sums(x: Array) -> Array:
    """Sum over all axes but the channels'; rows first: NumPy adds a last axis pairwise, with little rounding."""
    return x.reshape(*x.shape[:2], -1).sum(axis=2).sum(axis=0)


def _column(values: Array, ndim: int) -> Array:
    """(C,) -> (C, 1, ...), to go with x (N, C, ...)."""
    return values.reshape(-1, *(1,) * (ndim - 2))


def _check(
    x: Tensor,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
) -> None:
    if x.ndim < 2:
        raise ValueError(f"batch_norm: x must have at least 2 dimensions, (N, C, ...) (x {x.shape})")
    given = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    for name, value in given.items():
        if value is not None and value.shape != (x.shape[1],):
            raise ValueError(f"batch_norm: {name} must have shape ({x.shape[1]},), not {value.shape} (x {x.shape})")
    if not training and (running_mean is None or running_var is None):
        raise ValueError("batch_norm: evaluation needs running_mean and running_var; pass them, or training=True")
    if training and x.size // x.shape[1] < 2:
        raise ValueError(f"batch_norm: training needs more than one number per channel (x {x.shape})")

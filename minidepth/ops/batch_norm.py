"""Batch normalisation: every channel is shifted and scaled to mean 0 and variance 1, then to what the network wants.

    x^ = (x - mean) / sqrt(var + eps)          y = weight x^ + bias

In training, mean and var (divided by n, the numbers per channel: N H W) are those of the batch, and the running
statistics move towards them:

    running_mean = (1 - momentum) running_mean + momentum mean
    running_var  = (1 - momentum) running_var  + momentum var n / (n - 1)        (the unbiased estimate, as in PyTorch)

They stay as they are where mean or var is not finite, as in a step that a loss scaler skips. In evaluation, the running
statistics take the place of mean and var and are constants. For the gradients, with g = dL/dy and
s = weight / sqrt(var + eps):

    dL/dbias   = sum g
    dL/dweight = sum g x^
    dL/dx      = s (g - mean(g) - x^ mean(g x^))     in training: mean and var depend on x too
    dL/dx      = s g                                 in evaluation

The kernels can put y through an `Activation` before they write it, see `batch_norm_leaky_relu.py`.

Cost: x is read from main memory once and y written once, dL/dy and x are read once and dL/dx written once: all other
steps find their numbers in the cache, as a tile is a few channels of all pictures. What it costs on a GPU is said in
`batch_norm.cu`.
Source: Ioffe and Szegedy, "Batch normalization" (2015).
"""

from __future__ import annotations

import math

import numpy as np

from minidepth.backend import Array, cuda, empty, empty_like, kernel, xp
from minidepth.cuda import Grid, constant, flat, launch
from minidepth.engine import Tensor
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.activation import NONE, Activation, activate, derivative, fill_with_steps
from minidepth.ops.cpu.channels import channel_sums, column, run_channels
from minidepth.ops.cpu.threads import TILE_ELEMENTS as CACHED_ELEMENTS
from minidepth.ops.cpu.threads import scratch
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
        running_mean, running_var: arrays (C,), updated in place in training (hence C-contiguous); they may be None in
            training only.
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
    dtype = np.promote_types(x.dtype, np.float32)  # of parameters and statistics, also where x is float16
    scale = xp(x.data).ones(x.shape[1], dtype) if weight is None else weight.data
    shift = xp(x.data).zeros(x.shape[1], dtype) if bias is None else bias.data
    if training or running_mean is None or running_var is None:
        running = (None, None) if is_second_run() else (running_mean, running_var)
        y, mean, var = forward(x.data, scale, shift, *running, momentum, eps, act)
    else:
        mean, var = running_mean.astype(dtype), running_var.astype(dtype)  # copies: training changes the buffers
        y = normalise(x.data, mean, var, scale, shift, eps, act)
    x_data = x.data
    needed = [parent is not None and parent.requires_grad for parent in (x, weight, bias)]

    def pullback(grad: Array) -> tuple[Array | None, ...]:
        grads = backward(grad, x_data, mean, var, scale, shift, eps, training, act)
        return tuple(g if need else None for g, need in zip(grads, needed))

    return Tensor.from_op(op, y, (x, weight, bias), pullback, new_grads=True)


@kernel
def forward(
    x: Array,
    scale: Array,
    shift: Array,
    running_mean: Array | None,
    running_var: Array | None,
    momentum: float,
    eps: float,
    act: Activation,
) -> tuple[Array, Array, Array]:
    """y, and mean and var (C,) of the batch; the running ones are updated in place where both are given.

    The variance is taken about the mean, so nothing cancels.
    """
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
        activate(centred, act, result)

    run_channels(tile, x, y)
    if running_mean is not None and running_var is not None:
        good = np.isfinite(var[:, 0])  # the others leave no trace
        running_mean[good] += momentum * (mean[good, 0] - running_mean[good])
        running_var[good] += momentum * (var[good, 0] * (count / (count - 1)) - running_var[good])
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
        activate(result, act, result)

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
    first, steps = derivative(factor, shift, act)

    def tile(channels: slice, part: Array, result: Array, g: Array) -> None:
        centred = np.subtract(part, mean[channels], out=scratch("centred", part.shape, x.dtype))
        if act != NONE:  # g becomes dL/dy
            fill_with_steps(centred, first[channels], [(t[channels], s[channels]) for t, s in steps], result)
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


WARP = 32


@cuda(forward, half=True)
def forward_cuda(
    x: Array,
    scale: Array,
    shift: Array,
    running_mean: Array | None,
    running_var: Array | None,
    momentum: float,
    eps: float,
    act: Activation,
) -> tuple[Array, Array, Array]:
    sizes, parts, blocks = _cut(x)
    y, means, squares = empty_like(x), empty((parts,), scale), empty((parts,), scale)
    mean, var, offset = empty_like(scale), empty_like(scale), empty_like(scale)
    running = (running_mean, running_var) if running_mean is not None and running_var is not None else (None, None)
    launch("batch_norm_moments", blocks, x, means, squares, *sizes)
    given, results = (x, means, squares, scale, shift), (mean, var, offset, *running)
    launch("batch_norm_statistics", flat(WARP * sizes[1]), *given, *results, momentum, eps, *sizes)
    launch("batch_norm_normalise", blocks, x, mean, var, scale, offset, y, eps, *act, *sizes)
    return y, mean, var


@cuda(normalise, half=True)
def normalise_cuda(x: Array, mean: Array, var: Array, scale: Array, shift: Array, eps: float, act: Activation) -> Array:
    sizes, _, blocks = _cut(x)
    y = empty_like(x)
    launch("batch_norm_normalise", blocks, x, mean, var, scale, shift, y, eps, *act, *sizes)
    return y


@cuda(backward, half=True)
def backward_cuda(
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
    sizes, parts, blocks = _cut(x)
    sums, products = empty((parts,), scale), empty((parts,), scale)
    grad_x, grad_scale, grad_shift = empty_like(x), empty_like(scale), empty_like(scale)
    given = grad, x, mean, var, scale, shift
    launch("batch_norm_sums", blocks, *given, sums, products, eps, *act, *sizes)
    launch("batch_norm_grad_weight", flat(WARP * sizes[1]), sums, products, var, grad_scale, grad_shift, eps, *sizes)
    launch("batch_norm_grad_x", blocks, *given, grad_scale, grad_shift, grad_x, eps, *act, training, *sizes)
    return grad_x, grad_scale, grad_shift


def _cut(x: Array) -> tuple[tuple[int, int, int], int, Grid]:
    """(pictures, channels, numbers of a plane), how many parts the channels have together, and a block for each."""
    pictures, channels, plane = *x.shape[:2], math.prod(x.shape[2:])
    parts = channels * -(-pictures * plane // constant("batch_norm", "PART"))
    threads = constant("batch_norm", "THREADS")
    return (pictures, channels, plane), parts, flat(parts * threads, threads)


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
    for name, running in (("running_mean", running_mean), ("running_var", running_var)):
        if training and running is not None and not running.flags.c_contiguous:
            raise ValueError(f"{op}: {name} is updated in place and must be C-contiguous (strides {running.strides})")
    if not training and (running_mean is None or running_var is None):
        raise ValueError(f"{op}: evaluation needs running_mean and running_var; pass them, or training=True")
    if training and x.size // x.shape[1] < 2:
        raise ValueError(f"{op}: training needs more than one number per channel (x {x.shape})")

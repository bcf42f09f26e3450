"""Losses on the steps from pixel to pixel: how a map changes to the side (dx) and downwards (dy).

With dx f = f[row, column + 1] - f[row, column], dy f downwards, p the prediction, t the target, e = p - t, I the
picture (|dx I| is the mean over its channels), and n the valid pixels of the batch:

    edges              1/n sum |dx e| + |dy e|                               Alhashim and Wonka (2018), DenseDepth
    smoothness         1/n sum |dx p| exp(-|dx I|) + |dy p| exp(-|dy I|)     Heise et al. (2013), Godard et al. (2017)
    smoothness:keras   1/n sum |dx p| exp(mean |dx t|) + |dy p| exp(mean |dy t|)    the depth example of keras.io

A step counts where both its pixels are valid. There are fewer steps than pixels, but all sums are divided by n: the
published programs count a step of 0 behind the last row and column.

edges wants the prediction to change where the target does. The other two want it not to change at all: `smoothness`
less so where the picture has an edge, for there the depth may have one too. smoothness:keras is meant to be that, but
its two weights are one number each for a whole batch, at least 1 and larger for a rough target.
"""

from __future__ import annotations

import numpy as np

from minidepth.backend import Array, xp
from minidepth.engine import Tensor
from minidepth.losses import fused
from minidepth.losses.fused import on_gpu
from minidepth.losses.masked import count, masked_error, masked_target, where_valid
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.elementwise import elementwise


@on_gpu(fused.edges)
def edges(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Mean of |dx e| + |dy e|: the steps of the prediction should be those of the target.

    Args:
        prediction: (N, 1, H, W).
        target: (N, 1, H, W); what stands at invalid pixels (0, nan, inf) is never looked at.
        valid: bool (N, 1, H, W).
    """
    return _mean_of_steps(masked_error("edges", prediction, target, valid), valid, *_pairs(valid))


def smoothness(prediction: Tensor, target: Array, valid: Array, image: Array) -> Tensor:
    """Mean of |dx p| + |dy p|, less where the picture has edges. Arguments as for `edges`, and

    Args:
        image: (N, channels, H, W), the picture on any scale; on that of `batch.image` a full step from black to white
            is 4.4 and makes the weight 0.01.
    """
    masked_target("smoothness", prediction, target, valid)  # checks the sizes
    if image.ndim != 4 or image.shape[0] != prediction.shape[0] or image.shape[2:] != prediction.shape[2:]:
        raise ValueError(
            f"smoothness: the picture must have the prediction's N, H and W "
            f"(image {image.shape}, prediction {prediction.shape})"
        )
    return _smooth(prediction, valid, image)


@on_gpu(fused.edges_less_at)
def _smooth(prediction: Tensor, valid: Array, image: Array) -> Tensor:
    lib, (beside, below) = xp(image), _pairs(valid)
    across = lib.exp(-lib.abs(image[..., 1:] - image[..., :-1]).mean(axis=1, keepdims=True)) * beside
    down = lib.exp(-lib.abs(image[..., 1:, :] - image[..., :-1, :]).mean(axis=1, keepdims=True)) * below
    return _mean_of_steps(where_valid(prediction, valid), valid, across, down)


@on_gpu(fused.edges_evenly)
def smoothness_keras(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Mean of |dx p| + |dy p|, each times the exponential of that mean of the target. Arguments as for `edges`."""
    t = masked_target("smoothness:keras", prediction, target, valid).data
    lib, (beside, below), n = xp(t), _pairs(valid), count(valid, t.dtype)
    across = lib.exp((lib.abs(t[..., 1:] - t[..., :-1]) * beside).sum() / n)
    down = lib.exp((lib.abs(t[..., 1:, :] - t[..., :-1, :]) * below).sum() / n)
    return _mean_of_steps(where_valid(prediction, valid), valid, across * beside, down * below)


def _pairs(valid: Array) -> tuple[Array, Array]:
    """Where a pixel and the one to its right are valid (N, 1, H, W-1), and the one below it (N, 1, H-1, W)."""
    return valid[..., 1:] & valid[..., :-1], valid[..., 1:, :] & valid[..., :-1, :]


def _mean_of_steps(x: Tensor, valid: Array, across: Array, down: Array) -> Tensor:
    """1/n sum across |dx x| + down |dy x|; the pullback keeps the weights with the signs of the steps, divided by n."""
    value, dtype = x.data, x.dtype
    n = count(valid, dtype)
    to_side = elementwise(np.subtract, value[..., 1:], value[..., :-1])
    downwards = elementwise(np.subtract, value[..., 1:, :], value[..., :-1, :])
    side_weight = (np.sign(to_side) * across).astype(dtype, copy=False)
    down_weight = (np.sign(downwards) * down).astype(dtype, copy=False)
    to_side *= side_weight
    downwards *= down_weight
    total = ((to_side.sum() + downwards.sum()) / n).astype(dtype)

    def pullback(grad: Array) -> tuple[Array]:
        grad_x = pool.zeros(value.shape, dtype)
        grad_x[..., 1:] += side_weight
        grad_x[..., :-1] -= side_weight
        grad_x[..., 1:, :] += down_weight
        grad_x[..., :-1, :] -= down_weight
        grad_x *= grad / n
        return (grad_x,)

    return Tensor.from_op("mean_of_steps", total, (x,), pullback)

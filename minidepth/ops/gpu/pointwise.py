"""A 1x1 convolution of every pixel is a plain matrix product: weight (O, C) times pictures (N, C, H*W)."""

from __future__ import annotations

import math

from minidepth.backend import Array, xp
from minidepth.ops.conv_sizes import Limits, Pair
from minidepth.ops.gpu.sum_parts import sum_parts
from minidepth.ops.product import product


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
    return _product(weight, False, x, bias, limits)


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
    return _product(weight, True, grad, bias, None)


def grad_weight(
    grad: Array, x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """A product for each picture, and their sum."""
    grads = grad.reshape(*grad.shape[:2], math.prod(grad.shape[2:]))  # (N, O, H*W)
    pixels = x.reshape(*x.shape[:2], grads.shape[2])  # (N, C, H*W)
    return sum_parts(product(grads, pixels, False, True)).reshape(weight_shape)


def _product(weight: Array, transpose: bool, x: Array, bias: Array | None, limits: Limits | None) -> Array:
    """weight (O, C, 1, 1), or its transpose, times the pixels of x (N, C, H, W), plus bias, cut to `limits`."""
    pixels = x.reshape(*x.shape[:2], math.prod(x.shape[2:]))
    y = product(weight.reshape(weight.shape[:2]), pixels, transpose)
    if bias is not None:
        y += bias[:, None]
    if limits is not None:
        xp(y).clip(y, *limits, out=y)
    return y.reshape(*y.shape[:2], *x.shape[2:])

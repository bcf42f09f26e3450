"""The first values of weights: four recipes, one random generator that is always handed in.

He       w ~ Normal(0, std = sqrt(2 / fan_in)), b = 0. Keeps the size of the signal through convolutions followed by
         ReLU. fan_in is the number of products that are summed into one output. Source: He et al. (2015).
He out   The same with fan_out, the taps times the first size of the weight: keeps the size of the gradients.
         torchvision's ResNets and FastDepth start from it. (Depthwise it gives little; batch-norm makes up for it.)
PyTorch  w, b ~ Uniform(-1/sqrt(fan_in), +1/sqrt(fan_in)), the default of torch.nn: sqrt(6) times smaller than He's.
         fan_in is weight[0].size, which for a transposed convolution counts its output channels.
Glorot   w ~ Uniform(-a, +a), a = sqrt(6 / (fan_in + fan_out)), b = 0, the default of Keras. The fans are the taps times
         the first two sizes of the weight, whichever of them is which; for a depthwise convolution Keras counts so too.
         Source: Glorot and Bengio (2010), equation 16.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

from minidepth.backend import Array

Rng = np.random.Generator | int | None
"""A generator, a seed for a new one, or None for a new one seeded by the operating system."""

_empty = ContextVar("empty", default=False)


@contextmanager
def empty_weights() -> Iterator[None]:
    """Within it, networks are made with zeros for weights, in memory that costs nothing until it is touched.

    For counting parameters, and for networks whose weights are loaded anyway.
    """
    token = _empty.set(True)
    try:
        yield
    finally:
        _empty.reset(token)


def he_normal(shape: tuple[int, ...], fan: float, rng: Rng) -> Array:
    """float32 numbers from Normal(0, sqrt(2 / fan))."""
    if _empty.get():
        return np.zeros(shape, np.float32)
    values = np.random.default_rng(rng).standard_normal(shape, dtype=np.float32)
    values *= np.float32((2 / fan) ** 0.5)
    return values


def pytorch_uniform(shape: tuple[int, ...], fan_in: float, rng: Rng) -> Array:
    """float32 numbers from Uniform(-1 / sqrt(fan_in), 1 / sqrt(fan_in))."""
    if _empty.get():
        return np.zeros(shape, np.float32)
    values = np.random.default_rng(rng).random(shape, dtype=np.float32)
    values -= np.float32(0.5)
    values *= np.float32(2 / fan_in**0.5)
    return values


def glorot_uniform(shape: tuple[int, ...], rng: Rng) -> Array:
    """float32 numbers from Uniform(-a, a), a = sqrt(6 / (fan_in + fan_out)), for a weight (a, b, ...)."""
    if _empty.get():
        return np.zeros(shape, np.float32)
    fans = (shape[0] + shape[1]) * math.prod(shape[2:])
    values = np.random.default_rng(rng).random(shape, dtype=np.float32)
    values -= np.float32(0.5)
    values *= np.float32(2 * (6 / fans) ** 0.5)
    return values


def conv_weight_and_bias(
    shape: tuple[int, ...], n_bias: int, init: str, summed_inputs: float, rng: Rng
) -> tuple[Array, Array]:
    """The first weight and bias of a convolution by the recipe named `init`.

    Args:
        shape: of the weight.
        n_bias: length of the bias.
        init: ``"he"``, ``"he_out"``, ``"pytorch"`` or ``"glorot"``.
        summed_inputs: the number of products that are summed into one output, He's fan_in.
        rng: both arrays are drawn from it, the weight first.
    """
    rng = np.random.default_rng(rng)
    if init == "he":
        return he_normal(shape, summed_inputs, rng), np.zeros(n_bias, np.float32)
    if init == "he_out":
        return he_normal(shape, shape[0] * math.prod(shape[2:]), rng), np.zeros(n_bias, np.float32)
    if init == "pytorch":
        fan_in = float(np.prod(shape[1:]))
        return pytorch_uniform(shape, fan_in, rng), pytorch_uniform((n_bias,), fan_in, rng)
    if init == "glorot":
        return glorot_uniform(shape, rng), np.zeros(n_bias, np.float32)
    raise ValueError(f"init is {init!r}; use 'he', 'he_out', 'pytorch' or 'glorot'")

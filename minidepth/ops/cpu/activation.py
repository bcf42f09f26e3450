"""The activation behind a batch-norm, and its derivative, on channels that the cache of a core holds.

A `where` or a comparison with a number costs NumPy several times as much as arithmetic of two arrays, so the derivative
is a sum of steps: a comparison with a threshold of the channel gives 1 or 0, and the rest is arithmetic.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from minidepth.backend import Array
from minidepth.ops.cpu.threads import scratch


class Activation(NamedTuple):
    """A leaky ReLU with `slope` below 0, cut off at `ceiling` (for slope 0 only): z = min(max(y, slope y), ceiling)."""

    slope: float
    ceiling: float = math.inf


NONE = Activation(slope=1)


def derivative(factor: Array, shift: Array, act: Activation) -> tuple[Array, list[tuple[Array, Array]]]:
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


def fill_with_steps(d: Array, first: Array, steps: list[tuple[Array, Array]], result: Array) -> None:
    """result = first + sum over (threshold, step) of step [d > threshold]."""
    (threshold, step), *others = steps
    np.greater(d, threshold, out=result)  # 1 or 0: arithmetic on that is ten times as fast as np.where
    result *= step
    for threshold, step in others:
        above = np.greater(d, threshold, out=scratch("above", d.shape, d.dtype))
        above *= step
        result += above
    result += first


def activate(y: Array, act: Activation, result: Array) -> None:
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

"""Functions of each element: abs, exp, log, sqrt, clip, and of two: maximum, minimum.

========  ==========================================  ==========================================
y         value                                       dL/dx, with g = dL/dy
========  ==========================================  ==========================================
abs       |x|                                         g sign(x), so 0 at x = 0
exp       e^x                                         g y
log       natural logarithm                           g / x
sqrt      square root                                 g / (2 y)
clip      x held between min and max                  g where min <= x <= max, else 0
maximum   the larger of a and b                       g to the larger; half each where a = b
minimum   the smaller of a and b                      g to the smaller; half each where a = b
========  ==========================================  ==========================================

The derivative of sqrt is infinite at 0, and an infinite factor times a zero from the chain rule is NaN: where x may be
0, write ``sqrt(x + 1e-6)``. exp and sqrt keep y for the backward pass, clip one byte a number, abs and log keep x.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minidepth.backend import Array
from minidepth.engine import Tensor, as_tensor, unbroadcast


def abs(x: Tensor) -> Tensor:
    """The absolute value."""
    values = x.data
    return Tensor.from_op("abs", np.abs(values), (x,), lambda grad: (grad * np.sign(values),))


def exp(x: Tensor) -> Tensor:
    """e to the power x."""
    y = np.exp(x.data)
    return Tensor.from_op("exp", y, (x,), lambda grad: (grad * y,))


def log(x: Tensor) -> Tensor:
    """The natural logarithm; NumPy warns where x is 0 (result -inf) or negative (NaN)."""
    values = x.data
    return Tensor.from_op("log", np.log(values), (x,), lambda grad: (grad / values,))


def sqrt(x: Tensor) -> Tensor:
    """The square root; NumPy warns where x is negative (NaN), and in backward where x is 0 (an infinite gradient)."""
    y = np.sqrt(x.data)
    return Tensor.from_op("sqrt", y, (x,), lambda grad: (grad / (2 * y),))


def clip(x: Tensor, min: float | None = None, max: float | None = None) -> Tensor:
    """`x` held between the numbers `min` and `max`; None leaves a side open. The bounds count as inside."""
    if min is None and max is None:
        raise ValueError("clip: neither min nor max is given; give at least one")
    if min is not None and max is not None and min > max:
        raise ValueError(f"clip: min {min} is larger than max {max}")
    low, high = -np.inf if min is None else min, np.inf if max is None else max
    inside = (x.data >= low) & (x.data <= high)
    return Tensor.from_op("clip", np.clip(x.data, min, max), (x,), lambda grad: (grad * inside,))


def maximum(a: Any, b: Any) -> Tensor:
    """The larger of a and b, element by element, broadcast like NumPy. Either may be a number."""
    return _larger_or_smaller("maximum", a, b)


def minimum(a: Any, b: Any) -> Tensor:
    """The smaller of a and b, element by element, broadcast like NumPy. Either may be a number."""
    return _larger_or_smaller("minimum", a, b)


def _larger_or_smaller(op: str, a: Any, b: Any) -> Tensor:
    a = as_tensor(a, like=b if isinstance(b, Tensor) else None)
    b = as_tensor(b, like=a)
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise ValueError(f"{op}: shapes {a.shape} and {b.shape} do not broadcast; sizes must be equal, or 1") from None
    if op == "maximum":
        y, a_wins = np.maximum(a.data, b.data), a.data > b.data
    else:
        y, a_wins = np.minimum(a.data, b.data), a.data < b.data
    tie = a.data == b.data
    need_a, need_b = a.requires_grad, b.requires_grad
    a_shape, a_dtype, b_shape, b_dtype = a.shape, a.dtype, b.shape, b.dtype

    def pullback(grad: Array) -> tuple[Array | None, ...]:
        for_a = grad * a_wins + 0.5 * grad * tie
        return (
            unbroadcast(for_a, a_shape).astype(a_dtype, copy=False) if need_a else None,
            unbroadcast(grad - for_a, b_shape).astype(b_dtype, copy=False) if need_b else None,
        )

    return Tensor.from_op(op, y, (a, b), pullback)

"""Reductions: sum, mean, var, max and min over all dimensions, one (``dim=1``) or several (``dim=(2, 3)``).

With n the number of values that are put together, m their mean, g = dL/dy stretched back over them:

======  =========================  ====================================
y       value                      dL/dx
======  =========================  ====================================
sum     sum x                      g
mean    sum x / n                  g / n
var     sum (x - m)^2 / (n - 1)    g * 2 (x - m) / (n - 1)
max     largest x                  g at its first place, 0 elsewhere
min     smallest x                 g at its first place, 0 elsewhere
======  =========================  ====================================

The derivative of var has no term through m, because the deviations x - m add up to zero. ``unbiased=False`` divides by
n. Sums of float16 are made in float32 and rounded once.
"""

from __future__ import annotations

import math

import numpy as np

from minidepth.backend import Array
from minidepth.engine import Tensor

Dim = int | tuple[int, ...] | None


def sum(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The sum over `dim` (all dimensions for None); ``keepdim=True`` keeps a reduced dimension with size 1."""
    axes, shape = _axes("sum", x, dim), x.shape
    y = x.data.sum(axis=axes, keepdims=True, dtype=_precise(x)).astype(x.dtype, copy=False)

    def pullback(grad: Array) -> tuple[Array]:
        return (_stretch(grad, axes, shape),)

    return Tensor.from_op("sum", y.reshape(_y_shape(shape, axes, keepdim)), (x,), pullback)


def mean(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The mean over `dim` (all dimensions for None)."""
    axes, shape = _axes("mean", x, dim), x.shape
    count = _count("mean", shape, axes, least=1)
    y = x.data.mean(axis=axes, keepdims=True, dtype=_precise(x)).astype(x.dtype, copy=False)

    def pullback(grad: Array) -> tuple[Array]:
        return (_stretch(grad / count, axes, shape),)

    return Tensor.from_op("mean", y.reshape(_y_shape(shape, axes, keepdim)), (x,), pullback)


def var(x: Tensor, dim: Dim = None, keepdim: bool = False, unbiased: bool = True) -> Tensor:
    """The variance over `dim`: squared deviations divided by n - 1, or by n for ``unbiased=False``."""
    axes = _axes("var", x, dim)
    values, dtype = x.data.astype(_precise(x), copy=False), x.dtype
    divisor = _count("var", x.shape, axes, least=2 if unbiased else 1) - int(unbiased)
    centre = values.mean(axis=axes, keepdims=True)
    y = np.square(values - centre).sum(axis=axes, keepdims=True) / divisor

    def pullback(grad: Array) -> tuple[Array]:
        grad_x = values - centre
        grad_x *= grad.reshape(centre.shape).astype(grad_x.dtype, copy=False) * (2 / divisor)
        return (grad_x.astype(dtype, copy=False),)

    y = y.astype(dtype, copy=False)
    return Tensor.from_op("var", y.reshape(_y_shape(x.shape, axes, keepdim)), (x,), pullback)


def max(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The largest value over `dim`. Among equal ones the first, in memory order, gets the whole gradient."""
    return _extreme("max", x, dim, keepdim)


def min(x: Tensor, dim: Dim = None, keepdim: bool = False) -> Tensor:
    """The smallest value over `dim`. Among equal ones the first, in memory order, gets the whole gradient."""
    return _extreme("min", x, dim, keepdim)


def _extreme(op: str, x: Tensor, dim: Dim, keepdim: bool) -> Tensor:
    axes = _axes(op, x, dim)
    _count(op, x.shape, axes, least=1)
    kept = tuple(axis for axis in range(x.ndim) if axis not in axes)
    order = kept + axes
    moved = x.data.transpose(order)
    moved_shape = moved.shape
    rows = moved.reshape(*moved_shape[: len(kept)], -1)  # (kept..., n): the values that compete lie in one row
    place = np.expand_dims(rows.argmax(axis=-1) if op == "max" else rows.argmin(axis=-1), -1)
    row_shape = rows.shape
    y = np.take_along_axis(rows, place, axis=-1)  # (kept..., 1)

    def pullback(grad: Array) -> tuple[Array]:
        grad_rows = np.zeros_like(grad, shape=row_shape)
        np.put_along_axis(grad_rows, place, grad.reshape(place.shape), axis=-1)
        back = tuple(order.index(axis) for axis in range(len(order)))
        return (grad_rows.reshape(moved_shape).transpose(back).copy(),)

    return Tensor.from_op(op, y.reshape(_y_shape(x.shape, axes, keepdim)), (x,), pullback)


def _precise(x: Tensor) -> np.dtype:
    """The type to add up in."""
    return np.promote_types(x.dtype, np.float32)


def _axes(op: str, x: Tensor, dim: Dim) -> tuple[int, ...]:
    """`dim` as sorted non-negative axes."""
    if dim is None:
        return tuple(range(x.ndim))
    dims = dim if isinstance(dim, tuple) else (dim,)
    for one in dims:
        if not -x.ndim <= one < x.ndim:
            raise ValueError(f"{op}: dim {one} is out of range for x of shape {x.shape}; use {-x.ndim} to {x.ndim - 1}")
    axes = tuple(sorted(one % x.ndim for one in dims))
    if len(set(axes)) < len(axes):
        raise ValueError(f"{op}: dim {dim} names a dimension twice (x {x.shape})")
    return axes


def _count(op: str, shape: tuple[int, ...], axes: tuple[int, ...], least: int) -> int:
    """How many values are put together; at least `least` are needed."""
    count = math.prod(shape[axis] for axis in axes)
    if count < least:
        raise ValueError(f"{op}: needs at least {least} numbers to put together, not {count} (x {shape}, dim {axes})")
    return count


def _y_shape(shape: tuple[int, ...], axes: tuple[int, ...], keepdim: bool) -> tuple[int, ...]:
    """The shape of the result: reduced dimensions have size 1, or are gone."""
    if keepdim:
        return tuple(1 if axis in axes else n for axis, n in enumerate(shape))
    return tuple(n for axis, n in enumerate(shape) if axis not in axes)


def _stretch(grad: Array, axes: tuple[int, ...], shape: tuple[int, ...]) -> Array:
    """The adjoint of summing over `axes`: `grad` copied to every position that was summed."""
    return np.broadcast_to(grad.reshape(_y_shape(shape, axes, keepdim=True)), shape).copy()

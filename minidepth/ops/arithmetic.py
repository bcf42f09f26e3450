"""Arithmetic with broadcasting: ``a + b``, ``a - b``, ``a * b``, ``a / b``, ``a ** n``, ``-a``, ``a @ b``.

With g = dL/dy:

=========  ==================  ==================
y          dL/da               dL/db
=========  ==================  ==================
a + b      g                   g
a - b      g                   -g
a * b      g b                 g a
a / b      g / b               -g y / b
a ** n     g n a**(n-1)        (n is a number)
a @ b      g b^T               a^T g
=========  ==================  ==================

Where a or b was broadcast, its gradient is the sum over the positions it was copied to (`unbroadcast`).
Of float16 each step is rounded, as in PyTorch, and those sums are made in float32.
``elementwise(np.add, a, b)`` is a + b on arrays, on all cores where they are large.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minidepth.backend import Array
from minidepth.engine import Tensor, as_tensor, unbroadcast
from minidepth.ops.cpu.elementwise import elementwise
from minidepth.ops.product import product


def add(a: Any, b: Any) -> Tensor:
    """a + b, broadcast like NumPy."""
    a, b = _pair("add", a, b)
    need_a, need_b, fit_a, fit_b = a.requires_grad, b.requires_grad, _fit(a), _fit(b)

    def pullback(grad: Array) -> tuple[Array | None, ...]:
        return fit_a(grad) if need_a else None, fit_b(grad) if need_b else None

    return Tensor.from_op("add", elementwise(np.add, a.data, b.data), (a, b), pullback)


def subtract(a: Any, b: Any) -> Tensor:
    """a - b, broadcast like NumPy."""
    a, b = _pair("subtract", a, b)
    need_a, need_b, fit_a, fit_b = a.requires_grad, b.requires_grad, _fit(a), _fit(b)

    def pullback(grad: Array) -> tuple[Array | None, ...]:
        return fit_a(grad) if need_a else None, fit_b(elementwise(np.negative, grad)) if need_b else None

    return Tensor.from_op("subtract", elementwise(np.subtract, a.data, b.data), (a, b), pullback)


def multiply(a: Any, b: Any) -> Tensor:
    """a * b element by element, broadcast like NumPy."""
    a, b = _pair("multiply", a, b)
    fit_a, fit_b = _fit(a), _fit(b)
    a_kept = a.data if b.requires_grad else None  # each factor is kept only for the other one's gradient
    b_kept = b.data if a.requires_grad else None

    def pullback(grad: Array) -> tuple[Array | None, ...]:
        return (
            None if b_kept is None else fit_a(elementwise(np.multiply, grad, b_kept)),
            None if a_kept is None else fit_b(elementwise(np.multiply, grad, a_kept)),
        )

    return Tensor.from_op("multiply", elementwise(np.multiply, a.data, b.data), (a, b), pullback)


def divide(a: Any, b: Any) -> Tensor:
    """a / b element by element, broadcast like NumPy."""
    a, b = _pair("divide", a, b)
    need_a, fit_a, fit_b = a.requires_grad, _fit(a), _fit(b)
    y = elementwise(np.divide, a.data, b.data)
    divisor = b.data
    y_kept = y if b.requires_grad else None

    def pullback(grad: Array) -> tuple[Array | None, ...]:
        g = elementwise(np.divide, grad, divisor)
        return fit_a(g) if need_a else None, None if y_kept is None else fit_b(elementwise(np.multiply, -g, y_kept))

    return Tensor.from_op("divide", y, (a, b), pullback)


def power(a: Tensor, exponent: float) -> Tensor:
    """a ** exponent for a fixed number; for a Tensor as exponent write ``exp(b * log(a))``."""
    if not isinstance(exponent, (int, float)):
        raise TypeError(f"power: the exponent must be a number, not {type(exponent).__name__}; use exp(b * log(a))")
    x = a.data

    def pullback(grad: Array) -> tuple[Array | None, ...]:
        return (grad * (exponent * x ** (exponent - 1)) if exponent != 0 else np.zeros_like(x),)

    return Tensor.from_op("power", x**exponent, (a,), pullback)


def negative(a: Tensor) -> Tensor:
    """-a."""
    return Tensor.from_op("negative", -a.data, (a,), lambda grad: (-grad,))


def matmul(a: Any, b: Any) -> Tensor:
    """The matrix product (..., M, K) @ (..., K, N) -> (..., M, N).

    A vector (K,) counts as a row on the left and as a column on the right, and that axis is left out of the result.
    """
    a, b = as_tensor(a), as_tensor(b)
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[max(b.ndim - 2, 0)]:
        raise ValueError(f"matmul: inner sizes differ (a {a.shape}, b {b.shape}); needed: (..., M, K) @ (..., K, N)")
    try:
        np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ValueError(f"matmul: the sizes before the last two do not broadcast (a {a.shape}, b {b.shape})") from None
    a_shape, b_shape = a.shape, b.shape
    a_rows = a.data[None, :] if a.ndim == 1 else a.data
    b_columns = b.data[:, None] if b.ndim == 1 else b.data
    a_kept = a_rows if b.requires_grad else None
    b_kept = b_columns if a.requires_grad else None
    fit_a, fit_b = _fit(a, a_rows.shape), _fit(b, b_columns.shape)
    y = product(a_rows, b_columns)  # (..., M, N)
    full_shape = y.shape
    value = y[..., 0, :] if a.ndim == 1 else y
    value = value[..., 0] if b.ndim == 1 else value

    def pullback(grad: Array) -> tuple[Array | None, ...]:
        g = grad.reshape(full_shape)
        grad_a = None if b_kept is None else fit_a(product(g, b_kept, transpose_b=True)).reshape(a_shape)
        grad_b = None if a_kept is None else fit_b(product(a_kept, g, transpose_a=True)).reshape(b_shape)
        return grad_a, grad_b

    return Tensor.from_op("matmul", value, (a, b), pullback)


def _pair(op: str, a: Any, b: Any) -> tuple[Tensor, Tensor]:
    """Both operands as Tensors whose shapes broadcast."""
    a = as_tensor(a, like=b if isinstance(b, Tensor) else None)
    b = as_tensor(b, like=a)
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        raise ValueError(f"{op}: shapes {a.shape} and {b.shape} do not broadcast; sizes must be equal, or 1") from None
    return a, b


def _fit(x: Tensor, shape: tuple[int, ...] | None = None) -> Any:
    """A function that brings a gradient back to the shape and dtype that x had; it does not keep x alive."""
    shape, dtype = x.shape if shape is None else shape, x.dtype
    return lambda grad: unbroadcast(grad, shape).astype(dtype, copy=False)

"""softmax and log_softmax along one dimension.

    softmax:      y_i = exp(x_i) / sum_j exp(x_j)          dL/dx_i = y_i (g_i - sum_j g_j y_j)
    log_softmax:  y_i = x_i - log sum_j exp(x_j)           dL/dx_i = g_i - exp(y_i) sum_j g_j

with g = dL/dy. A constant added to all x changes nothing, so the largest x is subtracted first and exp cannot overflow.
log_softmax never forms the quotient: where softmax underflows to 0 it still gives the right logarithm.
Only y is kept for the backward pass.
"""

from __future__ import annotations

import math

import numpy as np

from minidepth.backend import Array, cuda, empty_like, kernel
from minidepth.cuda import Grid, flat, launch
from minidepth.engine import Tensor

WARP = 32
MANY_ROWS = 2048
"""From so many on, a GPU has enough to do with one thread for each row."""


def softmax(x: Tensor, dim: int) -> Tensor:
    """Positive numbers that add up to 1 along `dim`, in the proportions of exp(x)."""
    _check("softmax", x, dim)
    y = softmax_forward(x.data, dim)

    def pullback(grad: Array) -> tuple[Array]:
        return (softmax_grad_x(grad, y, dim),)

    return Tensor.from_op("softmax", y, (x,), pullback)


def log_softmax(x: Tensor, dim: int) -> Tensor:
    """The logarithm of ``softmax(x, dim)``, accurate also where softmax is tiny."""
    _check("log_softmax", x, dim)
    y = log_softmax_forward(x.data, dim)

    def pullback(grad: Array) -> tuple[Array]:
        return (log_softmax_grad_x(grad, y, dim),)

    return Tensor.from_op("log_softmax", y, (x,), pullback)


def _check(op: str, x: Tensor, dim: int) -> None:
    if not -x.ndim <= dim < x.ndim:
        raise ValueError(f"{op}: dim {dim} is out of range for x of shape {x.shape}; use {-x.ndim} to {x.ndim - 1}")
    if x.size == 0:
        raise ValueError(f"{op}: x is empty (x {x.shape})")


@kernel
def softmax_forward(x: Array, dim: int) -> Array:
    y = x - x.max(axis=dim, keepdims=True)
    np.exp(y, out=y)
    y /= y.sum(axis=dim, keepdims=True)
    return y


@kernel
def softmax_grad_x(grad: Array, y: Array, dim: int) -> Array:
    grad_x = grad * y
    grad_x -= y * grad_x.sum(axis=dim, keepdims=True)
    return grad_x


@kernel
def log_softmax_forward(x: Array, dim: int) -> Array:
    y = x - x.max(axis=dim, keepdims=True)
    y -= np.log(np.exp(y).sum(axis=dim, keepdims=True))
    return y


@kernel
def log_softmax_grad_x(grad: Array, y: Array, dim: int) -> Array:
    grad_x = np.exp(y)
    grad_x *= -grad.sum(axis=dim, keepdims=True)
    grad_x += grad
    return grad_x


@cuda(softmax_forward, half=True)
def softmax_forward_cuda(x: Array, dim: int) -> Array:
    return _launch("softmax_forward", dim, x, logarithm=False)


@cuda(softmax_grad_x, half=True)
def softmax_grad_x_cuda(grad: Array, y: Array, dim: int) -> Array:
    return _launch("softmax_grad_x", dim, grad, y, logarithm=False)


@cuda(log_softmax_forward, half=True)
def log_softmax_forward_cuda(x: Array, dim: int) -> Array:
    return _launch("softmax_forward", dim, x, logarithm=True)


@cuda(log_softmax_grad_x, half=True)
def log_softmax_grad_x_cuda(grad: Array, y: Array, dim: int) -> Array:
    return _launch("softmax_grad_x", dim, grad, y, logarithm=True)


def _launch(name: str, dim: int, *arrays: Array, logarithm: bool) -> Array:
    """Run the kernel for columns or the one for rows, see softmax.cu."""
    out, shape = empty_like(arrays[0]), arrays[0].shape
    dim %= len(shape)
    n, inner = shape[dim], math.prod(shape[dim + 1 :])
    rows = out.size // n
    if rows >= MANY_ROWS and (inner > 1 or n <= WARP):
        launch(f"{name}_columns", flat(rows), *arrays, out, rows, n, inner, logarithm)
    else:
        threads = min(256, -(-n // WARP) * WARP)
        launch(f"{name}_rows", Grid((rows, 1, 1), (threads, 1, 1)), *arrays, out, n, inner, logarithm)
    return out

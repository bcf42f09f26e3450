"""Operations that move values without changing them: reshape, flatten, transpose, permute and indexing.

Each is a linear map that copies every value to at most a few places, so its gradient moves dL/dy back the same way:

* ``reshape`` and ``flatten``: the gradient takes the old shape;
* ``transpose`` and ``permute``: the gradient is permuted by the inverse permutation;
* ``getitem``: the gradient is put at the chosen places of an array of zeros; a place chosen twice gets the sum.

Where NumPy returns a view, so do these: the result shares memory with `x`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from minidepth.backend import Array, xp
from minidepth.engine import Tensor


def reshape(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The same values in the same order with a new shape; one size may be -1 and is worked out."""
    old_shape = x.shape
    known = math.prod(n for n in shape if n != -1)
    fits = x.size == known if -1 not in shape else known > 0 and x.size % known == 0
    if not fits or sum(n == -1 for n in shape) > 1 or any(n < -1 for n in shape):
        raise ValueError(f"reshape: x of shape {x.shape} has {x.size} values, which do not fit shape {tuple(shape)}")

    def pullback(grad: Array) -> tuple[Array]:
        return (grad.reshape(old_shape),)

    return Tensor.from_op("reshape", x.data.reshape(shape), (x,), pullback)


def flatten(x: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Dimensions `start_dim` to `end_dim` (included) as one: (N, C, H, W) from 1 becomes (N, C*H*W)."""
    if x.ndim == 0:
        return reshape(x, (1,))
    start, end = _axis("flatten", x, start_dim), _axis("flatten", x, end_dim)
    if start > end:
        raise ValueError(f"flatten: start_dim {start_dim} comes after end_dim {end_dim} (x {x.shape})")
    return reshape(x, (*x.shape[:start], math.prod(x.shape[start : end + 1]), *x.shape[end + 1 :]))


def transpose(x: Tensor, dim0: int, dim1: int) -> Tensor:
    """`x` with the two dimensions swapped."""
    order = list(range(x.ndim))
    a, b = _axis("transpose", x, dim0), _axis("transpose", x, dim1)
    order[a], order[b] = b, a
    return permute(x, tuple(order))


def permute(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """`x` with its dimensions in the order `dims`: ``permute(x, (0, 2, 3, 1))`` turns NCHW into NHWC."""
    order = tuple(_axis("permute", x, dim) for dim in dims)
    if sorted(order) != list(range(x.ndim)):
        raise ValueError(f"permute: dims {tuple(dims)} must name each dimension of x once (x {x.shape})")
    inverse = tuple(order.index(axis) for axis in range(x.ndim))

    def pullback(grad: Array) -> tuple[Array]:
        return (grad.transpose(inverse),)

    return Tensor.from_op("permute", x.data.transpose(order), (x,), pullback)


def getitem(x: Tensor, index: Any) -> Tensor:
    """``x[index]`` with NumPy's rules: integers, slices, None, ..., integer arrays and bool masks."""
    parts = index if isinstance(index, tuple) else (index,)
    if any(isinstance(part, Tensor) for part in parts):
        raise TypeError("getitem: a Tensor cannot be an index; use an integer or bool array, such as x.data > 0")
    try:
        y = x.data[index]
    except IndexError as error:
        raise IndexError(f"getitem: {error} (x {x.shape})") from None
    shape = x.shape
    may_repeat = any(isinstance(part, (list, np.ndarray)) and np.asarray(part).dtype != bool for part in parts)

    def pullback(grad: Array) -> tuple[Array]:
        grad_x = np.zeros_like(grad, shape=shape)
        if may_repeat:
            xp(grad).add.at(grad_x, index, grad)
        else:
            grad_x[index] = grad
        return (grad_x,)

    return Tensor.from_op("getitem", y, (x,), pullback)


def _axis(op: str, x: Tensor, dim: int) -> int:
    """`dim` counted from the front."""
    if not -x.ndim <= dim < x.ndim:
        raise ValueError(f"{op}: dim {dim} is out of range for x of shape {x.shape}; use {-x.ndim} to {x.ndim - 1}")
    return dim % x.ndim

"""The operators and methods of Tensor: ``a + b``, ``x.sum()``, ``x[0]`` and the others, each bound to its operation.

The operations live in one file each and know Tensor; Tensor cannot know them without a circle. So the binding is
done here, in one list, when `minidepth.ops` is imported.
"""

from __future__ import annotations

from typing import Any

from minidepth.engine import Tensor
from minidepth.ops import arithmetic, cast, pointwise, reductions, shape


def _reshape(x: Tensor, *sizes: Any) -> Tensor:
    """``x.reshape(2, 3)`` or ``x.reshape((2, 3))``."""
    return shape.reshape(x, _unpack(sizes))


def _permute(x: Tensor, *dims: Any) -> Tensor:
    """``x.permute(0, 2, 1)`` or ``x.permute((0, 2, 1))``."""
    return shape.permute(x, _unpack(dims))


def _matrix_transpose(x: Tensor) -> Tensor:
    """``x.T``: the transpose of a matrix."""
    if x.ndim != 2:
        raise ValueError(f"T: x must be a matrix, but has shape {x.shape}; use permute or transpose")
    return shape.transpose(x, 0, 1)


def _unpack(numbers: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(numbers[0]) if len(numbers) == 1 and isinstance(numbers[0], (tuple, list)) else numbers


METHODS: dict[str, Any] = {
    "__add__": arithmetic.add,
    "__radd__": lambda b, a: arithmetic.add(a, b),
    "__sub__": arithmetic.subtract,
    "__rsub__": lambda b, a: arithmetic.subtract(a, b),
    "__mul__": arithmetic.multiply,
    "__rmul__": lambda b, a: arithmetic.multiply(a, b),
    "__truediv__": arithmetic.divide,
    "__rtruediv__": lambda b, a: arithmetic.divide(a, b),
    "__pow__": arithmetic.power,
    "__neg__": arithmetic.negative,
    "__matmul__": arithmetic.matmul,
    "__rmatmul__": lambda b, a: arithmetic.matmul(a, b),
    "__getitem__": shape.getitem,
    "sum": reductions.sum,
    "mean": reductions.mean,
    "var": reductions.var,
    "max": reductions.max,
    "min": reductions.min,
    "astype": cast.cast,
    "abs": pointwise.abs,
    "exp": pointwise.exp,
    "log": pointwise.log,
    "sqrt": pointwise.sqrt,
    "clip": pointwise.clip,
    "reshape": _reshape,
    "flatten": shape.flatten,
    "transpose": shape.transpose,
    "permute": _permute,
    "T": property(_matrix_transpose),
}

for _name, _function in METHODS.items():
    setattr(Tensor, _name, _function)

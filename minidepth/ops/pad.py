"""Padding: a frame of constants, of the nearest edge value, or of the mirror image.

One dimension of n values with p in front (y has n + p + q values; behind it is the same, mirrored):

    constant:   y = v v | x0 x1 x2 ...      dL/dx = the part of g inside the frame
    replicate:  y = x0 x0 | x0 x1 x2 ...    ... and the frame's g is added to the edge value
    reflect:    y = x2 x1 | x0 x1 x2 ...    ... and the frame's g is folded back, the edge being the mirror

with g = dL/dy. Dimensions are independent, so the backward pass folds one after the other.

Cost: one read and one write per number; nothing is kept for backward.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from minidepth.backend import Array, kernel
from minidepth.engine import Tensor
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.elementwise import elementwise

_NUMPY_MODE = {"replicate": "edge", "reflect": "reflect"}


def pad(x: Tensor, pad: Sequence[int], mode: str = "constant", value: float = 0.0) -> Tensor:
    """`x` in a frame. ``pad=(left, right, top, bottom)``: two numbers a dimension, the LAST dimension first.

    Args:
        x: any shape.
        pad: numbers >= 0, at most two for each dimension; the leading dimensions left out are not padded.
        mode: "constant" (`value`), "replicate" (the edge value) or "reflect" (mirrored at the edge value).
    """
    widths = _widths(x, pad, mode)
    shape = x.shape

    def pullback(grad: Array) -> tuple[Array]:
        return (grad_x(grad, widths, shape, mode),)

    return Tensor.from_op("pad", forward(x.data, widths, mode, value), (x,), pullback)


def same_padding(size: int, kernel_size: int, stride: int) -> tuple[int, int]:
    """(before, after): the frame along one axis with which Keras's ``padding="same"`` has ceil(size / stride) results.

        total = max((ceil(size / stride) - 1) stride + kernel_size - size, 0)        before = total // 2

    What is odd goes behind: a 3x3 kernel with stride 2 on an even size has 0 before and 1 after, where PyTorch's
    ``padding=1`` has 1 before, and sees the picture one pixel further up.
    """
    if min(size, kernel_size, stride) < 1:
        raise ValueError(f"same_padding: size {size}, kernel_size {kernel_size} and stride {stride} must be positive")
    total = max((-(-size // stride) - 1) * stride + kernel_size - size, 0)
    return total // 2, total - total // 2


@kernel
def forward(x: Array, widths: list[tuple[int, int]], mode: str, value: float) -> Array:
    """x in its frame; NumPy's own `pad` for modes that losses use on small pictures."""
    if mode != "constant":
        return np.pad(x, widths, mode=_NUMPY_MODE[mode])  # type: ignore[call-overload]
    y = pool.empty(tuple(before + n + after for n, (before, after) in zip(x.shape, widths)), x.dtype)
    for axis, (n, (before, _)) in enumerate(zip(x.shape, widths)):
        along = np.moveaxis(y, axis, 0)
        along[:before] = along[before + n :] = value
    elementwise(np.positive, x, out=y[_inside(x.shape, widths)])
    return y


@kernel
def grad_x(grad: Array, widths: list[tuple[int, int]], shape: tuple[int, ...], mode: str) -> Array:
    """The adjoint: each axis folded back, and of a constant frame nothing."""
    if mode == "constant":
        return elementwise(np.positive, grad[_inside(shape, widths)])
    for axis, ((before, _), n) in enumerate(zip(widths, shape)):
        if grad.shape[axis] != n:
            grad = _fold(grad, axis, before, n, mode)
    return np.asarray(grad, order="C")


def _inside(shape: tuple[int, ...], widths: list[tuple[int, int]]) -> tuple[Any, ...]:
    """Where x lies in y; the dots make it an array also where x is a single number."""
    return (*(slice(before, before + n) for n, (before, _) in zip(shape, widths)), ...)


def _widths(x: Tensor, pad: Sequence[int], mode: str) -> list[tuple[int, int]]:
    """`pad` in NumPy's order: (before, after) for each dimension, the first dimension first."""
    pad = tuple(pad)
    if mode != "constant" and mode not in _NUMPY_MODE:
        raise ValueError(f"pad: mode {mode!r} is unknown; use constant, replicate or reflect")
    if len(pad) % 2 or len(pad) > 2 * x.ndim:
        raise ValueError(f"pad: pad {pad} must hold two numbers a dimension, at most {2 * x.ndim} (x {x.shape})")
    if any(width < 0 for width in pad):
        raise ValueError(f"pad: pad {pad} has a negative width; cut with x[..., 1:-1] instead (x {x.shape})")
    pairs = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)]
    widths = [(0, 0)] * (x.ndim - len(pairs)) + pairs[::-1]
    for n, width in zip(x.shape, widths):
        if mode == "reflect" and max(width) >= max(n, 1):
            raise ValueError(
                f"pad: reflect needs widths below the size, but {width} meets {n} (x {x.shape}, pad {pad})"
            )
        if mode == "replicate" and n == 0 and max(width) > 0:
            raise ValueError(f"pad: replicate has no edge value to repeat in size 0 (x {x.shape}, pad {pad})")
    return widths


def _fold(grad: Array, axis: int, before: int, n: int, mode: str) -> Array:
    """The adjoint of padding one axis: (..., before + n + after, ...) -> (..., n, ...)."""
    grad = np.moveaxis(grad, axis, 0)
    front, inside, behind = grad[:before], grad[before : before + n], grad[before + n :]
    inside = inside.copy()
    if mode == "replicate":
        inside[0] += front.sum(axis=0)
        inside[-1] += behind.sum(axis=0)
    if mode == "reflect":
        inside[1 : len(front) + 1] += front[::-1]
        inside[n - 1 - len(behind) : n - 1] += behind[::-1]
    return np.moveaxis(inside, 0, axis)

"""Padding: a frame of constants, of the nearest edge value, or of the mirror image.

One dimension of n values with p in front (y has n + p + q values; behind it is the same, mirrored):

    constant:   y = v v | x0 x1 x2 ...      dL/dx = the part of g inside the frame
    replicate:  y = x0 x0 | x0 x1 x2 ...    ... and the frame's g is added to the edge value
    reflect:    y = x2 x1 | x0 x1 x2 ...    ... and the frame's g is folded back, the edge being the mirror

with g = dL/dy. Dimensions are independent, so the backward pass folds one after the other.

Cost: one read and one write per number; nothing is kept for backward.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from minidepth.backend import Array, cuda, empty, kernel
from minidepth.cuda import constant, flat, launch
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
    if mode != "constant" and widths:
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


class _Launch(NamedTuple):
    before: tuple[int, ...]  # shapes
    after: tuple[int, ...]
    places: tuple[int, ...]  # what the kernels take: rows, columns, top, left, out_rows, out_columns


@cuda(forward, half=True)
def forward_cuda(x: Array, widths: list[tuple[int, int]], mode: str, value: float) -> Array:
    for _, shape, places in _launches(x.shape, widths):
        y = empty(shape, x)
        launch("pad_forward", flat(y.size, each=4), x, y, *places, constant("pad", mode.upper()), value, y.size)
        x = y
    return x


@cuda(grad_x, half=True)
def grad_x_cuda(grad: Array, widths: list[tuple[int, int]], shape: tuple[int, ...], mode: str) -> Array:
    launches = _launches(shape, widths)
    if grad.dtype == np.float16 and len(launches) > 1:  # rounded at the end, and not after each axis
        return grad_x_cuda(grad.astype(np.float32), widths, shape, mode).astype(np.float16)
    for before, _, places in reversed(launches):
        result = empty(before, grad)
        if mode == "reflect":
            launch("pad_reflect_grad_x", flat(result.size), grad, result, *places, result.size)
        else:
            launch("pad_grad_x", flat(result.size), grad, result, *places, constant("pad", mode.upper()), result.size)
        grad = result
    return grad


def _launches(shape: tuple[int, ...], widths: list[tuple[int, int]]) -> list[_Launch]:
    """One launch for the last two axes, usually all that is padded, and one for each other axis with a frame."""
    missing = max(0, 2 - len(shape))
    sizes, widths = [1] * missing + list(shape), [(0, 0)] * missing + widths
    launches = []
    for axis in reversed(range(len(sizes) - 1)):
        is_first = axis == len(sizes) - 2
        (top, bottom), (left, right) = widths[axis], widths[-1] if is_first else (0, 0)
        if not is_first and top == bottom == 0:
            continue
        before, rows, columns = tuple(sizes[missing:]), sizes[axis], math.prod(sizes[axis + 1 :])
        sizes[axis] += top + bottom
        sizes[-1] += left + right
        places = (rows, columns, top, left, rows + top + bottom, columns + left + right)
        launches.append(_Launch(before, tuple(sizes[missing:]), places))
    return launches


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

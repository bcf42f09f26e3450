"""Resizing planes: the nearest pixel, or bilinear between the four around.

Output row r looks at the input at height u(r), and columns likewise. With s = H / R, or 1 / scale_factor if given,

    nearest                           u = floor(s r)                                y[r] = x[u]
    bilinear                          u = max(s (r + 1/2) - 1/2, 0)                 y[r] = (1 - f) x[k] + f x[k + 1]
    bilinear, align_corners=True      u = r (H - 1) / (R - 1)                       with k = floor(u), f = u - k

Without align_corners pixels are squares and their outer edges match; with it the centres of the corner pixels match.
Rows and columns are independent, so a picture is resized along one axis and then along the other.

Along one axis, output r is a sum of a few weighted inputs, its *taps*. The map is linear, and its adjoint has the same
weights read the other way round: for each input, the outputs it went to. So `resample` does both. Enlargement to
exactly twice the size has quicker ways, `ops/cpu/double_size.py` and `ops/cpu/repeat_2x2.py`, whose oracle it is.

Cost: 2 + 2 multiply-adds per output for bilinear; nothing of x is kept. Source: the definitions of PyTorch and OpenCV.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from minidepth.backend import Array, cuda, empty, kernel, xp
from minidepth.cuda import aligned, constant, flat, launch
from minidepth.engine import Tensor
from minidepth.ops.cpu import double_size, pool, repeat_2x2
from minidepth.ops.cpu.elementwise import Block, run_blocks
from minidepth.ops.cpu.threads import TILE_ELEMENTS

Pair = tuple[int, int]

KEPT = 256
"""How many taps are kept: a network has a few sizes, and uses the same ones in every step."""


@dataclass(frozen=True, eq=False)  # each is made once and kept, so one is equal to itself alone
class Taps:
    """A sparse matrix for one axis, K entries an output: ``y[r] = sum over k of weight[k, r] * x[place[k, r]]``."""

    place: Array  # (K, outputs)
    weight: Array  # (K, outputs)
    inputs: int

    @property
    def outputs(self) -> int:
        return self.place.shape[1]


def interpolate(
    x: Tensor,
    size: int | Pair | None = None,
    scale_factor: float | tuple[float, float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """x (N, C, H, W) resized to `size` (R, S), or to H and W times `scale_factor`, rounded down.

    Args:
        size, scale_factor: exactly one of them; one number for both axes, or (for rows, for columns).
        mode: "nearest" or "bilinear".
        align_corners: for bilinear only; None means False.
    """
    (rows, columns), scales = _output_size(x, size, scale_factor)
    if mode not in ("nearest", "bilinear"):
        raise ValueError(f"interpolate: mode {mode!r} is unknown; use nearest or bilinear")
    if mode == "nearest" and align_corners is not None:
        raise ValueError("interpolate: align_corners is for mode 'bilinear' only; leave it out with 'nearest'")
    make = nearest_taps if mode == "nearest" else bilinear_taps
    row_taps = make(x.shape[2], rows, scales[0], bool(align_corners))
    column_taps = make(x.shape[3], columns, scales[1], bool(align_corners))
    way = repeat_2x2 if mode == "nearest" else None if align_corners else double_size
    quicker = way if way is not None and way.fits(x.shape, (rows, columns), scales) else None

    def pullback(grad: Array) -> tuple[Array]:
        return (grad_x(grad, row_taps, column_taps, quicker),)

    return Tensor.from_op("interpolate", forward(x.data, row_taps, column_taps, quicker), (x,), pullback)


@kernel
def forward(x: Array, rows: Taps, columns: Taps, quicker: ModuleType | None) -> Array:
    """(N, C, H, W) -> (N, C, R, S)."""
    return resample(x, rows, columns) if quicker is None else quicker.forward(x)


@kernel
def grad_x(grad: Array, rows: Taps, columns: Taps, quicker: ModuleType | None) -> Array:
    """(N, C, R, S) -> (N, C, H, W)."""
    return resample(grad, transposed(rows), transposed(columns)) if quicker is None else quicker.grad_x(grad)


def resample(x: Array, rows: Taps, columns: Taps) -> Array:
    """(N, C, H, W) -> (N, C, R, S), a few planes at a time: what lies between the two axes stays in the cache."""
    height, width = rows.outputs, columns.outputs
    y = pool.empty((*x.shape[:2], height, width), x.dtype)

    def task(planes: Block) -> None:
        if width > x.shape[3]:  # the axis that shrinks, or grows less, first: fewer numbers in between
            y[planes] = _along(_along(x[planes], columns, -1), rows, -2)
        else:
            y[planes] = _along(_along(x[planes], rows, -2), columns, -1)

    run_blocks(task, x.shape[:2], TILE_ELEMENTS // max(height * width, x.shape[2] * x.shape[3]))
    return y


def _along(x: Array, taps: Taps, axis: int) -> Array:
    """Resize (..., H, W) along axis -2 or -1."""
    y = x.take(taps.place[0], axis=axis)
    if np.all(taps.weight == 1) and len(taps.place) == 1:  # nearest: a copy, in which a NaN or an infinity stays itself
        return y
    weight = taps.weight.astype(x.dtype)
    weight = weight[:, :, None] if axis == -2 else weight
    y *= weight[0]
    for k in range(1, len(weight)):
        part = x.take(taps.place[k], axis=axis)
        part *= weight[k]
        y += part
    return y


@functools.lru_cache(KEPT)
def nearest_taps(inputs: int, outputs: int, scale: float | None, align_corners: bool) -> Taps:
    """u = floor(s r) as PyTorch computes it: in float32, and with s = H / R where R is H or 2 H."""
    step = np.float32(inputs / outputs if scale is None or outputs in (inputs, 2 * inputs) else 1 / scale)
    index = np.minimum(np.arange(outputs, dtype=np.float32) * step, inputs - 1).astype(np.intp)
    return Taps(index[None], np.ones((1, outputs)), inputs)


@functools.lru_cache(KEPT)
def bilinear_taps(inputs: int, outputs: int, scale: float | None, align_corners: bool) -> Taps:
    """The two neighbours of u with weights 1 - f and f; behind the last pixel the last pixel goes on.

    An axis whose size does not change is left alone, whatever the factor, as in PyTorch.
    """
    r = np.arange(outputs)
    if outputs == inputs:
        u: Array = r.astype(np.float64)
    elif align_corners:
        u = r * ((inputs - 1) / (outputs - 1)) if outputs > 1 else np.zeros(1)
    else:
        u = np.maximum((inputs / outputs if scale is None else 1 / scale) * (r + 0.5) - 0.5, 0)
    k = np.minimum(u.astype(np.intp), inputs - 1)
    f = np.minimum(u - k, 1)
    return Taps(np.stack([k, np.minimum(k + 1, inputs - 1)]), np.stack([1 - f, f]), inputs)


@functools.lru_cache(KEPT)
def transposed(taps: Taps) -> Taps:
    """The adjoint: for each input the outputs it went to, with the same weights; free entries get the weight 0."""
    used = taps.weight.ravel() != 0
    output = np.tile(np.arange(taps.outputs), len(taps.place))[used]
    source, weight = taps.place.ravel()[used], taps.weight.ravel()[used]
    order = np.lexsort((output, source))
    source, output, weight = source[order], output[order], weight[order]
    counts = np.bincount(source, minlength=taps.inputs)  # how many outputs each input went to
    first = np.cumsum(counts) - counts
    k = np.arange(len(source)) - first[source]
    shape = (max(1, int(counts.max())), taps.inputs)
    index = np.broadcast_to(output[np.minimum(first, len(output) - 1)], shape).copy()
    weights = np.zeros(shape)
    index[k, source], weights[k, source] = output, weight
    return Taps(index, weights, taps.outputs)


@cuda(forward, half=True)
def forward_cuda(x: Array, rows: Taps, columns: Taps, quicker: ModuleType | None) -> Array:
    if quicker is None:
        return resample_cuda(x, rows, columns)
    y = empty((*x.shape[:2], rows.outputs, columns.outputs), x)
    if quicker is double_size:
        launch("interpolate_double_forward", flat(x.size), x, y, x.shape[2], x.shape[3], x.size)
    else:
        launch("interpolate_repeat_forward", flat(x.size), x, y, x.shape[3], x.size)
    return y


@cuda(grad_x, half=True)
def grad_x_cuda(grad: Array, rows: Taps, columns: Taps, quicker: ModuleType | None) -> Array:
    if quicker is None or not aligned(grad):
        return resample_cuda(grad, transposed(rows), transposed(columns))
    result = empty((*grad.shape[:2], rows.inputs, columns.inputs), grad)
    if quicker is double_size:
        launch("interpolate_double_grad_x", flat(result.size), grad, result, *result.shape[2:], result.size)
    else:
        launch("interpolate_repeat_grad_x", flat(result.size), grad, result, result.shape[3], result.size)
    return result


def resample_cuda(x: Array, rows: Taps, columns: Taps) -> Array:
    """`resample` on a GPU, both axes at once."""
    planes, *sizes = x.shape[0] * x.shape[1], *x.shape[2:], rows.outputs, columns.outputs
    y = empty((*x.shape[:2], rows.outputs, columns.outputs), x)
    tables: list[Array | int] = []
    for taps in (rows, columns):
        tables += [*_on_gpu(taps, xp(x), np.promote_types(x.dtype, np.float32), int(x.device)), len(taps.place)]
    threads = flat(-(-planes // constant("interpolate", "PLANES")) * rows.outputs * columns.outputs)
    launch("interpolate_resample", threads, x, y, *tables, planes, *sizes)
    return y


@functools.lru_cache(KEPT)
def _on_gpu(taps: Taps, module: ModuleType, dtype: np.dtype, device: int) -> tuple[Array, Array]:
    """Place and weight on the GPU in use, which is number `device`. Kept: each way there makes the GPU wait."""
    return module.asarray(taps.place, np.int32), module.asarray(taps.weight, dtype)


def _output_size(
    x: Tensor, size: int | Pair | None, scale_factor: float | tuple[float, float] | None
) -> tuple[Pair, tuple[float | None, float | None]]:
    """(R, S), and the scale factors where those were given."""
    if x.ndim != 4 or 0 in x.shape[2:]:
        raise ValueError(f"interpolate: x must be (N, C, H, W) with at least one pixel, but has shape {x.shape}")
    if (size is None) == (scale_factor is None):
        raise ValueError("interpolate: give either size or scale_factor, not both and not neither")
    if size is not None:
        rows, columns = size if isinstance(size, (tuple, list)) else (size, size)
        scales: tuple[float | None, float | None] = (None, None)
    if scale_factor is not None:
        a, b = scale_factor if isinstance(scale_factor, (tuple, list)) else (scale_factor, scale_factor)
        rows, columns, scales = math.floor(x.shape[2] * a), math.floor(x.shape[3] * b), (a, b)
    if min(rows, columns) < 1:
        raise ValueError(f"interpolate: the output would be empty, ({rows}, {columns}) of x {x.shape}; enlarge it")
    return (rows, columns), scales

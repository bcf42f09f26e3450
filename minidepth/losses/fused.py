"""Losses on a GPU in few launches: one pass over the maps finds the value and the slope of every pixel together.

    value = factor / n  sum over the pixels that count of B        n of them, at least 1
    slope = dB/d prediction of each pixel                          dL/d prediction = dL/d value * factor / n * slope

The losses themselves are written once, as formulas, and run so on NumPy arrays. `on_gpu` names what does the same in
the .cu files beside them where the prediction lies on a GPU: written as formulas, ``mse`` would take 22 launches there,
and ``normal`` 90. Nothing is read back, so the CPU never waits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from minidepth.backend import Array, empty, empty_like, is_on_gpu, xp
from minidepth.cuda import Grid, constant, flat, launch
from minidepth.engine import Tensor
from minidepth.losses.masked import check_maps

MOST_BLOCKS = 1024

Fused = Callable[..., Tensor]


def on_gpu(fused: Fused, *setting: Any) -> Callable[[Fused], Fused]:
    """Decorator of a loss: on a GPU, ``fused(*setting, prediction, target, valid)`` takes its place."""

    def decorate(loss: Fused) -> Fused:
        @functools.wraps(loss)
        def chosen(prediction: Tensor, *maps: Any, **named: Any) -> Tensor:
            if is_on_gpu(prediction.data):
                return fused(*setting, prediction, *maps, **named)
            return loss(prediction, *maps, **named)

        return chosen

    return decorate


def pixel(name: str, kind: str, prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """A loss of pixel.cu, where `kind` is a constant."""
    p, t, known = maps(name, prediction, target, valid)
    grid = flat(min(p.size, MOST_BLOCKS * 256))
    largest = None
    if kind == "BERHU":
        largest = empty(grid.blocks[:1], p)
        launch("pixel_largest", grid, p, t, known, largest, p.size)
    sums, slope = places(grid, prediction)
    launch("pixel_penalty", grid, p, t, known, largest, sums, slope, constant("pixel", kind), p.size)
    return mean(name, prediction, sums, slope)


def maps(name: str, prediction: Tensor, target: Array, valid: Array) -> tuple[Array, Array, Array]:
    """The three maps as the kernels take them, after the sizes are checked."""
    check_maps(name, prediction, target, valid)
    lib, p = xp(prediction.data), prediction.data
    return lib.ascontiguousarray(p), lib.ascontiguousarray(target, dtype=p.dtype), lib.ascontiguousarray(valid)


def places(grid: Grid, prediction: Tensor) -> tuple[Array, Array | None]:
    """Where a kernel leaves two sums for each block, and the slopes if they are wanted."""
    x, y, z = grid.blocks
    slope = empty_like(prediction.data) if prediction.requires_grad else None
    return empty((x * y * z, 2), prediction.data), slope


def mean(name: str, prediction: Tensor, sums: Array, slope: Array | None, factor: float = 1.0) -> Tensor:
    """The loss itself, from what the blocks have left. Backward writes over the slopes."""
    value, share = empty((), sums), empty((), sums)
    launch("masked_mean", Grid((1, 1, 1), (256, 1, 1)), sums, value, share, factor, len(sums))

    def pullback(grad: Array) -> tuple[Array]:
        return (xp(grad).multiply(slope, grad * share, out=slope),)

    return Tensor.from_op(name, value, (prediction,), pullback)

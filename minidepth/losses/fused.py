"""Losses on a GPU in few launches: one pass over the maps finds the value and the slope of every pixel together.

    value = factor / n  sum over the pixels that count of B        n of them, at least 1
    slope = dB/d prediction of each pixel                          dL/d prediction = dL/d value * factor / n * slope

The losses themselves are written once, as formulas, and run so on NumPy arrays. `on_gpu` names what does the same in
the .cu files beside them where the prediction lies on a GPU: written as formulas, ``mse`` would take 17 launches there,
and ``normal`` 47; so they take 4 each. Nothing is read back, so the CPU never waits.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from minidepth.backend import Array, empty, empty_like, is_on_gpu, xp
from minidepth.cuda import Grid, constant, flat, launch
from minidepth.engine import Tensor
from minidepth.losses.masked import Border, check_labels, check_maps, check_size
from minidepth.losses.unet_weights import unet_weights

MOST_BLOCKS = 1024

Fused = Callable[..., Tensor]


def on_gpu(fused: Fused, **setting: Any) -> Callable[[Fused], Fused]:
    """Decorator of a loss: on a GPU, ``fused(prediction, target, valid, **setting)`` takes its place."""

    def decorate(loss: Fused) -> Fused:
        @functools.wraps(loss)
        def chosen(prediction: Tensor, *maps: Any, **named: Any) -> Tensor:
            if is_on_gpu(prediction.data):
                return fused(prediction, *maps, **named, **setting)
            return loss(prediction, *maps, **named)

        return chosen

    return decorate


def pixel(prediction: Tensor, target: Array, valid: Array, name: str, kind: str) -> Tensor:
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


def slopes(
    prediction: Tensor,
    target: Array,
    valid: Array,
    name: str,
    kind: str,
    border: Border,
    factor: float = 1.0,
    flat: float = 0.0,
) -> Tensor:
    """`factor` times a loss of slopes.cu; `kind` is a constant there, and DIRECTION leaves out what is below `flat`."""
    p, t, known = maps(name, prediction, target, valid)
    check_size(name, prediction)
    n, _, height, width = p.shape
    tile, number = constant("slopes", "TILE"), constant("slopes", kind)
    grid = Grid((-(-width // tile), -(-height // tile), n), (tile * tile, 1, 1))
    sums, slope = places(grid, prediction)
    launch("slopes_penalty", grid, p, t, known, sums, slope, number, border == "zeros", flat, height, width)
    return mean(name, prediction, sums, slope, factor)


def edges(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """edges.cu with the steps of the error."""
    p, t, known = maps("edges", prediction, target, valid)
    return steps(prediction, known, p, t, None, None)


def edges_less_at(prediction: Tensor, valid: Array, image: Array) -> Tensor:
    """edges.cu with the steps of the prediction, which count less where the picture has edges."""
    return steps(prediction, whole(valid), whole(prediction.data), None, whole(image, prediction.dtype), None)


def edges_times(prediction: Tensor, valid: Array, across: Array, down: Array) -> Tensor:
    """edges.cu with the steps of the prediction, times one number for each direction."""
    weights = xp(across).stack([across, down])
    return steps(prediction, whole(valid), whole(prediction.data), None, None, weights)


def steps(prediction: Tensor, known: Array, p: Array, t: Array | None, image: Any, weights: Any) -> Tensor:
    """What edges.cu makes of these; None for what a loss has not."""
    n, _, height, width = p.shape
    grid = Grid((-(-height * width // 256), n, 1), (256, 1, 1))
    sums, slope = places(grid, prediction)
    channels = 0 if image is None else image.shape[1]
    launch("edges_steps", grid, p, t, known, image, weights, sums, slope, channels, height, width)
    return mean("edges", prediction, sums, slope)


def classes(prediction: Tensor, target: Array, valid: Array, weights: Array | None, name: str) -> Tensor:
    """Cross-entropy: cross_entropy.cu."""
    check_labels(name, prediction, target, valid, weights)
    z, (_, count, height, width) = prediction.data, prediction.shape
    grid = flat(valid.size)
    sums, slope = places(grid, prediction)
    launch(
        "cross_entropy_forward", grid, whole(z), whole(target, np.int32), whole(valid), whole(weights, z.dtype), sums,
        slope, count, height * width, valid.size,
    )  # fmt: skip
    return mean(name, prediction, sums, slope)


def classes_unet(prediction: Tensor, target: Any, valid: Any) -> Tensor:
    """Cross-entropy with weights that are made on the CPU, for which the labels come there: the one loss that waits."""
    check_labels("cross_entropy:unet", prediction, target, valid)
    weights = xp(target).asarray(unet_weights(target.get(), valid.get()))
    return classes(prediction, target, valid, weights, "cross_entropy:unet")


def maps(name: str, prediction: Tensor, target: Array, valid: Array) -> tuple[Array, Array, Array]:
    """The three maps as the kernels take them, after the sizes are checked."""
    check_maps(name, prediction, target, valid)
    return whole(prediction.data), whole(target, prediction.dtype), whole(valid)


def whole(array: Any, dtype: Any = None) -> Any:
    """`array` as a kernel takes it: contiguous, and in `dtype` if one is given."""
    return None if array is None else xp(array).ascontiguousarray(array, dtype=dtype)


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

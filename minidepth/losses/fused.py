"""Losses on a GPU in few launches: one pass over the maps finds the value and the slope of every pixel together.

    value = factor / n  sum over the pixels that count of B        n of them, at least 1
    slope = dB/d prediction of each pixel                          dL/d prediction = dL/d value * factor / n * slope

The losses themselves are written once, as formulas, and run so on NumPy arrays. `on_gpu` names what does the same in
the .cu files beside them where the prediction lies on a GPU: written as formulas, ``mse`` would take 17 launches there,
and ``normal`` 47; so they take 4 each. A loss whose slopes depend on sums over all pixels finds them in backward, from
the maps and a few numbers. Nothing is read back, so the CPU never waits.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from minidepth.backend import Array, empty, empty_like, is_on_gpu, xp
from minidepth.cuda import Grid, constant, flat, launch
from minidepth.engine import Tensor
from minidepth.losses.masked import Border, check_labels, check_maps, check_size
from minidepth.losses.unet_weights import REACH

MOST_BLOCKS = 1024
ONE_BLOCK = Grid((1, 1, 1), (256, 1, 1))
"""For the kernels that put together what blocks have left."""

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


def pixel(prediction: Tensor, target: Array, valid: Array, name: str, kind: str, inside: float = 0.0) -> Tensor:
    """A loss of pixel.cu, where `kind` is a constant; of the mean the root is taken where there is an `inside`."""
    p, t, known = maps(name, prediction, target, valid)
    grid = flat(min(p.size, MOST_BLOCKS * 256))
    largest = None
    if kind == "BERHU":
        largest = empty(grid.blocks[:1], p)
        launch("pixel_largest", grid, p, t, known, largest, p.size)
    sums, slope = places(grid, prediction)
    launch("pixel_penalty", grid, p, t, known, largest, sums, slope, constant("pixel", kind), p.size)
    return mean(name, prediction, sums, slope, inside=inside)


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


def images(prediction: Tensor, target: Array, valid: Array, name: str, flat: float) -> Tensor:
    """The loss of slopes.cu on whole images, of which those below `flat` are left out."""
    p, t, known = maps(name, prediction, target, valid)
    check_size(name, prediction)
    n, _, height, width = p.shape
    tile = constant("slopes", "TILE")
    grid = Grid((-(-width // tile), -(-height // tile), n), (tile * tile, 1, 1))
    tiles = grid.blocks[0] * grid.blocks[1]
    sums = empty((tiles * n, constant("slopes", "SUMS")), p)
    value, share, lines = empty((), p), empty((), p), empty((2 * n, 2), p)
    launch("slopes_image_sums", grid, p, t, known, sums, height, width)
    launch("slopes_image_cosines", ONE_BLOCK, sums, value, share, lines, flat, 2 * n, tiles)

    def pullback(grad: Array) -> tuple[Array]:
        grad_x = empty_like(p)
        launch("slopes_image_grad_x", grid, grad, p, t, known, share, lines, grad_x, height, width)
        return (grad_x,)

    return Tensor.from_op(name, value, (prediction,), pullback)


def log_ratio(
    prediction: Tensor,
    target: Array,
    valid: Array,
    name: str,
    least: float,
    share: float,
    factor: float = 1.0,
    inside: float = 0.0,
) -> Tensor:
    """silog.cu: variance and `share` of the squared mean, of which the root is taken where there is an `inside`."""
    p, t, known = maps(name, prediction, target, valid)
    grid = flat(min(p.size, MOST_BLOCKS * 256))
    moments, value, line = empty((grid.blocks[0], 3), p), empty((), p), empty((2,), p)
    launch("silog_moments", grid, p, t, known, moments, least, p.size)
    launch("silog_end", ONE_BLOCK, moments, value, line, share, factor, inside, len(moments))

    def pullback(grad: Array) -> tuple[Array]:
        grad_x = empty_like(p)
        launch("silog_grad_x", flat(p.size, each=4), grad, p, t, known, line, grad_x, least, p.size)
        return (grad_x,)

    return Tensor.from_op(name, value, (prediction,), pullback)


def overlap(prediction: Tensor, target: Array, valid: Array, name: str, smooth: float, logits: bool = True) -> Tensor:
    """dice.cu."""
    p, t, known = maps(name, prediction, target, valid)
    grid = flat(min(p.size, MOST_BLOCKS * 256))
    sums, value, line = empty((grid.blocks[0], 2), p), empty((), p), empty((2,), p)
    launch("dice_overlap", grid, p, t, known, sums, logits, p.size)
    launch("dice_end", ONE_BLOCK, sums, value, line, smooth, len(sums))

    def pullback(grad: Array) -> tuple[Array]:
        grad_x = empty_like(p)
        launch("dice_grad_x", flat(p.size, each=4), grad, p, t, known, line, grad_x, logits, p.size)
        return (grad_x,)

    return Tensor.from_op(name, value, (prediction,), pullback)


def edges(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """edges.cu with the steps of the error."""
    p, t, known = maps("edges", prediction, target, valid)
    return steps(prediction, known, p, t, None, None)


def edges_less_at(prediction: Tensor, valid: Array, image: Array) -> Tensor:
    """edges.cu with the steps of the prediction, which count less where the picture has edges."""
    return steps(prediction, whole(valid), whole(prediction.data), None, whole(image, prediction.dtype), None)


def edges_evenly(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """edges.cu with the steps of the prediction, times one number for each direction, found from the target."""
    p, t, known = maps("smoothness:keras", prediction, target, valid)
    n, _, height, width = p.shape
    grid = Grid((-(-height * width // 256), n, 1), (256, 1, 1))
    sums, weights = empty((grid.blocks[0] * n, 3), p), empty((2,), p)
    launch("edges_of_target", grid, t, known, sums, height, width)
    launch("edges_weights", ONE_BLOCK, sums, weights, len(sums))
    return steps(prediction, known, p, None, None, weights)


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


def classes_unet(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Cross-entropy with the weights of unet_weights.cu."""
    check_labels("cross_entropy:unet", prediction, target, valid)
    labels = whole(target, np.int32)
    weights = label_weights(labels, whole(valid), prediction.shape[1], prediction.dtype)
    return classes(prediction, labels, valid, weights, "cross_entropy:unet")


def label_weights(
    labels: Array, valid: Array, count: int, dtype: Any, border: float = 10.0, sigma: float = 5.0
) -> Array:
    """`unet_weights` of int32 labels of `count` classes."""
    height, width = labels.shape[2:]
    n, every, some = labels.size, flat(labels.size), flat(min(labels.size, MOST_BLOCKS * 256))
    sums, of_class = empty((some.blocks[0], count), labels, dtype), empty((count,), labels, dtype)
    roots, objects, weights = empty_like(labels), empty_like(labels), empty(labels.shape, labels, dtype)
    launch("unet_weights_count", some, labels, valid, sums, count, n)
    launch("unet_weights_classes", ONE_BLOCK, sums, of_class, count, len(sums))
    launch("unet_weights_runs", every, labels, valid, roots, width, n)
    launch("unet_weights_join", every, labels, valid, roots, height, width, n)
    launch("unet_weights_objects", every, roots, objects, n)
    launch(
        "unet_weights_border", every, labels, valid, objects, of_class, weights, border, sigma,
        math.ceil(REACH * sigma), count, height, width, n,
    )  # fmt: skip
    return weights


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


def mean(
    name: str, prediction: Tensor, sums: Array, slope: Array | None, factor: float = 1.0, inside: float = 0.0
) -> Tensor:
    """The loss itself, from what the blocks have left. Backward writes over the slopes."""
    value, share = empty((), sums), empty((), sums)
    launch("masked_mean", ONE_BLOCK, sums, value, share, factor, inside, len(sums))

    def pullback(grad: Array) -> tuple[Array]:
        return (xp(grad).multiply(slope, grad * share, out=slope),)

    return Tensor.from_op(name, value, (prediction,), pullback)

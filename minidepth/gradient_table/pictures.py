"""Rows for the operations on pictures (N, C, H, W): convolution, pooling, resizing, batch-norm, Sobel filter."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minidepth import ops
from minidepth.backend import Array
from minidepth.engine import Tensor
from minidepth.gradient_inputs import away_from, distinct, positive
from minidepth.gradient_table.row import Function, Input, Row, linear, nonlinear

CONV2D: list[tuple[str, dict[str, Any], tuple[int, ...], tuple[int, ...]]] = [
    ("3x3", {}, (2, 3, 6, 5), (4, 3, 3, 3)),
    ("3x3, padding 1", {"padding": 1}, (2, 3, 6, 5), (4, 3, 3, 3)),
    ("3x3, padding 1, 130x131", {"padding": 1}, (1, 9, 130, 131), (2, 9, 3, 3)),  # more than one tile
    ("1x1", {}, (2, 3, 4, 5), (4, 3, 1, 1)),
    ("2x5, padding (1, 4)", {"padding": (1, 4)}, (2, 3, 4, 5), (2, 3, 2, 5)),
    ("3x3, stride 2, padding 1", {"stride": 2, "padding": 1}, (2, 3, 6, 7), (4, 3, 3, 3)),
    ("2x2, stride 3: pixels left out", {"stride": 3}, (2, 3, 7, 8), (4, 3, 2, 2)),
    ("3x2, stride (2, 1), padding (0, 2)", {"stride": (2, 1), "padding": (0, 2)}, (2, 3, 6, 5), (4, 3, 3, 2)),
    ("3x3, dilation 2, padding 2", {"dilation": 2, "padding": 2}, (2, 3, 6, 5), (4, 3, 3, 3)),
    ("3x3, groups 2", {"groups": 2}, (2, 4, 6, 5), (6, 2, 3, 3)),
    ("3x3, depthwise, padding 1", {"groups": 4, "padding": 1}, (2, 4, 6, 5), (4, 1, 3, 3)),
    (
        "3x2, everything at once",
        {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "groups": 2},
        (2, 4, 7, 6),
        (6, 2, 3, 2),
    ),
]

CONV_TRANSPOSE2D: list[tuple[str, dict[str, Any], tuple[int, ...], tuple[int, ...]]] = [
    ("2x2, stride 2: the U-Net's", {"stride": 2}, (2, 4, 3, 5), (4, 2, 2, 2)),
    ("3x3", {}, (2, 3, 4, 5), (3, 2, 3, 3)),
    (
        "3x3, stride 2, padding 1, output_padding 1",
        {"stride": 2, "padding": 1, "output_padding": 1},
        (2, 3, 4, 5),
        (3, 2, 3, 3),
    ),
    (
        "3x2, everything at once",
        {"stride": (2, 3), "padding": (1, 0), "output_padding": (0, 1), "groups": 2, "dilation": (2, 1)},
        (2, 4, 4, 3),
        (4, 3, 3, 2),
    ),
]

MAX_POOL2D: list[tuple[str, dict[str, Any]]] = [
    ("2x2: the U-Net's", {"kernel_size": 2}),
    ("3x3, stride 2, padding 1", {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("3x3, stride 1: windows overlap", {"kernel_size": 3, "stride": 1}),
    ("2x3, dilation (2, 1)", {"kernel_size": (2, 3), "stride": (1, 2), "dilation": (2, 1)}),
    ("3x3, stride 2, ceil_mode", {"kernel_size": 3, "stride": 2, "ceil_mode": True}),
]

AVG_POOL2D: list[tuple[str, dict[str, Any]]] = [
    ("2x2", {"kernel_size": 2}),
    ("3x3, stride 2, padding 1", {"kernel_size": 3, "stride": 2, "padding": 1}),
    ("3x3, padding 1, not counted", {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False}),
    ("3x2, stride 2, ceil_mode", {"kernel_size": (3, 2), "stride": 2, "ceil_mode": True}),
]

INTERPOLATE: list[tuple[str, dict[str, Any]]] = [
    ("nearest, x2", {"scale_factor": 2, "mode": "nearest"}),
    ("nearest, to 7x3", {"size": (7, 3), "mode": "nearest"}),
    ("bilinear, x2", {"scale_factor": 2, "mode": "bilinear"}),
    ("bilinear, to 7x3", {"size": (7, 3), "mode": "bilinear", "align_corners": False}),
    ("bilinear, x2, corners aligned", {"scale_factor": 2, "mode": "bilinear", "align_corners": True}),
    ("bilinear, to 3x9, corners aligned", {"size": (3, 9), "mode": "bilinear", "align_corners": True}),
]


def rows() -> Iterator[Row]:
    """All rows of this file."""
    for op, settings in ((ops.conv2d, CONV2D), (ops.conv_transpose2d, CONV_TRANSPOSE2D)):
        yield from linear(op.__name__, "3x3, no bias", op, (2, 3, 6, 5), (3, 3, 3, 3))
        for setting, options, x, weight in settings:
            channels = weight[0] if op is ops.conv2d else weight[1] * options.get("groups", 1)
            yield from linear(op.__name__, setting, _with(op, options), x, weight, (channels,))
    for setting, options in MAX_POOL2D:
        yield from nonlinear("max_pool2d", setting, _with(ops.max_pool2d, options), _distinct(2, 3, 6, 8))
    for setting, options in AVG_POOL2D:
        yield from linear("avg_pool2d", setting, _with(ops.avg_pool2d, options), (2, 3, 6, 7))
    for size in (1, (2, 3), (5, 9)):
        yield from linear(
            "adaptive_avg_pool2d", f"to {size}", _with(ops.adaptive_avg_pool2d, {"output_size": size}), (2, 3, 6, 7)
        )
    yield from linear("pixel_shuffle", "by 2", _with(ops.pixel_shuffle, {"upscale_factor": 2}), (2, 8, 3, 4))
    yield from linear("pixel_shuffle", "by 3", _with(ops.pixel_shuffle, {"upscale_factor": 3}), (1, 9, 2, 5))
    yield from linear("unpool_zeros", "by 2", ops.unpool_zeros, (2, 3, 4, 5))
    yield from linear("unpool_zeros", "by (1, 3)", _with(ops.unpool_zeros, {"stride": (1, 3)}), (2, 3, 4, 5))
    for setting, options in INTERPOLATE:
        yield from linear("interpolate", setting, _with(ops.interpolate, options), (2, 3, 4, 5))
    for padding in ("zeros", "replicate", "valid"):
        yield from linear("sobel", padding, _with(ops.sobel, {"padding": padding}), (2, 3, 5, 6))
    yield from nonlinear("batch_norm", "training", _batch_norm(training=True), (3, 4, 5, 2), (4,), (4,))
    yield from nonlinear("batch_norm", "training, no weight or bias", _batch_norm(training=True), (3, 4, 5, 2))
    yield from nonlinear("batch_norm", "training, (N, C)", _batch_norm(training=True), (7, 4), (4,), (4,))
    yield from linear("batch_norm", "evaluation", _batch_norm(training=False), (3, 4, 5, 2), (4,), (4,))
    yield from linear("batch_norm", "evaluation, no weight or bias", _batch_norm(training=False), (3, 4, 5, 2))
    for slope in (0.2, 0.01, 0.0):
        yield from _batch_norm_leaky_relu(f"training, slope {slope}", (4, 4, 5, 2), training=True, slope=slope)
    yield from _batch_norm_leaky_relu("training, (N, C)", (8, 4), training=True, slope=0.2)
    yield from _batch_norm_leaky_relu("evaluation, slope 0.2", (4, 4, 5, 2), training=False, slope=0.2)
    yield from _batch_norm_relu6("training", training=True)
    yield from _batch_norm_relu6("evaluation", training=False)


def _with(op: Function, options: dict[str, Any]) -> Function:
    return lambda *inputs: op(*inputs, **options)


def _batch_norm(training: bool) -> Function:
    """Batch-norm of four channels. Running statistics are made anew for each call, since training changes them."""

    def function(x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        mean, var = np.array([0.5, -1.0, 0.0, 2.0]), np.array([0.7, 2.0, 1.0, 0.3])
        return ops.batch_norm(x, mean, var, weight, bias, training=training)

    return function


def _batch_norm_leaky_relu(setting: str, shape: tuple[int, ...], training: bool, slope: float) -> Iterator[Row]:
    """A row of four channels; of the numbers after batch-norm none is near 0, where the leaky ReLU has its kink.

    The second half of the pictures is the first one with its sign changed, so the mean is 0 but for what is added to a
    channel, and a number differs from it by 0.3 standard deviations or more. The bias moves it by at most 0.1.
    """
    mean, var = np.array([0.5, -1.0, 0.0, 2.0]), np.array([0.7, 2.0, 1.0, 0.3])

    def function(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return ops.batch_norm_leaky_relu(
            x, mean.copy(), var.copy(), weight, bias, training=training, negative_slope=slope
        )

    def pictures(rng: np.random.Generator) -> Array:
        half = away_from(rng, (shape[0] // 2, *shape[1:]), kinks=[0.0], gap=0.5)
        return np.concatenate([half, -half]) + mean.reshape(-1, *(1,) * (len(shape) - 2))

    def weight(rng: np.random.Generator) -> Array:
        return positive(rng, (4,)) * [1, -1, 1, -1]

    yield from nonlinear(
        "batch_norm_leaky_relu", setting, function, pictures, weight, lambda rng: rng.uniform(0, 0.1, 4)
    )


def _batch_norm_relu6(setting: str, training: bool) -> Iterator[Row]:
    """A row of four channels, of whose numbers some end up below 0, some in between and some above 6, none near by.

    Pictures hold +-0.3 and +-1.3, their mean is 0 and their standard deviation 0.94. So 3 + 4 x^ is about -2.5, 1.7,
    4.3 and 8.5.
    """

    def function(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return ops.batch_norm_relu6(x, np.zeros(4), np.ones(4), weight, bias, training=training)

    def pictures(rng: np.random.Generator) -> Array:
        half = rng.permuted(np.resize([0.3, 1.3], (2, 4, 6, 2)), axis=2) + rng.uniform(-0.05, 0.05, (2, 4, 6, 2))
        return np.concatenate([half, -half])

    def weight(rng: np.random.Generator) -> Array:
        return rng.uniform(3.6, 4.4, 4) * [1, -1, 1, -1]

    yield from nonlinear("batch_norm_relu6", setting, function, pictures, weight, lambda rng: rng.uniform(2.8, 3.2, 4))


def _distinct(*shape: int) -> Input:
    return lambda rng: distinct(rng, shape)

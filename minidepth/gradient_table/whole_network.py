"""A row for any network: checked in its pictures, and in all its parameters at once.

Inside a network nobody chooses the numbers that reach a kink, so pictures and parameters are made such that none can:

* No ties in max-pooling. The pictures have `nested_levels` (for windows of 2x2), or are ramps (for windows that
  overlap), and up to the last pooling all filters are positive with a middle tap that outweighs the others. So the
  order of the pixels comes through, and with it which of them is the largest.
* No activation near its kink. One forward pass stops in front of each activation and moves its whole input, channel by
  channel, to one side of the kink: above 0, in the last channel below. A layer with a bias is given that move: the
  one that made this input, or the last one that made a part of this sum.

All parameters are slices of one long vector, so that one direction is enough for all of them: a network with a hundred
parameters is run five times, not a thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minidepth import models, nn, ops
from minidepth.backend import Array
from minidepth.engine import Tensor, no_grad
from minidepth.gradient_inputs import nested_levels, ramp
from minidepth.gradient_table.row import Function, Row

GAP = 0.2
"""How far from every kink the numbers are."""
OFF_MIDDLE = 0.0002
"""The largest of the other taps of a filter, where the middle one is about 1."""


def network_row(
    name: str,
    setting: str,
    options: dict[str, Any],
    shape: tuple[int, int, int, int],
    training: bool = True,
    overlapping: bool = False,
) -> Row:
    """One row for the network called `name`, made with `options`, for pictures of `shape`.

    Args:
        training: whether batch-norm uses the batch's own mean and variance, or the running ones.
        overlapping: whether the windows of a max-pooling overlap, so that pictures must be ramps.
    """

    def make(rng: np.random.Generator) -> tuple[Function, list[Any]]:
        model = models.build(name, **options, rng=rng).train(training)
        pictures = draw_pictures(rng, shape, len(getattr(model, "inputs", ("image",))), overlapping)
        draw_parameters(model, pictures, rng)
        keep_from_kinks(model, pictures)
        function, parameters = as_function(model)
        return function, [*pictures, parameters]

    return Row(name, setting, make, step=1e-7, draws=1)  # short, as a direction of all parameters is a long one


def draw_pictures(rng: np.random.Generator, shape: tuple[int, int, int, int], count: int, ramps: bool) -> list[Array]:
    """`count` pictures in which the pixels have the same order, each channel with a contrast of its own."""
    n, channels, height, width = shape
    together = (n, count * channels, height, width)
    if ramps:
        contrast = rng.uniform(0.8, 1.2, (1, count * channels, 1, 1))
        picture = contrast * ramp(rng, together, start=0.0, per_row=4 / height, per_column=4 / width)
    else:
        rounds = min(height, width).bit_length() - 1  # up to a picture of one pixel
        picture = nested_levels(rng, together, rounds)
    return [part.copy() for part in np.split(picture, count, axis=1)]


def draw_parameters(model: nn.Module, pictures: Sequence[Array], rng: np.random.Generator) -> None:
    """Random float64 parameters and moving statistics; the filters before a pooling keep the order of the pixels."""
    model.astype(np.float64)
    for parameter in model.parameters():
        spread = parameter.size / len(parameter.data) if parameter.ndim > 1 else 4
        parameter.data[...] = rng.normal(size=parameter.shape) / np.sqrt(spread)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data[...] = rng.uniform(0.8, 1.5, module.weight.shape)
            module.running_mean.data[...] = rng.normal(size=module.running_mean.data.shape) / 4
            module.running_var.data[...] = rng.uniform(0.5, 1.5, module.running_var.data.shape)
    for conv in before_last_pooling(model, pictures):
        weight = rng.uniform(0, OFF_MIDDLE, conv.weight.shape)
        row, column = (size // 2 for size in conv.kernel_size)
        weight[:, :, row, column] = rng.uniform(0.5, 1.5, weight.shape[:2])
        conv.weight.data[...] = weight / weight.shape[1]


def before_last_pooling(model: nn.Module, pictures: Sequence[Array]) -> list[nn.Conv2d]:
    """The convolutions that have run when the last max-pooling runs."""
    order: list[nn.Module] = []
    with nn.watch(model, lambda name, layer, inputs, output: order.append(layer)):
        run(model, pictures)
    pools = [place for place, layer in enumerate(order) if isinstance(layer, nn.MaxPool2d)]
    return [layer for layer in order[: max(pools, default=0)] if isinstance(layer, nn.Conv2d)]


def keep_from_kinks(model: nn.Module, pictures: Sequence[Array]) -> None:
    """Move biases until no activation has an input within `GAP` of a kink; a 0 that an earlier one made stays 0."""
    biased: list[tuple[Any, Tensor]] = []  # layers with a bias, and outputs that went through neither norm nor kink

    def step(name: str, layer: Any, forward: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
        if isinstance(layer, (nn.ReLU, nn.LeakyReLU, nn.ReLU6)):
            x, kinks = inputs[0].data, [0, 6] if isinstance(layer, nn.ReLU6) else [0]
            values = x[x != 0]
            if any(np.abs(values - kink).min(initial=GAP) < 0.99 * GAP for kink in kinks):
                alone = [each for each, y in biased if y is inputs[0]]
                maker = (alone or [each for each, y in biased if y.shape[1] == x.shape[1]])[-1]
                # In place: whoever else uses this input must see the same.
                if len(kinks) > 1 and alone and isinstance(maker, nn.BatchNorm2d):
                    scale = scale_to_fit(x, kinks[1] - kinks[0])
                    maker.weight.data *= scale
                    maker.bias.data *= scale
                    x *= scale[:, None, None]
                move = distance_to_safety(x)
                maker.bias.data += move
                x += move[:, None, None]
        if isinstance(layer, (nn.BatchNorm2d, nn.ReLU, nn.LeakyReLU, nn.ReLU6)):
            biased[:] = [(each, y) for each, y in biased if y is not inputs[0]]
        y = forward(*inputs)
        if getattr(layer, "bias", None) is not None:
            biased.append((layer, y))
        return y

    with nn.run_layers_by(model, step):
        run(model, pictures)


def distance_to_safety(x: Array) -> Array:
    """What to add to each channel of x (N, C, H, W) so that it is above 0, but the last one of several below."""
    move = GAP - x.min(axis=(0, 2, 3))
    if len(move) > 1:
        move[-1] = -GAP - x[:, -1].max()
    return move


def scale_to_fit(x: Array, room: float) -> Array:
    """By what to multiply each channel of x (N, C, H, W) so that it fits between two kinks, `room` apart."""
    return np.minimum(1, (room - 2 * GAP) / np.maximum(np.ptp(x, axis=(0, 2, 3)), 1e-9))


def run(model: nn.Module, pictures: Sequence[Array]) -> None:
    """One forward pass that leaves the moving statistics as they are."""
    statistics = [buffer.data.copy() for buffer in model.buffers()]
    with no_grad():
        model(*map(Tensor, pictures))
    for buffer, data in zip(model.buffers(), statistics):
        buffer.data[...] = data


def as_function(model: nn.Module) -> tuple[Function, Array]:
    """A function of the pictures and of all parameters as one vector, and that vector; several outputs become one."""
    parts = [
        (layer, attribute, part)
        for layer in model.modules()
        for attribute, part in vars(layer).items()
        if isinstance(part, nn.Parameter)
    ]
    places = [(layer, attribute, part.shape) for layer, attribute, part in parts]
    vector = np.concatenate([part.data.ravel() for _, _, part in parts])

    def function(*inputs: Tensor) -> Tensor:
        *pictures, parameters = inputs
        start = 0
        for layer, attribute, shape in places:
            stop = start + int(np.prod(shape))
            vars(layer)[attribute] = parameters[start:stop].reshape(shape)
            start = stop
        y = model(*pictures)
        return ops.cat([part.flatten(1) for part in y], dim=1) if isinstance(y, tuple) else y

    return function, vector

"""``minidepth bench conv``: the time of every way to convolve, layer by layer, beside the one that the rule picks.

The layers are those of a U-Net. For each of them every path of `ops/cpu/paths.py` that can compute it runs by turns
with the others, so that whatever else the machine is doing hits all of them alike; the table shows medians. Timed is
what a training step calls: `forward`, and for the gradients `backward` where a path has it and computes both together,
or else `grad_x` and `grad_weight`. An up-convolution is timed as the convolution whose adjoint it is: its own forward
is `grad_x`.
"""

from __future__ import annotations

import math
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import NamedTuple

import numpy as np

from minidepth.engine import Tensor, no_grad
from minidepth.errors import InputError
from minidepth.models import build
from minidepth.nn import Conv2d, ConvTranspose2d, Module, watch
from minidepth.ops.conv_sizes import output_size
from minidepth.ops.cpu import paths

NETWORKS = {"small": (8, 2, (48, 64)), "base16": (16, 4, (240, 320)), "base64": (64, 2, (240, 320))}
"""Name -> base channels of the U-Net, pictures in a batch, their size."""
SMALLEST = 16
"""Height and width of a picture that is one pixel at the bottom of a U-Net; all sizes are in proportion to it."""
COLUMNS = ("forward", "grad_x", "grad_weight", "backward")

Pair = tuple[int, int]
Times = dict[str, float]
"""Median milliseconds of the functions that a training step calls."""


class Layer(NamedTuple):
    """A convolution, as `paths.choose` asks for it. The first one of a network needs no gradient in its x."""

    x_shape: tuple[int, ...]
    weight_shape: tuple[int, ...]
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int
    first: bool = False
    transposed: bool = False

    @property
    def y_shape(self) -> tuple[int, ...]:
        size = output_size("bench", self.x_shape, self.weight_shape, self.stride, self.padding, self.dilation)
        return (self.x_shape[0], self.weight_shape[0], *size)

    @property
    def multiply_adds(self) -> int:
        """Of the direct algorithm, the same number for y and for either gradient."""
        return math.prod(self.y_shape) * math.prod(self.weight_shape[1:])

    def __str__(self) -> str:
        (n, channels, height, width), (out, _, *kernel) = self.x_shape, self.weight_shape
        way = f"up {out} to {channels}" if self.transposed else f"{channels} to {out}"
        return f"{way}, {kernel[0]}x{kernel[1]}, {n}x{height}x{width}"


def bench_conv(networks: str, rounds: int, say: Callable[[str], None]) -> None:
    """Print the table: a line per layer and path, and how the rule's choices compare with the best of each layer.

    Args:
        networks: a name of `NETWORKS`, or "all" for the two large ones.
        rounds: how often each function is timed.
        say: takes the lines, as soon as they are known.
    """
    from tqdm import tqdm  # slow to import, and only needed here

    if rounds < 1:
        raise InputError(f"bench: --rounds {rounds} measures nothing; use 1 or more")
    names = ("base16", "base64") if networks == "all" else (networks,)
    layers = sum((unet_layers(*NETWORKS[name]) for name in names), Counter())
    header = "".join(f"{column:>12}" for column in (*COLUMNS, "step", "GFLOP/s"))
    say(f"{'milliseconds':40}{'path':11}{header}")
    rule_ms = best_ms = 0.0
    with tqdm(layers.items(), "bench", leave=False, unit="layer", disable=None) as bar:
        for layer, count in bar:
            times = measure(layer, rounds)
            rule = paths.choose(*layer[:6])
            rule_ms += count * step_ms(times[rule])
            best_ms += count * min(map(step_ms, times.values()))
            for line in lines(layer, count, times, rule):
                bar.clear()
                say(line)
    more = 100 * (rule_ms / best_ms - 1)
    say(f"all: {rule_ms:.2f} ms with the rule's choices, {more:.1f} % more than the {best_ms:.2f} ms of the fastest")


def unet_layers(base_channels: int, batch: int, size: Pair) -> Counter[Layer]:
    """The convolutions of a U-Net with 2x2 up-convolutions, and how many there are of each."""
    layers: Counter[Layer] = Counter()

    def note(name: str, module: Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(module, (Conv2d, ConvTranspose2d)):
            transposed = isinstance(module, ConvTranspose2d)
            _, channels, height, width = (output if transposed else inputs[0]).shape
            x_shape = (batch, channels, height * size[0] // SMALLEST, width * size[1] // SMALLEST)
            settings = (module.stride, module.padding, module.dilation, module.groups)
            layers[Layer(x_shape, module.weight.shape, *settings, not layers, transposed)] += 1

    model = build("unet", base_channels=base_channels, up="transposed", rng=0)
    with no_grad(), watch(model, note):
        model(Tensor(np.zeros((1, 3, SMALLEST, SMALLEST), np.float32)))
    return layers


def measure(layer: Layer, rounds: int) -> dict[ModuleType, Times]:
    """Time what a training step calls of every path that can compute `layer`, by turns."""
    rng = np.random.default_rng(0)
    x, weight, grad = (rng.random(shape, np.float32) for shape in (layer.x_shape, layer.weight_shape, layer.y_shape))
    settings = layer[2:6]
    arguments = {
        "forward": (x, weight, None, *settings),
        "grad_x": (grad, weight, x.shape, *settings),
        "grad_weight": (grad, x, weight.shape, *settings),
        "backward": (grad, x, weight, *settings),
    }
    able = paths.able(layer.weight_shape, *settings)
    times: dict[ModuleType, dict[str, list[float]]] = {path: {name: [] for name in calls(path, layer)} for path in able}
    for turn in range(rounds + 1):
        for path in able:
            for name, values in times[path].items():
                start = time.perf_counter()
                getattr(path, name)(*arguments[name])
                if turn:  # the first one warms up
                    values.append(1000 * (time.perf_counter() - start))
    return {path: {name: statistics.median(values) for name, values in times[path].items()} for path in able}


def calls(path: ModuleType, layer: Layer) -> tuple[str, ...]:
    """The functions of `path` that a training step calls for `layer`."""
    if layer.first:
        return ("forward", "grad_weight")
    if layer.transposed or not hasattr(path, "backward"):
        return ("forward", "grad_x", "grad_weight")
    return ("forward", "backward")


def step_ms(times: Times) -> float:
    """What a training step takes of a layer."""
    return sum(times.values())


def lines(layer: Layer, count: int, times: dict[ModuleType, Times], rule: ModuleType) -> Iterator[str]:
    """The lines of one layer, one for each path."""
    operations = 2 * layer.multiply_adds * (2 if layer.first else 3)
    fastest_ms = min(map(step_ms, times.values()))
    title = f"{layer}{f', {count} times' if count > 1 else ''}"
    for path, ms in times.items():
        cells = "".join(f"{format(ms[name], '.2f') if name in ms else '':>12}" for name in COLUMNS)
        slower = step_ms(ms) / fastest_ms
        remark = "fastest" if slower == 1 else f"{slower:.2f} times the fastest"
        remark = f"rule, {remark}" if path is rule else "fastest" if slower == 1 else ""
        name = path.__name__.rpartition(".")[2]
        yield f"{title:40}{name:11}{cells}{step_ms(ms):12.2f}{operations / step_ms(ms) / 1e6:12.0f}  {remark}".rstrip()
        title = ""

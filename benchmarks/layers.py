"""The convolutions of a training step: which there are, what they cost by the direct algorithm, how long they take."""

from __future__ import annotations

import inspect
import math
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minidepth.backend import KERNELS
from minidepth.ops.conv_sizes import output_size
from minidepth.ops.cpu.paths import choose

COLUMNS = {
    "forward": "forward",
    "forward_and_keep": "forward",
    "grad_x": "dL/dx",
    "grad_weight": "dL/dweight",
    "backward": "both gradients",
}
"""Kernel of ops/conv2d.py -> what it computes. `backward` may call the two before it."""


class Layer(NamedTuple):
    """A convolution of x (N, C, H, W) with weight (O, C, I, J). A transposed one is named by that of its adjoint."""

    x: tuple[int, ...]
    weight: tuple[int, ...]
    settings: tuple[Any, ...]
    """Stride, padding, dilation, groups."""

    @property
    def transposed(self) -> bool:
        return self.settings[0] != (1, 1)  # the only strides of a U-Net are those of its up-convolutions

    def multiply_adds(self) -> int:
        """Of the direct algorithm, the same number for y and for either gradient."""
        size = output_size("conv2d", self.x, self.weight, *self.settings[:3])
        return self.x[0] * math.prod(size) * math.prod(self.weight)

    def title(self) -> str:
        (n, _, height, width), (out, into, *kernel) = self.x, self.weight
        kind, first, last = ("up-", out, into) if self.transposed else ("", into, out)
        return f"{kind}conv {kernel[0]}x{kernel[1]}, {first} to {last}, {n}x{height}x{width}"

    def path(self) -> str:
        """The way in which it is computed: the name of a module in ops/cpu/."""
        return choose(self.x, self.weight, *self.settings).__name__.rpartition(".")[2]


def time_layers(step: Callable[[], object]) -> dict[tuple[Layer, str], list[float]]:
    """Run `step` once: (layer, column) -> the milliseconds of each call, as layers of equal shapes count as one."""
    times: dict[tuple[Layer, str], list[float]] = defaultdict(list)
    full_names = {name: f"minidepth.ops.conv2d.{name}" for name in COLUMNS}
    kernels = {name: KERNELS[full_name] for name, full_name in full_names.items() if full_name in KERNELS}
    originals = {name: kernel.registry[np.ndarray] for name, kernel in kernels.items()}

    def timed(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        signature = inspect.signature(original)

        def run(*args: Any) -> Any:
            start = time.perf_counter()
            result = original(*args)
            ms = 1000 * (time.perf_counter() - start)
            times[layer_and_column(name, signature.bind(*args).arguments)].append(ms)
            return result

        return run

    for name, kernel in kernels.items():
        kernel.register(np.ndarray, timed(name, originals[name]))
    try:
        step()
    finally:
        for name, kernel in kernels.items():
            kernel.register(np.ndarray, originals[name])
    return times


def layer_and_column(name: str, arguments: dict[str, Any]) -> tuple[Layer, str]:
    """What a kernel works for, by its arguments. A transposed convolution's forward is the kernel `grad_x`."""
    x, weight = (arguments.get(f"{part}_shape") or arguments[part].shape for part in ("x", "weight"))
    layer = Layer(x, weight, tuple(arguments[setting] for setting in ("stride", "padding", "dilation", "groups")))
    if layer.transposed:
        name = {"forward": "grad_x", "grad_x": "forward"}.get(name, name)
    return layer, COLUMNS[name]

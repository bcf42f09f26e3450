"""Each kernel at the sizes of the original U-Net: its time, its speed by its own formula, and the share of the ceiling.

Whatever moves numbers is counted in the bytes that its .cu file says it moves, and compared with a copy; convolutions
and products in two operations for each multiply-add of the direct algorithm, and compared with cuBLAS.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
from gpu_card import Card, figure, on_card
from results import table

from minidepth import Tensor, losses, ops, optim
from minidepth.backend import Array, xp
from minidepth.bench import Layer, unet_layers
from minidepth.cuda.device import line
from minidepth.nn import Parameter
from minidepth.ops.conv2d import forward, grad_weight, grad_x, plain_forward, plain_grad_weight, plain_grad_x
from minidepth.ops.gpu import direct, implicit_gemm, implicit_gemm_tensor
from minidepth.ops.product import SIDE, product_cuda
from minidepth.precision import factors

Ceilings = dict[str, float]
"""What the card can do: "copy" in GB/s, "float32", "TF32" and "half" in TFLOP/s."""
TYPES = {"float32": np.float32, "TF32": np.float32, "half": np.float16}
COLUMNS = ("forward", "backward", "dL/dx", "dL/dweight")
TARGET = 0.8
"""Share of a copy's speed that whatever moves numbers is to reach."""


class Scale(NamedTuple):
    """How large everything is."""

    batch: int
    base: int
    height: int
    width: int
    weights: int
    side: int
    """Of the matrices in the ladder of the product."""

    def level(self, number: int) -> tuple[int, int, int, int]:
        """What goes through a level of the U-Net, (N, C, H, W)."""
        return self.batch, self.base << number, self.height >> number, self.width >> number


FULL, TINY = Scale(8, 64, 480, 640, 31_000_000, 2048), Scale(2, 2, 16, 16, 300, 24)


class Case(NamedTuple):
    """One function to time: what it is, and what it moves or multiplies."""

    name: str
    column: str
    """ "forward", "backward", or which gradient."""
    size: str
    precision: str
    call: Callable[[], object]
    n_bytes: int = 0
    multiply_adds: int = 0


class Row(NamedTuple):
    """A case, timed: the speed is in GB/s, or in TFLOP/s."""

    name: str
    column: str
    size: str
    precision: str
    ms: float
    speed: float
    share: float
    moves: bool


def measure_ceilings(card: Card) -> Ceilings:
    return {"copy": card.copy_gb_s(), **{precision: card.product_tflops(precision) for precision in TYPES}}


def ceilings_text(ceilings: Ceilings) -> str:
    products = [f"{name} {figure(ceilings[name])}" for name in TYPES]
    return (
        f"Ceilings: a copy of 1 GiB on the card {figure(ceilings['copy'])} GB/s, read and written; cuBLAS's product of "
        f"8192x8192 in TFLOP/s: {', '.join(products)}.\n\n"
    )


def measure(card: Card, ceilings: Ceilings, scale: Scale, until_s: float) -> tuple[list[Row], list[str]]:
    """The rows, and what failed or had no time: one kernel does not cost the others their turn on a borrowed card."""
    rows, remarks, left_out = [], [], 0
    seen = set()
    for case in cases(scale):
        kind = case.name, case.column, case.precision
        if card.rehearsal and kind in seen:  # one size of each does to see that it runs
            continue
        seen.add(kind)
        if time.perf_counter() > until_s:
            left_out += 1
            continue
        try:
            with factors(case.precision == "TF32"):
                ms = card.time_ms(case.call)
        except Exception as error:
            if card.rehearsal:
                raise
            remarks.append(f"{case.name}, {case.column}, {case.size}, {case.precision} failed: {line(error)}")
            continue
        speed = case.n_bytes / ms / 1e6 if case.n_bytes else 2 * case.multiply_adds / ms / 1e9
        ceiling = ceilings["copy" if case.n_bytes else case.precision]
        rows.append(Row(*case[:4], ms, speed, speed / ceiling, case.n_bytes > 0))
    return rows, remarks + [f"there was no time for {left_out} more"] * bool(left_out)


def text_of(rows: list[Row], remarks: list[str]) -> str:
    """A table of what moves numbers, one of what multiplies, and the ladders."""
    moves = [row for row in rows if row.moves]
    products = [row for row in rows if not row.moves]
    text = speeds_table("ms, GB/s, share of a copy", moves)
    text += speeds_table("ms, TFLOP/s, share of cuBLAS's product", products)
    slow = [f"{row.name} ({row.column}, {row.precision})" for row in moves if row.share < TARGET]
    if moves and not any(math.isnan(row.share) for row in moves):
        text += f"Target, {TARGET:.0%} of a copy: reached by {len(moves) - len(slow)} of {len(moves)}"
        text += f"; not by {', '.join(dict.fromkeys(slow))}.\n\n" if slow else ".\n\n"
    return text + "".join(f"- {remark}\n" for remark in remarks) + "\n" * bool(remarks)


def speeds_table(title: str, rows: list[Row]) -> str:
    """A line for each kernel, size and type, with a column for each direction."""
    columns = [column for column in COLUMNS if any(row.column == column for row in rows)]
    cells = {(row.name, row.size, row.precision): dict.fromkeys(columns, "") for row in rows}
    for row in rows:
        figures = figure(row.ms), figure(row.speed), figure(100 * row.share, "%")
        cells[row.name, row.size, row.precision][row.column] = ", ".join(figures)
    lines = [[*key, *by_column.values()] for key, by_column in cells.items()]
    return table([title, "size", "type", *columns], lines) if rows else ""


def cases(scale: Scale) -> Iterator[Case]:
    """All of them, each made when it is its turn, as the maps of several together would fill the card."""
    for precision in ("float32", "half"):
        for number in (0, 2):
            yield from moves(scale.level(number), precision)
    yield from of_losses(scale)
    yield from of_optimisers(scale)
    layers = list(unet_layers(scale.base, scale.batch, (scale.height, scale.width)))
    for precision in TYPES:
        yield from convolutions(layers, precision)
    yield from ladder_of_convolutions(scale)
    yield from ladder_of_products(scale)


def moves(shape: tuple[int, int, int, int], precision: str) -> Iterator[Case]:
    """The layers of a U-Net that are no convolutions, forward and backward."""
    n, channels, height, width = shape
    half = (n, channels, height // 2, width // 2)
    scale, shift = (Tensor(on_card((channels,), seed=seed), requires_grad=True) for seed in (1, 2))
    mean, var = on_card((channels,)), abs(on_card((channels,))) + 1

    def batch_norm_leaky_relu(x: Tensor) -> Tensor:
        return ops.batch_norm_leaky_relu(x, mean, var, scale, shift, training=True)

    def in_evaluation(x: Tensor) -> Tensor:
        return ops.batch_norm_leaky_relu(x, mean, var, scale, shift)

    def double(mode: str) -> Callable[[Tensor], Tensor]:
        return lambda x: ops.interpolate(x, scale_factor=2, mode=mode)

    def pooled(x: int, y: int) -> int:
        """Beside x and y, a byte for each number of y that says which of four won."""
        return x + y + y // np.dtype(TYPES[precision]).itemsize

    # How many bytes are moved forward and backward, by those of x and y; None where backward only hands out views.
    layers: list[tuple[str, Callable[..., Tensor], list[tuple[int, ...]], Any, Any]] = [
        ("leaky_relu", ops.leaky_relu, [shape], lambda x, y: x + y, lambda x, y: 3 * x),
        ("relu", ops.relu, [shape], lambda x, y: x + y, lambda x, y: 3 * x),
        ("sigmoid", ops.sigmoid, [shape], lambda x, y: x + y, lambda x, y: 3 * x),
        ("batch_norm_leaky_relu", batch_norm_leaky_relu, [shape], lambda x, y: 3 * x, lambda x, y: 5 * x),
        ("batch_norm_leaky_relu in evaluation", in_evaluation, [shape], lambda x, y: 2 * x, None),
        ("max_pool2d", lambda x: ops.max_pool2d(x, 2), [shape], pooled, pooled),
        ("interpolate, bilinear x 2", double("bilinear"), [half], lambda x, y: x + y, lambda x, y: x + y),
        ("interpolate, nearest x 2", double("nearest"), [half], lambda x, y: x + y, lambda x, y: x + y),
        ("cat", lambda *parts: ops.cat(parts, dim=1), [shape, shape], lambda x, y: 2 * y, None),
    ]
    for name, operation, shapes, bytes_forward, bytes_backward in layers:
        inputs = [Tensor(on_card(shape, TYPES[precision]), requires_grad=True) for shape in shapes]
        y = operation(*inputs)
        grad, sizes = on_card(y.shape, TYPES[precision], seed=3), (sum(x.data.nbytes for x in inputs), y.data.nbytes)
        title = "x".join(map(str, inputs[0].shape))
        yield Case(name, "forward", title, precision, partial(operation, *inputs), bytes_forward(*sizes))
        if bytes_backward is not None:
            pullback = y._node.pullback
            yield Case(name, "backward", title, precision, partial(pullback, grad), bytes_backward(*sizes))
        del y, inputs, grad


def of_losses(scale: Scale) -> Iterator[Case]:
    """13 bytes a pixel forward (prediction, target, mask, slope), 45 with the windows of ssim, and 8 backward."""
    shape = (scale.batch, 1, scale.height, scale.width)
    prediction, target = Tensor(on_card(shape), requires_grad=True), on_card(shape, seed=1)
    valid, pixels = target > -2, scale.batch * scale.height * scale.width
    title = "x".join(map(str, shape))
    for name in ("mse", "l1", "berhu", "gradient", "normal", "ssim"):
        loss = losses.build(name)
        value = loss(prediction, target, valid)
        one = xp(target).ones_like(value.data)
        yield Case(
            name,
            "forward",
            title,
            "float32",
            partial(loss, prediction, target, valid),
            (45 if name == "ssim" else 13) * pixels,
        )
        if value._node.op != "multiply":
            run = partial(value._node.pullback, one)
            yield Case(name, "backward", title, "float32", run, 8 * pixels)


def of_optimisers(scale: Scale) -> Iterator[Case]:
    """All weights of the original U-Net: two long arrays in place of its hundred."""
    halves = [Parameter(on_card((scale.weights // 2,), seed=seed)) for seed in (1, 2)]
    for number, parameter in enumerate(halves):
        parameter.grad = on_card(parameter.shape, seed=3 + number)
    title, weights = f"{scale.weights:,} weights", sum(parameter.size for parameter in halves)
    for name, optimiser, each in (
        ("Adam", optim.Adam(halves), 28),
        ("SGD with momentum", optim.SGD(halves, lr=1e-9, momentum=0.9), 20),
    ):
        yield Case(name, "forward", title, "float32", optimiser.step, each * weights)
    for name, norm, each in (("clip, short enough", 1e9, 4), ("clip, too long", 1e-3, 12)):
        yield Case(name, "forward", title, "float32", partial(optim.clip_grad_norm_, halves, norm), each * weights)


def convolutions(layers: list[Layer], precision: str) -> Iterator[Case]:
    """The convolutions of a U-Net, each once: y, dL/dx and dL/dweight. Weights and their gradients are float32."""
    dtype = TYPES[precision]
    for layer in layers:
        x, grad = on_card(layer.x_shape, dtype), on_card(layer.y_shape, dtype, seed=1)
        weight, settings = on_card(layer.weight_shape, seed=2), layer[2:6]
        for name, call in conv_calls(CHOSEN, layer).items():
            run = partial(call, x, weight, grad, settings)
            yield Case("conv", name, str(layer), precision, run, multiply_adds=layer.multiply_adds)


def conv_calls(way: Any, layer: Layer) -> dict[str, Callable[..., Array]]:
    """Name -> what computes it in `way` from (x, weight, grad, settings).

    The first layer's x wants no gradient; an up-convolution is the adjoint of a convolution, so its forward is dL/dx.
    """
    one, other = ("dL/dx", "forward") if layer.transposed else ("forward", "dL/dx")
    calls: dict[str, Callable[..., Array]] = {
        one: lambda x, w, g, s: way.forward(x, w, None, *s),
        other: lambda x, w, g, s: way.grad_x(g, w, x.shape, *s),
        "dL/dweight": lambda x, w, g, s: way.grad_weight(g, x, w.shape, *s),
    }
    return {name: call for name, call in calls.items() if not (layer.first and name == "dL/dx")}


CHOSEN = SimpleNamespace(forward=forward, grad_x=grad_x, grad_weight=grad_weight)
"""What the rule of ops/gpu/paths.py picks, as in training."""
PLAIN = SimpleNamespace(forward=plain_forward, grad_x=plain_grad_x, grad_weight=plain_grad_weight)
"""im2col and a matrix product, which every other way is checked against."""


def ladder_of_convolutions(scale: Scale) -> Iterator[Case]:
    """One layer by every version there is."""
    channels = scale.level(1)[1]
    layer = Layer(scale.level(1), (channels, channels, 3, 3), (1, 1), (1, 1), (1, 1), 1)
    steps: list[tuple[str, Any, str]] = [
        ("1. a thread for each number", direct, "float32"),
        ("2. im2col and a product", PLAIN, "float32"),
        ("3. implicit product", implicit_gemm, "float32"),
        ("4. on tensor cores, in TF32", implicit_gemm_tensor, "TF32"),
        ("5. on tensor cores, in half", implicit_gemm_tensor, "half"),
    ]
    weight = on_card(layer.weight_shape, seed=2)
    for title, way, precision in steps:
        x, grad = on_card(layer.x_shape, TYPES[precision]), on_card(layer.y_shape, TYPES[precision], seed=1)
        for name, call in conv_calls(way, layer).items():
            run = partial(call, x, weight, grad, layer[2:6])
            yield Case(f"conv, {title}", name, str(layer), precision, run, multiply_adds=layer.multiply_adds)


def ladder_of_products(scale: Scale) -> Iterator[Case]:
    """A product of squares by every version there is."""
    side = scale.side
    a, b = on_card((side, side)), on_card((side, side), seed=1)
    for version in ("product_naive", *SIDE):
        run = partial(product_cuda, a, b, version=version)
        yield Case(version, "forward", f"{side}x{side}", "float32", run, multiply_adds=side**3)

"""What a network costs, layer by layer: output shapes, parameters, multiply-adds, activation memory.

The network is run once, with layers that give their shapes alone (see shapes.py); whatever its forward does is what is
counted, for one picture, or one of each kind where it takes several.

    Conv2d           multiply-adds = output numbers   x  in_channels / groups   x  kh kw
    ConvTranspose2d  multiply-adds = input numbers    x  out_channels / groups  x  kh kw
    Linear           multiply-adds = output numbers   x  in_features

Other layers have a few operations per number, which is little beside these, and are counted as none. Activation memory
is the float32 size of all layer outputs together, for one picture; training keeps the part that backward needs, which
is about three quarters with batch-norm and a little over half without. What a whole training step takes, to the byte,
is the subject of dry_run.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from minidepth.engine import Tensor, no_grad
from minidepth.nn import Conv2d, ConvTranspose2d, Identity, Linear, Module, watch
from minidepth.shapes import shapes_only

FLOAT32_BYTES = 4


@dataclass(frozen=True)
class Row:
    """One call of one layer."""

    name: str
    kind: str
    output_shape: tuple[int, ...]
    parameters: int
    multiply_adds: int

    @property
    def activation_bytes(self) -> int:
        return math.prod(self.output_shape) * FLOAT32_BYTES


@dataclass(frozen=True)
class Summary:
    """All rows in the order of computation, and their totals. ``str()`` makes the table."""

    model: str
    input_shape: tuple[int, ...]
    rows: list[Row]
    parameters: int
    statistics: int = 0
    """Running means and variances, which are saved with the parameters but not trained."""
    inputs: tuple[str, ...] = ("image",)
    outputs: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Name and shape of each output."""

    @property
    def multiply_adds(self) -> int:
        return sum(row.multiply_adds for row in self.rows)

    @property
    def activation_bytes(self) -> int:
        return sum(row.activation_bytes for row in self.rows)

    def __str__(self) -> str:
        return _table(self)


def summarize(model: Module, size: tuple[int, int], in_channels: int = 3) -> Summary:
    """Write down what every layer of `model` does with a picture of `size` (height, width).

    Args:
        model: with the attributes `inputs` and `outputs` where it has several, and `in_channels`.
        size: height and width.
        in_channels: of a model that does not say.

    Raises:
        InputError: the network cannot take this size; the text names one that it can.
    """
    rows: list[Row] = []
    counted: set[int] = set()

    def note(name: str, layer: Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if isinstance(layer, Identity):
            return
        parameters = [] if id(layer) in counted else [parameter.size for parameter in layer.parameters()]
        counted.add(id(layer))
        macs = multiply_adds(layer, math.prod(inputs[0].shape[1:]), math.prod(output.shape[1:]))
        rows.append(Row(name, type(layer).__name__, (1, *output.shape[1:]), sum(parameters), macs))

    modes = [(module, module.training) for module in model.modules()]
    inputs: tuple[str, ...] = getattr(model, "inputs", ("image",))
    channels = getattr(model, "in_channels", in_channels)
    no_picture = Tensor(np.empty((0, channels, *size), np.float32))
    try:
        with no_grad(), shapes_only(model), watch(model, note):
            y = model.eval()(*[no_picture] * len(inputs))  # in training mode, a layer that is run would learn from it
    finally:
        for module, training in modes:
            module.training = training
    shapes = [(1, *part.shape[1:]) for part in (y if isinstance(y, tuple) else (y,))]
    return Summary(
        model=type(model).__name__,
        input_shape=(1, channels, *size),
        rows=rows,
        parameters=sum(parameter.size for parameter in model.parameters()),
        statistics=sum(buffer.data.size for buffer in model.buffers() if buffer.data.ndim),
        inputs=inputs,
        outputs=tuple(zip(getattr(model, "outputs", ("depth",)), shapes)),
    )


def multiply_adds(layer: Module, input_size: int, output_size: int) -> int:
    """The multiply-adds of one layer for that many numbers in and out; only layers with a matrix have any."""
    if isinstance(layer, Conv2d):
        return output_size * layer.in_channels // layer.groups * math.prod(layer.kernel_size)
    if isinstance(layer, ConvTranspose2d):
        return input_size * layer.out_channels // layer.groups * math.prod(layer.kernel_size)
    if isinstance(layer, Linear):
        return output_size * layer.in_features
    return 0


def _table(summary: Summary) -> str:
    header = ("layer", "kind", "output", "parameters", "multiply-adds", "memory")
    lines = [
        (
            row.name,
            row.kind,
            _shape_text(row.output_shape),
            f"{row.parameters:,}" if row.parameters else "",
            thousands(row.multiply_adds) if row.multiply_adds else "",
            _mebibytes(row.activation_bytes),
        )
        for row in summary.rows
    ]
    widths = [max(len(line[column]) for line in [header, *lines]) for column in range(len(header))]

    def text(line: tuple[str, ...]) -> str:
        left = "  ".join(cell.ljust(width) for cell, width in zip(line[:2], widths[:2]))
        right = "  ".join(cell.rjust(width) for cell, width in zip(line[2:], widths[2:]))
        return f"{left}  {right}".rstrip()

    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    pictures = " and ".join(f"one {name}" for name in summary.inputs if len(summary.inputs) > 1) or "one picture"
    moving = f", and {summary.statistics:,} moving statistics" if summary.statistics else ""
    outputs = "; ".join(f"{name} {_shape_text(shape)}" for name, shape in summary.outputs)
    totals = [
        f"{summary.model}, {pictures} of {_shape_text(summary.input_shape)} (channels x height x width)",
        f"out                {outputs}",
        f"parameters         {summary.parameters:,} "
        f"({_mebibytes(summary.parameters * FLOAT32_BYTES)} as float32){moving}",
        f"multiply-adds      {thousands(summary.multiply_adds)} (forward; a training step takes three times that)",
        f"activation memory  {_mebibytes(summary.activation_bytes)} (all layer outputs; training keeps a part of it)",
    ]
    return "\n".join([text(header), rule, *(text(line) for line in lines), rule, *totals])


def _shape_text(shape: tuple[int, ...]) -> str:
    """(1, 64, 240, 320) -> ``64 x 240 x 320``."""
    return " x ".join(str(n) for n in shape[1:])


def thousands(count: int) -> str:
    """226_000_000_000 -> ``226.00 G``."""
    for unit, factor in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= factor:
            return f"{count / factor:.2f} {unit}"
    return str(count)


def _mebibytes(count: int) -> str:
    return f"{count / 2**20:.2f} MiB"

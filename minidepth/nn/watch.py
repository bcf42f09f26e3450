"""Standing beside a network while it runs: to see what each layer makes of its input, or to run the layer otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from minidepth.engine import Tensor
from minidepth.nn.module import Module, is_innermost

Forward = Callable[..., Tensor]


@contextmanager
def run_layers_by(model: Module, run: Callable[[str, Module, Forward, tuple[Tensor, ...]], Tensor]) -> Iterator[None]:
    """While the block runs, ``run(name, layer, forward, inputs)`` is what every innermost layer gives for its inputs.

    `forward` is the layer's own. The layers stay as they are: what `run` stands in for is put back at the end.
    """

    def stand_in(name: str, layer: Module, forward: Forward) -> Forward:
        return lambda *inputs: run(name, layer, forward, inputs)

    layers = [(name, module) for name, module in model.named_modules() if is_innermost(module)]
    before = [vars(layer).get("forward") for _, layer in layers]  # somebody else's, who stands outside this block
    for name, layer in layers:
        vars(layer)["forward"] = stand_in(name, layer, layer.forward)  # shadows the method of the class
    try:
        yield
    finally:
        for (_, layer), forward in zip(layers, before):
            if forward is None:
                del vars(layer)["forward"]
            else:
                vars(layer)["forward"] = forward


@contextmanager
def watch(model: Module, seen: Callable[[str, Module, tuple[Tensor, ...], Tensor], None]) -> Iterator[None]:
    """While the block runs, call ``seen(name, layer, inputs, output)`` after the forward of every innermost layer.

    This is how training finds the first layer that made a NaN:

    >>> with watch(model, lambda name, layer, inputs, output: print(name, output.shape)):
    ...     model(x)
    """

    def run(name: str, layer: Module, forward: Forward, inputs: tuple[Tensor, ...]) -> Tensor:
        output = forward(*inputs)
        seen(name, layer, inputs, output)
        return output

    with run_layers_by(model, run):
        yield


def is_watched(layer: Module) -> bool:
    """Whether somebody stands in for this layer's forward, so that it must not be merged with the next one."""
    return "forward" in vars(layer)

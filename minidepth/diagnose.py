"""Where numbers went bad: the first layer of a network that made a NaN or an infinity."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from minidepth.backend import Array, xp
from minidepth.engine import Tensor, no_grad
from minidepth.nn import Module, watch


def is_finite(array: Array) -> bool:
    """Whether `array` holds neither NaN nor infinity."""
    return bool(xp(array).isfinite(array).all())


def bad_parameter(network: Module) -> str | None:
    """The name of the first parameter or buffer with a NaN or infinity in it."""
    return next((name for name, array in network.state_dict().items() if not is_finite(array)), None)


def first_bad_value(network: Module, *images: Array) -> str:
    """Run `network` once more on its inputs (N, C, H, W) and say in words where the first value went bad.

    Batch-norm's running statistics are put back afterwards, so that the network is left as it was.
    """
    if not all(is_finite(image) for image in images):
        return "the batch itself holds values that are not finite"
    name = next((name for name, weight in network.named_parameters() if not is_finite(weight.data)), None)
    if name is not None:  # running statistics are no reason: the batch itself has spoilt those
        return f"the weights of {name} are not finite: the update before this batch was too large"
    found: list[str] = []

    def note(name: str, layer: Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if not found and not is_finite(output.data):
            kind = "NaN" if xp(output.data).isnan(output.data).any() else "infinite values"
            found.append(f"the first layer to give {kind} is {name} ({type(layer).__name__})")

    before = [buffer.data.copy() for buffer in network.buffers()]
    with no_grad(), watch(network, note), quiet_overflow():
        network(*(Tensor(network.placed(image)) for image in images))
    for buffer, data in zip(network.buffers(), before):
        buffer.data[...] = data
    return found[0] if found else "every layer of the network gives finite values, so it is the loss that went bad"


@contextmanager
def quiet_overflow() -> Iterator[None]:
    """Silence NumPy's warnings of overflow and NaN: a check of the loss, which can say more, stands behind them.

    Here and in the helper threads of kernels started here; other threads of the program keep their settings.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        yield

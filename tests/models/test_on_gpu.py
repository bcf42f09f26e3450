"""Whole networks on a GPU: every parameter's gradient is that of the CPU, and training steps need nothing from it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
from network_checks import outputs_of
from test_presets import NARROW
from twins import GPUS, to_gpu, watched

from minidepth import Tensor, losses, models, optim, precision
from minidepth.models import MODELS
from minidepth.nn import Module
from minidepth.testing import device_array

SMALL = {
    "unet": "depth=2,base_channels=2,norm=batch,up=bilinear",
    "scratch_unet": "base_channels=2",
    "masknet3": "base_channels=4",
}
"""Networks that the emulator, which is slow, can run in seconds."""


def network(name: str, options: str, gpu: str | None, dtype: Any) -> Module:
    """The network with its floating-point numbers on that GPU; drawn on the CPU, so that all are the same."""
    made = models.build(f"{name}:{options}" if options else name, rng=0)
    parts = [*made.parameters(), *(buffer for _, buffer in made.named_buffers() if buffer.data.dtype.kind == "f")]
    for part in parts:
        array = part.data.astype(dtype)
        part.data = array if gpu is None else to_gpu(gpu, array)
    return made


def gradients(made: Module, inputs: list[np.ndarray], gpu: str | None, dtype: Any) -> list[np.ndarray]:
    """Outputs, and the gradient of every parameter for cotangents that do not depend on the device."""

    def move(array: np.ndarray) -> Any:
        return array.astype(dtype) if gpu is None else to_gpu(gpu, array.astype(dtype))

    outputs = outputs_of(made, *(Tensor(move(array)) for array in inputs))
    rng = np.random.default_rng(1)
    total = sum((y * Tensor(move(rng.standard_normal(y.shape)))).sum() for y in outputs)
    total.backward()
    return [y.numpy() for y in outputs] + [Tensor(parameter.grad).numpy() for parameter in made.parameters()]


def compare(name: str, options: str, gpu: str, size: int) -> None:
    on_cpu = network(name, options, None, np.float64)
    count = len(getattr(on_cpu, "inputs", ("image",)))
    inputs = [np.random.default_rng(seed).standard_normal((2, 3, size, size)) for seed in range(count)]
    expected = gradients(on_cpu, inputs, None, np.float64)
    actual = gradients(network(name, options, gpu, np.float64), inputs, gpu, np.float64)
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-9 * max(1.0, np.abs(other).max()))


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("name", SMALL)
def test_a_small_network(name, gpu):
    compare(name, SMALL[name], gpu, 16)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("up", ["bilinear", "transposed"])
def test_a_small_unet_in_half(up, gpu):
    """Outputs, and all gradients taken together, are off by at most four roundings to half, measured by their norms.

    With a slope of 1, as a number that half moves across the corner of a ReLU turns its gradient off or on: of the 512
    pixels here each counts, and one of them is more than all rounding.
    """
    options = SMALL["unet"].replace("bilinear", up) + ",activation=leaky_relu,negative_slope=1"
    picture = np.random.default_rng(0).standard_normal((2, 3, 16, 16)).astype(np.float32)
    found = []
    for device, dtype, half in ((None, np.float64, False), (gpu, np.float32, True)):
        made = network("unet", options, device, dtype)
        x = Tensor(picture.astype(dtype) if device is None else to_gpu(device, picture))
        with watched(gpu, np.float16) if half else nullcontext():
            y = precision.forward(made, x, half=half)
            cotangent = np.random.default_rng(1).standard_normal(y.shape).astype(dtype)
            y.backward(cotangent if device is None else to_gpu(device, cotangent))
        assert y.dtype == dtype and all(parameter.grad.dtype == dtype for parameter in made.parameters())
        gradient = [Tensor(parameter.grad).numpy().ravel() for parameter in made.parameters()]
        found.append((y.numpy(), np.concatenate(gradient)))
    for expected, actual in zip(*found):
        assert np.linalg.norm(actual - expected) <= 4 * 2**-11 * np.linalg.norm(expected)


@pytest.mark.gpu
@pytest.mark.parametrize("name", MODELS)
def test_every_network(name):
    compare(name, NARROW.get(name, ""), "cuda", 64)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_training_steps_are_those_of_the_cpu_and_wait_for_nothing(dtype, gpu):
    rng = np.random.default_rng(2)
    image, depth_m = rng.standard_normal((2, 3, 16, 16)), rng.uniform(1, 9, (2, 1, 16, 16))
    valid = rng.uniform(size=depth_m.shape) < 0.9
    weights, waits = [], []
    for device in (None, gpu):

        def move(array: np.ndarray, device=device) -> Any:
            array = array.astype(dtype) if array.dtype.kind == "f" else array
            return array if device is None else to_gpu(device, array)

        made = network("unet", SMALL["unet"], device, dtype)
        optimizer, loss = optim.Adam(made.parameters(), lr=1e-3), losses.build("mse+gradient+normal")
        batch = Tensor(move(image)), move(depth_m), move(valid)
        before = device_array.synchronisations
        with watched(device, dtype):
            for _ in range(3):
                optimizer.zero_grad()
                loss(made(batch[0]), *batch[1:]).backward()
                optimizer.step()
        waits.append(device_array.synchronisations - before)
        weights.append(np.concatenate([Tensor(parameter.data).numpy().ravel() for parameter in made.parameters()]))
    # Adam's first steps are lr whatever the gradient, also where that is nothing but rounding: hence not smaller.
    np.testing.assert_allclose(weights[1], weights[0], rtol=0, atol=1e-9 if dtype == np.float64 else 1e-4)
    assert waits == [0, 0]

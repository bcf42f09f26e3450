"""Running the layers of a network otherwise: each innermost layer once, and put back at the end."""

from __future__ import annotations

import numpy as np
import pytest

from minidepth import Tensor, nn


def network() -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(1, 1, 1, rng=0), nn.Sequential(nn.ReLU(), nn.BatchNorm2d(1)))


def test_a_layer_gives_what_stands_in_for_it_gives() -> None:
    model, calls = network().eval(), []

    def run(name, layer, forward, inputs):
        calls.append((name, type(layer).__name__))
        return Tensor(np.full_like(inputs[0].data, -5)) if name == "0" else forward(*inputs) + 1

    x = Tensor(np.ones((1, 1, 2, 2), np.float32))
    before = model(x).data
    with nn.run_layers_by(model, run):
        inside = model(x).data
    assert calls == [("0", "Conv2d"), ("1.0", "ReLU"), ("1.1", "BatchNorm2d")]
    np.testing.assert_allclose(inside, 2, rtol=1e-4)  # relu(-5) + 1, normalised, + 1
    np.testing.assert_array_equal(model(x).data, before)


def test_who_stands_inside_sees_what_those_outside_make() -> None:
    model, seen = network().eval(), []
    x = Tensor(np.ones((1, 1, 2, 2), np.float32))
    with nn.run_layers_by(model, lambda name, layer, forward, inputs: Tensor(np.full((1, 1, 1, 1), 7.0))):
        with nn.watch(model, lambda name, layer, inputs, output: seen.append(output.item())):
            model(x)
        assert model(x).item() == 7
    assert seen == [7, 7, 7]
    assert model(x).shape == (1, 1, 2, 2)


def test_the_layers_are_put_back_after_an_error() -> None:
    model = network()

    def fail(*_):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"), nn.run_layers_by(model, fail):
        model(Tensor(np.ones((1, 1, 2, 2), np.float32)))
    assert all("forward" not in vars(module) for module in model.modules())

"""The networks on ResNets and DenseNet against the same in PyTorch (tests/torch_encoders.py), with shared weights.

Runs where torch is installed: outputs in training and evaluation, every gradient, running statistics. Everything is
float64, so that the two agree to rounding.
"""

from __future__ import annotations

import numpy as np
import pytest

from minidepth import Tensor, models
from minidepth.nn import BatchNorm2d, Module

torch = pytest.importorskip("torch", reason="torch is not installed")
torch_encoders = pytest.importorskip("torch_encoders")

SMALL = {"width": 4, "blocks": (2, 1, 2, 1)}
DENSE = {"width": 4, "growth": 4, "blocks": (2, 1, 2, 2)}
CASES = [
    ("resnet34_unet", SMALL, "resnet34_unet", (64, 96)),
    ("resnet34_unet_preact", SMALL, "resnet34_unet_preact", (64, 96)),
    ("resnet50_unet", SMALL, "resnet50_unet", (32, 64)),
    ("resnet50_unet", {**SMALL, "up": "bilinear"}, "resnet50_unet", (32, 64)),
    ("densedepth", DENSE, "densedepth", (64, 96)),
    ("densedepth", {**DENSE, "half_features": True, "first_activation": False}, "densedepth_port", (64, 96)),
    ("fcrn", {**SMALL, "dropout": 0.0}, "fcrn", (70, 76)),  # the published 228x304 is no multiple of 32 either
    ("multi_scale", SMALL, "multi_scale", (70, 76)),
]
IDS = [f"{name}-{number}" for number, (name, *_) in enumerate(CASES)]


def random_network(name: str, options: dict) -> Module:
    """Weights from the network's own recipe; norms with parameters and statistics that are not 1 and 0."""
    model = models.build(name, **options, rng=0).astype(np.float64)
    rng = np.random.default_rng(1)
    for key, array in model.state_dict().items():
        if key.endswith("running_mean"):
            array[...] = 0.2 * rng.standard_normal(array.shape)
        elif key.endswith("running_var"):
            array[...] = rng.uniform(0.5, 1.5, array.shape)
    for layer in model.modules():
        if isinstance(layer, BatchNorm2d):
            layer.weight.data[...] = rng.uniform(0.5, 1.5, layer.weight.shape)
            layer.bias.data[...] = 0.2 * rng.standard_normal(layer.bias.shape)
    return model


def shared_weights(model: Module) -> dict:
    weights = {name: torch.tensor(array.copy()) for name, array in model.state_dict().items()}
    for name, _ in model.named_parameters():
        weights[name].requires_grad_()
    return weights


@pytest.mark.parametrize("name, options, oracle, size", CASES, ids=IDS)
@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_agrees_with_pytorch(name: str, options: dict, oracle: str, size: tuple[int, int], training: bool) -> None:
    model = random_network(name, options).train(training)
    weights = shared_weights(model)
    rng = np.random.default_rng(2)
    x = rng.standard_normal((2, 3, *size))

    x_torch = torch.tensor(x, requires_grad=True)
    expected = getattr(torch_encoders, oracle)(torch_encoders.Net(weights, training), x_torch)
    x_ours = Tensor(x, requires_grad=True)
    y = model(x_ours)
    np.testing.assert_allclose(y.data, expected.detach().numpy(), rtol=1e-7, atol=1e-10 * abs(y.data).max())

    cotangent = rng.standard_normal(y.shape)
    expected.backward(torch.tensor(cotangent))
    y.backward(cotangent)
    ours = {"x": x_ours.grad, **{key: parameter.grad for key, parameter in model.named_parameters()}}
    theirs = {"x": x_torch.grad.numpy(), **{key: weights[key].grad.numpy() for key in ours if key != "x"}}
    scale = max(abs(grad).max() for grad in theirs.values())  # some are 0 but for rounding: a bias before batch-norm
    for key, grad in ours.items():
        atol = 1e-9 * abs(theirs[key]).max() + 1e-13 * scale
        np.testing.assert_allclose(grad, theirs[key], rtol=1e-7, atol=atol, err_msg=key)
    for key, array in model.state_dict().items():
        if "running" in key:
            np.testing.assert_allclose(array, weights[key].numpy(), rtol=1e-9, atol=1e-13, err_msg=key)

"""The U-Net against the same network written in PyTorch, with shared weights: outputs, gradients, running statistics.

Runs where torch is installed. Everything is float64, so that the two agree to rounding.
"""

from __future__ import annotations

import numpy as np
import pytest

from minidepth import Tensor
from minidepth.models import UNet

torch = pytest.importorskip("torch", reason="torch is not installed")
F = torch.nn.functional


def torch_unet(x, weights: dict, padding: str, up: str, norm: str | None, slope: float):
    """The figure of the paper, written down for PyTorch without a class; `weights` have the names of the state_dict."""

    def double_conv(x, name: str):
        for i in (1, 2):
            bias = weights.get(f"{name}.conv{i}.bias")
            x = F.conv2d(x, weights[f"{name}.conv{i}.weight"], bias, padding=1 if padding == "same" else 0)
            if norm:
                mean, var, weight, bias = (
                    weights[f"{name}.bn{i}.{key}"] for key in ("running_mean", "running_var", "weight", "bias")
                )
                x = F.batch_norm(x, mean, var, weight, bias, training=True)
            x = F.leaky_relu(x, slope)
        return x

    skip0 = double_conv(x, "down.0")
    skip1 = double_conv(F.max_pool2d(skip0, 2), "down.1")
    x = double_conv(F.max_pool2d(skip1, 2), "bottom")
    for i, skip in enumerate((skip1, skip0)):
        if up == "transposed":
            x = F.conv_transpose2d(x, weights[f"up.{i}.weight"], weights[f"up.{i}.bias"], stride=2)
        else:
            x = F.interpolate(x, scale_factor=2, mode=up)
            x = F.conv2d(x, weights[f"up.{i}.0.weight"], weights[f"up.{i}.0.bias"])
        top, left = ((a - b) // 2 for a, b in zip(skip.shape[2:], x.shape[2:]))
        skip = skip[:, :, top : top + x.shape[2], left : left + x.shape[3]]
        x = double_conv(torch.cat([skip, x], dim=1), f"merge.{i}")
    return F.conv2d(x, weights["head.weight"], weights["head.bias"])


CASES = [
    ("same", "transposed", None, 0.0),
    ("same", "transposed", "batch", 0.2),
    ("same", "bilinear", "batch", 0.0),
    ("same", "nearest", None, 0.01),
    ("valid", "transposed", "batch", 0.0),
    ("valid", "bilinear", None, 0.1),
]


@pytest.mark.parametrize("padding, up, norm, slope", CASES)
def test_agrees_with_pytorch(padding: str, up: str, norm: str | None, slope: float) -> None:
    activation = "leaky_relu" if slope else "relu"
    options = {"padding": padding, "up": up, "norm": norm, "activation": activation, "negative_slope": slope}
    model = UNet(3, 2, base_channels=4, depth=2, init="pytorch", rng=0, **options).astype(np.float64)
    rng = np.random.default_rng(1)
    size = (48, 44) if padding == "valid" else (8, 12)
    x = rng.standard_normal((2, 3, *size))
    weights = {name: torch.tensor(array.copy()) for name, array in model.state_dict().items()}
    for name, _ in model.named_parameters():
        weights[name].requires_grad_()

    x_torch = torch.tensor(x, requires_grad=True)
    expected = torch_unet(x_torch, weights, padding, up, norm, slope)
    x_ours = Tensor(x, requires_grad=True)
    y = model(x_ours)
    np.testing.assert_allclose(y.data, expected.detach().numpy(), rtol=1e-9, atol=1e-12)

    cotangent = rng.standard_normal(y.shape)
    expected.backward(torch.tensor(cotangent))
    y.backward(cotangent)
    ours = {"x": x_ours.grad, **{name: parameter.grad for name, parameter in model.named_parameters()}}
    theirs = {"x": x_torch.grad.numpy(), **{name: weights[name].grad.numpy() for name in ours if name != "x"}}
    scale = max(abs(grad).max() for grad in theirs.values())  # some are 0 but for rounding: a bias before batch-norm
    for name, grad in ours.items():
        np.testing.assert_allclose(grad, theirs[name], rtol=1e-8, atol=1e-13 * scale, err_msg=name)
    for name, array in model.state_dict().items():
        if "running" in name:
            np.testing.assert_allclose(array, weights[name].numpy(), rtol=1e-10, atol=1e-14, err_msg=name)

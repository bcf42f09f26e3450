"""Rows for whole networks: a small U-Net, checked in the picture and in every parameter.

Inside a network nobody chooses the numbers that reach a kink, so the weights are chosen such that none can:

* Each filter of a 3x3 convolution has positive weights with a sum below 0.46 and a bias of +1 or -1. Inputs below 1.85
  then give 1 +- 0.85 or -1 +- 0.85: never near the kink of a ReLU at 0, and again below 1.85. Before a batch-norm any
  size of weight will do; its shift is +1 or -1 and its scale at most 0.3: within 3 standard deviations values keep away.
* The picture has `nested_levels`: no ties in any round of pooling. Positive weights whose middle tap outweighs the
  others by far keep their order. The others are small, but a wrong gradient through them is still far above 1e-6.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minidepth import nn
from minidepth.gradient_inputs import nested_levels
from minidepth.gradient_table.row import Function, Row
from minidepth.models import UNet

SMALL = {"in_channels": 2, "out_channels": 2, "base_channels": 2, "depth": 2}
PAPER = {**SMALL, "depth": 1, "padding": "valid"}
LEAKY = {"activation": "leaky_relu", "negative_slope": 0.3}


def rows() -> Iterator[Row]:
    """All rows of this file."""
    yield Row("unet", "same padding, leaky ReLU", _case({**SMALL, **LEAKY}, (2, 2, 8, 12)))
    yield Row("unet", "valid padding: the paper's", _case(PAPER, (1, 2, 20, 22)))
    yield Row(
        "unet", "batch-norm, bilinear", _case({**SMALL, **LEAKY, "norm": "batch", "up": "bilinear"}, (2, 2, 8, 12))
    )
    yield Row("unet", "batch-norm, nearest", _case({**SMALL, "norm": "batch", "up": "nearest"}, (2, 2, 8, 12)))


def _case(options: dict[str, Any], shape: tuple[int, ...]) -> Any:
    def make(rng: np.random.Generator) -> tuple[Function, list[Any]]:
        model = UNet(**options, rng=rng)
        settle(model, rng)
        picture = 0.15 * nested_levels(rng, shape, options["depth"] + 1)  # one more, so the bottom is not flat
        return lambda x, *parameters: model(x), [picture, *model.parameters()]

    return make


def settle(model: nn.Module, rng: np.random.Generator) -> None:
    """Give `model` float64 weights with which no value comes near a kink; see the top of this file."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
            weight = rng.uniform(0, 2e-5, module.weight.shape)
            weight[:, :, 1, 1] = rng.uniform(0.35, 0.45, weight.shape[:2])
            module.weight.data = weight * (3 if module.bias is None else 1 / module.in_channels)
        elif isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            module.weight.data = rng.uniform(-0.4, 0.4, module.weight.shape) / module.in_channels
        elif isinstance(module, nn.BatchNorm2d):
            module.weight.data = rng.uniform(0.2, 0.3, module.num_features)
            module.bias.data = _both_signs(module.num_features)
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and module.bias is not None:
            module.bias.data = _both_signs(len(module.bias.data))


def _both_signs(n: int) -> np.ndarray:
    return np.where(np.arange(n) % 2, -1.0, 1.0)

"""Rows for whole networks: a small U-Net, checked in the picture and in every parameter; the others as they come.

Inside a network nobody chooses the numbers that reach a kink, so picture and parameters are made such that none can:

* No ties in max-pooling. The picture has `nested_levels`, and the 3x3 filters before a pooling have positive weights
  whose middle tap outweighs the others, so the order of the levels comes through.
* No activation near its kink at 0. A forward pass moves the bias of each channel until all its values are on one side:
  above 0, in the last channel of a layer below. See `Settle`.

Gradients keep their size on the way, from the last layer to the first, so an error in any of them is seen. Rounding
errors add up in many layers, and the kinks are far away: hence a step ten times as long as for a single operation.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minidepth import nn
from minidepth.backend import Array
from minidepth.engine import Tensor, no_grad
from minidepth.gradient_inputs import nested_levels
from minidepth.gradient_table.row import Function, Row
from minidepth.gradient_table.whole_network import network_row
from minidepth.models.unet import DoubleConv, UNet

SMALL = {"in_channels": 2, "out_channels": 2, "base_channels": 2, "depth": 2}
PAPER = {**SMALL, "depth": 1, "padding": "valid"}
LEAKY = {"activation": "leaky_relu", "negative_slope": 0.3}
BATCH = {**SMALL, "norm": "batch"}


def rows() -> Iterator[Row]:
    """All rows of this file."""
    yield _row("same padding, leaky ReLU", {**SMALL, **LEAKY}, (2, 2, 8, 12))
    yield _row("valid padding: the paper's", PAPER, (1, 2, 20, 22))
    yield _row("batch-norm, bilinear", {**BATCH, **LEAKY, "up": "bilinear"}, (2, 2, 8, 12))
    yield _row("batch-norm, nearest", {**BATCH, "up": "nearest"}, (2, 2, 8, 12))
    yield _row("batch-norm, computed twice", {**BATCH, **LEAKY, "recompute": True}, (2, 2, 8, 12))
    yield from reference_networks()


def reference_networks() -> Iterator[Row]:
    """The networks that others published, in small; see whole_network.py."""
    yield network_row("pets_unet", "nearest, 2x2", {"base_channels": 2, "depth": 2}, (2, 3, 8, 12))
    yield network_row("xception_unet", "training", {"base_channels": 2}, (2, 3, 32, 32), overlapping=True)
    yield network_row("keras_depth_unet", "training, tanh", {"base_channels": 2}, (2, 3, 32, 32))
    options = {"base_channels": 2, "order": "act-norm", "head": "sigmoid"}
    yield network_row("keras_depth_unet", "evaluation, act-norm, sigmoid", options, (1, 3, 32, 32), training=False)
    yield network_row("custom_unet", "training", {"base_channels": 2}, (2, 3, 32, 32))
    for up in ("transposed", "bilinear-1x1", "bilinear-3x3", "bilinear"):
        options = {"base_channels": 4, "depth": 2, "up": up, "any_size": True}
        yield network_row("scratch_unet", up, options, (2, 3, 8, 14))
    yield network_row("masknet3", "training", {"base_channels": 2}, (2, 3, 6, 7))
    yield network_row("depthmasknet8", "training", {"base_channels": 2}, (1, 3, 64, 64))
    yield network_row("depthmasknet8", "evaluation", {"base_channels": 2}, (1, 3, 64, 64), training=False)
    yield from mobilenets()
    yield from networks_on_encoders()


def mobilenets() -> Iterator[Row]:
    """MobileNet with its ways up, each with few channels."""
    widths = {"widths": (2, 3, 3, 4, 3, 4, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 3, 2)}
    yield network_row("mobilenet", "add, nearest, depthwise 5x5", widths, (2, 3, 32, 64))
    for decoder in ("blconv3", "deconv5dw", "upconv", "upproj"):
        options = {**widths, "decoder": decoder, "skip": "concat"}
        yield network_row("mobilenet", f"concat, {decoder}", options, (2, 3, 32, 64))
    shuffle = {"widths": (*[2] * 13, 1024, *[1] * 5), "decoder": "shuffle3dw", "skip": "none"}
    yield network_row("mobilenet", "no skip, pixel shuffle", shuffle, (2, 3, 32, 64))
    yield network_row("mobilenet_pruned", "add, nearest, depthwise 5x5", widths, (2, 3, 64, 32))


def networks_on_encoders() -> Iterator[Row]:
    """The networks on ResNets and DenseNets."""
    small = {"width": 2, "blocks": (1, 1, 1, 1)}
    wider = {**small, "width": 4}
    yield network_row("resnet34_unet", "training", wider, (1, 3, 64, 64), overlapping=True)
    yield network_row("resnet34_unet", "evaluation", wider, (1, 3, 32, 64), training=False, overlapping=True)
    yield network_row("resnet34_unet_preact", "training", wider, (1, 3, 64, 64), overlapping=True)
    yield network_row("resnet50_unet", "training, transposed", small, (1, 3, 64, 64), overlapping=True)
    options = {**small, "up": "bilinear"}
    yield network_row("resnet50_unet", "evaluation, bilinear", options, (1, 3, 32, 32), False, overlapping=True)
    yield network_row("densedepth", "training", {**small, "growth": 2}, (2, 3, 64, 64), overlapping=True)
    yield network_row("fcrn", "training", {**small, "dropout": 0.0}, (2, 3, 64, 60), overlapping=True)
    yield network_row("multi_scale", "training", small, (1, 3, 64, 60), overlapping=True)


def _row(setting: str, options: dict[str, Any], shape: tuple[int, ...]) -> Row:
    def make(rng: np.random.Generator) -> tuple[Function, list[Any]]:
        model = UNet(**options, rng=rng)
        picture = nested_levels(rng, shape, options["depth"] + 1)  # one round more, so that the bottom is not flat
        draw_parameters(model, rng)
        settle_biases(model, picture)
        return lambda x, *parameters: model(x), [picture, *model.parameters()]

    return Row("unet", setting, make, step=1e-5)


def draw_parameters(model: UNet, rng: np.random.Generator) -> None:
    """Random float64 parameters; the filters before a pooling keep the order of what they filter."""
    for parameter in model.parameters():
        parameter.data = rng.normal(size=parameter.shape) / np.sqrt(max(1, parameter.size / parameter.shape[0]))
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data = rng.uniform(0.5, 1.5, module.weight.shape)
    for module in model.down.modules():
        if isinstance(module, nn.Conv2d):
            weight = rng.uniform(0, 0.003, module.weight.shape)
            weight[:, :, 1, 1] = rng.uniform(0.5, 1.5, weight.shape[:2])
            module.weight.data = weight / np.sqrt(module.in_channels)


def settle_biases(model: UNet, picture: Array) -> None:
    """Move the biases before each activation, in one forward pass of `picture`."""
    blocks = [module for module in model.modules() if isinstance(module, DoubleConv)]
    for block in blocks:
        for name in _before_activation(block):
            setattr(block, name, Settle(getattr(block, name)))
    with no_grad():
        model(Tensor(picture))
    for block in blocks:
        for name in _before_activation(block):
            setattr(block, name, getattr(block, name).layer)


def _before_activation(block: DoubleConv) -> tuple[str, str]:
    return ("conv1", "conv2") if isinstance(block.bn1, nn.Identity) else ("bn1", "bn2")


class Settle(nn.Module):
    """Stands in for `layer` during one forward pass, and moves its bias until no result is closer to 0 than `gap`."""

    def __init__(self, layer: Any, gap: float = 0.2) -> None:
        self.layer, self.gap = layer, gap

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(x).data
        move = self.gap - y.min(axis=(0, 2, 3))
        move[-1] = -self.gap - y[:, -1].max()
        bias: nn.Parameter = self.layer.bias
        bias.data = bias.data + move
        return self.layer(x)

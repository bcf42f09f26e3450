"""Rows for whole networks, each in small: in its pictures, and in all its parameters at once; see whole_network.py."""

from __future__ import annotations

from collections.abc import Iterator

from minidepth.gradient_table.row import Row
from minidepth.gradient_table.whole_network import network_row

SMALL = {"in_channels": 2, "out_channels": 2, "base_channels": 2, "depth": 2}
PAPER = {**SMALL, "depth": 1, "padding": "valid"}
LEAKY = {"activation": "leaky_relu", "negative_slope": 0.3}
BATCH = {**SMALL, "norm": "batch"}


def rows() -> Iterator[Row]:
    """All rows of this file."""
    yield network_row("unet", "same padding, leaky ReLU", {**SMALL, **LEAKY}, (2, 2, 8, 12))
    yield network_row("unet", "valid padding: the paper's", PAPER, (1, 2, 20, 22))
    yield network_row("unet", "batch-norm, bilinear", {**BATCH, **LEAKY, "up": "bilinear"}, (2, 2, 8, 12))
    yield network_row("unet", "batch-norm, nearest", {**BATCH, "up": "nearest"}, (2, 2, 8, 12))
    yield network_row("unet", "batch-norm, computed twice", {**BATCH, **LEAKY, "recompute": True}, (2, 2, 8, 12))
    yield from unet_likes()


def unet_likes() -> Iterator[Row]:
    """The networks of the reference systems that are like the U-Net."""
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

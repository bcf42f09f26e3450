"""DepthMaskNet8 and MaskNet3 against the same networks written for PyTorch. Runs where torch is installed."""

from __future__ import annotations

import pytest

from minidepth.models import DepthMaskNet8, MaskNet3

torch = pytest.importorskip("torch", reason="torch is not installed")
from torch_network import Layers, assert_agrees  # noqa: E402

F = torch.nn.functional


def conv_norm_relu(net: Layers, x, name: str):
    return torch.relu(net.norm(net.conv(x, f"{name}.conv", padding=1), f"{name}.norm"))


def twice(net: Layers, x, name: str):
    return conv_norm_relu(net, conv_norm_relu(net, x, f"{name}.0"), f"{name}.1")


def encode(net: Layers, x, name: str):
    shortcut = net.norm(net.conv(x, f"{name}.shortcut", stride=2), f"{name}.shortcut_norm")
    return torch.relu(twice(net, F.max_pool2d(x, 2), f"{name}.convs") + shortcut)


def decode(net: Layers, x, skip, name: str):
    x = F.interpolate(net.conv(x, f"{name}.mix"), scale_factor=2, mode="bilinear", align_corners=False)
    return torch.relu(twice(net, x + skip, f"{name}.convs"))  # the ReLU that does nothing


def depthmasknet8(net: Layers, background, image):
    """The wiring in the order and by the letters of the published table."""
    bg, bg_fg = twice(net, background, "background_stem"), twice(net, image, "image_stem")
    x1, x2 = encode(net, bg, "background_down"), encode(net, bg_fg, "image_down")
    x3 = torch.cat([x1, x2], dim=1)
    x4 = encode(net, x3, "down2")
    x5 = encode(net, x4, "down3")
    x6 = encode(net, x5, "down4")
    m1 = decode(net, x6, x5, "mask_up3")
    m2 = decode(net, m1, x4, "mask_up2")
    m3 = decode(net, m2, x3, "mask_up1")
    m4 = decode(net, m3, bg_fg, "mask_up0")
    x7 = encode(net, x6, "down5")
    d1 = decode(net, x7, x6, "depth_up4")
    d2 = decode(net, d1, x5, "depth_up3") + m1
    d3 = decode(net, d2, x4, "depth_up2") + m2
    d4 = decode(net, d3, x3, "depth_up1") + x3
    d5 = decode(net, d4, bg_fg, "depth_up0")
    return net.conv(m4, "mask_head"), net.conv(d5, "depth_head")


def masknet3(net: Layers, background, image):
    x = torch.cat([conv_norm_relu(net, background, "background_conv"), conv_norm_relu(net, image, "image_conv")], 1)
    return net.conv(conv_norm_relu(net, conv_norm_relu(net, x, "conv1"), "conv2"), "head")


@pytest.mark.parametrize("training", [True, False])
def test_depthmasknet8_agrees_with_pytorch(training: bool) -> None:
    model = DepthMaskNet8(base_channels=2, rng=0)
    assert_agrees(model, depthmasknet8, (2, 3, 64, 32), (2, 3, 64, 32), training=training)


@pytest.mark.parametrize("training", [True, False])
def test_masknet3_agrees_with_pytorch(training: bool) -> None:
    assert_agrees(MaskNet3(base_channels=3, rng=0), masknet3, (2, 3, 6, 9), (2, 3, 6, 9), training=training)

"""The U-Net-like networks against the same written for PyTorch, with shared weights. Runs where torch is installed."""

from __future__ import annotations

import pytest

from minidepth.models import CustomUNet, KerasDepthUNet, PetsUNet, ScratchUNet, XceptionUNet

torch = pytest.importorskip("torch", reason="torch is not installed")
from torch_network import Layers, assert_agrees  # noqa: E402

F = torch.nn.functional
KERAS = {"eps": 1e-3, "momentum": 0.01}


def keras_conv(net: Layers, x, name: str, order: str = "cna"):
    """Convolution, and norm and activation in the given order; "ca" is without norm."""
    for step in order:
        if step == "c":
            x = net.conv(x, f"{name}.conv", padding=1)
        elif step == "n":
            x = net.norm(x, f"{name}.norm", **KERAS)
        else:
            x = F.leaky_relu(x, 0.2)
    return x


def custom_unet(net: Layers, x):
    skips = []
    for i in range(4):
        x = keras_conv(net, keras_conv(net, x, f"down.{i}.0", "can"), f"down.{i}.1", "can")
        skips.append(x)
        x = F.max_pool2d(x, 2)
    x = keras_conv(net, keras_conv(net, x, "bottom.0", "ca"), "bottom.1", "ca")
    for i in range(4):
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = torch.cat([keras_conv(net, x, f"up.{i}", "ca"), skips[3 - i]], dim=1)
        x = keras_conv(net, keras_conv(net, x, f"merge.{i}.0", "can"), f"merge.{i}.1", "can")
    return torch.sigmoid(net.conv(x, "head.0", padding=1))


@pytest.mark.parametrize("training", [True, False])
def test_custom_unet(training: bool) -> None:
    assert_agrees(CustomUNet(base_channels=2, rng=0), custom_unet, (2, 3, 32, 48), training=training)


def keras_depth_unet(order: str, head: str):
    steps = {"norm-act": "cna", "act-norm": "can"}[order]
    squash = {"tanh": torch.tanh, "sigmoid": torch.sigmoid, "linear": lambda x: x}[head]

    def wiring(net: Layers, x):
        skips = []
        for i in range(4):
            d = keras_conv(net, x, f"down.{i}.first", "c")
            x = keras_conv(net, d, f"down.{i}.first", steps[1:])
            x = keras_conv(net, x, f"down.{i}.second", steps) + d
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = keras_conv(net, keras_conv(net, x, "bottom.0", "ca"), "bottom.1", "ca")
        for i in range(4):
            x = torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), skips[3 - i]], dim=1)
            x = keras_conv(net, keras_conv(net, x, f"merge.{i}.0", steps), f"merge.{i}.1", steps)
        return squash(net.conv(x, "head" if head == "linear" else "head.0"))

    return wiring


@pytest.mark.parametrize("order, head", [("norm-act", "tanh"), ("act-norm", "sigmoid"), ("norm-act", "linear")])
@pytest.mark.parametrize("training", [True, False])
def test_keras_depth_unet(order: str, head: str, training: bool) -> None:
    model = KerasDepthUNet(base_channels=2, order=order, head=head, rng=0)
    assert_agrees(model, keras_depth_unet(order, head), (2, 3, 32, 48), training=training)


def xception_unet(net: Layers, x):
    """As the tutorial has it: SAME padding, both branches of the way up enlarged before they are added."""

    def separable(x, name: str, i: int):
        depthwise = net.conv(x, f"{name}.{i}", padding=1, groups=x.shape[1])
        return net.norm(net.conv(depthwise, f"{name}.{i + 1}"), f"{name}.{i + 2}", **KERAS)

    x = net.conv(F.pad(x, (0, 1, 0, 1)), "entry.1", stride=2)
    previous = x = torch.relu(net.norm(x, "entry.2", **KERAS))
    for i in range(3):
        x = separable(torch.relu(x), f"down.{i}.convs", 1)
        x = separable(torch.relu(x), f"down.{i}.convs", 5)
        x = F.max_pool2d(F.pad(x, (0, 1, 0, 1), value=float("-inf")), 3, stride=2)
        previous = x = x + net.conv(previous, f"down.{i}.shortcut", stride=2)
    for i in range(4):
        for layer in (1, 4):
            x = net.conv_transpose(torch.relu(x), f"up.{i}.convs.{layer}", padding=1)
            x = net.norm(x, f"up.{i}.convs.{layer + 1}", **KERAS)
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        residual = net.conv(F.interpolate(previous, scale_factor=2, mode="nearest"), f"up.{i}.shortcut")
        previous = x = x + residual
    return net.conv(x, "head", padding=1)


@pytest.mark.parametrize("training", [True, False])
def test_xception_unet(training: bool) -> None:
    assert_agrees(XceptionUNet(base_channels=2, rng=0), xception_unet, (2, 3, 32, 48), training=training)


def double_conv(net: Layers, x, name: str):
    for i in (1, 2):
        x = net.conv(x, f"{name}.conv{i}", padding=1)
        x = torch.relu(net.norm(x, f"{name}.bn{i}") if f"{name}.bn1.weight" in net.weights else x)
    return x


def unet(up: str):
    """Two levels, with the ways up of the scratch U-Net and of the one for pets."""

    def enlarge(net: Layers, x, name: str):
        if up == "transposed":
            return net.conv_transpose(x, name, stride=2)
        if up == "nearest-2x2":
            return net.conv(F.pad(F.interpolate(x, scale_factor=2, mode="nearest"), (0, 1, 0, 1)), f"{name}.2")
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=up == "bilinear")
        if up == "bilinear":
            return x
        return net.conv(x, f"{name}.1", padding=1) if up == "bilinear-3x3" else net.conv(x, f"{name}.0")

    def wiring(net: Layers, x):
        skip0 = double_conv(net, x, "down.0")
        skip1 = double_conv(net, F.max_pool2d(skip0, 2), "down.1")
        x = double_conv(net, F.max_pool2d(skip1, 2), "bottom")
        for i, skip in enumerate((skip1, skip0)):
            x = enlarge(net, x, f"up.{i}")
            rows, columns = (a - b for a, b in zip(skip.shape[2:], x.shape[2:]))
            x = F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
            x = double_conv(net, torch.cat([skip, x], dim=1), f"merge.{i}")
        return net.conv(x, "head")

    return wiring


@pytest.mark.parametrize("up", ["transposed", "bilinear-1x1", "bilinear-3x3", "bilinear"])
@pytest.mark.parametrize("training", [True, False])
def test_scratch_unet(up: str, training: bool) -> None:
    model = ScratchUNet(base_channels=4, depth=2, up=up, any_size=True, rng=0)
    assert_agrees(model, unet(up), (2, 3, 15, 22), training=training)


@pytest.mark.parametrize("up", ["transposed", "nearest-2x2"])
def test_pets_unet(up: str) -> None:
    assert_agrees(PetsUNet(base_channels=4, depth=2, up=up, rng=0), unet(up), (2, 3, 16, 24), training=True)

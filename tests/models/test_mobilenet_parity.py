"""MobileNet and its decoders against the same written for PyTorch, with shared weights. Skips without torch."""

from __future__ import annotations

import pytest

from minidepth.models import MobileNet

torch = pytest.importorskip("torch", reason="torch is not installed")
from torch_network import Layers, assert_agrees  # noqa: E402

F = torch.nn.functional
WIDTHS = (2, 4, 4, 6, 6, 8, 8, 10, 8, 10, 8, 10, 8, 16, 8, 8, 6, 4, 2)
SHUFFLE_WIDTHS = (*WIDTHS[:13], 1024, *WIDTHS[14:])


def encoder(net: Layers, x):
    seen = []
    for i in range(14):
        stride = 2 if i in (0, 2, 4, 6, 12) else 1
        groups = 1 if i == 0 else x.shape[1]
        x = F.relu6(net.norm(net.conv(x, f"encoder.{i}.0", stride=stride, padding=1, groups=groups), f"encoder.{i}.1"))
        if i > 0:
            x = F.relu6(net.norm(net.conv(x, f"encoder.{i}.3"), f"encoder.{i}.4"))
        seen.append(x)
    return seen


def decoder_stage(net: Layers, x, kind: str, k: int, name: str):
    def block(x, name: str, **options):
        return torch.relu(net.norm(net.conv(x, f"{name}.0", **options), f"{name}.1"))

    first = 1 if kind in ("shuffle", "upconv") else 0  # the place of the first convolution in the stage
    depthwise = f"{name}.{first + 1}.0.weight" in net.weights
    groups = x.shape[1] if depthwise else 1
    if kind == "deconv":
        options = {"stride": 2, "padding": (k - 1) // 2, "output_padding": k % 2, "groups": groups}
        x = torch.relu(net.norm(net.conv_transpose(x, f"{name}.0.0", **options), f"{name}.0.1"))
        return block(x, f"{name}.1") if depthwise else x
    if kind == "shuffle":
        x = F.pixel_shuffle(x, 2)
        groups = x.shape[1] if depthwise else 1
        if f"{name}.1.0.weight" not in net.weights:
            return x
    if kind in ("upconv", "upproj"):
        spread = torch.zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3], dtype=x.dtype)
        spread[:, :, ::2, ::2] = x
        x = spread
    if kind == "upproj":
        a = torch.relu(net.norm(net.conv(x, f"{name}.branch1.0", padding=2), f"{name}.branch1.1"))
        a = net.norm(net.conv(a, f"{name}.branch1.3", padding=1), f"{name}.branch1.4")
        return torch.relu(a + net.norm(net.conv(x, f"{name}.branch2.0", padding=2), f"{name}.branch2.1"))
    x = block(x, f"{name}.{first}", padding=(k - 1) // 2, groups=groups)
    if depthwise:
        x = block(x, f"{name}.{first + 1}")
    if kind == "nnconv":
        x = F.interpolate(x, scale_factor=2, mode="nearest")
    if kind == "blconv":
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
    return x


def mobilenet(kind: str, k: int, skip: str):
    def wiring(net: Layers, x):
        seen = encoder(net, x)
        x = seen[-1]
        for i in range(5):
            x = decoder_stage(net, x, kind, k, f"decoder.{i}")
            if skip != "none" and i in (1, 2, 3):
                other = seen[{1: 5, 2: 3, 3: 1}[i]]
                x = x + other if skip == "add" else torch.cat([x, other], dim=1)
        return x if kind == "shuffle" else torch.relu(net.norm(net.conv(x, "last.0"), "last.1"))

    return wiring


CASES = [
    ("nnconv5dw", "add", True),
    ("nnconv5dw", "add", False),
    ("nnconv3", "concat", True),
    ("blconv7dw", "none", True),
    ("deconv5dw", "add", True),
    ("deconv9", "concat", False),
    ("deconv3", "none", True),
    ("shuffle5dw", "none", True),
    ("shuffle3", "none", False),
    ("upconv", "add", True),
    ("upproj", "concat", True),
    ("upproj", "add", False),
]


@pytest.mark.parametrize("decoder, skip, training", CASES)
def test_agrees_with_pytorch(decoder: str, skip: str, training: bool) -> None:
    kind = "".join(letter for letter in decoder.removesuffix("dw") if letter.isalpha())
    k = int("".join(letter for letter in decoder if letter.isdigit()) or 5)
    widths = SHUFFLE_WIDTHS if kind == "shuffle" else WIDTHS
    model = MobileNet(decoder=decoder, skip=skip, widths=widths, rng=0)
    assert_agrees(model, mobilenet(kind, k, skip), (2, 3, 64, 96), training=training)

"""The U-Net on ResNet-50: count, both ways up, the picture as the last skip connection."""

from __future__ import annotations

import numpy as np
import pytest

from minidepth import Tensor, no_grad
from minidepth.errors import InputError
from minidepth.models.resnet50_unet import ResNet50UNet, WayUp
from minidepth.nn.init import empty_weights

SMALL = {"width": 2, "blocks": (1, 1, 1, 1)}


@pytest.mark.parametrize(
    "options, count",
    [({}, 147_808_641), ({"out_channels": 2}, 147_808_706), ({"up": "bilinear"}, 147_808_641 - 3 * 2_793_472)],
)
def test_counts(options: dict, count: int) -> None:
    """A 1x1 convolution has a quarter of a 2x2 one's weights: 2048 * 1024 + 1024 * 512 + ... = 2,793,472 of four."""
    with empty_weights():
        model = ResNet50UNet(**options)
    assert sum(parameter.size for parameter in model.parameters()) == count


def test_counts_of_parts() -> None:
    with empty_weights():
        model = ResNet50UNet()
    parts = [model.encoder, model.bridge, *model.up, model.head]
    counts = [sum(parameter.size for parameter in part.parameters()) for part in parts]
    assert counts == [23_508_032, 75_509_760, 36_707_328, 9_178_624, 2_295_552, 500_608, 108_672, 65]


@pytest.mark.parametrize("up", ["transposed", "bilinear"])
def test_both_ways_up_compute_and_reach_every_parameter(up: str) -> None:
    model = ResNet50UNet(out_channels=2, up=up, rng=0, **SMALL)
    rng = np.random.default_rng(0)
    y = model(Tensor(rng.standard_normal((2, 3, 32, 64)).astype(np.float32)))
    assert y.shape == (2, 2, 32, 64)
    y.backward(rng.standard_normal(y.shape).astype(np.float32))
    for name, parameter in model.named_parameters():
        undone = name.endswith("conv.bias")  # by the batch-norm behind it
        assert parameter.grad is not None and (undone or parameter.grad.any()), name


@no_grad()
def test_what_comes_from_below_lies_before_the_skip_connection() -> None:
    way_up = WayUp(4, 3, "transposed", 0)
    seen: list[Tensor] = []
    way_up.merge[0].forward = lambda x: seen.append(x) or Tensor(x.data[:, :2])
    x = Tensor(np.ones((1, 4, 2, 2), np.float32))
    skip = Tensor(np.full((1, 3, 4, 4), 7, np.float32))
    way_up(x, skip)
    np.testing.assert_array_equal(seen[0].data[:, 2:], skip.data)
    np.testing.assert_array_equal(seen[0].data[:, :2], way_up.up(x).data)


@no_grad()
def test_the_last_skip_connection_is_the_picture() -> None:
    model = ResNet50UNet(rng=0, **SMALL).eval()
    seen: list[Tensor] = []
    last = model.up[4]
    forward = last.forward
    last.__dict__["forward"] = lambda x, skip: seen.append(skip) or forward(x, skip)
    x = Tensor(np.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype(np.float32))
    model(x)
    assert seen[0] is x


def test_bad_input() -> None:
    with pytest.raises(InputError, match="ResNet50UNet: up is 'nearest'; use 'transposed' or 'bilinear'"):
        ResNet50UNet(up="nearest")
    with pytest.raises(InputError, match="ResNet50UNet: width is 0"):
        ResNet50UNet(width=0)
    with pytest.raises(InputError, match="ResNet50UNet: a picture of 480x630 .* such as 480x640"):
        ResNet50UNet(rng=0, **SMALL)(Tensor(np.zeros((1, 3, 480, 630), np.float32)))

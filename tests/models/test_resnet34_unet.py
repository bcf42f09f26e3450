"""The U-Nets on ResNet-34: counts, sizes, what they are told off for."""

from __future__ import annotations

import numpy as np
import pytest
from kept import kept_bytes

from minidepth import Tensor, models, no_grad
from minidepth.errors import InputError
from minidepth.models.resnet34_unet import WayUp
from minidepth.nn import BatchNorm2d, watch
from minidepth.nn.init import empty_weights

NAMES = ["resnet34_unet", "resnet34_unet_preact"]
SMALL = {"width": 4, "blocks": (1, 1, 1, 1)}


def test_counts() -> None:
    with empty_weights():
        torchvision, keras = (models.build(name) for name in NAMES)
    assert sum(parameter.size for parameter in torchvision.parameters()) == 24_436_369
    assert sum(parameter.size for parameter in keras.parameters()) == 24_438_804
    statistics = [buffer.data.size for name, buffer in keras.named_buffers() if "running" in name]
    assert sum(statistics) == 17_350 and 24_438_804 + 17_350 == 24_456_154


def test_the_constants_of_batch_norm_are_those_of_each_library() -> None:
    with empty_weights():
        torchvision, keras = (models.build(name) for name in NAMES)
    for model, expected in ((torchvision, {(1e-5, 0.1)}), (keras, {(1e-3, 0.01)})):
        norms = [module for module in model.up.modules() if isinstance(module, BatchNorm2d)]
        assert {(norm.eps, norm.momentum) for norm in norms} == expected


@pytest.mark.parametrize("name", NAMES)
def test_output_is_a_share_and_every_parameter_is_reached(name: str) -> None:
    model = models.build(name, out_channels=2, rng=0, **SMALL)
    rng = np.random.default_rng(0)
    y = model(Tensor(rng.standard_normal((2, 3, 64, 96)).astype(np.float32)))
    assert y.shape == (2, 2, 64, 96) and y.dtype == np.float32
    assert 0 < y.data.min() and y.data.max() < 1
    y.backward(rng.standard_normal(y.shape).astype(np.float32))
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), key


def test_widths_of_the_way_up() -> None:
    with empty_weights():
        model = models.build("resnet34_unet")
    shapes = {
        key: array.shape[:2] for key, array in model.state_dict().items() if "conv" in key and key.startswith("up")
    }
    assert list(shapes.values()) == [
        *((256, 768), (256, 256), (128, 384), (128, 128), (64, 192), (64, 64), (32, 128), (32, 32), (16, 32), (16, 16))
    ]


@no_grad()
def test_what_comes_from_below_lies_before_the_skip_connection() -> None:
    way_up = WayUp(5, 2, BatchNorm2d, 0).eval()
    x, skip = Tensor(np.ones((1, 2, 2, 2), np.float32)), Tensor(np.full((1, 3, 4, 4), 7, np.float32))
    seen = []
    with watch(way_up, lambda name, layer, inputs, output: seen.append(inputs[0].data)):
        way_up(x, skip)
    np.testing.assert_array_equal(seen[1][:, :2], 1)
    np.testing.assert_array_equal(seen[1][:, 2:], 7)


@no_grad()
def test_smallest_picture() -> None:
    for name in NAMES:
        model = models.build(name, rng=0, **SMALL).eval()
        assert model(Tensor(np.zeros((1, 3, 32, 32), np.float32))).shape == (1, 1, 32, 32)


def test_evaluation_keeps_nothing_for_backward() -> None:
    model = models.build("resnet34_unet", rng=0, **SMALL)
    x = Tensor(np.zeros((1, 3, 64, 64), np.float32))
    with no_grad():
        assert not model.eval()(x).requires_grad
    assert kept_bytes(model(x)) > 0


def test_bad_input() -> None:
    model = models.build("resnet34_unet", rng=0, **SMALL)
    with pytest.raises(InputError, match="ResNet34UNet: a picture of 64x90 .* multiples of 32, such as 64x96"):
        model(Tensor(np.zeros((1, 3, 64, 90), np.float32)))
    with pytest.raises(InputError, match=r"ResNet34UNet: the input has shape \(1, 1, 64, 96\)"):
        model(Tensor(np.zeros((1, 1, 64, 96), np.float32)))
    for name in NAMES:
        with pytest.raises(InputError, match="width is 3; it must be at least 4"):
            models.build(name, width=3)
        with pytest.raises(InputError, match="out_channels is 0"):
            models.build(name, out_channels=0)

"""Shapes without computing: every layer, in many settings, says the shape that it gives; whole networks too."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
from network_checks import outputs_of, pictures

from minidepth import Tensor, models, nn, no_grad
from minidepth.shapes import SHAPES, shapes_only

LAYERS = [
    nn.Conv2d(4, 6, 3, rng=0),
    nn.Conv2d(4, 8, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2, bias=False, rng=0),
    nn.Conv2d(4, 4, 5, stride=2, padding=2, groups=4, rng=0),
    nn.ConvTranspose2d(4, 2, 2, stride=2, rng=0),
    nn.ConvTranspose2d(4, 6, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), groups=2, rng=0),
    nn.ConvTranspose2d(4, 4, 3, dilation=2, padding=1, rng=0),
    nn.Linear(9, 5, rng=0),
    nn.BatchNorm2d(4).eval(),
    nn.Dropout(0.5).eval(),
    nn.Identity(),
    nn.LeakyReLU(),
    nn.ReLU(),
    nn.ReLU6(),
    nn.Sigmoid(),
    nn.Softmax(1),
    nn.Tanh(),
    nn.MaxPool2d(2),
    nn.MaxPool2d(3, stride=2, padding=1),
    nn.MaxPool2d((3, 2), stride=2, ceil_mode=True),
    nn.AvgPool2d(2, stride=(1, 2)),
    nn.AdaptiveAvgPool2d((3, 2)),
    nn.Upsample(scale_factor=2),
    nn.Upsample(scale_factor=(1.5, 3), mode="bilinear"),
    nn.Upsample(size=(5, 11), mode="bilinear", align_corners=True),
    nn.ZeroPad2d((1, 2, 0, 3)),
    nn.SamePad2d(3, 2),
    nn.PixelShuffle(2),
    nn.UnpoolZeros(2),
]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_a_layer_gives_no_pictures_of_the_size_that_it_would_give(layer: nn.Module) -> None:
    (x,) = pictures((2, 4, 8, 9))
    expected = layer(x)
    with shapes_only(layer):
        y = layer(Tensor(np.empty((0, 4, 8, 9), np.float32)))
    assert y.shape == (0, *expected.shape[1:]) and y.dtype == np.float32
    assert layer(x).shape == expected.shape


def test_every_layer_of_nn_is_known_and_tried() -> None:
    containers = {nn.Module, nn.ModuleList, nn.Sequential}
    layers = {value for value in vars(nn).values() if inspect.isclass(value) and issubclass(value, nn.Module)}
    assert layers - containers == set(SHAPES) == {type(layer) for layer in LAYERS}


def test_nothing_is_multiplied(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args, **options):
        raise RuntimeError("a convolution was computed")

    monkeypatch.setattr("minidepth.ops.conv2d", fail)
    monkeypatch.setattr("minidepth.ops.conv_transpose2d", fail)
    model = models.UNet(base_channels=2, depth=2, rng=0)
    with shapes_only(model):
        assert model(Tensor(np.empty((0, 3, 400, 800), np.float32))).shape == (0, 1, 400, 800)
    with pytest.raises(RuntimeError, match="was computed"):
        model(*pictures((1, 3, 4, 4)))


def test_a_size_that_does_not_fit_is_the_error_of_the_layer() -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 5, rng=0))
    with shapes_only(model), pytest.raises(ValueError, match="conv2d: the kernel is larger than the padded picture"):
        model(Tensor(np.empty((0, 3, 4, 4), np.float32)))


SMALL = [
    ("unet:base_channels=2,depth=2,padding=valid", (44, 52)),
    ("pets_unet:base_channels=2", (16, 32)),
    ("xception_unet:base_channels=2", (32, 48)),
    ("keras_depth_unet:base_channels=2", (16, 32)),
    ("custom_unet:base_channels=2", (32, 16)),
    ("scratch_unet:base_channels=2,up=bilinear,any_size", (17, 35)),
    ("masknet3:base_channels=2", (7, 5)),
    ("depthmasknet8:base_channels=1", (32, 64)),
]


@pytest.mark.parametrize("text, size", SMALL)
def test_a_network_gives_the_shapes_of_its_layers_and_outputs(text: str, size: tuple[int, int]) -> None:
    model = models.build(text, rng=0).eval()
    count = len(getattr(model, "inputs", ("image",)))

    def shapes(inputs: list[Tensor]) -> list[tuple]:
        seen: list[tuple] = []
        with no_grad(), nn.watch(model, lambda name, layer, x, y: seen.append((name, y.shape[1:]))):
            seen.append(tuple(y.shape[1:] for y in outputs_of(model, *inputs)))
        return seen

    expected = shapes(pictures(*[(1, 3, *size)] * count))
    with shapes_only(model):
        assert shapes([Tensor(np.empty((0, 3, *size), np.float32))] * count) == expected

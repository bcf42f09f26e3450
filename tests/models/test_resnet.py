"""The ResNet encoders: torchvision's names and counts, sizes of the feature maps, a block by hand."""

from __future__ import annotations

import numpy as np
import pytest

from minidepth import Tensor, no_grad, ops
from minidepth.models.resnet import BasicBlock, Bottleneck, resnet34, resnet50
from minidepth.nn.init import empty_weights

NORM = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]


@pytest.mark.parametrize(
    "make, parameters, tensors, channels",
    [
        (resnet34, 21_284_672, 218 - 2, (64, 64, 128, 256, 512)),
        (resnet50, 23_508_032, 320 - 2, (64, 256, 512, 1024, 2048)),
    ],
)
def test_counts_are_those_of_torchvision_without_fc(make, parameters: int, tensors: int, channels: tuple) -> None:
    with empty_weights():
        encoder = make()
    assert sum(parameter.size for parameter in encoder.parameters()) == parameters
    assert len(encoder.state_dict()) == tensors
    assert encoder.channels == channels


def test_names_are_those_of_torchvision() -> None:
    with empty_weights():
        basic, deep = (list(make(1, (1, 2, 1, 1)).state_dict()) for make in (resnet34, resnet50))
    top = ["conv1.weight", *(f"bn1.{name}" for name in NORM)]
    block = [
        f"{part}{i}.{name}" for i in (1, 2) for part, names in (("conv", ["weight"]), ("bn", NORM)) for name in names
    ]
    shortcut = ["downsample.0.weight", *(f"downsample.1.{name}" for name in NORM)]
    places = ["layer1.0", "layer2.0", "layer2.1", "layer3.0", "layer4.0"]
    expected = [
        f"{place}.{name}"
        for place in places
        for name in block + (shortcut if place in ("layer2.0", "layer3.0", "layer4.0") else [])
    ]
    assert basic == [*top, *expected]
    assert [name for name in deep if name.startswith("layer1.0") and name.endswith("weight")] == [
        f"layer1.0.{name}.weight"
        for name in ("conv1", "bn1", "conv2", "bn2", "conv3", "bn3", "downsample.0", "downsample.1")
    ]
    assert "layer2.1.downsample.0.weight" not in deep and "layer2.1.conv3.weight" in deep


def test_shapes_of_weights() -> None:
    with empty_weights():
        shapes = {name: array.shape for name, array in resnet50().state_dict().items()}
    assert shapes["conv1.weight"] == (64, 3, 7, 7)
    assert shapes["layer2.0.conv1.weight"] == (128, 256, 1, 1)
    assert shapes["layer2.0.conv2.weight"] == (128, 128, 3, 3)
    assert shapes["layer2.0.conv3.weight"] == (512, 128, 1, 1)
    assert shapes["layer2.0.downsample.0.weight"] == (512, 256, 1, 1)


@no_grad()
@pytest.mark.parametrize("size, sizes", [((64, 96), (32, 16, 8, 4, 2)), ((57, 96), (29, 15, 8, 4, 2))])
@pytest.mark.parametrize("make", [resnet34, resnet50])
def test_five_feature_maps_round_up(make, size: tuple[int, int], sizes: tuple[int, ...]) -> None:
    encoder = make(2, (1, 1, 1, 1), rng=0)
    features = encoder(Tensor(np.zeros((1, 3, *size), np.float32)))
    assert [feature.shape[2] for feature in features] == list(sizes)
    assert [feature.shape[3] for feature in features] == [48, 24, 12, 6, 3]
    assert tuple(feature.shape[1] for feature in features) == encoder.channels


def test_a_block_adds_to_its_input() -> None:
    rng = np.random.default_rng(0)
    x = Tensor(rng.standard_normal((2, 4, 5, 6)).astype(np.float32))
    for block in (BasicBlock(4, 4, 1, 0), Bottleneck(4, 1, 1, 0)):
        assert block.downsample is None
        last = block.bn3 if isinstance(block, Bottleneck) else block.bn2
        last.weight.data[...] = 0  # the branch is nothing but this bias
        last.bias.data[...] = [0.5, -0.5, 0, 1]
        expected = np.maximum(x.data + np.array([0.5, -0.5, 0, 1])[:, None, None], 0)
        np.testing.assert_allclose(block(x).data, expected, rtol=1e-6)


def test_the_stride_of_a_bottleneck_is_on_its_3x3_convolution() -> None:
    block = Bottleneck(4, 1, 2, 0)
    assert [block.conv1.stride, block.conv2.stride, block.conv3.stride] == [(1, 1), (2, 2), (1, 1)]
    assert block.downsample is not None and block.downsample[0].stride == (2, 2)


def test_the_first_maximum_is_over_a_frame_of_nothing() -> None:
    encoder = resnet34(2, (1, 1, 1, 1), rng=0)
    x = Tensor(-np.ones((1, 2, 4, 4), np.float32))
    np.testing.assert_array_equal(encoder.maxpool(x).data, -1)  # a frame of zeros would win
    assert ops.max_pool2d(x, 3, 2, 1).shape == (1, 2, 2, 2)

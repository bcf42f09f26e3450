"""The DenseNet encoder: torchvision's names and count, and that a layer adds to the stack it was given."""

from __future__ import annotations

import numpy as np

from minidepth import Tensor, no_grad
from minidepth.models.densenet import DenseLayer, DenseNet
from minidepth.nn.init import empty_weights


def test_count_and_channels_are_those_of_densenet169() -> None:
    with empty_weights():
        encoder = DenseNet()
    assert sum(parameter.size for parameter in encoder.parameters()) == 12_484_480
    assert encoder.channels == (64, 64, 128, 256, 1664)


def test_names_are_those_of_torchvision() -> None:
    with empty_weights():
        encoder = DenseNet()
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in encoder.state_dict()))
    expected = ["conv0", "norm0"]
    for block, count in enumerate((6, 12, 32, 32), start=1):
        expected += [
            f"denseblock{block}.denselayer{layer}.{name}"
            for layer in range(1, count + 1)
            for name in ("norm1", "conv1", "norm2", "conv2")
        ]
        expected += [f"transition{block}.norm", f"transition{block}.conv"] if block < 4 else ["norm5"]
    assert layers == [f"features.{name}" for name in expected]


@no_grad()
def test_five_feature_maps() -> None:
    encoder = DenseNet((1, 2, 1, 1), growth=2, width=4, rng=0)
    features = encoder(Tensor(np.random.default_rng(0).standard_normal((2, 3, 64, 96)).astype(np.float32)))
    assert [feature.shape[1:] for feature in features] == [(4, 32, 48), (4, 16, 24), (3, 8, 12), (3, 4, 6), (4, 2, 3)]
    assert tuple(feature.shape[1] for feature in features) == encoder.channels
    assert features[0].data.min() == features[4].data.min() == 0  # behind a ReLU


@no_grad()
def test_a_layer_puts_what_it_finds_behind_what_it_was_given() -> None:
    layer = DenseLayer(3, 2, 0).eval()
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32))
    y = layer(x)
    assert y.shape == (2, 5, 4, 5)
    np.testing.assert_array_equal(y.data[:, :3], x.data)
    assert y.data[:, 3:].any()

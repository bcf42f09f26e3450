"""The U-Net that labels pets: its count in both forms, its classes, its sizes with and without padding."""

from __future__ import annotations

import numpy as np
import pytest
from network_checks import assert_every_parameter_counts, assert_one_seed_one_network, counts, pictures

from minidepth import Tensor, no_grad
from minidepth.errors import InputError
from minidepth.models import PetsUNet
from minidepth.models.unet import halve_channels_double_size


@pytest.mark.parametrize("up", ["nearest-2x2", "transposed"])
def test_published_count_with_both_ways_up(up: str) -> None:
    assert counts(PetsUNet, up=up) == (31_031_875, 0)


@pytest.mark.parametrize("up", ["nearest-2x2", "transposed"])
@no_grad()
def test_logits_of_three_classes_as_large_as_the_picture(up: str) -> None:
    model = PetsUNet(base_channels=2, up=up, rng=0)
    assert (model.outputs, model.multiple) == (("labels",), 16)
    y = model(*pictures((2, 3, 32, 16))).data
    assert y.shape == (2, 3, 32, 16)
    assert np.abs(np.exp(y).sum(axis=1) - 1).max() > 0.01  # no softmax


@no_grad()
def test_without_padding_the_labels_are_of_a_smaller_picture() -> None:
    model = PetsUNet(base_channels=1, padding="valid", rng=0)
    assert model(*pictures((1, 3, 188, 204))).shape == (1, 3, 4, 20)


def test_a_2x2_convolution_behind_the_enlargement_sees_itself_and_what_follows() -> None:
    layers = halve_channels_double_size(2, "nearest-2x2", "he", 0)
    layers[2].weight.data[...] = [[[[1, 10], [100, 1000]], [[0, 0], [0, 0]]]]
    x = Tensor(np.array([[[[1, 2]], [[7, 7]]]], np.float32))
    np.testing.assert_array_equal(layers(x).data, [[[[1111, 2121, 2222, 202], [11, 21, 22, 2]]]])


def test_weights_and_biases_start_as_in_keras() -> None:
    state = PetsUNet(base_channels=4, rng=0).state_dict()
    assert all(not array.any() for name, array in state.items() if name.endswith("bias"))
    weight = state["down.1.conv1.weight"]
    assert 0.95 * (6 / (12 * 9)) ** 0.5 < np.abs(weight).max() <= (6 / (12 * 9)) ** 0.5 * 1.000001


def test_every_parameter_counts_and_one_seed_gives_one_network() -> None:
    assert_every_parameter_counts(PetsUNet(base_channels=3, rng=0), *pictures((2, 3, 16, 32)))
    assert_one_seed_one_network(PetsUNet, base_channels=2)


def test_inputs_and_options_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="a picture of 160x150 .* multiples of 16, such as 160x144"):
        PetsUNet(base_channels=1, rng=0)(*pictures((1, 3, 160, 150)))
    with pytest.raises(InputError, match="up is 'cubic'; use 'transposed' or .*'nearest-2x2'"):
        PetsUNet(up="cubic")

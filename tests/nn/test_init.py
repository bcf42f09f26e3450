"""The recipes for first weights: their spread, their bounds, and where their randomness comes from."""

from __future__ import annotations

import numpy as np
import pytest

from minidepth.nn import Conv2d, ConvTranspose2d
from minidepth.nn.init import empty_weights


def test_he_has_the_right_spread_and_no_bias() -> None:
    layer = Conv2d(32, 64, 3, init="he", rng=0)
    assert layer.weight.dtype == np.float32
    assert layer.weight.data.std() == pytest.approx((2 / (32 * 9)) ** 0.5, rel=0.02)
    assert abs(layer.weight.data.mean()) < 0.002
    assert not layer.bias.data.any()


def test_he_counts_what_is_summed_into_one_output() -> None:
    grouped = Conv2d(32, 64, 3, groups=4, init="he", rng=0)
    assert grouped.weight.data.std() == pytest.approx((2 / (8 * 9)) ** 0.5, rel=0.04)
    up = ConvTranspose2d(64, 32, 2, stride=2, init="he", rng=0)  # each output pixel sees one input pixel
    assert up.weight.data.std() == pytest.approx((2 / 64) ** 0.5, rel=0.04)


@pytest.mark.parametrize("layer, fan_in", [(Conv2d, 16 * 9), (ConvTranspose2d, 24 * 9)])
def test_pytorch_is_uniform_up_to_one_over_root_fan_in(layer: type, fan_in: int) -> None:
    made = layer(16, 24, 3, rng=0)
    bound = fan_in**-0.5
    assert made.weight.dtype == made.bias.dtype == np.float32
    assert 0.99 * bound < abs(made.weight.data).max() <= bound
    assert made.weight.data.std() == pytest.approx(bound / 3**0.5, rel=0.03)
    assert 0.8 * bound < abs(made.bias.data).max() <= bound


@pytest.mark.parametrize(
    "make, fans",
    [
        (lambda: Conv2d(16, 48, 3, init="glorot", rng=0), (16 + 48) * 9),
        (lambda: ConvTranspose2d(24, 40, (2, 3), init="glorot", rng=0), (24 + 40) * 6),
        (lambda: Conv2d(640, 640, 3, groups=640, init="glorot", rng=0), (640 + 1) * 9),  # as Keras counts
    ],
)
def test_glorot_is_uniform_up_to_the_root_of_6_over_both_fans_and_has_no_bias(make, fans: int) -> None:
    made = make()
    bound = (6 / fans) ** 0.5
    assert made.weight.dtype == np.float32
    assert 0.99 * bound < abs(made.weight.data).max() <= bound * (1 + 1e-6)
    assert made.weight.data.std() == pytest.approx(bound / 3**0.5, rel=0.03)
    assert abs(made.weight.data.mean()) < 0.05 * bound
    assert not made.bias.data.any()


@pytest.mark.parametrize(
    "make, fan_out",
    [
        (lambda: Conv2d(16, 48, 3, init="he_out", rng=0), 48 * 9),
        (lambda: ConvTranspose2d(24, 40, (2, 3), init="he_out", rng=0), 24 * 6),  # as FastDepth counts
        (lambda: Conv2d(640, 640, 3, groups=640, init="he_out", rng=0), 640 * 9),
    ],
)
def test_he_out_counts_the_first_size_of_the_weight(make, fan_out: int) -> None:
    made = make()
    assert made.weight.data.std() == pytest.approx((2 / fan_out) ** 0.5, rel=0.03)
    assert not made.bias.data.any()


def test_without_filling_every_recipe_gives_zeros() -> None:
    with empty_weights():
        for init in ("he", "he_out", "pytorch", "glorot"):
            assert not Conv2d(2, 3, 3, init=init, rng=0).weight.data.any()
    assert Conv2d(2, 3, 3, init="glorot", rng=0).weight.data.all()


def test_a_seed_repeats_and_a_generator_goes_on() -> None:
    first, again = Conv2d(2, 3, 3, rng=5), Conv2d(2, 3, 3, rng=5)
    np.testing.assert_array_equal(first.weight.data, again.weight.data)
    rng = np.random.default_rng(5)
    np.testing.assert_array_equal(Conv2d(2, 3, 3, rng=rng).weight.data, first.weight.data)
    assert (Conv2d(2, 3, 3, rng=rng).weight.data != first.weight.data).any()


def test_the_global_generator_is_neither_used_nor_moved() -> None:
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    Conv2d(2, 3, 3)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_unknown_recipe() -> None:
    with pytest.raises(ValueError, match="init is 'xavier'; use 'he', 'he_out', 'pytorch' or 'glorot'"):
        Conv2d(1, 1, 1, init="xavier")

"""The custom U-Net of system 002-B: its count, sizes, range and order, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from network_checks import assert_every_parameter_counts, assert_one_seed_one_network, counts, pictures

from minidepth import no_grad
from minidepth.errors import InputError
from minidepth.models import CustomUNet
from minidepth.nn import BatchNorm2d, Conv2d, watch


def test_published_count() -> None:
    trained, moving = counts(CustomUNet)
    assert (trained, moving, trained + moving) == (8_634_593, 3_840, 8_638_433)


@no_grad()
def test_depth_of_the_same_size_between_0_and_1() -> None:
    model = CustomUNet(base_channels=2, rng=0).eval()
    y = model(*pictures((2, 3, 16, 48)))
    assert y.shape == (2, 1, 16, 48) and model.multiple == 16
    assert 0 < y.data.min() < y.data.max() < 1
    model.head[0].bias.data[...] = 30
    assert model(*pictures((1, 3, 16, 16))).data.min() > 0.999


def test_the_sizes_on_the_way_and_activation_before_norm() -> None:
    calls: list[tuple[str, tuple[int, ...]]] = []
    model = CustomUNet(base_channels=2, rng=0)
    with watch(model, lambda name, layer, x, y: calls.append((name, y.shape[1:]))):
        model(*pictures((1, 3, 32, 48)))
    shapes = dict(calls)
    assert shapes["bottom.1.act"] == (32, 2, 3)  # 240x320 would give 15x20
    assert shapes["up.0.conv"] == (16, 4, 6)
    assert shapes["merge.3.1.norm"] == (2, 32, 48)
    names = [name for name, _ in calls if name.startswith("down.0.0")]
    assert names == ["down.0.0.conv", "down.0.0.act", "down.0.0.norm"]


def test_constants_of_keras() -> None:
    model = CustomUNet(base_channels=1, rng=0)
    norms = [module for module in model.modules() if isinstance(module, BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)} and len(norms) == 16
    convs = [module for module in model.modules() if isinstance(module, Conv2d)]
    assert all(not conv.bias.data.any() for conv in convs) and len(convs) == 8 + 2 + 4 + 8 + 1


def test_every_parameter_counts_and_one_seed_gives_one_network() -> None:
    assert_every_parameter_counts(CustomUNet(base_channels=2, rng=0), *pictures((2, 3, 32, 32)))
    assert_one_seed_one_network(CustomUNet, base_channels=2)


@pytest.mark.parametrize(
    "shape, text",
    [
        ((1, 3, 240, 322), "a picture of 240x322 .* multiples of 16, such as 240x320"),
        ((1, 1, 16, 16), r"the input has shape \(1, 1, 16, 16\); it must be \(N, 3, H, W\)"),
    ],
)
def test_inputs_that_do_not_fit(shape: tuple[int, ...], text: str) -> None:
    with pytest.raises(InputError, match=f"CustomUNet: {text}"):
        CustomUNet(base_channels=1, rng=0)(*pictures(shape))


def test_bad_width() -> None:
    with pytest.raises(InputError, match="CustomUNet: out_channels is 0; it must be at least 1"):
        CustomUNet(out_channels=0)


def test_no_channel_of_the_skip_connection_is_lost() -> None:
    model = CustomUNet(base_channels=2, rng=0).eval()
    x = pictures((1, 3, 16, 16))
    with no_grad():
        before = model(*x).data
        model.merge[3][0].conv.weight.data[:, 2:] = 0  # the second half is what the first level handed over
        after = model(*x).data
    assert np.abs(after - before).max() > 1e-4

"""The network of Hu et al.: count, sizes, and that all four scales reach the fusion."""

from __future__ import annotations

import numpy as np
import pytest

from minidepth import Tensor, no_grad
from minidepth.errors import InputError
from minidepth.models.multi_scale import MultiScale
from minidepth.nn.init import empty_weights

SMALL = {"width": 2, "blocks": (1, 1, 1, 1)}


def test_count() -> None:
    with empty_weights():
        assert sum(parameter.size for parameter in MultiScale().parameters()) == 67_569_473


@no_grad()
@pytest.mark.parametrize("size, expected", [((64, 96), (32, 48)), ((228, 304), (114, 152)), ((33, 21), (18, 12))])
def test_size_of_the_output(size: tuple[int, int], expected: tuple[int, int]) -> None:
    model = MultiScale(rng=0, **SMALL).eval()
    assert model(Tensor(np.zeros((1, 3, *size), np.float32))).shape == (1, 1, *expected)


@no_grad()
def test_the_way_up_goes_through_the_sizes_of_the_encoder_and_the_fusion_straight_to_half() -> None:
    model = MultiScale(rng=0, **SMALL).eval()
    sizes: list[tuple[int, int]] = []

    def noted(forward):
        return lambda x, size: sizes.append(size) or forward(x, size)

    for up in [*model.up, *model.fuse]:
        vars(up)["forward"] = noted(up.forward)
    model(Tensor(np.zeros((1, 3, 228, 304), np.float32)))
    assert sizes == [(15, 19), (29, 38), (57, 76), *5 * [(114, 152)]]


def test_every_parameter_is_reached() -> None:
    model = MultiScale(rng=0, **SMALL)
    rng = np.random.default_rng(0)
    y = model(Tensor(rng.standard_normal((2, 3, 64, 96)).astype(np.float32)))
    y.backward(rng.standard_normal(y.shape).astype(np.float32))
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_widths_of_the_published_network() -> None:
    with empty_weights():
        model = MultiScale()
    ups = [(up.conv1.in_channels, up.conv1.out_channels) for up in [*model.up, *model.fuse]]
    assert ups == [(1024, 512), (512, 256), (256, 128), (128, 64), (256, 16), (512, 16), (1024, 16), (2048, 16)]
    assert model.head.weight.shape == (1, 128, 5, 5)


def test_bad_input() -> None:
    with pytest.raises(InputError, match="MultiScale: out_channels is 0"):
        MultiScale(out_channels=0)
    with pytest.raises(InputError, match=r"MultiScale: the input has shape \(1, 4, 64, 64\)"):
        MultiScale(rng=0, **SMALL)(Tensor(np.zeros((1, 4, 64, 64), np.float32)))

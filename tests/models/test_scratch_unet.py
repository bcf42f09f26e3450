"""The U-Net with batch-norm: all published counts, the four ways up, any size, and the same network as UNet's."""

from __future__ import annotations

import numpy as np
import pytest
from network_checks import assert_every_parameter_counts, assert_one_seed_one_network, counts, pictures

from minidepth import Tensor, no_grad
from minidepth.errors import InputError
from minidepth.models import ScratchUNet, UNet
from minidepth.models.scratch_unet import UPS, framed
from minidepth.nn import watch

COUNTS = [  # 3 channels in, and 1 or 2 out
    ("transposed", 31_037_633, 31_037_698),
    ("bilinear-1x1", 28_948_673, 28_948_738),
    ("bilinear-3x3", 34_519_233, 34_519_298),
    ("bilinear", 17_262_977, 17_263_042),
]


@pytest.mark.parametrize("up, one, two", COUNTS)
def test_published_count(up: str, one: int, two: int) -> None:
    assert counts(ScratchUNet, up=up)[0] == one
    assert counts(ScratchUNet, up=up, out_channels=2)[0] == two


def test_the_forms_differ_by_their_way_up_alone() -> None:
    """A level of 2 n channels: transposed 4 (2 n) n + n, 1x1 (2 n) n + n, 3x3 9 (2 n) n + n numbers."""
    products = sum(2 * n * n for n in (64, 128, 256, 512))
    published = dict((up, one) for up, one, _ in COUNTS)
    assert published["transposed"] - published["bilinear-1x1"] == 3 * products
    assert published["bilinear-3x3"] - published["transposed"] == 5 * products


@no_grad()
def test_transposed_is_the_network_of_unet_with_batch_norm() -> None:
    ours, unet = ScratchUNet(base_channels=2, depth=2, rng=0), UNet(base_channels=2, depth=2, norm="batch", rng=1)
    unet.load_state_dict(ours.state_dict())
    x = pictures((2, 3, 8, 12))
    np.testing.assert_array_equal(ours.eval()(*x).data, unet.eval()(*x).data)


@pytest.mark.parametrize("up", UPS)
def test_every_way_up_computes_and_reaches_every_parameter(up: str) -> None:
    model = ScratchUNet(base_channels=4, depth=2, up=up, rng=0)
    assert model.multiple == 4
    assert model(*pictures((2, 3, 8, 12))).shape == (2, 1, 8, 12)
    assert_every_parameter_counts(model, *pictures((2, 3, 8, 12)))
    assert_one_seed_one_network(ScratchUNet, base_channels=4, depth=2, up=up)


def test_the_channels_on_the_way_up() -> None:
    for up, bottom, merged in [("transposed", 32, (16, 8, 4, 2)), ("bilinear", 16, (8, 4, 2, 2))]:
        channels: dict[str, int] = {}
        model = ScratchUNet(base_channels=2, up=up, rng=0)
        with no_grad(), watch(model, lambda name, layer, x, y, seen=channels: seen.update({name: y.shape[1]})):
            model.eval()(*pictures((1, 3, 16, 16)))
        assert channels["bottom.conv2"] == bottom
        assert tuple(channels[f"merge.{i}.conv2"] for i in range(4)) == merged
        assert tuple(channels[f"merge.{i}.conv1"] for i in range(4)) == (16, 8, 4, 2)


@pytest.mark.parametrize("up", UPS)
@pytest.mark.parametrize("size", [(16, 16), (17, 31), (37, 18)])
@no_grad()
def test_any_size(up: str, size: tuple[int, int]) -> None:
    model = ScratchUNet(base_channels=2, up=up, any_size=True, rng=0).eval()
    assert model.multiple == 1
    assert model(*pictures((1, 3, *size))).shape == (1, 1, *size)


def test_a_frame_of_zeros_with_the_odd_one_behind() -> None:
    x, skip = Tensor(np.ones((1, 1, 2, 2))), Tensor(np.zeros((1, 3, 3, 5)))
    np.testing.assert_array_equal(framed(x, skip).data[0, 0], [[0, 1, 1, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 0, 0]])
    assert framed(x, Tensor(np.zeros((1, 1, 2, 2)))) is x


@no_grad()
def test_milesials_enlargement_keeps_the_corners_and_the_others_the_pixels() -> None:
    x = Tensor(np.array([[[[0, 3]]]], np.float32))
    corners = ScratchUNet(base_channels=2, depth=1, up="bilinear", rng=0).up[0](x).data
    np.testing.assert_allclose(corners[0, 0, 0], [0, 1, 2, 3], atol=1e-6)
    enlarge = ScratchUNet(base_channels=2, depth=1, up="bilinear-3x3", rng=0).up[0][0]
    np.testing.assert_allclose(enlarge(x).data[0, 0, 0], [0, 0.75, 2.25, 3], atol=1e-6)


@pytest.mark.parametrize(
    "any_size, shape, text",
    [
        (False, (1, 3, 480, 650), "a picture of 480x650 .* multiples of 16, such as 480x656"),
        (True, (1, 3, 15, 40), "a picture of 15x40 .* is too small; both must be at least 16"),
        (True, (1, 1, 16, 16), r"the input has shape \(1, 1, 16, 16\)"),
    ],
)
def test_inputs_that_do_not_fit(any_size: bool, shape: tuple[int, ...], text: str) -> None:
    with pytest.raises(InputError, match=f"ScratchUNet: {text}"):
        ScratchUNet(base_channels=1, any_size=any_size, rng=0)(*pictures(shape))


@pytest.mark.parametrize(
    "options, text",
    [
        ({"up": "nearest"}, "up is 'nearest'; use 'transposed' or 'bilinear-1x1' or 'bilinear-3x3' or 'bilinear'"),
        ({"depth": 0}, "depth is 0; it must be at least 1"),
    ],
)
def test_bad_options(options: dict, text: str) -> None:
    with pytest.raises(InputError, match=f"ScratchUNet: {text}"):
        ScratchUNet(**options)

"""DepthMaskNet8: every row of the published count, its wiring, its sizes, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from network_checks import assert_every_parameter_counts, assert_one_seed_one_network, counts, pictures

from minidepth import no_grad
from minidepth.errors import InputError
from minidepth.models import DepthMaskNet8
from minidepth.nn import watch
from minidepth.nn.init import empty_weights

ROWS = {
    "background_stem": 2_832,
    "image_stem": 2_832,
    "background_down": 4_992,
    "image_down": 4_992,
    "down2": 57_856,
    "down3": 230_400,
    "down4": 919_552,
    "down5": 3_674_112,
    "mask_up3": 328_576,
    "mask_up2": 82_368,
    "mask_up1": 20_704,
    "mask_up0": 5_232,
    "mask_head": 17,
    "depth_up4": 1_312_512,
    "depth_up3": 328_576,
    "depth_up2": 82_368,
    "depth_up1": 20_704,
    "depth_up0": 5_232,
    "depth_head": 17,
}


def test_published_count_and_every_row_of_it() -> None:
    assert counts(DepthMaskNet8)[0] == 7_083_874 == sum(ROWS.values())
    with empty_weights():
        model = DepthMaskNet8()
    found = {name: sum(p.size for p in getattr(model, name).parameters()) for name in ROWS}
    assert found == ROWS


@no_grad()
def test_two_pictures_in_and_two_logits_out_as_large() -> None:
    model = DepthMaskNet8(base_channels=1, rng=0).eval()
    assert (model.inputs, model.outputs, model.multiple) == (("background", "image"), ("mask", "depth"), 32)
    mask, depth = model(*pictures((2, 3, 32, 64), (2, 3, 32, 64)))
    assert mask.shape == depth.shape == (2, 1, 32, 64)


def test_the_sizes_on_the_way() -> None:
    sizes = {}
    model = DepthMaskNet8(base_channels=2, rng=0).eval()
    with no_grad(), watch(model, lambda name, layer, x, y: sizes.setdefault(name, y.shape[1:])):
        model(*pictures((1, 3, 64, 64), (1, 3, 64, 64)))
    assert sizes["background_down.act"] == (2, 32, 32)
    assert sizes["down4.act"] == (32, 4, 4)
    assert sizes["down5.act"] == (64, 2, 2)
    assert sizes["depth_up4.enlarge"] == (32, 4, 4)
    assert sizes["mask_up0.convs.1.act"] == sizes["depth_up0.convs.1.act"] == (2, 64, 64)


def outputs_without(model: DepthMaskNet8, *silent: str) -> list[np.ndarray]:
    """The two outputs when the last batch-norm of the named parts gives 0."""
    before = {name: array.copy() for name, array in model.state_dict().items()}
    for name in silent:
        norm = getattr(model, name).convs[1].norm
        norm.weight.data[...], norm.bias.data[...] = 0, 0
    with no_grad():
        mask, depth = model(*pictures((1, 3, 32, 32), (1, 3, 32, 32)))
    model.load_state_dict(before)
    return [mask.data, depth.data]


def test_depth_hears_of_the_mask_by_m3_and_m2_alone() -> None:
    model = DepthMaskNet8(base_channels=4, rng=0).eval()
    mask, depth = outputs_without(model)
    for silent, changes_depth in [("mask_up3", True), ("mask_up2", True), ("mask_up1", False), ("mask_up0", False)]:
        other_mask, other_depth = outputs_without(model, silent)
        assert np.abs(other_mask - mask).max() > 1e-7, silent
        assert (np.abs(other_depth - depth).max() > 1e-7) == changes_depth, silent
    for silent in ("depth_up4", "depth_up3", "depth_up2", "depth_up1", "depth_up0"):
        other_mask, other_depth = outputs_without(model, silent)
        np.testing.assert_array_equal(other_mask, mask)
        assert np.abs(other_depth - depth).max() > 1e-7, silent


def test_every_parameter_counts_and_one_seed_gives_one_network() -> None:
    model = DepthMaskNet8(base_channels=2, rng=0)
    assert_every_parameter_counts(model, *pictures((2, 3, 64, 32), (2, 3, 64, 32)), without=("conv.bias",))
    assert_one_seed_one_network(DepthMaskNet8, base_channels=2)


@pytest.mark.parametrize(
    "shapes, text",
    [
        (((1, 3, 32, 48), (1, 3, 32, 48)), "a picture of 32x48 .* multiples of 32, such as 32x64"),
        (((1, 3, 32, 32), (1, 4, 32, 32)), r"the image has shape \(1, 4, 32, 32\)"),
        (((2, 3, 32, 32), (1, 3, 32, 32)), r"the background has shape \(2, 3, 32, 32\), but the image has \(1, "),
    ],
)
def test_inputs_that_do_not_fit(shapes, text: str) -> None:
    with pytest.raises(InputError, match=f"DepthMaskNet8: {text}"):
        DepthMaskNet8(base_channels=1, rng=0)(*pictures(*shapes))


def test_bad_width() -> None:
    with pytest.raises(InputError, match="DepthMaskNet8: in_channels is 0; it must be at least 1"):
        DepthMaskNet8(in_channels=0)

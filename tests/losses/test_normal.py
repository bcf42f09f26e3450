"""The normal losses: by hand, against plain loops, flat surfaces. Masks and gradients: test_masked.py."""

from __future__ import annotations

import math

import loss_reference as reference
import numpy as np
import pytest

from minidepth import Tensor
from minidepth.losses import normal, normal_code, normal_hu, normal_readme

ALL = [normal, normal_hu, normal_readme, normal_code]


def plane(right, down, height=5, width=6):
    rows, columns = np.mgrid[:height, :width]
    return (3.0 + right * columns + down * rows)[None, None]


def value(loss, prediction, target):
    return loss(Tensor(prediction), target, np.ones(target.shape, bool)).item()


def test_by_hand_on_planes():
    """A slope of 1/8 m per pixel is 1 in Sobel units: the normal (1, 0, 1) leans by 45 degrees."""
    lean, upright = plane(1 / 8, 0), plane(0, 0)
    assert value(normal, lean, upright) == pytest.approx(1 - math.sqrt(0.5))
    assert value(normal, plane(0, 1 / 8), lean) == pytest.approx(1 - 0.5)  # (0, 1, 1) and (1, 0, 1): 60 degrees
    assert value(normal, -lean, lean) == pytest.approx(1)  # 90 degrees


def test_two_dimensional_forms_see_the_direction_of_the_slope_only():
    """Three times as steep is the same direction; only one complete 3x3, so that the padding is not seen."""
    centre = np.zeros((1, 1, 5, 6), bool)
    centre[..., 1:4, 1:4] = True
    target = plane(0.3, 0.1)
    for loss in (normal_readme, normal_code):
        assert loss(Tensor(plane(0.9, 0.3)), target, centre).item() == pytest.approx(0, abs=1e-12)
        assert loss(Tensor(plane(-0.9, -0.3)), target, centre).item() == pytest.approx(2)
    turned = Tensor(plane(-0.1, 0.3))
    assert normal_readme(turned, target, centre).item() == pytest.approx(1)  # at right angles
    assert normal_code(turned, target, centre).item() == pytest.approx((2 + 0) / 2)  # x opposite, y the same
    assert normal_readme(Tensor(plane(0.4, 0.2)), target, centre).item() == pytest.approx(
        1 - (0.12 + 0.02) / math.hypot(0.3, 0.1) / math.hypot(0.4, 0.2)
    )


def test_forms_against_plain_loops():
    rng = np.random.default_rng(1)
    prediction, target = rng.normal(scale=0.2, size=(2, 3, 1, 6, 7))
    valid = rng.random((3, 1, 6, 7)) < 0.95
    batch = (prediction, target, valid)
    expected = {
        normal: reference.normal_loss(*batch, "valid", 1),
        normal_hu: reference.normal_loss(*batch, "zeros", 1),
        normal_readme: reference.normal_loss(*batch, "zeros", 0),
        normal_code: reference.normal_loss_of_images(*batch, "zeros"),
    }
    for loss, result in expected.items():
        assert loss(Tensor(prediction), target, valid).item() == pytest.approx(result, rel=1e-12), loss.__name__


def test_identical_depth_costs_nothing_even_where_it_is_flat():
    """Half of this depth is a flat wall, where the 2-vectors have no direction."""
    target = plane(0.1, 0.05, 8, 8)
    target[..., :4] = 2
    for loss in ALL:
        assert value(loss, target, target) == pytest.approx(0, abs=1e-12), loss.__name__


def test_flat_target_is_left_out_of_the_mean_but_a_flat_prediction_is_not():
    hole = np.ones((1, 1, 5, 5), bool)
    hole[0, 0, 0, :] = hole[0, 0, -1, :] = hole[0, 0, :, 0] = hole[0, 0, :, -1] = False  # only the centre pixel counts
    sloped, flat = Tensor(plane(0.1, 0.2, 5, 5), requires_grad=True), plane(0, 0, 5, 5)
    for loss in (normal_readme, normal_code):
        assert loss(sloped, flat, hole).item() == 0  # nothing to compare with
        assert loss(Tensor(flat), sloped.data, hole).item() == 1  # no direction where there should be one


def test_one_flat_picture_does_not_dilute_the_mean_of_whole_images():
    rng = np.random.default_rng(2)
    prediction, target = rng.normal(size=(2, 2, 1, 5, 5))
    valid = np.ones(target.shape, bool)
    first = normal_code(Tensor(prediction[:1]), target[:1], valid[:1]).item()
    target[1] = 0
    assert normal_code(Tensor(prediction), target, valid).item() == pytest.approx(first, rel=1e-12)


@pytest.mark.parametrize("loss", ALL)
def test_bad_input_names_the_loss(loss):
    name = loss.__name__.replace("_", ":")
    small = np.zeros((1, 1, 5, 2))
    with pytest.raises(ValueError, match=f"{name}: the picture is 5x2, smaller than the 3x3 of the Sobel filter"):
        loss(Tensor(small), small, np.ones(small.shape, bool))
    with pytest.raises(ValueError, match=f"{name}: .*same shape"):
        loss(Tensor(plane(0, 0)), small, np.ones(small.shape, bool))

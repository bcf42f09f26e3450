"""The gradient losses: by hand, against plain loops, what the border does. Masks and gradients: test_masked.py."""

from __future__ import annotations

import math

import loss_reference as reference
import numpy as np
import pytest

from minidepth import Tensor
from minidepth.losses import gradient, gradient_code, gradient_hu, gradient_readme

ALL = [gradient, gradient_readme, gradient_code, gradient_hu]


def ramp(height=5, width=6, right=0.25, down=-0.5):
    rows, columns = np.mgrid[:height, :width]
    return (2 + right * columns + down * rows)[None, None]


def everywhere(target):
    return np.ones(target.shape, bool)


def test_by_hand_on_a_ramp():
    """An error that grows by 1/4 to the right and falls by 1/2 downwards has gx = -2 and gy = 4 inside."""
    error, zero = ramp(), np.zeros((1, 1, 5, 6))
    assert gradient(Tensor(error), zero, everywhere(zero)).item() == pytest.approx(2 + 4)
    ring = everywhere(zero)
    ring[..., 0, 0] = False  # takes one of the 12 inner pixels with it
    assert gradient(Tensor(error), zero, ring).item() == pytest.approx(6)
    only_centre = np.zeros_like(ring)
    only_centre[..., 1:4, 1:4] = True  # one complete 3x3 away from the border: here the padding is not seen
    one = Tensor(error), zero, only_centre
    assert gradient_readme(*one).item() == pytest.approx(6)
    assert gradient_code(*one).item() == pytest.approx(3)
    assert gradient_hu(*one).item() == pytest.approx(math.log(2.5) + math.log(4.5))


def test_forms_against_plain_loops():
    rng = np.random.default_rng(0)
    prediction, target = rng.normal(size=(2, 3, 1, 6, 7))
    valid = rng.random((3, 1, 6, 7)) < 0.9
    batch = (prediction, target, valid)
    expected = {
        gradient: reference.gradient_loss(*batch, "valid", abs),
        gradient_readme: reference.gradient_loss(*batch, "zeros", abs),
        gradient_code: reference.gradient_loss(*batch, "zeros", abs, components_counted=2),
        gradient_hu: reference.gradient_loss(*batch, "zeros", lambda d: math.log(abs(d) + 0.5)),
    }
    for loss, value in expected.items():
        assert loss(Tensor(prediction), target, valid).item() == pytest.approx(value, rel=1e-12), loss.__name__


def test_constant_error_costs_nothing_inside_and_four_times_itself_at_a_padded_border():
    zero = np.zeros((1, 1, 5, 5))
    constant = Tensor(zero + 1)
    assert gradient(constant, zero, everywhere(zero)).item() == 0
    # 12 border pixels with one padded side see 4; 4 corners see 3 twice; 9 inner pixels see 0
    assert gradient_readme(constant, zero, everywhere(zero)).item() == pytest.approx((12 * 4 + 4 * 6) / 25)


def test_least_values():
    target = ramp()
    assert gradient(Tensor(target), target, everywhere(target)).item() == 0
    assert gradient_hu(Tensor(target), target, everywhere(target)).item() == pytest.approx(2 * math.log(0.5))


@pytest.mark.parametrize("loss", ALL)
def test_bad_input_names_the_loss(loss):
    name = loss.__name__.replace("_", ":")
    small = np.zeros((1, 1, 2, 5))
    with pytest.raises(ValueError, match=f"{name}: the picture is 2x5, smaller than the 3x3 of the Sobel filter"):
        loss(Tensor(small), small, everywhere(small))
    with pytest.raises(ValueError, match=f"{name}: .*same shape"):
        loss(Tensor(ramp()), small, everywhere(small))

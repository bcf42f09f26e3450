"""BerHu: by hand, against plain loops, where its two branches meet, c as a constant. Masks: test_masked.py."""

from __future__ import annotations

import loss_reference as reference
import numpy as np
import pytest
from loss_batches import batch

from minidepth import Tensor
from minidepth.losses import berhu


def row(*numbers, dtype=np.float64):
    return np.array(numbers, dtype).reshape(1, 1, 1, -1)


def test_by_hand():
    """The largest valid error is 10, so c = 2; the error of 50 does not count."""
    prediction, valid = row(1, -2, 4, -10, 50), row(1, 1, 1, 1, 0, dtype=bool)
    p = Tensor(prediction, requires_grad=True)
    loss = berhu(p, row(0, 0, 0, 0, 0), valid)
    loss.backward()
    assert loss.item() == pytest.approx((1 + 2 + (16 + 4) / 4 + (100 + 4) / 4) / 4)
    np.testing.assert_allclose(p.grad, row(1, -1, 4 / 2, -10 / 2, 0) / 4)


def test_against_plain_loops():
    for seed in range(3):
        prediction, target, valid = batch(seed=seed)
        expected = reference.berhu_loss(prediction, target, valid)
        assert berhu(Tensor(prediction), target, valid).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("side", [1 - 1e-9, 1 + 1e-9])
def test_value_and_slope_are_continuous_at_c(side):
    p = Tensor(row(2 * side, 10), requires_grad=True)
    loss = berhu(p, row(0, 0), row(1, 1, dtype=bool))
    loss.backward()
    assert loss.item() == pytest.approx((2 + 104 / 4) / 2, rel=1e-8)
    assert p.grad[0, 0, 0, 0] == pytest.approx(1 / 2, rel=1e-8)


def test_negative_errors_set_c_too():
    """A common mistake takes the largest error without its sign away."""
    assert berhu(Tensor(row(1, -10)), row(0, 0), row(1, 1, dtype=bool)).item() == pytest.approx((1 + 26) / 2)


def test_bad_input():
    with pytest.raises(ValueError, match=r"berhu: .*same shape"):
        berhu(Tensor(row(1, 2)), row(1), row(1, dtype=bool))

"""Scale-invariant losses: by hand, against plain loops, what a common factor does. Masks: test_masked.py."""

from __future__ import annotations

import math

import loss_reference as reference
import numpy as np
import pytest
from loss_batches import batch

from minidepth import Tensor
from minidepth.losses import silog_bts, silog_eigen


def row(*numbers, dtype=np.float64):
    return np.array(numbers, dtype).reshape(1, 1, 1, -1)


def test_by_hand():
    prediction, target = row(2, 1, 3), row(1, 4, 0)  # d is ln 2 and -2 ln 2, and nothing where the target is 0
    valid, two = np.ones((1, 1, 1, 3), bool), math.log(2)
    assert silog_eigen(Tensor(prediction), target, valid).item() == pytest.approx((2.5 - 0.5 * 0.25) * two**2)
    expected = 10 * math.sqrt((2.5 - 0.85 * 0.25) * two**2 + 1e-6)
    assert silog_bts(Tensor(prediction), target, valid).item() == pytest.approx(expected)


def test_against_plain_loops():
    for seed in range(3):
        prediction, target, valid = batch(seed=seed)
        target[0, 0, 5, 5] = 0
        squares, mean = reference.log_ratio_moments(prediction, target, valid)
        found = silog_eigen(Tensor(prediction), target, valid).item()
        assert found == pytest.approx(squares - 0.5 * mean**2, rel=1e-12)
        found = silog_bts(Tensor(prediction), target, valid).item()
        assert found == pytest.approx(10 * math.sqrt(squares - 0.85 * mean**2 + 1e-6), rel=1e-12)


@pytest.mark.parametrize("factor", [0.5, 3])
def test_a_common_factor_costs_only_its_mean(factor):
    _, target, valid = batch()
    eigen = silog_eigen(Tensor(factor * target), target, valid).item()
    assert eigen == pytest.approx(0.5 * math.log(factor) ** 2, rel=1e-12)
    bts = silog_bts(Tensor(factor * target), target, valid).item()
    assert bts == pytest.approx(10 * math.sqrt(0.15 * math.log(factor) ** 2 + 1e-6), rel=1e-12)


@pytest.mark.parametrize("loss", [silog_eigen, silog_bts])
def test_a_depth_of_zero_gets_no_gradient(loss):
    prediction, target, valid = batch()
    target[0, 0, 5, 5] = 0
    p = Tensor(prediction, requires_grad=True)
    loss(p, target, valid).backward()
    assert p.grad[0, 0, 5, 5] == 0
    assert np.count_nonzero(p.grad) == valid.sum() - 1


@pytest.mark.parametrize("loss", [silog_eigen, silog_bts])
def test_predictions_below_a_millimetre_count_as_one(loss):
    prediction, target, valid = batch()
    values = []
    for least in (1e-3, 1e-9, 0.0, -5.0):
        prediction[0, 0, 4, 4] = least
        p = Tensor(prediction, requires_grad=True)
        value = loss(p, target, valid)
        value.backward()
        values.append(value.item())
        assert (p.grad[0, 0, 4, 4] != 0) == (least == 1e-3)
    assert len(set(values)) == 1


def test_bad_input():
    prediction, target, valid = batch()
    with pytest.raises(ValueError, match="silog:eigen: .*same shape"):
        silog_eigen(Tensor(prediction), target[..., :3], valid)
    with pytest.raises(ValueError, match="silog:bts: valid has dtype int64"):
        silog_bts(Tensor(prediction), target, valid.astype(np.int64))

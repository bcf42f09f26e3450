"""Binary cross-entropy: by hand, against plain loops, large logits. Masks and gradients: test_masked.py."""

from __future__ import annotations

import math

import loss_reference as reference
import numpy as np
import pytest
from loss_batches import batch

from minidepth import Tensor
from minidepth.losses import bce, bce_probabilities


def row(*numbers, dtype=np.float64):
    return np.array(numbers, dtype).reshape(1, 1, 1, -1)


def test_by_hand():
    z = Tensor(row(0, math.log(3), 9), requires_grad=True)  # probabilities 1/2, 3/4; the third does not count
    loss = bce(z, row(1, 0.5, 0), row(1, 1, 0, dtype=bool))
    loss.backward()
    assert loss.item() == pytest.approx((math.log(2) - (math.log(3 / 4) + math.log(1 / 4)) / 2) / 2)
    np.testing.assert_allclose(z.grad, row(-1 / 2, 1 / 4, 0) / 2)


def test_both_forms_against_plain_loops():
    logits, target, valid = batch("bce")
    pairs = [(reference.sigmoid(z), t) for z, t in reference.valid_numbers(logits, target, valid)]
    expected = sum(reference.binary_cross_entropy(p, t) for p, t in pairs) / len(pairs)
    assert bce(Tensor(logits), target, valid).item() == pytest.approx(expected, rel=1e-12)
    probabilities = Tensor(np.vectorize(reference.sigmoid)(logits))
    assert bce_probabilities(probabilities, target, valid).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("z", [-1e4, -100, 100, 1e4])
def test_large_logits_keep_value_and_gradient(z, dtype):
    logit = Tensor(row(z, z, dtype=dtype), requires_grad=True)
    loss = bce(logit, row(0, 1, dtype=dtype), row(1, 1, dtype=bool))
    loss.backward()
    assert loss.item() == pytest.approx(abs(z) / 2)
    np.testing.assert_allclose(logit.grad, row(0.5, 0, dtype=dtype) if z > 0 else row(0, -0.5, dtype=dtype), atol=1e-40)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sure_probabilities_are_held_inside(dtype):
    p = Tensor(row(0, 1, 0, 1, dtype=dtype), requires_grad=True)
    loss = bce_probabilities(p, row(0, 1, 1, 0, dtype=dtype), row(1, 1, 1, 1, dtype=bool))
    loss.backward()
    assert loss.item() == pytest.approx(-math.log(1e-7) / 2, rel=0.02)
    assert not p.grad.any()


def test_bad_input():
    logits, target, valid = batch("bce")
    with pytest.raises(ValueError, match="bce: .*same shape"):
        bce(Tensor(logits), target[..., :3], valid)
    with pytest.raises(ValueError, match="bce:probabilities: .*same shape"):
        bce_probabilities(Tensor(logits), target, valid[..., :3])

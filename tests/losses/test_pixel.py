"""Losses of single pixels: by hand, against plain loops, the text of errors. Masks and gradients: test_masked.py."""

from __future__ import annotations

import math

import loss_reference as reference
import numpy as np
import pytest
from loss_batches import batch

from minidepth import Tensor
from minidepth.losses import l1, l1_hu, mse, rmse, rmse_logits


def picture(rows, dtype=np.float64):
    return np.array(rows, dtype)[None, None]


def test_by_hand():
    prediction = picture([[1, 2], [3, 9]])
    target = picture([[2, 2], [1, 0]])
    valid = picture([[1, 1], [1, 0]], bool)  # errors -1, 0, 2; the last pixel does not count
    p = Tensor(prediction, requires_grad=True)
    loss = mse(p, target, valid)
    loss.backward()
    assert loss.item() == pytest.approx(5 / 3)
    np.testing.assert_allclose(p.grad, picture([[-2 / 3, 0], [4 / 3, 0]]))

    p = Tensor(prediction, requires_grad=True)
    loss = l1(p, target, valid)
    loss.backward()
    assert loss.item() == pytest.approx(1)
    np.testing.assert_allclose(p.grad, picture([[-1 / 3, 0], [1 / 3, 0]]))  # 0 at the pixel without error

    p = Tensor(prediction, requires_grad=True)
    loss = rmse(p, target, valid)
    loss.backward()
    root = math.sqrt(5 / 3 + 1e-6)
    assert loss.item() == pytest.approx(root, rel=1e-12)
    np.testing.assert_allclose(p.grad, picture([[-1, 0], [2, 0]]) / (3 * root))

    p = Tensor(prediction, requires_grad=True)
    loss = l1_hu(p, target, valid)
    loss.backward()
    assert loss.item() == pytest.approx((math.log(1.5) + math.log(0.5) + math.log(2.5)) / 3)
    np.testing.assert_allclose(p.grad, picture([[-1 / 1.5, 0], [1 / 2.5, 0]]) / 3)


def test_least_values():
    _, target, valid = batch()
    assert rmse(Tensor(target), target, valid).item() == pytest.approx(1e-3)
    assert l1_hu(Tensor(target), target, valid).item() == pytest.approx(math.log(0.5))


def test_rmse_of_logits():
    logits, target, valid = batch("rmse:logits")
    squashed = np.vectorize(reference.sigmoid)(logits)
    expected = reference.root_mean_square_loss(squashed, target, valid)
    assert rmse_logits(Tensor(logits), target, valid).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("loss", "cost"), [(mse, lambda e: e * e), (l1, abs), (l1_hu, lambda e: math.log(abs(e) + 0.5))]
)
def test_mean_is_over_the_valid_pixels_of_the_whole_batch(loss, cost):
    rng = np.random.default_rng(0)
    prediction, target = rng.normal(size=(2, 3, 1, 4, 5))
    valid = rng.random((3, 1, 4, 5)) < 0.6
    valid[1] = False
    expected = reference.pixel_loss(prediction, target, valid, cost)
    assert loss(Tensor(prediction), target, valid).item() == pytest.approx(expected, rel=1e-12)


def test_bad_input():
    p, t, v = Tensor(np.zeros((2, 1, 4, 5))), np.zeros((2, 1, 4, 5)), np.ones((2, 1, 4, 5), bool)
    with pytest.raises(ValueError, match=r"mse: .* same shape \(prediction \(2, 1, 4, 5\), target \(2, 1, 4, 4\)"):
        mse(p, t[..., :4], v)
    with pytest.raises(ValueError, match=r"l1: .* same shape .*valid \(2, 1, 1, 5\)\)"):
        l1(p, t, v[:, :, :1])
    with pytest.raises(ValueError, match=r"\(N, 1, H, W\) \(prediction \(2, 3, 4, 5\)"):
        mse(Tensor(np.zeros((2, 3, 4, 5))), t, v)
    for loss, name in ((rmse, "rmse"), (rmse_logits, "rmse:logits"), (l1_hu, "l1:hu")):
        with pytest.raises(ValueError, match=f"{name}: .* same shape"):
            loss(p, t[..., :4], v)
    with pytest.raises(ValueError, match="valid has dtype float32; it must be bool"):
        mse(p, t, v.astype(np.float32))

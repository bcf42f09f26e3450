"""edges and smoothness: by hand, against plain loops, what the picture changes. Masks and gradients: test_masked.py."""

from __future__ import annotations

import math

import loss_reference as reference
import numpy as np
import pytest
from loss_batches import batch, picture

from minidepth import Tensor
from minidepth.losses import edges, smoothness, smoothness_keras


def small(rows, dtype=np.float64):
    return np.array(rows, dtype)[None, None]


def test_by_hand():
    prediction, target = small([[1, 3], [0, 7]]), small([[1, 1], [0, 9]])  # errors 0 2 / 0 -2
    everywhere = np.ones(prediction.shape, bool)
    p = Tensor(prediction, requires_grad=True)
    loss = edges(p, target, everywhere)
    loss.backward()
    assert loss.item() == pytest.approx((2 + 2 + 0 + 4) / 4)
    np.testing.assert_allclose(p.grad, small([[-1, 2], [1, -2]]) / 4)  # right 0-2, right 0-(-2), down 0-0, down 2-(-2)

    image = np.array([[[0.0, 1], [0, 1]], [[0, 3], [0, 3]]])[None]  # |dx| 1 and 3: 2 on average, |dy| 0
    expected = ((2 + 7) * math.exp(-2) + 1 + 4) / 4
    assert smoothness(Tensor(prediction), target, everywhere, image).item() == pytest.approx(expected)

    expected = ((2 + 7) * math.exp((0 + 9) / 4) + (1 + 4) * math.exp((1 + 8) / 4)) / 4
    assert smoothness_keras(Tensor(prediction), target, everywhere).item() == pytest.approx(expected)


def test_against_plain_loops():
    for seed in range(2):
        rng = np.random.default_rng(seed)
        prediction, target = rng.normal(size=(2, 3, 1, 13, 14))
        valid = rng.random(target.shape) < 0.8
        found = edges(Tensor(prediction), target, valid).item()
        assert found == pytest.approx(reference.edge_loss(prediction, target, valid), rel=1e-12)
        found = smoothness_keras(Tensor(prediction), target, valid).item()
        assert found == pytest.approx(reference.smoothness_keras_loss(prediction, target, valid), rel=1e-12)
        found = smoothness(Tensor(prediction), target, valid, picture(seed)).item()
        assert found == pytest.approx(reference.smoothness_loss(prediction, valid, picture(seed)), rel=1e-12)


def test_a_step_costs_less_where_the_picture_has_an_edge():
    prediction = np.zeros((1, 1, 6, 8))
    prediction[..., 4:] = 1
    image = np.zeros((1, 3, 6, 8))
    valid = np.ones(prediction.shape, bool)
    elsewhere, there = image.copy(), image.copy()
    elsewhere[..., 2:], there[..., 4:] = 4.4, 4.4
    costs = [smoothness(Tensor(prediction), prediction, valid, one).item() for one in (image, elsewhere, there)]
    assert costs[0] == costs[1] == pytest.approx(6 / 48)
    assert costs[2] == pytest.approx(6 / 48 * math.exp(-4.4))


def test_smoothness_does_not_look_at_the_target():
    prediction, target, valid = batch()
    one, other = (smoothness(Tensor(prediction), t, valid, picture()).item() for t in (target, 5 + 0 * target))
    assert one == other


def test_bad_input():
    prediction, target, valid = batch()
    with pytest.raises(ValueError, match=r"smoothness: the picture must have .* \(image \(3, 3, 6, 14\), prediction"):
        smoothness(Tensor(prediction), target, valid, picture()[:, :, :6])
    for loss, name in ((edges, "edges"), (smoothness_keras, "smoothness:keras")):
        with pytest.raises(ValueError, match=f"{name}: .*same shape"):
            loss(Tensor(prediction), target[..., :3], valid)

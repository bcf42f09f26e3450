"""Dice: by hand, against plain loops, nothing there. Masks and gradients: test_masked.py."""

from __future__ import annotations

import loss_reference as reference
import numpy as np
import pytest
from loss_batches import batch

from minidepth import Tensor
from minidepth.losses import dice, dice_milesial, dice_probabilities


def row(*numbers, dtype=np.float64):
    return np.array(numbers, dtype).reshape(1, 1, 1, -1)


def test_by_hand():
    p = Tensor(row(1, 0.5, 0.25, 0.7), requires_grad=True)
    loss = dice_probabilities(p, row(1, 1, 0, 1), row(1, 1, 1, 0, dtype=bool))
    loss.backward()
    overlap, total = 2 * 1.5 + 1, 1.75 + 2 + 1
    assert loss.item() == pytest.approx(1 - overlap / total)
    slope = -(2 * np.array([1, 1, 0]) * total - overlap) / total**2
    np.testing.assert_allclose(p.grad, row(*slope, 0))


@pytest.mark.parametrize(("loss", "smooth"), [(dice, 1), (dice_milesial, 1e-6)])
def test_of_logits_against_plain_loops(loss, smooth):
    logits, target, valid = batch("dice")
    pairs = [(reference.sigmoid(z), t) for z, t in reference.valid_numbers(logits, target, valid)]
    assert loss(Tensor(logits), target, valid).item() == pytest.approx(reference.dice_loss(pairs, smooth), rel=1e-12)


def test_of_probabilities_against_plain_loops():
    arguments = batch("dice:probabilities")
    expected = reference.dice_loss(reference.valid_numbers(*arguments), 1)
    assert dice_probabilities(Tensor(arguments[0]), *arguments[1:]).item() == pytest.approx(expected, rel=1e-12)


def test_nothing_there_and_nothing_predicted_costs_nothing():
    valid = np.ones((1, 1, 1, 4), bool)
    assert dice_probabilities(Tensor(0.0 * valid), 0.0 * valid, valid).item() == 0
    for loss in (dice, dice_milesial):
        assert loss(Tensor(-1e3 * valid), 0.0 * valid, valid).item() == pytest.approx(0)


@pytest.mark.parametrize("loss", [dice, dice_probabilities, dice_milesial])
def test_bad_input_names_the_loss(loss):
    logits, target, valid = batch("dice")
    with pytest.raises(ValueError, match=f"{loss.__name__.replace('_', ':')}: .*same shape"):
        loss(Tensor(logits), target[..., :3], valid)

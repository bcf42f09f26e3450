"""Cross-entropy: by hand, against plain loops, with weights, wrong labels. Masks and gradients: test_masked.py."""

from __future__ import annotations

import math

import loss_reference as reference
import numpy as np
import pytest
from loss_batches import batch
from twins import GPUS, to_gpu

from minidepth import Tensor, losses
from minidepth.losses import cross_entropy, cross_entropy_unet, unet_weights


def test_by_hand():
    """Three classes at two pixels, and one that does not count."""
    logits = np.log(np.array([[1.0, 2, 1], [1, 1, 2], [9, 9, 9]])).T.reshape(1, 3, 1, 3)
    labels = np.array([1, 2, 77]).reshape(1, 1, 1, 3)
    valid = np.array([True, True, False]).reshape(1, 1, 1, 3)
    z = Tensor(logits, requires_grad=True)
    loss = cross_entropy(z, labels, valid)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2))
    expected = np.array([[1 / 4, 2 / 4 - 1, 1 / 4], [1 / 4, 1 / 4, 2 / 4 - 1], [0, 0, 0]]).T / 2
    np.testing.assert_allclose(z.grad, expected.reshape(1, 3, 1, 3), atol=1e-16)


def test_against_plain_loops_with_and_without_weights():
    logits, labels, valid = batch("cross_entropy")
    weights = np.random.default_rng(3).uniform(0, 3, labels.shape)
    for given, used in ((None, np.ones(labels.shape)), (weights, weights)):
        expected = reference.cross_entropy_loss(logits, labels, valid, used)
        assert cross_entropy(Tensor(logits), labels, valid, given).item() == pytest.approx(expected, rel=1e-12)
    expected = reference.cross_entropy_loss(logits, labels, valid, unet_weights(labels, valid))
    assert cross_entropy_unet(Tensor(logits), labels, valid).item() == pytest.approx(expected, rel=1e-12)


def test_gradient_of_the_weighted_form():
    logits, labels, valid = batch("cross_entropy")
    weights = np.where(valid, np.random.default_rng(3).uniform(0, 3, labels.shape), np.nan)
    rng, step = np.random.default_rng(1), 1e-5
    z = Tensor(logits, requires_grad=True)
    cross_entropy(z, labels, valid, weights).backward(np.array(0.7))
    direction = rng.normal(size=logits.shape)
    ahead, behind = (
        cross_entropy(Tensor(logits + s * direction), labels, valid, weights).item() for s in (step, -step)
    )
    assert np.vdot(z.grad, direction) == pytest.approx(0.7 * (ahead - behind) / (2 * step), rel=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64])
def test_labels_may_be_any_whole_numbers(dtype):
    logits, labels, valid = batch("cross_entropy")
    expected = cross_entropy(Tensor(logits), labels, valid).item()
    assert cross_entropy(Tensor(logits), labels.astype(dtype), valid).item() == expected


@pytest.mark.parametrize("loss", [cross_entropy, cross_entropy_unet])
def test_bad_input(loss):
    name = loss.__name__.replace("entropy_", "entropy:")
    logits, labels, valid = batch("cross_entropy")
    z = Tensor(logits)
    with pytest.raises(ValueError, match=f"{name}: labels go from 0 to 3, but the prediction has 3 classes"):
        loss(z, labels + (labels == 2), valid)
    with pytest.raises(ValueError, match=f"{name}: labels go from -1 to 2"):
        loss(z, labels.astype(int) - (labels == 0), valid)
    with pytest.raises(ValueError, match=f"{name}: the target has dtype float64; labels are whole numbers"):
        loss(z, labels.astype(float), valid)
    with pytest.raises(ValueError, match=rf"{name}: target and valid must have the shape \(N, 1, H, W\) \(prediction"):
        loss(z, labels[:, 0], valid)
    with pytest.raises(ValueError, match=rf"{name}: the prediction must have the shape \(N, K, H, W\)"):
        loss(Tensor(logits[0]), labels, valid)
    with pytest.raises(ValueError, match=f"{name}: valid has dtype int64"):
        loss(z, labels, valid.astype(int))


def test_weights_of_another_size():
    logits, labels, valid = batch("cross_entropy")
    with pytest.raises(ValueError, match=r"cross_entropy: weights have shape \(3, 1, 2, 14\), but labels"):
        cross_entropy(Tensor(logits), labels, valid, np.ones((3, 1, 2, 14)))


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("bad", [-1, 3, 255])
def test_a_gpu_says_of_a_wrong_label_that_the_loss_is_nan(gpu, bad):
    """It is found by nobody before, as the CPU does not look at labels there; where not valid it does no harm."""
    prediction, target, valid = batch("cross_entropy")
    target = target.astype(np.int64)
    target[~valid] = bad
    p, labels, known = (to_gpu(gpu, array) for array in (prediction, target, valid))
    assert np.isfinite(losses.cross_entropy(Tensor(p), labels, known).item())
    target[0, 0, 5, 5] = bad
    assert np.isnan(losses.cross_entropy(Tensor(p), to_gpu(gpu, target), known).item())


@pytest.mark.parametrize("gpu", GPUS)
def test_weights_and_many_pixels_on_a_gpu(gpu):
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((2, 5, 19, 21)), rng.integers(0, 5, (2, 1, 19, 21))
    valid, weights = rng.uniform(size=labels.shape) < 0.7, rng.uniform(0, 3, labels.shape)
    found = []
    for move in (np.asarray, lambda array: to_gpu(gpu, array)):
        p = Tensor(move(logits), requires_grad=True)
        loss = losses.cross_entropy(p, *map(move, (labels, valid, weights)))
        loss.backward()
        found.append((loss.item(), Tensor(p.grad).numpy()))
    assert found[1][0] == pytest.approx(found[0][0], rel=1e-13)
    np.testing.assert_allclose(found[1][1], found[0][1], rtol=1e-12, atol=1e-16)

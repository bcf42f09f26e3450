"""SSIM: against the textbook's formula in plain loops, in float32 far from zero, its window. Masks: test_masked.py."""

from __future__ import annotations

import loss_reference as reference
import numpy as np
import pytest
from loss_batches import batch
from twins import GPUS, assert_twin

from minidepth import Tensor, get_num_threads, losses, set_num_threads
from minidepth.losses.gaussian import BLOCK, band, complete, slide
from minidepth.losses.ssim import KERAS, Setting, forward

SETTINGS = {  # window, C1, C2, weight: as in the table of each program
    "ssim": (11, 1e-4, 9e-4, 1),
    "ssim:densedepth": (11, 1, 9, 0.5),
    "ssim:002": (11, 1e-4, 9e-4, 0.5),
    "ssim:000b": (7, 6.5536e-4, 0.05308416, 1),
    "ssim:004": (11, 6.5025, 58.5225, 1),
}


def noise(seed=0, shape=(2, 1, 13, 15)):
    rng = np.random.default_rng(seed)
    prediction, target = rng.uniform(0, 1, (2, *shape))
    valid = np.ones(shape, bool)
    valid[0, 0, 1, 14] = valid[1, 0, 0, :3] = False
    return prediction, (prediction + target) / 2, valid


@pytest.mark.parametrize("name", SETTINGS)
def test_against_plain_loops(name):
    arguments = noise()
    expected = reference.ssim_loss(*arguments, *SETTINGS[name])
    assert losses.build(name)(Tensor(arguments[0]), *arguments[1:]).item() == pytest.approx(expected, rel=1e-11)


def test_of_logits():
    logits, target, valid = batch("ssim:logits")
    expected = reference.ssim_loss(np.vectorize(reference.sigmoid)(logits), target, valid, *SETTINGS["ssim"])
    assert losses.ssim_logits(Tensor(logits), target, valid).item() == pytest.approx(expected, rel=1e-11)


def test_by_hand_two_constant_pictures():
    """No variance: only the brightness differs. (2 * 0.2 * 0.6 + C1) / (0.04 + 0.36 + C1)"""
    ones = np.ones((1, 1, 11, 11))
    loss = losses.ssim(Tensor(0.2 * ones), 0.6 * ones, ones > 0)
    assert loss.item() == pytest.approx(1 - (0.24 + 1e-4) / (0.4 + 1e-4), rel=1e-12)


def test_a_turned_pattern_costs_more_than_none():
    """S is negative where the pattern is the opposite one."""
    rng = np.random.default_rng(0)
    pattern = rng.standard_normal((1, 1, 16, 16))
    valid = np.ones(pattern.shape, bool)
    same, flat, turned = (losses.ssim(Tensor(5 + k * pattern), 5 + pattern, valid).item() for k in (1, 0, -1))
    assert same == 0
    assert 0.9 < flat < 1.1
    assert turned > 1.5


@pytest.mark.parametrize("name", SETTINGS)
def test_a_perfect_fit_is_exactly_zero(name):
    _, target, valid = noise()
    p = Tensor(target.astype(np.float32), requires_grad=True)
    loss = losses.build(name)(p, target.astype(np.float32), valid)
    loss.backward()
    assert loss.item() == 0
    assert not p.grad.any()


@pytest.mark.parametrize("offset", [0.0, 0.1])
def test_float32_keeps_its_digits_far_from_zero(offset):
    """Depth around 9 m with ripples of a few cm: the squares, near 81, differ in the sixth digit only."""
    prediction, target, valid = noise()
    prediction, target = 9 + 0.05 * prediction + offset, 9 + 0.05 * target
    gradients = []
    for dtype in (np.float32, np.float64):
        p = Tensor(prediction.astype(np.float32).astype(dtype), requires_grad=True)
        loss = losses.ssim(p, target.astype(np.float32).astype(dtype), valid)
        loss.backward()
        gradients.append((loss.item(), p.grad))
    (value, grad), (expected, expected_grad) = gradients
    assert value == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(grad, expected_grad, atol=1e-3 * np.abs(expected_grad).max())


def test_the_number_of_threads_changes_no_bit():
    prediction, target, valid = noise(shape=(5, 1, 40, 50))
    found, before = [], get_num_threads()
    for threads in (1, 3):
        set_num_threads(threads)
        p = Tensor(prediction.astype(np.float32), requires_grad=True)
        loss = losses.ssim(p, target.astype(np.float32), valid)
        loss.backward()
        found.append((loss.item(), p.grad))
    set_num_threads(before)
    assert found[0][0] == found[1][0]
    np.testing.assert_array_equal(found[0][1], found[1][1])


def test_bad_input():
    small = np.ones((1, 1, 10, 20))
    with pytest.raises(ValueError, match="ssim:002: the picture is 10x20, smaller than the window of 11x11"):
        losses.ssim_002(Tensor(small), small, small > 0)
    assert losses.ssim_000b(Tensor(small), small, small > 0).item() == 0  # its window is 7x7
    with pytest.raises(ValueError, match="ssim: .*same shape"):
        losses.ssim(Tensor(np.ones((1, 1, 20, 20))), small, small > 0)


class TestWindow:
    @pytest.mark.parametrize("shape", [(11, 11), (12, 11 + BLOCK), (10 + BLOCK, 11 + 2 * BLOCK), (50, 17)])
    def test_slide_against_plain_sums(self, shape):
        x = np.random.default_rng(0).standard_normal((2, *shape))
        taps = np.exp(-((np.arange(11) - 5) ** 2) / 4.5)
        taps /= taps.sum()
        windows = np.lib.stride_tricks.sliding_window_view(x, (11, 11), axis=(1, 2))
        expected = np.einsum("prcij,i,j->prc", windows, taps, taps)
        found = slide(x, 11, 1.5, np.empty(expected.shape))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)

    def test_its_weights_add_up_to_one_and_are_largest_in_the_middle(self):
        weights = band(7, 1.5, np.dtype(np.float64))
        assert weights.shape == (BLOCK + 6, BLOCK)
        np.testing.assert_allclose(weights.sum(axis=0), 1)
        assert [int(np.argmax(column)) for column in weights.T] == [3 + k for k in range(BLOCK)]

    @pytest.mark.parametrize("size", [1, 2, 3, 7, 11])
    def test_complete(self, size):
        valid = np.random.default_rng(size).random((3, 1, 14, 15)) < 0.985
        windows = np.lib.stride_tricks.sliding_window_view(valid, (size, size), axis=(2, 3))
        np.testing.assert_array_equal(complete(valid, size), windows.all(axis=(4, 5)))
        assert 0 < complete(valid, size).sum() < complete(valid, size).size


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize(
    "shape, setting",
    [
        ((2, 1, 13, 15), Setting()),
        ((1, 1, 28, 45), Setting(weight=0.5)),  # more than one tile of windows each way
        ((2, 1, 11, 27), Setting(range=255.0)),
        ((1, 1, 18, 38), KERAS),
        ((2, 1, 7, 15), KERAS),
    ],
)
def test_cuda(shape, setting, gpu):
    prediction, target, valid = noise(shape=(2, *shape[1:]))
    target[~valid] = np.nan
    maps = [array[: shape[0]] for array in (3 + prediction, 3 + target, valid)]
    for want_grad in (True, False):
        assert_twin(gpu, forward, *maps, setting, want_grad, terms=100)

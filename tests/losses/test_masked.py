"""What every loss promises: invalid pixels count for nothing, the gradient is right, and nothing is ever nan."""

from __future__ import annotations

import numpy as np
import pytest
from loss_batches import CLASSES, batch, family, picture

from minidepth import Tensor, losses
from minidepth.losses.masked import erode, masked_mean, where_valid

NAMES = losses.names()
LABEL_NAMES = [name for name in NAMES if family(name) == "cross_entropy"]
MAP_NAMES = [name for name in NAMES if name not in LABEL_NAMES]
NEIGHBOUR_NAMES = [name for name in NAMES if family(name) in ("gradient", "normal", "edges", "smoothness", "ssim")]

UNFITTED = ("bce", "dice", "smoothness")
FITTED_NAMES = [name for name in MAP_NAMES if family(name) not in UNFITTED and not name.endswith(":logits")]
"""Those that are smallest, and flat, where the prediction is the target."""


def value_and_gradient(name, prediction, target, valid, cotangent=1.0):
    p = Tensor(prediction, requires_grad=True)
    loss = losses.build(name)(p, target, valid, picture())
    loss.backward(np.asarray(cotangent, loss.dtype))
    return loss.item(), p.grad


def meaningless(target):
    """What may stand where nothing is valid."""
    return np.full_like(target, np.nan if target.dtype.kind == "f" else 255)


@pytest.mark.parametrize("name", NAMES)
def test_gradient_agrees_with_differences(name):
    prediction, target, valid = batch(name)
    rng = np.random.default_rng(1)
    for _ in range(3):
        direction, cotangent, step = rng.normal(size=prediction.shape), rng.normal(), 1e-5
        if name == "berhu":  # its c counts as a constant, so the pixel that it is taken from must not move
            direction.flat[np.argmax(np.abs(prediction - target) * valid)] = 0
        _, grad = value_and_gradient(name, prediction, target, valid, cotangent)
        above, _ = value_and_gradient(name, prediction + step * direction, target, valid)
        below, _ = value_and_gradient(name, prediction - step * direction, target, valid)
        expected = cotangent * (above - below) / (2 * step)
        assert np.vdot(grad, direction) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("planted", [np.nan, np.inf, -np.inf, 0.0, 1e30])
@pytest.mark.parametrize("name", NAMES)
def test_invalid_pixels_change_neither_value_nor_gradient(name, planted):
    """Not a bit, whatever stands there, in the target and in the prediction."""
    prediction, target, valid = batch(name, dtype=np.float32)
    value, grad = value_and_gradient(name, prediction, target, valid)
    invalid = np.broadcast_to(~valid, grad.shape)
    assert np.isfinite(value) and value != 0 and np.all(grad[invalid] == 0) and np.any(grad != 0)
    spoilt_prediction, spoilt_target = prediction.copy(), target.copy()
    spoilt_prediction[invalid] = planted
    spoilt_target[~valid] = planted if target.dtype.kind == "f" else 255
    spoilt_value, spoilt_grad = value_and_gradient(name, spoilt_prediction, spoilt_target, valid)
    assert spoilt_value == value
    np.testing.assert_array_equal(spoilt_grad, grad)


@pytest.mark.parametrize("name", NAMES)
def test_a_valid_nan_is_not_hidden(name):
    """A network that breaks must be seen: the mask hides holes, not failures."""
    prediction, target, valid = batch(name)
    prediction[0, 0, 4, 4] = np.nan
    assert np.isnan(losses.build(name)(Tensor(prediction), target, valid, picture()).item())


@pytest.mark.parametrize("name", NAMES)
def test_empty_mask_is_zero_with_zero_gradient(name):
    prediction, target, valid = batch(name)
    value, grad = value_and_gradient(name, prediction, meaningless(target), np.zeros_like(valid))
    assert value == 0
    np.testing.assert_array_equal(grad, np.zeros_like(prediction))


@pytest.mark.parametrize("name", NEIGHBOUR_NAMES)
def test_single_valid_pixels_have_no_neighbours(name):
    """A chequerboard of holes leaves no pixel with its neighbours."""
    prediction, target, valid = batch(name)
    valid[:] = np.indices(valid.shape).sum(axis=0) % 2 == 0
    value, grad = value_and_gradient(name, prediction, target, valid)
    assert value == 0
    assert not grad.any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", MAP_NAMES)
def test_perfect_fit_constant_prediction_and_flat_target_stay_finite(name, dtype):
    _, target, valid = batch(name, dtype=dtype)
    constant, zero = np.full_like(target, 0.7), np.zeros_like(target)
    for prediction, truth in [
        (target, target),
        (constant, target),
        (zero, target),
        (target, constant),
        (target, zero),
        (constant, constant),
        (zero, zero),
        (target * 1e6, zero),
    ]:
        for mask in (valid, np.ones_like(valid)):
            value, grad = value_and_gradient(name, prediction, truth, mask)
            assert np.isfinite(value)
            assert np.isfinite(grad).all()
            assert grad.dtype == dtype


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", LABEL_NAMES)
def test_sure_and_unsure_logits_stay_finite(name, dtype):
    _, labels, valid = batch(name)
    right = np.moveaxis(np.eye(CLASSES, dtype=dtype)[labels[:, 0]], -1, 1)
    for prediction in (0 * right, right, 1e4 * right, -1e4 * right, 1e30 * right):
        for truth in (labels, 0 * labels):
            value, grad = value_and_gradient(name, prediction, truth, valid)
            assert np.isfinite(value)
            assert np.isfinite(grad).all()
            assert grad.dtype == dtype
    assert value_and_gradient(name, 1e4 * right, labels, valid)[0] == 0


@pytest.mark.parametrize("name", FITTED_NAMES)
def test_a_perfect_fit_has_no_gradient(name):
    _, target, valid = batch(name)
    _, grad = value_and_gradient(name, target, target, valid)
    np.testing.assert_allclose(grad, 0, atol=1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_the_prediction_gives_the_dtype(name):
    prediction, target, valid = batch(name)
    loss = losses.build(name)
    assert loss(Tensor(prediction.astype(np.float32)), target, valid, picture()).dtype == np.float32
    if name in MAP_NAMES:
        assert loss(Tensor(prediction), target.astype(np.float32), valid, picture()).dtype == np.float64


@pytest.mark.parametrize("name", NAMES)
def test_inputs_are_not_changed(name):
    prediction, target, valid = batch(name)
    copies = prediction.copy(), target.copy(), valid.copy()
    value_and_gradient(name, prediction, target, valid)
    for array, copy in zip((prediction, target, valid), copies):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_downhill_lowers_the_loss(name):
    prediction, target, valid = batch(name)
    value, grad = value_and_gradient(name, prediction, target, valid)
    lower, _ = value_and_gradient(name, prediction - 1e-3 * grad / np.abs(grad).max(), target, valid)
    assert lower < value, name


def test_where_valid_and_masked_mean_by_hand():
    x = Tensor(np.array([[np.nan, 2.0, 4.0]]), requires_grad=True)
    kept = where_valid(x, np.array([[False, True, True]]))
    np.testing.assert_array_equal(kept.data, [[0, 2, 4]])
    kept.backward(np.array([[np.inf, 5.0, 7.0]]))
    np.testing.assert_array_equal(x.grad, [[0, 5, 7]])

    two_channels = Tensor(np.arange(8.0).reshape(1, 2, 2, 2))  # 0 1 2 3 and 4 5 6 7
    mask = np.array([[[[True, False], [False, True]]]])
    assert masked_mean(two_channels, mask).item() == ((0 + 4) + (3 + 7)) / 2  # pixels are counted, channels added


def test_erode_by_hand():
    valid = np.ones((1, 1, 4, 5), bool)
    valid[0, 0, 0, 0] = False
    inside = [[False, True, True], [True, True, True]]
    np.testing.assert_array_equal(erode(valid, "valid")[0, 0], inside)
    padded = np.ones((4, 5), bool)
    padded[:2, :2] = False
    np.testing.assert_array_equal(erode(valid, "zeros")[0, 0], padded)

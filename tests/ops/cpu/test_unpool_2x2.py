"""The gradient of 2x2 max-pooling by shifts: every place, every bit pattern, and where it does not fit."""

import numpy as np
import pytest

from minidepth import Tensor
from minidepth.ops import max_pool2d
from minidepth.ops.cpu import unpool_2x2


def scattered(grad, winner):
    """Place by place, as the definition says."""
    result = np.zeros((*grad.shape[:2], 2 * grad.shape[2], 2 * grad.shape[3]), grad.dtype)
    for n, c, r, q in np.ndindex(grad.shape):
        i, j = divmod(int(winner[n, c, r, q]), 2)
        result[n, c, 2 * r + i, 2 * q + j] = grad[n, c, r, q]
    return result


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 3, 4, 5), (1, 2, 7, 1), (0, 3, 2, 2)])
def test_oracle(shape):
    rng = np.random.default_rng(0)
    grad, winner = rng.standard_normal(shape).astype(np.float32), rng.integers(0, 4, shape, np.uint8)
    np.testing.assert_array_equal(unpool_2x2.grad_x(grad, winner), scattered(grad, winner))


def test_every_bit_of_a_number_arrives():
    values = np.array([np.nan, np.inf, -np.inf, -0.0, 1e-45, -3.4e38, 1.5, 0], np.float32)
    grad = np.repeat(values, 4).reshape(1, 2, 4, 4)
    winner = np.tile(np.arange(4, dtype=np.uint8), 8).reshape(grad.shape)
    result = unpool_2x2.grad_x(grad, winner)
    assert result.tobytes() == scattered(grad, winner).tobytes()


def test_a_view_with_more_than_a_block():
    rng = np.random.default_rng(0)
    grad = rng.standard_normal((2, 7, 160, 150)).astype(np.float32)[:, 1:]  # 288,000 numbers
    winner = rng.integers(0, 4, grad.shape, np.uint8)
    result = unpool_2x2.grad_x(grad, winner)
    for k in range(4):
        np.testing.assert_array_equal(result[..., k // 2 :: 2, k % 2 :: 2], np.where(winner == k, grad, 0))


@pytest.mark.parametrize("size, fits", [((8, 10), True), ((9, 10), False), ((8, 11), False)])
def test_it_is_taken_where_it_fits_and_agrees_with_the_plain_kernel(size, fits, monkeypatch):
    calls = []
    real = unpool_2x2.grad_x
    monkeypatch.setattr(unpool_2x2, "grad_x", lambda *arrays: calls.append(1) or real(*arrays))
    values = np.random.default_rng(0).standard_normal((2, 3, *size)).astype(np.float32)
    grads = {}
    for dtype in (np.float32, np.float64):  # float64 always takes the plain kernel
        x = Tensor(values.astype(dtype), requires_grad=True)
        y = max_pool2d(x, 2)
        y.backward(np.random.default_rng(1).standard_normal(y.shape).astype(np.float32))
        grads[dtype] = x.grad
    np.testing.assert_array_equal(grads[np.float32], grads[np.float64])
    assert len(calls) == fits


def test_other_windows_do_not_take_it(monkeypatch):
    monkeypatch.setattr(unpool_2x2, "grad_x", None)
    for kernel_size, stride, padding, dilation in (
        (2, 1, 0, 1),
        (2, 2, 1, 1),
        (3, 2, 1, 1),
        (2, 3, 1, 1),
        (2, 2, 1, 3),
    ):
        x = Tensor(np.zeros((1, 1, 6, 6), np.float32), requires_grad=True)  # in all but two halved as by 2x2
        y = max_pool2d(x, kernel_size, stride, padding, dilation)
        y.backward(np.ones_like(y.data))
        assert x.grad.sum() == y.size

"""batch_norm: values by hand and by loops, running statistics, gradients in training and evaluation, errors."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from helpers import assert_gradient, assert_linear, assert_same, normal, value_and_gradients
from threadpoolctl import threadpool_limits

from minidepth import Tensor
from minidepth.ops import batch_norm, batch_norm_leaky_relu
from minidepth.ops.cpu import threads

SHAPES = [(2, 3, 4, 5), (3, 1, 2, 2), (5, 4), (1, 2, 3, 7), (2, 3, 6), (2, 5, 17, 19), (4, 200, 2, 3)]


def test_by_hand() -> None:
    x = Tensor(np.array([[[[1.0, 3.0]], [[5.0, 5.0]]]]), requires_grad=True)
    mean, var = np.zeros(2), np.ones(2)
    y = batch_norm(x, mean, var, training=True, momentum=0.5, eps=0.0625)
    root = np.sqrt(1.0625)
    assert_same(y, np.array([[[[-1 / root, 1 / root]], [[0.0, 0.0]]]]))
    assert mean.tolist() == [1, 2.5]  # half way from 0 to 2 and to 5
    assert var.tolist() == [1.5, 0.5]  # half way from 1 to 2 (unbiased) and to 0


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_training_oracle_and_gradient(shape) -> None:
    x, weight, bias = 3 + 2 * normal(*shape), normal(shape[1], seed=1), normal(shape[1], seed=2)
    mean, var = normal(shape[1], seed=3), normal(shape[1], seed=4) ** 2
    count = x.size // shape[1]
    expected, batch_mean, batch_var = reference.batch_norm(x, weight, bias, 1e-5)
    expected_mean = 0.9 * mean + 0.1 * batch_mean
    expected_var = 0.9 * var + 0.1 * batch_var * count / (count - 1)
    assert_same(batch_norm(Tensor(x), mean, var, Tensor(weight), Tensor(bias), training=True), expected)
    assert_same(mean, expected_mean)
    assert_same(var, expected_var)
    assert_gradient(lambda x, w, b: batch_norm(x, None, None, w, b, training=True), x, weight, bias)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_evaluation_oracle_and_gradient(shape) -> None:
    x, weight, bias = normal(*shape), normal(shape[1], seed=1), normal(shape[1], seed=2)
    mean, var = normal(shape[1], seed=3), 0.1 + normal(shape[1], seed=4) ** 2
    before = mean.copy(), var.copy()
    y = batch_norm(Tensor(x), mean, var, Tensor(weight), Tensor(bias))
    assert_same(y, reference.batch_norm(x, weight, bias, 1e-5, mean, var)[0])
    assert np.array_equal(mean, before[0]) and np.array_equal(var, before[1])
    assert_linear(lambda x, w, b: batch_norm(x, mean, var, w, b), x, weight, bias)


def test_evaluation_keeps_the_statistics_it_saw_for_backward() -> None:
    x, mean, var = Tensor(normal(2, 3, 2, 2), requires_grad=True), np.zeros(3), np.ones(3)
    y = batch_norm(x, mean, var, eps=0.0)
    var *= 100
    y.backward(np.ones(y.shape))
    assert_same(x.grad, np.ones(x.shape))


def test_without_weight_and_bias() -> None:
    x = normal(2, 3, 4, 5)
    assert_same(
        batch_norm(Tensor(x), None, None, training=True), reference.batch_norm(x, np.ones(3), np.zeros(3), 1e-5)[0]
    )
    assert_gradient(lambda x: batch_norm(x, None, None, training=True), x)


@pytest.mark.parametrize("shape", [(2, 2, 30, 40), (4, 3, 240, 320), (3, 4, 7)], ids=str)
def test_float32_far_from_zero_loses_nothing(shape) -> None:
    x = (1000 + normal(*shape)).astype(np.float32)
    axes, column = (0, *range(2, len(shape))), (-1, *(1,) * (len(shape) - 2))
    exact_mean, exact_var = (f(x, axis=axes, dtype=np.float64) for f in (np.mean, np.var))
    expected = (x - exact_mean.reshape(column)) / np.sqrt(exact_var.reshape(column) + 1e-5)
    mean, var = np.zeros(shape[1], np.float32), np.zeros(shape[1], np.float32)
    y = batch_norm(Tensor(x), mean, var, training=True, momentum=1.0)
    assert y.dtype == np.float32
    assert_same(y, expected, relative=2e-5)
    count = x.size // shape[1]
    np.testing.assert_allclose(mean, exact_mean, rtol=1e-7)
    np.testing.assert_allclose(var, exact_var * count / (count - 1), rtol=1e-6)


@pytest.mark.parametrize("function", [batch_norm, batch_norm_leaky_relu])
def test_float32_gradient_far_from_zero_loses_nothing(function) -> None:
    x = (1000 + normal(4, 3, 60, 80)).astype(np.float32)
    weight, bias, cotangent = np.array([1.0, -2, 0.5]), np.array([0.1, 0, -0.3]), normal(4, 3, 60, 80, seed=1)
    grads = {}
    for dtype in (np.float32, np.float64):
        arrays = [array.astype(dtype) for array in (x, weight, bias)]
        _, grads[dtype] = value_and_gradients(lambda *p: function(p[0], None, None, *p[1:], True), arrays, cotangent)
    for single, double in zip(grads[np.float32], grads[np.float64]):
        wrong = np.abs(single - double) > 1e-4 * np.abs(double).max()
        assert wrong.mean() < 1e-4  # where y is 0 but for rounding, it may be of either sign


@pytest.mark.parametrize("function", [batch_norm, batch_norm_leaky_relu])
@pytest.mark.parametrize("shape", [(2, 5, 160, 200), (1, 1, 240, 320), (3, 130, 31, 33)], ids=str)
def test_the_number_of_threads_changes_no_bit(monkeypatch, function, shape) -> None:
    inputs = [normal(*shape).astype(np.float32), *(normal(shape[1], seed=n).astype(np.float32) for n in (1, 2))]
    results = []
    for count in (1, 2, 3):
        monkeypatch.setattr(threads, "get_num_threads", lambda count=count: count)
        with threadpool_limits(count, user_api="blas"):
            y, grads = value_and_gradients(
                lambda x, w, b: function(x, None, None, w, b, training=True), inputs, normal(*shape, seed=3)
            )
        results.append([y, *grads])
    for result in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(result, results[0], strict=True))


def test_channels_last_in_memory() -> None:
    x, cotangent = normal(2, 7, 6, 5), normal(2, 7, 6, 5, seed=1)
    tensors = Tensor(x, requires_grad=True), Tensor(np.ascontiguousarray(x.transpose(0, 3, 1, 2)), requires_grad=True)
    batch_norm(tensors[0].permute(0, 3, 1, 2), None, None, training=True).backward(cotangent.transpose(0, 3, 1, 2))
    batch_norm(tensors[1], None, None, training=True).backward(np.ascontiguousarray(cotangent.transpose(0, 3, 1, 2)))
    assert_same(tensors[0].grad.transpose(0, 3, 1, 2), tensors[1].grad)


@pytest.mark.parametrize(
    "shape, options, text",
    [
        ((3,), {"training": True}, r"batch_norm: x must have at least 2 dimensions"),
        ((2, 3, 4, 4), {"training": True, "weight": Tensor(np.ones(4))}, r"batch_norm: weight must have shape \(3,\)"),
        ((2, 3, 4, 4), {"training": True, "running_mean": np.ones(2)}, r"batch_norm: running_mean must have shape"),
        ((2, 3, 4, 4), {}, r"batch_norm: evaluation needs running_mean and running_var"),
        ((1, 3, 1, 1), {"training": True}, r"batch_norm: training needs .* per channel \(x \(1, 3, 1, 1\)\)"),
    ],
)
def test_bad_input(shape, options, text) -> None:
    with pytest.raises(ValueError, match=text):
        batch_norm(Tensor(np.ones(shape)), **{"running_mean": None, "running_var": None, **options})

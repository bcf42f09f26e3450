"""batch_norm: values by hand and by loops, running statistics, gradients in training and evaluation, errors."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from helpers import assert_gradient, assert_linear, assert_same, normal

from minidepth import Tensor
from minidepth.ops import batch_norm

SHAPES = [(2, 3, 4, 5), (3, 1, 2, 2), (5, 4), (1, 2, 3, 7), (2, 3, 6), (4, 200, 2, 3)]


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


def test_float32_far_from_zero_loses_nothing() -> None:
    x = (1000 + normal(2, 2, 30, 40)).astype(np.float32)
    expected = reference.batch_norm(x.astype(np.float64), np.ones(2), np.zeros(2), 1e-5)[0]
    y = batch_norm(Tensor(x), np.zeros(2, np.float32), np.ones(2, np.float32), training=True)
    assert y.dtype == np.float32
    assert_same(y, expected, relative=2e-5)


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

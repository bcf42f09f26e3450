"""sum, mean, var, max, min: values by hand and by loops, where ties go, gradients, errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
from helpers import assert_gradient, assert_linear, assert_same, normal

from minidepth import Tensor, ops
from minidepth.gradient_inputs import distinct

FORMULAS = {
    "sum": math.fsum,
    "mean": lambda values: math.fsum(values) / len(values),
    "var": reference.variance,
    "max": max,
    "min": min,
}
SETTINGS = [
    ((4,), 0),
    ((4,), None),
    ((2, 3), 1),
    ((2, 3, 4, 5), (2, 3)),
    ((2, 3, 4, 5), (0, -2)),
    ((3, 1, 2), (0, 1, 2)),
]


@pytest.mark.parametrize(
    "op, value, grad",
    [
        ("sum", [6, 6], [[1, 1, 1], [10, 10, 10]]),
        ("mean", [2, 2], [[1 / 3, 1 / 3, 1 / 3], [10 / 3, 10 / 3, 10 / 3]]),
        ("var", [1, 7], [[-1, 0, 1], [30, -10, -20]]),
        ("max", [3, 5], [[0, 0, 1], [10, 0, 0]]),
        ("min", [1, 0], [[1, 0, 0], [0, 0, 10]]),
    ],
)
def test_by_hand(op, value, grad) -> None:
    x = Tensor(np.array([[1.0, 2.0, 3.0], [5.0, 1.0, 0.0]]), requires_grad=True)
    y = getattr(ops, op)(x, dim=1)
    assert_same(y, np.array(value, dtype=float))
    y.backward(np.array([1.0, 10.0]))
    assert_same(x.grad, np.array(grad, dtype=float))


@pytest.mark.parametrize("op", FORMULAS)
@pytest.mark.parametrize("keepdim", [False, True])
@pytest.mark.parametrize("shape, dim", SETTINGS, ids=str)
def test_oracle_and_gradient(op, keepdim, shape, dim) -> None:
    function = getattr(ops, op)
    x = distinct(np.random.default_rng(0), shape)
    dims = range(len(shape)) if dim is None else dim if isinstance(dim, tuple) else (dim,)
    expected = reference.reduce(FORMULAS[op], x, {d % len(shape) for d in dims}, keepdim)
    assert_same(function(Tensor(x), dim, keepdim), expected)
    check = assert_linear if op in ("sum", "mean") else assert_gradient
    check(lambda x: function(x, dim, keepdim), x)


def test_biased_variance() -> None:
    x = normal(3, 4)
    expected = reference.reduce(lambda values: reference.variance(values, unbiased=False), x, {0})
    assert_same(ops.var(Tensor(x), 0, unbiased=False), expected)
    assert_gradient(lambda x: ops.var(x, 0, unbiased=False), x)


@pytest.mark.parametrize("op", [ops.max, ops.min])
def test_the_first_of_equal_numbers_gets_the_gradient(op) -> None:
    x = Tensor(np.zeros((2, 3)), requires_grad=True)
    op(x, dim=1).backward(np.array([4.0, 5.0]))
    op(x).backward(np.array(100.0))
    assert x.grad.tolist() == [[104, 0, 0], [5, 0, 0]]


@pytest.mark.parametrize("op", FORMULAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_single_number_keeps_the_dtype(op, dtype) -> None:
    y = getattr(ops, op)(Tensor(normal(5).astype(dtype)))
    assert y.shape == () and y.dtype == dtype


def test_float32_sum_of_many() -> None:
    """Added one by one they would be 9 % off; how close pairwise sums come depends on the version of NumPy."""
    assert ops.mean(Tensor(np.full(10_000_000, 0.1, np.float32))).item() == pytest.approx(0.1, rel=1e-4)


@pytest.mark.parametrize(
    "op, shape, dim, text",
    [
        ("sum", (2, 3), 2, r"sum: dim 2 is out of range for x of shape \(2, 3\); use -2 to 1"),
        ("mean", (2, 3), (0, -3), r"mean: dim -3 is out of range"),
        ("max", (2, 3), (0, -2), r"max: dim \(0, -2\) names a dimension twice"),
        ("mean", (2, 0), 1, r"mean: needs at least 1 numbers to put together, not 0"),
        ("min", (2, 0), 1, r"min: needs at least 1 numbers to put together, not 0"),
        ("var", (2, 1), 1, r"var: needs at least 2 numbers to put together, not 1 \(x \(2, 1\), dim \(1,\)\)"),
    ],
)
def test_bad_input(op, shape, dim, text) -> None:
    with pytest.raises(ValueError, match=text):
        getattr(ops, op)(Tensor(np.zeros(shape)), dim)

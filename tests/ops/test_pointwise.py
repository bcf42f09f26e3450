"""abs, exp, log, sqrt, clip, maximum, minimum: values by hand and by loops, ties and bounds, gradients, errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
from helpers import assert_gradient, assert_same, normal

from minidepth import Tensor, ops
from minidepth.gradient_inputs import away_from, distinct, positive

FORMULAS = {"abs": abs, "exp": math.exp, "log": math.log, "sqrt": math.sqrt}


@pytest.mark.parametrize(
    "op, x, value, grad",
    [
        ("abs", [-2.0, 0.0, 3.0], [2, 0, 3], [-1, 0, 1]),
        ("exp", [0.0, math.log(4)], [1, 4], [1, 4]),
        ("log", [1.0, 4.0], [0, math.log(4)], [1, 0.25]),
        ("sqrt", [1.0, 16.0], [1, 4], [0.5, 0.125]),
    ],
)
def test_by_hand(op, x, value, grad) -> None:
    tensor = Tensor(np.array(x), requires_grad=True)
    y = getattr(ops, op)(tensor)
    assert_same(y, np.array(value))
    y.backward(np.full(len(x), 8.0))
    assert_same(tensor.grad, 8 * np.array(grad))


@pytest.mark.parametrize("op", FORMULAS)
@pytest.mark.parametrize("shape", [(), (2, 3, 4)], ids=str)
def test_oracle_and_gradient(op, shape) -> None:
    x = positive(np.random.default_rng(0), shape)
    assert_same(getattr(ops, op)(Tensor(x)), reference.each(FORMULAS[op], np.asarray(x)))
    assert_gradient(getattr(ops, op), x)


def test_abs_of_both_signs() -> None:
    assert_gradient(ops.abs, away_from(np.random.default_rng(0), (3, 4), [0.0]))


@pytest.mark.parametrize("low, high", [(-1.0, 0.5), (None, 0.5), (-1.0, None), (0.5, 0.5)])
def test_clip(low, high) -> None:
    x = away_from(np.random.default_rng(0), (4, 5), [-1.0, 0.5])
    floor, ceiling = -math.inf if low is None else low, math.inf if high is None else high
    assert_same(ops.clip(Tensor(x), low, high), reference.each(lambda v: min(max(v, floor), ceiling), x))
    if low != high:
        assert_gradient(lambda x: ops.clip(x, low, high), x)


def test_the_bounds_of_clip_let_the_gradient_through() -> None:
    x = Tensor(np.array([-2.0, -1.0, 0.0, 1.0, 2.0]), requires_grad=True)
    ops.clip(x, -1, 1).backward(np.full(5, 7.0))
    assert x.grad.tolist() == [0, 7, 7, 7, 0]


@pytest.mark.parametrize("op, choose", [("maximum", max), ("minimum", min)])
@pytest.mark.parametrize("a_shape, b_shape", [((2, 3), (2, 3)), ((4, 1, 3), (2, 1)), ((), (3,)), ((2, 3), ())], ids=str)
def test_larger_and_smaller(op, choose, a_shape, b_shape) -> None:
    function = getattr(ops, op)
    values = distinct(np.random.default_rng(0), (int(np.prod(a_shape) + np.prod(b_shape)),))
    a, b = values[: int(np.prod(a_shape))].reshape(a_shape), values[int(np.prod(a_shape)) :].reshape(b_shape)
    y = function(Tensor(a), Tensor(b)).numpy()
    for place in np.ndindex(*y.shape):
        assert y[place] == choose(np.broadcast_to(a, y.shape)[place], np.broadcast_to(b, y.shape)[place])
    assert_gradient(function, a, b)


@pytest.mark.parametrize("op", [ops.maximum, ops.minimum])
def test_ties_are_shared(op) -> None:
    a, b = Tensor(np.array([2.0]), requires_grad=True), Tensor(np.array([2.0]), requires_grad=True)
    op(a, b).backward(np.array([6.0]))
    assert a.grad.tolist() == [3] and b.grad.tolist() == [3]


def test_a_number_keeps_the_dtype() -> None:
    x = Tensor(normal(3).astype(np.float32))
    assert ops.maximum(x, 0.5).dtype == np.float32
    assert ops.minimum(0.5, x).dtype == np.float32
    assert ops.clip(x, 0.1, 0.2).dtype == np.float32


def test_bad_input() -> None:
    x = Tensor(np.zeros((2, 3)))
    with pytest.raises(ValueError, match="clip: neither min nor max is given; give at least one"):
        ops.clip(x)
    with pytest.raises(ValueError, match="clip: min 2 is larger than max 1"):
        ops.clip(x, 2, 1)
    for op in (ops.maximum, ops.minimum):
        with pytest.raises(ValueError, match=rf"{op.__name__}: shapes \(2, 3\) and \(2,\) do not broadcast"):
            op(x, Tensor(np.zeros(2)))

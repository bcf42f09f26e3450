"""softmax and log_softmax: values by hand and by loops, extreme values, gradients, errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
from helpers import assert_gradient, assert_same, normal

from minidepth import Tensor
from minidepth.ops import log_softmax, softmax


def test_by_hand() -> None:
    x = Tensor(np.log([[1.0, 3.0]]), requires_grad=True)
    y = softmax(x, dim=1)
    assert_same(y, np.array([[0.25, 0.75]]))
    y.backward(np.array([[16.0, 0.0]]))
    assert_same(x.grad, np.array([[3.0, -3.0]]))
    assert_same(log_softmax(Tensor(x.data), 1), np.log([[0.25, 0.75]]))


@pytest.mark.parametrize("shape, dim", [((5,), 0), ((2, 3), 1), ((2, 3), -2), ((2, 4, 3, 2), 1), ((2, 1, 3), 1)])
def test_oracle_and_gradient(shape, dim) -> None:
    x = normal(*shape)
    expected = reference.softmax(x, dim % len(shape))
    assert_same(softmax(Tensor(x), dim), expected)
    assert_same(log_softmax(Tensor(x), dim), np.log(expected))
    assert_gradient(lambda x: softmax(x, dim), x)
    assert_gradient(lambda x: log_softmax(x, dim), x)


def test_huge_values() -> None:
    x = Tensor(np.array([1000.0, 0.0, -1000.0]))
    assert softmax(x, 0).numpy().tolist() == [1, 0, 0]
    assert log_softmax(x, 0).numpy().tolist() == [0, -1000, -2000]
    assert_same(log_softmax(Tensor(np.array([1e5, 1e5])), 0), np.full(2, -math.log(2)))


@pytest.mark.parametrize("op", [softmax, log_softmax])
def test_bad_input(op) -> None:
    with pytest.raises(ValueError, match=rf"{op.__name__}: dim 2 is out of range for x of shape \(3, 4\); use -2 to 1"):
        op(Tensor(np.zeros((3, 4))), 2)
    with pytest.raises(ValueError, match=rf"{op.__name__}: x is empty"):
        op(Tensor(np.zeros((0, 4))), 1)

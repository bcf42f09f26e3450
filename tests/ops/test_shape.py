"""reshape, flatten, transpose, permute, getitem: values by hand, gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import assert_linear, assert_same, normal

from minidepth import Tensor, ops

INDICES = {
    "integer": 1,
    "slices": (slice(None), slice(2, 0, -1), slice(None, None, 3)),
    "ellipsis and None": (..., None, 0),
    "crop": (slice(None), slice(1, -1), slice(1, -1)),
    "integer array with repeats": np.array([1, 0, 1, 1]),
    "list with repeats": ([0, 0, 1], slice(None), [3, 3, 0]),
    "negative integers": np.array([-1, 1]),
    "bool mask": normal(2, 3, 4) > 0,
    "bool mask of the first dimension": np.array([True, False]),
    "empty": slice(0, 0),
}


def test_by_hand() -> None:
    x = Tensor(np.arange(6.0).reshape(2, 3))
    assert ops.reshape(x, (3, -1)).numpy().tolist() == [[0, 1], [2, 3], [4, 5]]
    assert ops.flatten(x).numpy().tolist() == [0, 1, 2, 3, 4, 5]
    assert ops.transpose(x, 0, 1).numpy().tolist() == [[0, 3], [1, 4], [2, 5]]
    assert ops.permute(x, (1, 0)).numpy().tolist() == [[0, 3], [1, 4], [2, 5]]
    assert ops.getitem(x, (1, slice(1, None))).numpy().tolist() == [4, 5]
    assert ops.flatten(Tensor(np.zeros((2, 3, 4, 5))), 1, 2).shape == (2, 12, 5)
    assert ops.flatten(Tensor(np.array(3.0))).shape == (1,)


def test_repeated_places_add_up() -> None:
    x = Tensor(np.zeros(3), requires_grad=True)
    x[np.array([2, 0, 2])].backward(np.array([1.0, 10.0, 100.0]))
    assert x.grad.tolist() == [10, 0, 101]


def test_permute_puts_every_number_in_its_place() -> None:
    x = normal(2, 3, 4)
    y = ops.permute(Tensor(x), (2, 0, 1)).numpy()
    assert y.shape == (4, 2, 3)
    for n, c, h in np.ndindex(2, 3, 4):
        assert y[h, n, c] == x[n, c, h]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: ops.reshape(x, (4, -1)),
        lambda x: ops.reshape(x, (24,)),
        lambda x: ops.flatten(x, 1),
        lambda x: ops.transpose(x, 0, -1),
        lambda x: ops.permute(x, (2, 0, 1)),
        lambda x: ops.permute(x, (-1, 1, 0)),
    ],
)
def test_gradient(function) -> None:
    assert_linear(function, normal(2, 3, 4))


@pytest.mark.parametrize("index", INDICES.values(), ids=INDICES)
def test_getitem_oracle_and_gradient(index) -> None:
    x = normal(2, 3, 4)
    assert_same(Tensor(x)[index], x[index])
    if x[index].size:
        assert_linear(lambda x: x[index], x)


@pytest.mark.parametrize(
    "call, error, text",
    [
        (lambda x: ops.reshape(x, (4, 2)), ValueError, r"reshape: x of shape \(2, 3\) has 6 values, .* shape \(4, 2\)"),
        (lambda x: ops.reshape(x, (-1, -1)), ValueError, r"reshape: x of shape \(2, 3\) has 6 values"),
        (lambda x: ops.reshape(x, (4, -1)), ValueError, r"reshape: x of shape \(2, 3\) has 6 values"),
        (lambda x: ops.reshape(x, (-2, -3)), ValueError, r"reshape: x of shape \(2, 3\) has 6 values"),
        (lambda x: ops.flatten(x, 1, 0), ValueError, r"flatten: start_dim 1 comes after end_dim 0"),
        (lambda x: ops.flatten(x, 2), ValueError, r"flatten: dim 2 is out of range for x of shape \(2, 3\)"),
        (lambda x: ops.transpose(x, 0, 2), ValueError, r"transpose: dim 2 is out of range"),
        (lambda x: ops.permute(x, (0, 0)), ValueError, r"permute: dims \(0, 0\) must name each dimension of x once"),
        (lambda x: ops.permute(x, (0,)), ValueError, r"permute: dims \(0,\) must name each dimension of x once"),
        (lambda x: x[2], IndexError, r"getitem: index 2 is out of bounds .* \(x \(2, 3\)\)"),
        (lambda x: x[x], TypeError, r"getitem: a Tensor cannot be an index"),
    ],
)
def test_bad_input(call, error, text) -> None:
    with pytest.raises(error, match=text):
        call(Tensor(np.zeros((2, 3))))

"""+ - * / ** - @: values by hand and by NumPy, broadcasting, gradients, dtypes, errors."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from helpers import assert_gradient, assert_same, normal, value_and_gradients

from minidepth import Tensor, get_num_threads, set_num_threads
from minidepth.gradient_inputs import positive

BINARY = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}
SHAPES = [((2, 3), (2, 3)), ((2, 3), (3,)), ((4, 1, 3), (2, 1)), ((), (2, 2)), ((1, 1), ()), ((1,), (5,))]
PRODUCTS = [
    ((2, 3), (3, 4)),
    ((3,), (3,)),
    ((3,), (3, 4)),
    ((2, 3), (3,)),
    ((5, 2, 3), (3, 4)),
    ((5, 1, 2, 3), (4, 3, 2)),
]


def test_by_hand() -> None:
    a, b = Tensor(np.array([6.0, 8.0]), requires_grad=True), Tensor(np.array([2.0]), requires_grad=True)
    y = (a * b - a / b + (-b) + a**2) @ Tensor(np.array([1.0, 10.0]))
    assert y.item() == (12 - 3 - 2 + 36) + 10 * (16 - 4 - 2 + 64)
    y.backward()
    assert a.grad.tolist() == [2 - 0.5 + 12, 10 * (2 - 0.5 + 16)]
    assert b.grad.tolist() == [(6 + 6 / 4 - 1) + 10 * (8 + 8 / 4 - 1)]


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("a_shape, b_shape", SHAPES, ids=str)
def test_oracle_and_gradient(name, a_shape, b_shape) -> None:
    rng = np.random.default_rng(0)
    a, b = positive(rng, a_shape), positive(rng, b_shape)
    y = BINARY[name](Tensor(a), Tensor(b)).numpy()
    for place in np.ndindex(*y.shape):
        expected = BINARY[name](np.broadcast_to(a, y.shape)[place], np.broadcast_to(b, y.shape)[place])
        assert y[place] == pytest.approx(expected, rel=1e-14)
    assert_gradient(BINARY[name], a, b)


@pytest.mark.parametrize("exponent", [-1, 0, 0.5, 1, 2, 3.0])
def test_power(exponent) -> None:
    x = positive(np.random.default_rng(0), (2, 3))
    assert_same(Tensor(x) ** exponent, x**exponent)
    if exponent != 0:
        assert_gradient(lambda x: x**exponent, x)


def test_power_zero_at_zero_has_no_gradient() -> None:
    x = Tensor(np.zeros(2), requires_grad=True)
    (x**0).backward(np.ones(2))
    assert x.grad.tolist() == [0, 0]


def test_negative() -> None:
    assert_gradient(lambda x: -x, normal(2, 3))


@pytest.mark.parametrize("a_shape, b_shape", PRODUCTS, ids=str)
def test_matmul(a_shape, b_shape) -> None:
    a, b = normal(*a_shape), normal(*b_shape, seed=1)
    assert_same(Tensor(a) @ Tensor(b), np.asarray(np.matmul(a, b)))
    assert_gradient(operator.matmul, a, b)


@pytest.mark.parametrize(
    "a_shape, b_shape", [((700, 430), (430, 390)), ((2, 300, 140), (140, 513)), ((0, 3), (3, 2))], ids=str
)
def test_matmul_of_many_rows_for_any_number_of_threads(a_shape, b_shape) -> None:
    a, b, grad = normal(*a_shape), normal(*b_shape, seed=1), normal(*a_shape[:-1], b_shape[-1], seed=2)
    results = []
    before = get_num_threads()
    for number in (1, 2, 3):
        set_num_threads(number)
        y, (grad_a, grad_b) = value_and_gradients(operator.matmul, [a, b], grad)
        results.append([array.tobytes() for array in (y, grad_a, grad_b)])
    set_num_threads(before)
    assert results[0] == results[1] == results[2]
    assert_same(y, np.einsum("...mk,kn->...mn", a, b))
    assert_same(grad_a, np.einsum("...mn,kn->...mk", grad, b))
    assert_same(grad_b, np.einsum("bmk,bmn->kn", *(np.atleast_3d(array.T).T for array in (a, grad))))


@pytest.mark.parametrize("name", BINARY)
def test_numbers_and_arrays_on_either_side(name) -> None:
    x = np.array([1.0, 2.0, 4.0])
    assert_same(BINARY[name](Tensor(x), 3), BINARY[name](x, 3))
    assert_same(BINARY[name](3, Tensor(x)), BINARY[name](3, x))
    assert_same(BINARY[name](x, Tensor(x[:1])), BINARY[name](x, x[:1]))
    assert_gradient(lambda x: BINARY[name](3, x), x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_numbers_do_not_change_the_dtype(dtype) -> None:
    x = Tensor(np.ones(3, dtype), requires_grad=True)
    y = ((2 * x + 1) / 3 - 0.5) ** 2
    y.sum().backward()
    assert y.dtype == dtype and x.grad.dtype == dtype


def test_a_float32_factor_gets_a_float32_gradient() -> None:
    a, b = Tensor(np.ones(3, np.float32), requires_grad=True), Tensor(np.ones(3), requires_grad=True)
    (a * b).sum().backward()
    assert a.grad.dtype == np.float32 and b.grad.dtype == np.float64


def test_bad_input() -> None:
    x = Tensor(np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"add: shapes \(2, 3\) and \(2,\) do not broadcast; sizes must be equal"):
        x + Tensor(np.zeros(2))
    with pytest.raises(ValueError, match=r"matmul: .* do not broadcast \(a \(2, 3, 4\), b \(5, 4, 2\)\)"):
        Tensor(np.ones((2, 3, 4))) @ Tensor(np.ones((5, 4, 2)))
    with pytest.raises(ValueError, match=r"matmul: inner sizes differ \(a \(2, 3\), b \(2, 3\)\)"):
        x @ x
    with pytest.raises(TypeError, match=r"power: the exponent must be a number, not Tensor; use exp\(b \* log\(a\)\)"):
        x**x

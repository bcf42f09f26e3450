"""relu, relu6, sigmoid, tanh: values by hand and by loops, corners, extreme values, gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
from helpers import assert_gradient, assert_same, normal
from twins import GPUS, assert_twin, to_gpu

from minidepth import Tensor, ops
from minidepth.gradient_inputs import away_from
from minidepth.ops import activations

FORMULAS = {
    "relu": lambda v: max(v, 0.0),
    "relu6": lambda v: min(max(v, 0.0), 6.0),
    "sigmoid": lambda v: 1 / (1 + math.exp(-v)),
    "tanh": math.tanh,
}
KINKS = {"relu": [0.0], "relu6": [0.0, 6.0], "sigmoid": [0.0], "tanh": [0.0]}


@pytest.mark.parametrize(
    "op, value, grad",
    [("relu", [0, 0, 3, 6, 8], [0, 0, 1, 1, 1]), ("relu6", [0, 0, 3, 6, 6], [0, 0, 1, 0, 0])],
)
def test_corners_by_hand(op, value, grad) -> None:
    x = Tensor(np.array([-2.0, 0.0, 3.0, 6.0, 8.0]), requires_grad=True)
    y = getattr(ops, op)(x)
    assert y.numpy().tolist() == value
    y.backward(np.full(5, 10.0))
    assert x.grad.tolist() == [10 * g for g in grad]


def test_curves_by_hand() -> None:
    x = Tensor(np.array([0.0, math.log(3)]), requires_grad=True)
    y = ops.sigmoid(x)
    assert_same(y, np.array([0.5, 0.75]))
    y.backward(np.array([4.0, 16.0]))
    assert_same(x.grad, np.array([1.0, 3.0]))
    assert_same(ops.tanh(Tensor(np.array([0.0, math.log(2)]))), np.array([0.0, 0.6]))


@pytest.mark.parametrize("op", FORMULAS)
@pytest.mark.parametrize("shape", [(), (7,), (2, 3, 5, 4), (3, 150, 151)], ids=str)
def test_oracle_and_gradient(op, shape) -> None:
    function = getattr(ops, op)
    x = np.asarray(4 * normal(*shape))
    assert_same(function(Tensor(x)), reference.each(FORMULAS[op], x))
    assert_gradient(function, away_from(np.random.default_rng(0), shape, KINKS[op]))


def test_sigmoid_of_huge_values_neither_overflows_nor_vanishes_early() -> None:
    x = Tensor(np.array([-1e4, -700.0, -40.0, 40.0, 1e4]), requires_grad=True)
    y = ops.sigmoid(x)
    np.testing.assert_allclose(y.data, [0, math.exp(-700), math.exp(-40), 1, 1], rtol=1e-12)
    y.backward(np.ones(5))
    assert np.isfinite(x.grad).all()


@pytest.mark.parametrize("op", FORMULAS)
def test_gives_the_same_for_any_memory_layout(op) -> None:
    x = normal(4, 5, 6)
    function = getattr(ops, op)
    straight, turned = Tensor(x, requires_grad=True), Tensor(x, requires_grad=True)
    y = function(straight)
    y.backward(x)
    y_turned = function(turned.transpose(0, 2))
    y_turned.backward(x.T)
    assert np.array_equal(y_turned.data, y.data.T)
    assert np.array_equal(turned.grad, straight.grad)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("op", FORMULAS)
@pytest.mark.parametrize("shape", [(), (0,), (7,), (2, 3, 5, 4), (5, 613)], ids=str)  # the last one: three blocks
def test_cuda(shape, op, gpu) -> None:
    forward, grad_x = (getattr(activations, f"{op}_{name}") for name in ("forward", "grad_x"))
    y = assert_twin(gpu, forward, np.asarray(4 * normal(*shape)))
    assert_twin(gpu, grad_x, normal(*shape, seed=1), np.asarray(y))


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("op", FORMULAS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_cuda_at_corners_and_beyond(dtype, op, gpu) -> None:
    """0 and 6, where the derivative jumps; what overflows; what is no number."""
    x = np.array([0.0, 6, 90, -90, 1e4, -1e4, np.inf, -np.inf, np.nan], dtype)
    tensors = [Tensor(array, requires_grad=True) for array in (x, to_gpu(gpu, x))]
    results = [getattr(ops, op)(tensor) for tensor in tensors]
    np.testing.assert_allclose(results[1].numpy(), results[0].numpy(), rtol=8 * np.finfo(dtype).eps)
    for tensor, result in zip(tensors, results):
        result.backward(np.ones_like(tensor.data))
    np.testing.assert_allclose(tensors[1].grad.get(), tensors[0].grad, rtol=8 * np.finfo(dtype).eps, atol=1e-30)

"""linear: values by hand and by loops, gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from helpers import DEVICES, assert_linear, assert_same, normal
from twins import GPUS, assert_twin

from minidepth import Tensor
from minidepth.ops import linear
from minidepth.ops.linear import forward, grad_weight, grad_x

# x, outputs, bias
SETTINGS = [((3, 4), 5, True), ((3, 4), 5, False), ((4,), 2, True), ((2, 3, 5, 1), 3, True), ((700, 30), 40, True)]


def test_by_hand() -> None:
    x = Tensor(np.array([[1.0, 2.0], [3.0, 4.0]]), requires_grad=True)
    weight = Tensor(np.array([[1.0, 0.0], [2.0, 5.0], [0.0, -1.0]]), requires_grad=True)
    bias = Tensor(np.array([0.0, 100.0, 0.0]), requires_grad=True)
    y = linear(x, weight, bias)
    assert y.numpy().tolist() == [[1, 112, -2], [3, 126, -4]]
    y.backward(np.array([[1.0, 0.0, 10.0], [0.0, 100.0, 0.0]]))
    assert x.grad.tolist() == [[1, -10], [200, 500]]
    assert weight.grad.tolist() == [[1, 2], [300, 400], [10, 20]]
    assert bias.grad.tolist() == [1, 100, 10]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_oracle_and_gradient(setting) -> None:
    shape, outputs, with_bias = setting
    inputs = [normal(*shape), normal(outputs, shape[-1], seed=1), *([normal(outputs, seed=2)] if with_bias else [])]
    assert_same(linear(*map(Tensor, inputs)), reference.linear(*inputs))
    assert_linear(linear, *inputs)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("shape, outputs, with_bias", [((4,), 2, True), ((3, 5, 20), 68, True), ((70, 9), 3, False)])
def test_cuda(shape, outputs, with_bias, gpu) -> None:
    x, weight = normal(*shape), normal(outputs, shape[-1], seed=1)
    y = assert_twin(gpu, forward, x, weight, normal(outputs, seed=2) if with_bias else None, terms=shape[-1])
    assert_twin(gpu, grad_x, y, weight, shape, terms=outputs)
    assert_twin(gpu, grad_weight, y, x, terms=x.size // shape[-1])


@pytest.mark.parametrize("device", DEVICES)
def test_a_gradient_only_for_what_wants_one(device: str) -> None:
    arrays = [DEVICES[device](array) for array in (normal(3, 4), normal(5, 4), normal(5))]
    for wanted in range(3):
        tensors = [Tensor(array, requires_grad=place == wanted) for place, array in enumerate(arrays)]
        linear(*tensors).backward(np.ones((3, 5)))
        assert [tensor.grad is not None for tensor in tensors] == [place == wanted for place in range(3)]


@pytest.mark.parametrize(
    "shapes, text",
    [
        (((3, 4), (5, 3)), r"linear: the last size of x must be 3, as weight expects \(x \(3, 4\), weight \(5, 3\)"),
        (((), (5, 3)), r"linear: the last size of x must be 3"),
        (((3, 4), (5, 4, 1)), r"linear: weight must be \(out_features, in_features\)"),
        (((3, 4), (0, 4)), r"linear: weight must be \(out_features, in_features\) and not empty"),
        (((3, 4), (5, 4), (4,)), r"linear: bias must have shape \(5,\) \(x \(3, 4\)"),
    ],
)
def test_bad_input(shapes, text) -> None:
    with pytest.raises(ValueError, match=text):
        linear(*(Tensor(np.zeros(shape)) for shape in shapes))


def test_mixed_dtypes() -> None:
    with pytest.raises(TypeError, match=r"linear: x, weight and bias must have one dtype \(x float32, weight float64"):
        linear(Tensor(np.zeros((3, 4), np.float32)), Tensor(np.zeros((5, 4))))

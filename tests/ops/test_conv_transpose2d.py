"""conv_transpose2d: values by hand and by loops, adjoint of conv2d, errors."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from helpers import assert_linear, assert_same, normal
from twins import GPUS, to_gpu

from minidepth import Tensor
from minidepth.ops import conv2d, conv_transpose2d

# x (N, C, H, W), weight (C, O/groups, I, J), stride, padding, output_padding, groups, dilation
SETTINGS = [
    ((1, 1, 2, 2), (1, 1, 2, 2), (2, 2), (0, 0), (0, 0), 1, (1, 1)),
    ((2, 4, 5, 3), (4, 2, 2, 2), (2, 2), (0, 0), (0, 0), 1, (1, 1)),
    ((2, 3, 4, 5), (3, 2, 3, 3), (1, 1), (1, 1), (0, 0), 1, (1, 1)),
    ((2, 3, 4, 5), (3, 2, 3, 3), (1, 1), (0, 0), (0, 0), 1, (1, 1)),
    ((1, 3, 4, 5), (3, 2, 3, 3), (2, 2), (1, 1), (1, 1), 1, (1, 1)),
    ((1, 2, 3, 4), (2, 3, 5, 5), (2, 2), (2, 2), (1, 1), 1, (1, 1)),
    ((1, 2, 3, 4), (2, 3, 4, 3), (3, 2), (1, 2), (2, 0), 1, (1, 1)),
    ((1, 2, 4, 3), (2, 2, 3, 2), (1, 3), (0, 1), (0, 2), 1, (2, 1)),
    ((1, 4, 3, 3), (4, 3, 3, 3), (2, 2), (1, 1), (1, 1), 2, (1, 1)),
    ((2, 3, 3, 4), (3, 1, 2, 2), (2, 2), (0, 0), (0, 0), 3, (1, 1)),
    ((1, 2, 3, 3), (2, 2, 2, 2), (2, 3), (0, 0), (1, 2), 1, (2, 2)),
]


def test_by_hand() -> None:
    x = Tensor(np.array([[[[1.0, 2.0]]]]), requires_grad=True)
    weight = Tensor(np.array([[[[1.0, 10.0, 100.0]]]]), requires_grad=True)
    y = conv_transpose2d(x, weight, Tensor(np.array([0.5])), stride=(1, 2))
    assert y.numpy().tolist() == [[[[1.5, 10.5, 102.5, 20.5, 200.5]]]]  # the two copies meet at the third place
    y.backward(np.array([[[[1.0, 2.0, 3.0, 4.0, 5.0]]]]))
    assert x.grad.tolist() == [[[[321, 543]]]]
    assert weight.grad.tolist() == [[[[1 + 2 * 3, 2 + 2 * 4, 3 + 2 * 5]]]]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_oracle_and_gradient(setting) -> None:
    x_shape, weight_shape, stride, padding, output_padding, groups, dilation = setting
    options = dict(stride=stride, padding=padding, output_padding=output_padding, groups=groups, dilation=dilation)
    x, weight, bias = normal(*x_shape), normal(*weight_shape, seed=1), normal(weight_shape[1] * groups, seed=2)
    y = conv_transpose2d(Tensor(x), Tensor(weight), Tensor(bias), **options)
    assert_same(y, reference.conv_transpose2d(x, weight, bias, **options))
    assert_linear(lambda x, w, b: conv_transpose2d(x, w, b, **options), x, weight, bias)


def test_is_the_adjoint_of_conv2d() -> None:
    x, weight, y = normal(2, 3, 9, 8), normal(4, 3, 3, 2, seed=1), normal(2, 4, 5, 4, seed=2)
    left = np.vdot(conv2d(Tensor(x), Tensor(weight), stride=2, padding=(1, 0)).data, y)
    back = conv_transpose2d(Tensor(y), Tensor(weight), stride=2, padding=(1, 0))
    assert back.shape == x.shape
    assert left == pytest.approx(np.vdot(x, back.data), rel=1e-13)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_cuda(setting, gpu) -> None:
    x_shape, weight_shape, stride, padding, output_padding, groups, dilation = setting
    options = dict(stride=stride, padding=padding, output_padding=output_padding, groups=groups, dilation=dilation)
    inputs = normal(*x_shape), normal(*weight_shape, seed=1), normal(weight_shape[1] * groups, seed=2)

    def value_and_gradients(*arrays):
        tensors = [Tensor(array, requires_grad=True) for array in arrays]
        y = conv_transpose2d(*tensors, **options)
        y.backward(y.data)
        return y.data, *(tensor.grad for tensor in tensors)

    expected = value_and_gradients(*inputs)
    for actual, array in zip(value_and_gradients(*(to_gpu(gpu, array) for array in inputs)), expected):
        assert_same(actual.get(), array, relative=1e-13)


@pytest.mark.parametrize(
    "arguments, options, text",
    [
        (((1, 3, 4, 4), (4, 2, 2, 2)), {}, r"conv_transpose2d: x has 3 channels, weight expects 4 \(x \(1, 3, 4, 4\)"),
        (((3, 4, 4), (3, 2, 2, 2)), {}, r"conv_transpose2d: x and weight must have 4 dimensions"),
        (((1, 3, 4, 4), (3, 2, 2, 2), (3,)), {}, r"conv_transpose2d: bias must have shape \(2,\)"),
        (((1, 3, 4, 4), (3, 2, 2, 2)), {"stride": 2, "output_padding": 2}, r"output_padding \(2, 2\) must be smaller"),
        (((1, 3, 4, 4), (3, 2, 2, 2)), {"padding": 3}, r"conv_transpose2d: padding \(3, 3\) leaves no output"),
        (((1, 3, 4, 4), (3, 2, 2, 2)), {"stride": 0.5}, r"conv_transpose2d: stride is 0.5"),
        (((1, 3, 4, 4), (3, 2, 2, 2)), {"groups": 2}, r"conv_transpose2d: groups must divide"),
    ],
)
def test_bad_input(arguments, options, text) -> None:
    with pytest.raises(ValueError, match=text):
        conv_transpose2d(*(Tensor(np.zeros(shape)) for shape in arguments), **options)

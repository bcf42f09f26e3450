"""conv2d: values by hand and by loops, gradients, the fast kernel beside the plain one, errors."""

from __future__ import annotations

import math

import numpy as np
import pytest
import reference
from helpers import assert_gradient, assert_linear, assert_same, normal

from minidepth import Tensor
from minidepth.ops import conv2d
from minidepth.ops.conv2d import forward, grad_bias, grad_weight, grad_x, plain_forward, plain_grad_weight, plain_grad_x

# x (N, C, H, W), weight (O, C/groups, I, J), stride, padding, dilation, groups
SETTINGS = [
    ((1, 1, 3, 3), (1, 1, 3, 3), (1, 1), (0, 0), (1, 1), 1),
    ((2, 3, 7, 6), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((2, 3, 7, 6), (4, 3, 3, 3), (1, 1), (0, 0), (1, 1), 1),
    ((1, 2, 41, 5), (3, 2, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((1, 2, 5, 4), (2, 2, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((2, 2, 9, 8), (3, 2, 3, 3), (2, 2), (1, 1), (1, 1), 1),
    ((1, 2, 9, 11), (3, 2, 3, 2), (2, 3), (2, 1), (1, 1), 1),
    ((1, 2, 9, 8), (2, 2, 3, 3), (1, 1), (2, 2), (2, 2), 1),
    ((1, 2, 10, 9), (2, 2, 2, 3), (3, 1), (0, 3), (3, 2), 1),
    ((2, 4, 6, 5), (6, 2, 3, 3), (1, 1), (1, 1), (1, 1), 2),
    ((1, 3, 6, 7), (6, 1, 3, 3), (2, 1), (1, 1), (1, 1), 3),
    ((2, 2, 5, 5), (2, 2, 5, 5), (1, 1), (2, 2), (1, 1), 1),
    ((1, 2, 4, 9), (2, 2, 1, 7), (1, 1), (0, 3), (1, 1), 1),
    ((1, 2, 3, 3), (2, 2, 3, 3), (1, 1), (5, 5), (1, 1), 1),
]


def test_by_hand() -> None:
    x = Tensor(np.arange(9.0).reshape(1, 1, 3, 3), requires_grad=True)
    weight = Tensor(np.array([[[[1.0, 2.0], [3.0, 4.0]]]]), requires_grad=True)
    bias = Tensor(np.array([10.0]), requires_grad=True)
    y = conv2d(x, weight, bias)
    assert y.numpy().tolist() == [[[[37, 47], [67, 77]]]]  # 10 + 0*1 + 1*2 + 3*3 + 4*4, ...
    y.backward(np.array([[[[1.0, 0.0], [0.0, 2.0]]]]))
    assert weight.grad.tolist() == [[[[0 + 2 * 4, 1 + 2 * 5], [3 + 2 * 7, 4 + 2 * 8]]]]
    assert x.grad.tolist() == [[[[1, 2, 0], [3, 4 + 2, 4], [0, 6, 8]]]]
    assert bias.grad.tolist() == [3]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_oracle_and_gradient(setting) -> None:
    x_shape, weight_shape, stride, padding, dilation, groups = setting
    x, weight, bias = normal(*x_shape), normal(*weight_shape, seed=1), normal(weight_shape[0], seed=2)
    y = conv2d(Tensor(x), Tensor(weight), Tensor(bias), stride, padding, dilation, groups)
    assert_same(y, reference.conv2d(x, weight, bias, stride, padding, dilation, groups))
    assert_linear(lambda x, w, b: conv2d(x, w, b, stride, padding, dilation, groups), x, weight, bias)


def test_gradient_without_bias_and_with_one_input_only() -> None:
    x, weight = normal(2, 3, 6, 5), normal(4, 3, 3, 3, seed=1)
    assert_gradient(lambda x, w: conv2d(x, w, padding=1), x, weight)
    assert_gradient(lambda x: conv2d(x, Tensor(weight), padding=1), x)
    assert_gradient(lambda w: conv2d(Tensor(x), w, padding=1), weight)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "x_shape, outputs, size, padding",
    [((3, 3, 67, 40), 8, 3, 1), ((1, 16, 33, 31), 5, 3, 0), ((2, 40, 19, 70), 33, 3, 2), ((2, 5, 12, 13), 7, 5, 2)],
)
def test_fast_kernels_agree_with_plain_ones(dtype, x_shape, outputs, size, padding) -> None:
    settings = ((1, 1), (padding, padding), (1, 1), 1)
    x = normal(*x_shape).astype(dtype)
    weight = normal(outputs, x_shape[1], size, size, seed=1).astype(dtype)
    bias = normal(outputs, seed=2).astype(dtype)
    exact = 1e-13 if dtype == np.float64 else 1e-5
    y = plain_forward(x, weight, bias, *settings)
    grad = normal(*y.shape, seed=3).astype(dtype)
    pairs = [
        (forward(x, weight, bias, *settings), y),
        (grad_x(grad, weight, x.shape, *settings), plain_grad_x(grad, weight, x.shape, *settings)),
        (grad_weight(grad, x, weight.shape, *settings), plain_grad_weight(grad, x, weight.shape, *settings)),
    ]
    for fast, plain in pairs:
        assert fast.dtype == dtype
        assert_same(fast, plain, relative=exact)


@pytest.mark.parametrize("shape", [(2, 40, 70, 90), (4, 1, 240, 320), (3, 200, 1, 1), (0, 3, 4, 5)])
def test_the_gradient_of_the_bias_rounds_little(shape) -> None:
    grad = normal(*shape).astype(np.float32) + np.float32(3)
    exact = [math.fsum(grad[:, channel].ravel().tolist()) for channel in range(shape[1])]
    for layout in (
        grad,
        np.concatenate([grad, grad], axis=1)[:, : shape[1]],
        grad.swapaxes(2, 3).copy().swapaxes(2, 3),
    ):
        assert grad_bias(layout).dtype == np.float32
        np.testing.assert_allclose(grad_bias(layout), exact, rtol=1e-6)  # one by one it would be 1e-4


def test_gives_the_same_for_any_memory_layout() -> None:
    x, weight = normal(2, 7, 6, 3), normal(3, 3, 4, 3, seed=1)
    y = conv2d(Tensor(x).permute(0, 3, 1, 2), Tensor(weight).permute(2, 0, 1, 3))
    assert_same(y, reference.conv2d(x.transpose(0, 3, 1, 2), weight.transpose(2, 0, 1, 3)))


@pytest.mark.parametrize(
    "arguments, options, text",
    [
        (((8, 3, 48, 64), (16, 4, 3, 3)), {}, r"conv2d: x has 3 channels, but weight expects 4 \(x \(8, 3, 48, 64\)"),
        (((3, 8, 8), (4, 3, 3, 3)), {}, r"conv2d: x and weight must have 4 dimensions"),
        (((1, 3, 8, 8), (4, 3, 3, 3), (5,)), {}, r"conv2d: bias must have shape \(4,\)"),
        (((1, 0, 8, 8), (4, 0, 3, 3)), {}, r"conv2d: weight must not be empty \(x \(1, 0, 8, 8\)"),
        (((1, 3, 2, 2), (4, 3, 3, 3)), {}, r"conv2d: the kernel is larger than the padded picture"),
        (((1, 3, 8, 8), (4, 3, 3, 3)), {"stride": 0}, r"conv2d: stride is 0; it must be a whole number of at least 1"),
        (((1, 3, 8, 8), (4, 3, 3, 3)), {"padding": -1}, r"conv2d: padding is -1; .* at least 0"),
        (((1, 3, 8, 8), (4, 3, 3, 3)), {"dilation": (1, 2, 3)}, r"conv2d: dilation is \(1, 2, 3\)"),
        (((1, 3, 8, 8), (4, 3, 3, 3)), {"groups": 2}, r"conv2d: groups must divide the channels"),
    ],
)
def test_bad_input(arguments, options, text) -> None:
    with pytest.raises(ValueError, match=text):
        conv2d(*(Tensor(np.zeros(shape)) for shape in arguments), **options)


def test_mixed_dtypes_are_an_error() -> None:
    with pytest.raises(TypeError, match=r"conv2d: x, weight and bias must have one dtype \(x float32, weight float64"):
        conv2d(Tensor(np.zeros((1, 1, 3, 3), np.float32)), Tensor(np.zeros((1, 1, 3, 3))))

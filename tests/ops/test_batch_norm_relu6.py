"""batch_norm_relu6: values by hand, by loops and by the two operations it stands for; gradients; errors."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from helpers import DEVICES, assert_gradient, assert_same, normal, value_and_gradients

from minidepth import Tensor
from minidepth.ops import batch_norm, batch_norm_relu6, relu6
from minidepth.ops.cpu.channels import TILE_ELEMENTS

SHAPES = [(2, 3, 4, 5), (3, 1, 2, 2), (6, 4), (1, 2, 3, 7), (2, 5, 17, 19), (4, 200, 2, 3)]
LARGE = (2, 5, 131, 213)  # more than one tile
SIGNS = np.array([1, -1, 0.5, -0.5, 1])  # of the weights: a negative one turns the activation round


def affine(channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights of both signs and biases, large enough for some numbers on each side of 0 and of 6."""
    return 4 * np.resize(SIGNS, channels) * (1 + normal(channels, seed=1) ** 2), 3 + 2 * normal(channels, seed=2)


def test_by_hand() -> None:
    column = np.array([0.0, 0, 2, 2])  # mean 1, variance 1, so x^ is -1, -1, 1, 1
    x = Tensor(np.stack([column] * 6, axis=1), requires_grad=True)
    weight = Tensor(np.array([2.0, -2, 3, -3, 0, 0]), requires_grad=True)
    bias = Tensor(np.array([1.0, 7, 3, 3, 6, 2]), requires_grad=True)
    z = batch_norm_relu6(x, None, None, weight, bias, training=True, eps=0.0)
    corners = [[0, 0, 6, 6], [6, 6, 0, 0]]  # y is 0 and 6 exactly, where the derivative is 0
    flat = [[6] * 4, [2] * 4]
    assert z.numpy().T.tolist() == [[0, 0, 3, 3], [6, 6, 5, 5], *corners, *flat]
    z.backward(np.stack([np.array([4.0, 0, 1, 5])] * 6, axis=1))
    # dL/dy is 0 0 1 5 twice, 0 0 0 0 three times, 4 0 1 5
    assert bias.grad.tolist() == [6, 6, 0, 0, 0, 10]
    assert weight.grad.tolist() == [6, 6, 0, 0, 0, 2]
    assert x.grad.T.tolist() == [[0, 0, -4, 4], [0, 0, 4, -4], *[[0] * 4] * 4]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_oracle(shape, training) -> None:
    x, (weight, bias) = 3 + 2 * normal(*shape), affine(shape[1])
    mean, var = normal(shape[1], seed=3), 0.1 + normal(shape[1], seed=4) ** 2
    y, _, _ = reference.batch_norm(x, weight, bias, 1e-5, *(() if training else (mean.copy(), var.copy())))
    z = batch_norm_relu6(Tensor(x), mean, var, Tensor(weight), Tensor(bias), training=training)
    assert_same(z, reference.each(lambda v: min(max(v, 0.0), 6.0), y))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [*SHAPES, LARGE], ids=str)
def test_is_what_the_two_operations_give(shape, training) -> None:
    assert np.prod(LARGE) > TILE_ELEMENTS
    x, cotangent = 3 + 2 * normal(*shape), normal(*shape, seed=5)
    running = [(normal(shape[1], seed=3), 0.1 + normal(shape[1], seed=4) ** 2) for _ in range(2)]
    expected, expected_grads = value_and_gradients(
        lambda x, w, b: relu6(batch_norm(x, *running[0], w, b, training)), [x, *affine(shape[1])], cotangent
    )
    value, grads = value_and_gradients(
        lambda x, w, b: batch_norm_relu6(x, *running[1], w, b, training), [x, *affine(shape[1])], cotangent
    )
    assert_same(value, expected, relative=1e-13)
    for array, other in zip((*running[1], *grads), (*running[0], *expected_grads), strict=True):
        assert_same(array, other, relative=1e-12)


def test_gradient() -> None:
    """+-0.3 and +-1.3 become -2.5, 1.7, 4.3 and 8.5 or nearly so: all three branches, none of them near its end."""
    rng = np.random.default_rng(0)
    half = rng.permuted(np.resize([0.3, 1.3], (2, 5, 8, 3)), axis=2) + rng.uniform(-0.05, 0.05, (2, 5, 8, 3))
    x, weight, bias = np.concatenate([half, -half]), 4 * np.sign(SIGNS), np.linspace(2.8, 3.2, 5)
    z = batch_norm_relu6(Tensor(x), None, None, Tensor(weight), Tensor(bias), training=True).data
    assert (z == 0).any() and (z == 6).any() and ((z > 1) & (z < 5)).any()
    assert_gradient(lambda x, w, b: batch_norm_relu6(x, None, None, w, b, training=True), x, weight, bias)


def test_where_the_weight_is_zero_the_bias_decides() -> None:
    x, weight = normal(4, 4, 5, 5), np.zeros(4)
    bias, cotangent = np.array([2.0, -2.0, 6.0, 7.0]), normal(4, 4, 5, 5, seed=1)
    z, (_, _, bias_grad) = value_and_gradients(
        lambda x, w, b: batch_norm_relu6(x, None, None, w, b, training=True), [x, weight, bias], cotangent
    )
    assert_same(z, np.broadcast_to(np.array([2.0, 0, 6, 6])[:, None, None], x.shape))
    assert_same(bias_grad, cotangent.sum(axis=(0, 2, 3)) * [1, 0, 0, 0])


def test_numbers_that_are_none() -> None:
    x = np.array([np.nan, np.inf, -np.inf, 1]).reshape(1, 1, 2, 2)
    z = batch_norm_relu6(Tensor(x), np.zeros(1), np.ones(1), eps=0.0).data.ravel()
    np.testing.assert_array_equal(z, [np.nan, 6, 0, 1])


@pytest.mark.parametrize("device", DEVICES)
def test_result_is_where_x_is_and_of_its_dtype(device) -> None:
    x = DEVICES[device](normal(2, 3, 4, 5).astype(np.float32))
    tensor = Tensor(x, requires_grad=True)
    z = batch_norm_relu6(tensor, None, None, training=True)
    z.backward(x)
    assert type(z.data) is type(tensor.grad) is type(x) and z.dtype == tensor.grad.dtype == np.float32


def test_bad_input_names_this_operation() -> None:
    with pytest.raises(ValueError, match=r"batch_norm_relu6: evaluation needs running_mean and running_var"):
        batch_norm_relu6(Tensor(np.ones((2, 3))), None, None)
    with pytest.raises(ValueError, match=r"batch_norm_relu6: weight must have shape \(3,\), not \(2,\)"):
        batch_norm_relu6(Tensor(np.ones((2, 3))), None, None, Tensor(np.ones(2)), training=True)

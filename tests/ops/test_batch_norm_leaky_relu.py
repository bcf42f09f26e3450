"""batch_norm_leaky_relu: values by hand, by loops and by the two operations it stands for; gradients; errors."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from helpers import DEVICES, assert_gradient, assert_same, normal, value_and_gradients

from minidepth import Tensor
from minidepth.gradient_inputs import away_from
from minidepth.ops import batch_norm, batch_norm_leaky_relu, leaky_relu
from minidepth.ops.cpu.channels import TILE_ELEMENTS

SLOPES = [0.0, 0.01, 0.2, 1.0]
SHAPES = [(2, 3, 4, 5), (3, 1, 2, 2), (6, 4), (1, 2, 3, 7), (2, 3, 6), (2, 5, 17, 19), (4, 200, 2, 3)]
LARGE = (2, 5, 131, 213)  # more than one tile, pictures that are no multiple of a segment
SIGNS = np.array([1, -1, 0.5, -0.5, 1])  # of the weights: a negative one turns the activation round


def affine(channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights of both signs and biases."""
    return np.resize(SIGNS, channels) * (1 + normal(channels, seed=1) ** 2), normal(channels, seed=2)


def two_operations(x, mean, var, weight, bias, slope, training=True) -> Tensor:
    return leaky_relu(batch_norm(x, mean, var, weight, bias, training=training), slope)


def test_by_hand() -> None:
    column = np.array([0.0, 0, 2, 2])  # mean 1, variance 1, so x^ is -1, -1, 1, 1
    x = Tensor(np.stack([column] * 6, axis=1), requires_grad=True)
    weight = Tensor(np.array([2.0, -2, 1, -1, 0, 0]), requires_grad=True)
    bias = Tensor(np.array([1.0, 1, 1, 1, 0, 1]), requires_grad=True)
    z = batch_norm_leaky_relu(x, None, None, weight, bias, training=True, eps=0.0, negative_slope=0.5)
    flat = [[0] * 4, [1] * 4]
    assert z.numpy().T.tolist() == [[-0.5, -0.5, 3, 3], [3, 3, -0.5, -0.5], [0, 0, 2, 2], [2, 2, 0, 0], *flat]
    z.backward(np.stack([np.array([4.0, 0, 1, 5])] * 6, axis=1))
    # y = 0 counts as not positive, so dL/dy is 2 0 1 5, 4 0 .5 2.5, 2 0 1 5, 4 0 .5 2.5, 2 0 .5 2.5, 4 0 1 5
    assert bias.grad.tolist() == [8, 7, 8, 7, 5, 10]
    assert weight.grad.tolist() == [4, -1, 4, -1, 1, 2]
    no_weight = [[0] * 4, [0] * 4]
    assert x.grad.T.tolist() == [[2, -2, -4, 4], [-4, 4, 2, -2], [1, -1, -2, 2], [-2, 2, 1, -1], *no_weight]


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_oracle(shape, training, slope) -> None:
    x, (weight, bias) = 3 + 2 * normal(*shape), affine(shape[1])
    mean, var = normal(shape[1], seed=3), 0.1 + normal(shape[1], seed=4) ** 2
    given = () if training else (mean.copy(), var.copy())
    y, batch_mean, _ = reference.batch_norm(x, weight, bias, 1e-5, *given)
    expected_mean = 0.9 * mean + 0.1 * batch_mean if training else mean.copy()
    options = {"training": training, "negative_slope": slope}
    z = batch_norm_leaky_relu(Tensor(x), mean, var, Tensor(weight), Tensor(bias), **options)
    assert_same(z, reference.each(lambda v: v if v > 0 else slope * v, y))
    assert_same(mean, expected_mean)


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [*SHAPES, LARGE], ids=str)
def test_is_what_the_two_operations_give(shape, training, slope) -> None:
    assert np.prod(LARGE) > TILE_ELEMENTS
    x, (weight, bias), cotangent = 3 + 2 * normal(*shape), affine(shape[1]), normal(*shape, seed=5)
    running = [(normal(shape[1], seed=3), 0.1 + normal(shape[1], seed=4) ** 2) for _ in range(2)]
    expected, expected_grads = value_and_gradients(
        lambda x, w, b: two_operations(x, *running[0], w, b, slope, training), [x, weight, bias], cotangent
    )
    value, grads = value_and_gradients(
        lambda x, w, b: batch_norm_leaky_relu(x, *running[1], w, b, training, negative_slope=slope),
        [x, weight, bias],
        cotangent,
    )
    assert_same(value, expected, relative=1e-13)
    for array, other in zip(running[1], running[0]):
        assert_same(array, other, relative=1e-13)
    for grad, expected_grad in zip(grads, expected_grads):
        assert_same(grad, expected_grad, relative=1e-12)


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("shape", [(4, 3, 5, 7), (2, 5, 33, 41), (8, 4)], ids=str)
def test_gradient(shape, slope) -> None:
    """Halves that mirror each other have mean 0: no number is then closer to it than 0.3 standard deviations."""
    half = away_from(np.random.default_rng(0), (shape[0] // 2, *shape[1:]), [0.0], gap=0.5)
    weight = np.resize(SIGNS, shape[1])
    bias = np.linspace(-0.1, 0.1, shape[1])

    def function(x, w, b):
        return batch_norm_leaky_relu(x, None, None, w, b, training=True, negative_slope=slope)

    assert_gradient(function, np.concatenate([half, -half]), weight, bias)


def test_without_weight_and_bias() -> None:
    x = normal(2, 3, 4, 5)
    z = batch_norm_leaky_relu(Tensor(x), None, None, training=True, negative_slope=0.1)
    assert_same(z, two_operations(Tensor(x), None, None, None, None, 0.1).data)


def test_no_weight_reaches_a_channel_of_weight_zero() -> None:
    """Where the weight is 0, y is the bias everywhere, and its sign decides; a bias of 0 is not positive."""
    x, weight = normal(4, 3, 5, 5), np.zeros(3)
    bias, cotangent = np.array([2.0, -2.0, 0.0]), normal(4, 3, 5, 5, seed=1)
    z, (_, weight_grad, bias_grad) = value_and_gradients(
        lambda x, w, b: batch_norm_leaky_relu(x, None, None, w, b, training=True, negative_slope=0.25),
        [x, weight, bias],
        cotangent,
    )
    assert_same(z, np.broadcast_to(np.array([2, -0.5, 0])[:, None, None], x.shape))
    passed = cotangent * np.array([1, 0.25, 0.25])[:, None, None]
    normalised = (x - x.mean(axis=(0, 2, 3), keepdims=True)) / np.sqrt(x.var(axis=(0, 2, 3), keepdims=True) + 1e-5)
    assert_same(bias_grad, passed.sum(axis=(0, 2, 3)))
    assert_same(weight_grad, (passed * normalised).sum(axis=(0, 2, 3)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_gradient_that_is_a_slice_of_channels(dtype) -> None:
    """What `cat` hands back to its second input."""
    x, (weight, bias) = normal(2, 5, 30, 21).astype(dtype), affine(5)
    wide = normal(2, 9, 30, 21, seed=6).astype(dtype)
    grads = []
    for cotangent in (wide[:, 3:8], wide[:, 3:8].copy()):
        tensor = Tensor(x, requires_grad=True)
        batch_norm_leaky_relu(
            tensor, None, None, Tensor(weight.astype(dtype)), Tensor(bias.astype(dtype)), training=True
        ).backward(cotangent)
        grads.append(tensor.grad)
    assert grads[0].dtype == dtype
    assert np.array_equal(grads[0], grads[1])


@pytest.mark.parametrize("device", DEVICES)
def test_result_is_where_x_is_and_of_its_dtype(device) -> None:
    x = DEVICES[device](normal(2, 3, 4, 5).astype(np.float32))
    tensor = Tensor(x, requires_grad=True)
    z = batch_norm_leaky_relu(tensor, None, None, training=True)
    z.backward(x)
    assert type(z.data) is type(tensor.grad) is type(x) and z.dtype == tensor.grad.dtype == np.float32


@pytest.mark.parametrize("slope", [-0.1, 1.5])
def test_bad_slope(slope) -> None:
    with pytest.raises(ValueError, match=rf"batch_norm_leaky_relu: negative_slope is {slope}; it must lie between"):
        batch_norm_leaky_relu(Tensor(np.ones((2, 3))), None, None, training=True, negative_slope=slope)


def test_bad_input_names_this_operation() -> None:
    with pytest.raises(ValueError, match=r"batch_norm_leaky_relu: weight must have shape \(3,\)"):
        batch_norm_leaky_relu(Tensor(np.ones((2, 3))), None, None, Tensor(np.ones(4)), training=True)

"""leaky_relu: values by hand and by loops, the gradient at 0, errors."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from helpers import assert_gradient, assert_same, normal
from twins import GPUS, assert_twin

from minidepth import Tensor
from minidepth.gradient_inputs import away_from
from minidepth.ops import leaky_relu
from minidepth.ops.leaky_relu import forward, grad_x


def test_by_hand() -> None:
    x = Tensor(np.array([-2.0, 0.0, 3.0]), requires_grad=True)
    y = leaky_relu(x, 0.25)
    assert y.numpy().tolist() == [-0.5, 0, 3]
    y.backward(np.array([8.0, 8.0, 8.0]))
    assert x.grad.tolist() == [2, 2, 8]  # the slope at 0 is the negative one, as in PyTorch


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.2, 1.0])
@pytest.mark.parametrize("shape", [(), (7,), (2, 3, 5, 4), (3, 150, 151)], ids=str)
def test_oracle(shape, slope) -> None:
    x = np.asarray(normal(*shape))
    y = leaky_relu(Tensor(x), slope)
    assert_same(y, reference.each(lambda v: v if v > 0 else slope * v, x))


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.2, 1.0])
@pytest.mark.parametrize("shape", [(), (2, 3, 5, 4), (3, 150, 151)], ids=str)
def test_gradient(shape, slope) -> None:
    x = away_from(np.random.default_rng(0), shape, [0.0])
    assert_gradient(lambda x: leaky_relu(x, slope), x)


@pytest.mark.parametrize("shape", [(4, 5, 6), (40, 60, 70)], ids=str)  # the second one has more than one block
def test_gives_the_same_for_any_memory_layout(shape) -> None:
    x = normal(*shape)
    tensor = Tensor(x, requires_grad=True)
    y = leaky_relu(tensor.transpose(0, 2), 0.1)
    assert_same(y, np.where(x > 0, x, 0.1 * x).T)
    y.backward(x.T)
    assert_same(tensor.grad, np.where(x > 0, x, 0.1 * x))


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("shape", [(), (0,), (7,), (2, 3, 5, 4), (5, 613)], ids=str)  # the last one: three blocks
def test_cuda(shape, gpu) -> None:
    y = assert_twin(gpu, forward, normal(*shape), 0.2)
    assert_twin(gpu, grad_x, normal(*shape), np.asarray(y), 0.2)


@pytest.mark.parametrize("gpu", GPUS)
def test_cuda_at_zero(gpu) -> None:
    assert assert_twin(gpu, grad_x, np.full(3, 8.0), np.array([-0.5, 0, 3]), 0.25).tolist() == [2, 2, 8]


@pytest.mark.parametrize("slope", [-0.1, 1.5])
def test_bad_input(slope) -> None:
    with pytest.raises(ValueError, match=rf"leaky_relu: negative_slope is {slope}; it must lie between 0 and 1"):
        leaky_relu(Tensor(np.zeros(3)), slope)

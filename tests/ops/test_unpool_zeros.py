"""unpool_zeros: values by hand and by loops, gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from helpers import DEVICES, assert_linear, assert_same, normal
from twins import GPUS, assert_twin

from minidepth import Tensor
from minidepth.ops import unpool_zeros
from minidepth.ops.unpool_zeros import forward, grad_x

SETTINGS = [((2, 3, 4, 5), (2, 2)), ((1, 2, 3, 1), (3, 1)), ((2, 1, 2, 2), (1, 1)), ((2, 5, 110, 130), (2, 2))]


def test_by_hand() -> None:
    x = Tensor(np.array([[[[1.0, 2.0], [3.0, 4.0]]]]), requires_grad=True)
    y = unpool_zeros(x)
    assert y.numpy().tolist() == [[[[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]]]]
    y.backward(np.arange(16.0).reshape(1, 1, 4, 4))
    assert x.grad.tolist() == [[[[0, 2], [8, 10]]]]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_oracle_and_gradient(setting) -> None:
    shape, stride = setting
    x = normal(*shape)
    assert_same(unpool_zeros(Tensor(x), stride), reference.unpool_zeros(x, stride), relative=0)
    assert_linear(lambda x: unpool_zeros(x, stride), x)


@pytest.mark.parametrize("device", DEVICES)
def test_gives_the_same_for_any_memory_layout(device) -> None:
    x = normal(2, 3, 5, 8)
    y = unpool_zeros(Tensor(DEVICES[device](x)).permute(0, 3, 1, 2), 2)
    assert_same(y.numpy(), reference.unpool_zeros(x.transpose(0, 3, 1, 2), (2, 2)), relative=0)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("setting", [*SETTINGS[:3], ((2, 3, 7, 9), (2, 3)), ((1, 2, 0, 3), (2, 2))], ids=str)
def test_cuda(setting, gpu) -> None:
    shape, stride = setting
    y = assert_twin(gpu, forward, normal(*shape), stride)
    assert_twin(gpu, grad_x, normal(*y.shape), stride)


@pytest.mark.parametrize(
    "shape, stride, text",
    [
        ((4, 3, 3), 2, r"unpool_zeros: x must have 4 dimensions, \(N, C, H, W\), not 3 \(x \(4, 3, 3\)\)"),
        ((1, 4, 3, 3), 0, r"unpool_zeros: stride is 0; it must be a whole number of at least 1"),
    ],
)
def test_bad_input(shape, stride, text) -> None:
    with pytest.raises(ValueError, match=text):
        unpool_zeros(Tensor(np.zeros(shape)), stride)

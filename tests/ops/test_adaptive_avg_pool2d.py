"""adaptive_avg_pool2d: values by hand and by loops, gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from helpers import DEVICES, assert_linear, assert_same, normal
from twins import GPUS, assert_twin

from minidepth import Tensor
from minidepth.ops import adaptive_avg_pool2d
from minidepth.ops.adaptive_avg_pool2d import forward, grad_x

# x, output_size
SETTINGS = [
    ((2, 3, 4, 6), (1, 1)),
    ((2, 3, 4, 6), (2, 3)),
    ((1, 2, 7, 5), (3, 2)),
    ((1, 2, 7, 5), (7, 5)),
    ((1, 2, 3, 5), (5, 8)),
    ((1, 1, 10, 1), (4, 3)),
    ((3, 20, 50, 41), (6, 7)),
]


def test_by_hand() -> None:
    x = Tensor(np.array([[[[1.0, 2.0, 6.0], [3.0, 6.0, 0.0]]]]), requires_grad=True)
    y = adaptive_avg_pool2d(x, (1, 2))  # both parts hold the column in the middle
    assert y.numpy().tolist() == [[[[3, 3.5]]]]
    y.backward(np.array([[[[4.0, 40.0]]]]))
    assert x.grad.tolist() == [[[[1, 11, 10], [1, 11, 10]]]]
    assert adaptive_avg_pool2d(x, 1).numpy().tolist() == [[[[3]]]]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_oracle_and_gradient(setting) -> None:
    shape, size = setting
    x = normal(*shape)
    assert_same(adaptive_avg_pool2d(Tensor(x), size), reference.adaptive_avg_pool2d(x, size))
    assert_linear(lambda x: adaptive_avg_pool2d(x, size), x)


def test_nan_stays_in_its_part() -> None:
    x = np.zeros((1, 1, 4, 4))
    x[0, 0, 1, 2] = np.nan
    assert np.isnan(adaptive_avg_pool2d(Tensor(x), 2).data).tolist() == [[[[False, True], [False, False]]]]


@pytest.mark.parametrize("device", DEVICES)
def test_gives_the_same_for_any_memory_layout(device) -> None:
    x = normal(2, 3, 5, 8)
    y = adaptive_avg_pool2d(Tensor(DEVICES[device](x)).permute(0, 3, 1, 2), 2)
    assert_same(y.numpy(), reference.adaptive_avg_pool2d(x.transpose(0, 3, 1, 2), (2, 2)))


CUDA = [setting for setting in SETTINGS if setting[0][1] < 20] + [((2, 5, 9, 13), (3, 4)), ((1, 2, 40, 9), (1, 1))]


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("setting", CUDA, ids=str)
def test_cuda(setting, gpu) -> None:
    shape, size = setting
    assert_twin(gpu, forward, normal(*shape), size, terms=shape[2] * shape[3])
    assert_twin(gpu, grad_x, normal(*shape[:2], *size), shape, terms=size[0] * size[1])


@pytest.mark.parametrize(
    "shape, size, text",
    [
        ((4, 3, 3), 2, r"adaptive_avg_pool2d: x must be \(N, C, H, W\) with at least one pixel \(x \(4, 3, 3\)\)"),
        ((1, 4, 0, 3), 2, r"adaptive_avg_pool2d: x must be \(N, C, H, W\) with at least one pixel"),
        ((1, 4, 3, 3), 0, r"adaptive_avg_pool2d: output_size is 0; it must be a whole number of at least 1"),
    ],
)
def test_bad_input(shape, size, text) -> None:
    with pytest.raises(ValueError, match=text):
        adaptive_avg_pool2d(Tensor(np.zeros(shape)), size)

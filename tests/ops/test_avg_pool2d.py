"""avg_pool2d: values by hand and by loops, gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from helpers import assert_linear, assert_same, normal
from twins import GPUS, assert_twin

from minidepth import Tensor
from minidepth.ops import avg_pool2d
from minidepth.ops.avg_pool2d import forward, grad_x
from minidepth.ops.cpu.elementwise import BLOCK_ELEMENTS
from minidepth.ops.max_pool2d import pool_size

# x, kernel_size, stride, padding, ceil_mode, count_include_pad
SETTINGS = [
    ((2, 3, 4, 6), (2, 2), (2, 2), (0, 0), False, True),
    ((1, 2, 7, 5), (2, 2), (2, 2), (0, 0), True, True),
    ((1, 2, 7, 6), (3, 3), (2, 2), (1, 1), False, True),
    ((1, 2, 7, 6), (3, 3), (2, 2), (1, 1), False, False),
    ((1, 2, 6, 8), (3, 2), (2, 3), (1, 1), True, True),
    ((1, 2, 6, 8), (3, 2), (2, 3), (1, 1), True, False),
    ((1, 1, 5, 5), (1, 1), (3, 3), (0, 0), True, True),
    ((1, 1, 5, 7), (5, 3), (1, 1), (2, 0), False, False),
]


def test_by_hand() -> None:
    x = Tensor(np.array([[[[1.0, 2.0, 3.0], [5.0, 6.0, 7.0]]]]), requires_grad=True)
    y = avg_pool2d(x, 2, stride=1)
    assert y.numpy().tolist() == [[[[3.5, 4.5]]]]
    y.backward(np.array([[[[4.0, 8.0]]]]))
    assert x.grad.tolist() == [[[[1, 3, 2], [1, 3, 2]]]]


def test_the_frame_counts_or_does_not() -> None:
    ones = Tensor(np.ones((1, 1, 2, 2)))
    assert avg_pool2d(ones, 2, padding=1).numpy().tolist() == [[[[0.25, 0.25], [0.25, 0.25]]]]
    assert avg_pool2d(ones, 2, padding=1, count_include_pad=False).numpy().tolist() == [[[[1, 1], [1, 1]]]]


@pytest.mark.parametrize("window, stride, padding", [(2, 2, 0), (3, 2, 1)])
def test_a_batch_larger_than_a_block(window, stride, padding) -> None:
    x = normal(2, 5, 150, 162)
    assert x.size > BLOCK_ELEMENTS
    padded = np.pad(x, ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (window, window), axis=(2, 3))[:, :, ::stride, ::stride]
    assert_same(avg_pool2d(Tensor(x), window, stride, padding), windows.mean(axis=(4, 5)))
    assert_linear(lambda x: avg_pool2d(x, window, stride, padding), x)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_oracle_and_gradient(setting) -> None:
    shape, *options = setting
    x = normal(*shape)
    assert_same(avg_pool2d(Tensor(x), *options), reference.avg_pool2d(x, *options))
    assert_linear(lambda x: avg_pool2d(x, *options), x)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("setting", [*SETTINGS, ((2, 3, 13, 20), (3, 2), (2, 1), (1, 0), False, True)], ids=str)
def test_cuda(setting, gpu) -> None:
    shape, window, stride, padding, ceil_mode, count_include_pad = setting
    frame = padding if count_include_pad else (0, 0)
    size = pool_size("avg_pool2d", shape, window, stride, padding, (1, 1), ceil_mode)
    terms = window[0] * window[1]
    y = assert_twin(gpu, forward, normal(*shape), size, window, stride, padding, frame, terms=terms)
    assert_twin(gpu, grad_x, normal(*y.shape), shape, window, stride, padding, frame, terms=terms)


@pytest.mark.parametrize(
    "shape, options, text",
    [
        ((3, 4, 4), {"kernel_size": 2}, r"avg_pool2d: x must have 4 dimensions, \(N, C, H, W\), not 3"),
        ((1, 1, 4, 4), {"kernel_size": (2, 5)}, r"avg_pool2d: kernel_size \(2, 5\) is larger than the picture"),
        ((1, 1, 4, 4), {"kernel_size": 3, "padding": 2}, r"avg_pool2d: padding \(2, 2\) may be at most half"),
        ((1, 1, 4, 4), {"kernel_size": -1}, r"avg_pool2d: kernel_size is -1"),
    ],
)
def test_bad_input(shape, options, text) -> None:
    with pytest.raises(ValueError, match=text):
        avg_pool2d(Tensor(np.zeros(shape)), **options)

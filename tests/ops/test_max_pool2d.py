"""max_pool2d: values by hand and by loops, where ties go, gradients, errors."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
import reference
from helpers import assert_gradient, assert_same, normal
from twins import GPUS, assert_twin, to_gpu

from minidepth import Tensor
from minidepth.gradient_inputs import distinct
from minidepth.ops import max_pool2d

kernels = importlib.import_module("minidepth.ops.max_pool2d")  # the module; `ops` shows the function of that name

# x, kernel_size, stride, padding, dilation, ceil_mode
SETTINGS = [
    ((2, 3, 4, 6), (2, 2), (2, 2), (0, 0), (1, 1), False),
    ((1, 2, 7, 5), (2, 2), (2, 2), (0, 0), (1, 1), False),
    ((1, 2, 7, 5), (2, 2), (2, 2), (0, 0), (1, 1), True),
    ((1, 2, 7, 6), (3, 3), (2, 2), (1, 1), (1, 1), False),
    ((1, 2, 7, 6), (3, 3), (2, 2), (1, 1), (1, 1), True),
    ((1, 1, 6, 8), (3, 2), (1, 3), (1, 0), (1, 1), False),
    ((1, 1, 9, 8), (2, 3), (2, 1), (1, 1), (2, 3), False),
    ((1, 1, 9, 8), (3, 2), (3, 3), (1, 1), (2, 1), True),
    ((1, 1, 5, 5), (1, 1), (3, 3), (0, 0), (1, 1), True),
    ((1, 1, 3, 18), (1, 17), (1, 1), (0, 8), (1, 1), False),
]


def test_by_hand() -> None:
    x = Tensor(np.array([[[[1.0, 5.0, 2.0], [4.0, 3.0, 9.0], [8.0, 7.0, 6.0]]]]), requires_grad=True)
    y = max_pool2d(x, 2, stride=1)
    assert y.numpy().tolist() == [[[[5, 9], [8, 9]]]]
    y.backward(np.array([[[[1.0, 20.0], [300.0, 4000.0]]]]))
    assert x.grad.tolist() == [[[[0, 1, 0], [0, 0, 4020], [300, 0, 0]]]]


def test_the_first_of_equal_numbers_gets_the_gradient() -> None:
    x = Tensor(np.zeros((1, 1, 2, 4)), requires_grad=True)
    max_pool2d(x, 2).backward(np.array([[[[3.0, 5.0]]]]))
    assert x.grad.tolist() == [[[[3, 0, 5, 0], [0, 0, 0, 0]]]]


def test_padding_never_wins() -> None:
    assert max_pool2d(Tensor(np.full((1, 1, 2, 2), -7.0)), 2, padding=1).numpy().tolist() == [[[[-7, -7], [-7, -7]]]]


def test_nan_stays_visible() -> None:
    x = np.zeros((1, 1, 2, 4))
    x[0, 0, 1, 2] = np.nan
    assert np.isnan(max_pool2d(Tensor(x), 2).data).tolist() == [[[[False, True]]]]


def test_winners_are_kept_only_where_a_gradient_is_wanted() -> None:
    x = distinct(np.random.default_rng(0), (1, 2, 6, 4))
    arguments = (x, (2, 2), (2, 2), (0, 0), (1, 1), (3, 2))
    with_winner, without = kernels.forward(*arguments, True), kernels.forward(*arguments, False)
    assert_same(without[0], with_winner[0], relative=0)
    assert without[1] is None and with_winner[1].dtype == np.uint8
    kept = []
    for needed in (True, False):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernels, "forward", lambda *given: kept.append(given[-1]) or with_winner)
            max_pool2d(Tensor(x, requires_grad=needed), 2)
    assert kept == [True, False]


def test_a_batch_larger_than_a_block() -> None:
    x = distinct(np.random.default_rng(0), (2, 5, 200, 300))  # 150,000 numbers come out
    for options, row_taps in (((2, 2, 0), 2), ((3, 2, 1), 3)):
        y = max_pool2d(Tensor(x, requires_grad=True), *options)
        padded = np.pad(x, ((0, 0), (0, 0), (options[2],) * 2, (options[2],) * 2), constant_values=-np.inf)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (row_taps, row_taps), axis=(2, 3))[:, :, ::2, ::2]
        assert_same(y, windows.max(axis=(4, 5)), relative=0)
    assert_gradient(lambda x: max_pool2d(x, 3, 2, 1), x)


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_oracle_and_gradient(setting) -> None:
    shape, *options = setting
    x = distinct(np.random.default_rng(0), shape)
    assert_same(max_pool2d(Tensor(x), *options), reference.max_pool2d(x, *options), relative=0)
    assert_gradient(lambda x: max_pool2d(x, *options), x)


def test_gives_the_same_for_any_memory_layout() -> None:
    x = normal(2, 6, 4, 3)
    expected = reference.max_pool2d(x.transpose(0, 3, 1, 2), (2, 2), (2, 2))
    assert_same(max_pool2d(Tensor(x).permute(0, 3, 1, 2), 2), expected)


CUDA = [  # more than a block; in twos (the first two), and what is not quite; a window of 289 numbers
    ((1, 3, 20, 36), (2, 2), (2, 2), (0, 0), (1, 1), False),
    ((2, 1, 2, 4), (2, 2), (2, 2), (0, 0), (1, 1), False),
    ((1, 2, 6, 6), (2, 2), (2, 2), (0, 0), (1, 1), False),
    ((1, 2, 5, 8), (2, 2), (2, 2), (0, 0), (1, 1), True),
    ((1, 2, 4, 8), (2, 2), (2, 2), (1, 1), (1, 1), False),
    ((1, 1, 5, 9), (2, 2), (2, 2), (0, 0), (1, 4), False),
    ((1, 1, 21, 20), (17, 17), (1, 2), (8, 3), (1, 1), False),
]


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("setting", SETTINGS + CUDA, ids=str)
def test_cuda(setting, gpu) -> None:
    shape, window, stride, padding, dilation, ceil_mode = setting
    x = distinct(np.random.default_rng(0), shape)
    size = kernels.pool_size("max_pool2d", shape, window, stride, padding, dilation, ceil_mode)
    y, winner = assert_twin(gpu, kernels.forward, x, window, stride, padding, dilation, size)
    assert_twin(gpu, kernels.forward, x, window, stride, padding, dilation, size, False)
    terms = window[0] * window[1]
    grad = normal(*y.shape)
    assert_twin(gpu, kernels.grad_x, grad, winner, shape, window, stride, padding, dilation, terms=terms)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("window, width", [(2, 8), (2, 7), (3, 8)])
def test_cuda_ties_and_nan(window, width, gpu) -> None:
    x = np.random.default_rng(0).integers(0, 3, (2, 3, 8, width)).astype(np.float64)
    x[0, 0, 3:5, 2:5] = np.nan
    x[1, 1] = -np.inf
    size = kernels.pool_size("max_pool2d", x.shape, (window,) * 2, (2, 2), (0, 0), (1, 1), False)
    assert_twin(gpu, kernels.forward, x, (window,) * 2, (2, 2), (0, 0), (1, 1), size, scale=1)


@pytest.mark.parametrize("gpu", GPUS)
def test_cuda_memory_that_begins_anywhere(gpu) -> None:
    x = to_gpu(gpu, normal(1 + 2 * 4 * 8))[1:].reshape(1, 2, 4, 8)  # no four numbers can be read at once
    y, winner = kernels.forward(x, (2, 2), (2, 2), (0, 0), (1, 1), (2, 4))
    assert_same(y.get(), reference.max_pool2d(x.get(), (2, 2), (2, 2)), relative=0)
    grad = to_gpu(gpu, normal(1 + y.size))[1:].reshape(y.shape)
    result = kernels.grad_x(grad, winner, x.shape, (2, 2), (2, 2), (0, 0), (1, 1)).get()
    assert sorted(result[result != 0]) == sorted(grad.get().ravel())


@pytest.mark.parametrize(
    "shape, options, text",
    [
        ((3, 4, 4), {"kernel_size": 2}, r"max_pool2d: x must have 4 dimensions, \(N, C, H, W\), not 3"),
        ((1, 1, 4, 4), {"kernel_size": 5}, r"max_pool2d: kernel_size \(5, 5\) is larger than the picture"),
        ((1, 1, 4, 4), {"kernel_size": 2, "padding": 2}, r"max_pool2d: padding \(2, 2\) may be at most half"),
        ((1, 1, 4, 4), {"kernel_size": 0}, r"max_pool2d: kernel_size is 0"),
        ((1, 1, 4, 4), {"kernel_size": 2, "stride": 0}, r"max_pool2d: stride is 0"),
    ],
)
def test_bad_input(shape, options, text) -> None:
    with pytest.raises(ValueError, match=text):
        max_pool2d(Tensor(np.zeros(shape)), **options)

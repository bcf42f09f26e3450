"""softmax and log_softmax: values by hand and by loops, extreme values, gradients, errors."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import reference
from helpers import assert_gradient, assert_same, normal
from twins import GPUS, assert_twin

from minidepth import Tensor
from minidepth.ops import log_softmax, softmax
from minidepth.ops.softmax import (
    MANY_ROWS,
    log_softmax_forward,
    log_softmax_grad_x,
    softmax_forward,
    softmax_grad_x,
)
from minidepth.testing import checking, emulated


def test_by_hand() -> None:
    x = Tensor(np.log([[1.0, 3.0]]), requires_grad=True)
    y = softmax(x, dim=1)
    assert_same(y, np.array([[0.25, 0.75]]))
    y.backward(np.array([[16.0, 0.0]]))
    assert_same(x.grad, np.array([[3.0, -3.0]]))
    assert_same(log_softmax(Tensor(x.data), 1), np.log([[0.25, 0.75]]))


@pytest.mark.parametrize("shape, dim", [((5,), 0), ((2, 3), 1), ((2, 3), -2), ((2, 4, 3, 2), 1), ((2, 1, 3), 1)])
def test_oracle_and_gradient(shape, dim) -> None:
    x = normal(*shape)
    expected = reference.softmax(x, dim % len(shape))
    assert_same(softmax(Tensor(x), dim), expected)
    assert_same(log_softmax(Tensor(x), dim), np.log(expected))
    assert_gradient(lambda x: softmax(x, dim), x)
    assert_gradient(lambda x: log_softmax(x, dim), x)


def test_huge_values() -> None:
    x = Tensor(np.array([1000.0, 0.0, -1000.0]))
    assert softmax(x, 0).numpy().tolist() == [1, 0, 0]
    assert log_softmax(x, 0).numpy().tolist() == [0, -1000, -2000]
    assert_same(log_softmax(Tensor(np.array([1e5, 1e5])), 0), np.full(2, -math.log(2)))


# a block for each row: of one number, of less than a warp, of more than a block, with numbers that lie apart;
# a thread for each row, in more than one block: pixels of pictures, short rows in one piece
CUDA_SETTINGS = [
    ((1,), 0), ((3, 5), 1), ((2, 33), -1), ((2, 700), 1), ((300, 3), 0), ((2, 4, 3, 2), 1),
    ((2, 3, 32, 33), 1), ((3, MANY_ROWS), 0), ((MANY_ROWS + 1, 2), 1),
]  # fmt: skip


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("shape, dim", CUDA_SETTINGS, ids=str)
def test_cuda(shape, dim, gpu) -> None:
    x, grad = 3 * normal(*shape), normal(*shape, seed=1)
    for forward, grad_x in [(softmax_forward, softmax_grad_x), (log_softmax_forward, log_softmax_grad_x)]:
        y = assert_twin(gpu, forward, x, dim, terms=shape[dim])
        assert_twin(gpu, grad_x, grad, y, dim, terms=shape[dim])


def test_cuda_huge_values() -> None:
    x = np.array([[1000.0, 0.0, -1000.0], [1e5, 1e5, -1e5], [-1e5, -1e5, -2e5], [np.nan, 0.0, 1.0]])
    for forward in (softmax_forward, log_softmax_forward):
        np.testing.assert_allclose(forward(emulated(x), 1).get(), forward(x, 1), rtol=1e-12)


def test_cuda_takes_the_kernel_that_reads_neighbours(monkeypatch) -> None:
    monkeypatch.setattr(sys.modules["minidepth.ops.softmax"], "MANY_ROWS", 8)
    with checking() as launches:
        for shape in [(4, 40), (2, 3, 2, 2), (8, 33), (8, 32), (1, 40, 7)]:
            softmax_forward(emulated(np.ones(shape, np.float32)), 1)
    names = [launch.kernel.removeprefix("softmax_forward_") for launch in launches]
    assert names == ["rows", "columns", "rows", "columns", "rows"]
    assert launches[0].reads["x"] == 3 * 160 + 4 * 64  # each number for the maximum, the sum and y; row[0] by all


@pytest.mark.parametrize("op", [softmax, log_softmax])
def test_bad_input(op) -> None:
    with pytest.raises(ValueError, match=rf"{op.__name__}: dim 2 is out of range for x of shape \(3, 4\); use -2 to 1"):
        op(Tensor(np.zeros((3, 4))), 2)
    with pytest.raises(ValueError, match=rf"{op.__name__}: x is empty"):
        op(Tensor(np.zeros((0, 4))), 1)

"""pad: values by hand and by loops, gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from helpers import assert_linear, assert_same, normal
from twins import GPUS, assert_twin

from minidepth import Tensor
from minidepth.ops import conv2d, max_pool2d, pad
from minidepth.ops.pad import forward, grad_x, same_padding

# x, pad (last dimension first), the same as (before, after) for each dimension
SETTINGS = [
    ((5,), (2, 1), [(2, 1)]),
    ((2, 3, 4, 5), (1, 2, 0, 3), [(0, 0), (0, 0), (0, 3), (1, 2)]),
    ((2, 3, 4, 5), (4, 4), [(0, 0), (0, 0), (0, 0), (4, 4)]),
    ((2, 3, 4, 5), (0, 0, 3, 3), [(0, 0), (0, 0), (3, 3), (0, 0)]),
    ((3, 4, 5), (1, 1, 2, 2, 2, 0), [(2, 0), (2, 2), (1, 1)]),
    ((2, 3), (), [(0, 0), (0, 0)]),
]


@pytest.mark.parametrize(
    "mode, value, grad",
    [
        ("constant", [9, 9, 1, 2, 3, 9], [4, 8, 16]),
        ("replicate", [1, 1, 1, 2, 3, 3], [1 + 2 + 4, 8, 16 + 32]),
        ("reflect", [3, 2, 1, 2, 3, 2], [4, 2 + 8 + 32, 1 + 16]),
    ],
)
def test_by_hand(mode, value, grad) -> None:
    x = Tensor(np.array([1.0, 2.0, 3.0]), requires_grad=True)
    y = pad(x, (2, 1), mode, 9.0 if mode == "constant" else 0.0)
    assert y.numpy().tolist() == value
    y.backward(np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0]))
    assert x.grad.tolist() == grad


@pytest.mark.parametrize("mode", ["constant", "replicate", "reflect"])
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_oracle_and_gradient(setting, mode) -> None:
    shape, widths, by_dimension = setting
    if mode == "reflect":  # the mirror has only what lies behind the edge
        widths = [min(width, 2) for width in widths]
        by_dimension = [(min(a, 2), min(b, 2)) for a, b in by_dimension]
    x = normal(*shape)
    assert_same(pad(Tensor(x), widths, mode, 1.5), reference.pad(x, by_dimension, mode, 1.5))
    assert_linear(lambda x: pad(x, widths, mode, 1.5), x)


CUDA = [  # shape, (before, after) for each dimension
    ((), []),
    ((5,), [(2, 1)]),
    ((4, 5), [(3, 0), (0, 4)]),
    ((2, 3, 4, 5), [(0, 0), (0, 0), (0, 3), (1, 2)]),
    ((2, 3, 4, 5), [(0, 1), (2, 0), (2, 2), (1, 1)]),
    ((1, 3, 20, 19), [(0, 0), (0, 0), (5, 7), (4, 6)]),
    ((1, 2, 1, 6), [(0, 0), (0, 0), (0, 0), (5, 5)]),
    ((2, 0, 3), [(0, 0), (0, 0), (1, 1)]),
]


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("mode", ["constant", "replicate", "reflect"])
@pytest.mark.parametrize("setting", CUDA, ids=str)
def test_cuda(setting, mode, gpu) -> None:
    shape, widths = setting
    if mode == "reflect":  # the mirror has only what lies behind the edge
        widths = [(min(a, max(0, n - 1)), min(b, max(0, n - 1))) for n, (a, b) in zip(shape, widths)]
    y = assert_twin(gpu, forward, np.asarray(normal(*shape)), widths, mode, 1.5 if mode == "constant" else 0.0)
    assert_twin(gpu, grad_x, np.asarray(normal(*y.shape)), widths, shape, mode, terms=9)


@pytest.mark.parametrize("gpu", GPUS)
def test_cuda_frame_around_nothing(gpu) -> None:
    y = assert_twin(gpu, forward, normal(2, 0, 3), [(0, 0), (1, 2), (1, 1)], "constant", 7.0)
    assert y.shape == (2, 3, 5) and np.all(y == 7)


@pytest.mark.parametrize(
    "shape, widths, mode, text",
    [
        ((2, 3), (1,), "constant", r"pad: pad \(1,\) must hold two numbers a dimension, at most 4 \(x \(2, 3\)\)"),
        ((3,), (1, 1, 1, 1), "constant", r"pad: pad \(1, 1, 1, 1\) must hold two numbers a dimension, at most 2"),
        ((3,), (1, -1), "constant", r"pad: pad \(1, -1\) has a negative width; cut with"),
        ((3,), (1, 1), "circular", r"pad: mode 'circular' is unknown; use constant, replicate or reflect"),
        ((2, 3), (0, 3), "reflect", r"pad: reflect needs widths below the size, but \(0, 3\) meets 3"),
        ((2, 0), (1, 0), "replicate", r"pad: replicate has no edge value to repeat in size 0"),
    ],
)
def test_bad_input(shape, widths, mode, text) -> None:
    with pytest.raises(ValueError, match=text):
        pad(Tensor(np.zeros(shape)), widths, mode)


def test_a_large_picture_and_a_single_number() -> None:
    x = normal(2, 3, 200, 301)
    assert_same(pad(Tensor(x), (1, 2, 3, 0), value=7.0), np.pad(x, [(0, 0), (0, 0), (3, 0), (1, 2)], constant_values=7))
    assert_linear(lambda x: pad(x, (1, 2, 3, 0)), x)
    assert pad(Tensor(3.0), ()).data == 3


@pytest.mark.parametrize(
    "size, kernel_size, stride, expected",
    [
        (8, 3, 2, (0, 1)),  # Keras on an even size; padding=1 of PyTorch would be (1, 1)
        (7, 3, 2, (1, 1)),
        (8, 3, 1, (1, 1)),
        (8, 2, 1, (0, 1)),
        (8, 5, 2, (1, 2)),
        (9, 5, 2, (2, 2)),
        (8, 1, 2, (0, 0)),  # the total would be negative
        (5, 2, 3, (0, 0)),
        (1, 3, 2, (1, 1)),
        (224, 7, 2, (2, 3)),
    ],
)
def test_same_padding_by_hand(size, kernel_size, stride, expected) -> None:
    assert same_padding(size, kernel_size, stride) == expected


def test_same_padding_gives_just_enough_results() -> None:
    for size in range(1, 12):
        for kernel_size in range(1, 6):
            for stride in range(1, 5):
                before, after = same_padding(size, kernel_size, stride)
                total, results = before + after, -(-size // stride)
                assert 0 <= after - before <= 1
                assert (size + total - kernel_size) // stride + 1 == results
                assert total == 0 or (size + total - 1 - kernel_size) // stride + 1 < results


def test_same_padding_in_front_of_a_convolution_and_a_pooling() -> None:
    """A 3x3 filter on 4x4 pixels with stride 2: TensorFlow's windows begin at 0 and 2, not at -1 and 1."""
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    width = same_padding(4, 3, 2)
    ones = Tensor(np.ones((1, 1, 3, 3)))
    y = conv2d(pad(Tensor(x), width * 2), ones, stride=2)
    assert y.data.tolist() == [
        [[[0 + 1 + 2 + 4 + 5 + 6 + 8 + 9 + 10, 2 + 3 + 6 + 7 + 10 + 11], [8 + 9 + 10 + 12 + 13 + 14, 50]]]
    ]
    y = max_pool2d(pad(Tensor(-1 - x), width * 2, value=-np.inf), 3, 2)
    assert y.data.tolist() == [[[[-1, -3], [-9, -11]]]]


def test_same_padding_of_nothing() -> None:
    with pytest.raises(ValueError, match="same_padding: size 0, kernel_size 3 and stride 2 must be positive"):
        same_padding(0, 3, 2)

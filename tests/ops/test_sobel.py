"""sobel: values by hand and by loops, gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from helpers import assert_linear, assert_same, normal
from twins import GPUS, assert_twin

from minidepth import Tensor
from minidepth.ops import sobel
from minidepth.ops.sobel import forward, grad_x


def test_by_hand() -> None:
    x = np.array([[[[1.0, 2.0, 4.0], [3.0, 5.0, 9.0], [0.0, 7.0, 6.0]]]])
    tensor = Tensor(x, requires_grad=True)
    y = sobel(tensor, "valid")
    assert y.numpy().tolist() == [[[[(1 + 6 + 0) - (4 + 18 + 6)]], [[(1 + 4 + 4) - (0 + 14 + 6)]]]]
    y.backward(np.array([[[[1.0]], [[10.0]]]]))
    assert tensor.grad.tolist() == [[[[11, 20, 9], [2, 0, -2], [-9, -20, -11]]]]


def test_a_plane_has_a_constant_slope() -> None:
    x = Tensor(3.0 * np.arange(5)[:, None] + 2.0 * np.arange(6)[None, :] + np.zeros((1, 1, 5, 6)))
    y = sobel(x, "valid").numpy()
    assert np.all(y[:, 0] == -8 * 2) and np.all(y[:, 1] == -8 * 3)  # left minus right, above minus below


def test_a_flat_picture_has_edges_only_with_zero_padding() -> None:
    flat = Tensor(np.full((1, 1, 4, 4), 5.0))
    assert np.all(sobel(flat, "replicate").numpy() == 0)
    assert sobel(flat).numpy()[0, 0, 1].tolist() == [-20, 0, 0, 20]


@pytest.mark.parametrize("padding", ["zeros", "replicate", "valid"])
@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (1, 1, 3, 3), (1, 2, 7, 3)], ids=str)
def test_oracle_and_gradient(shape, padding) -> None:
    x = normal(*shape)
    assert_same(sobel(Tensor(x), padding), reference.sobel(x, padding))
    assert_linear(lambda x: sobel(x, padding), x)


@pytest.mark.parametrize("padding", ["zeros", "replicate"])
def test_one_pixel(padding) -> None:
    x = np.full((1, 1, 1, 1), 3.0)
    assert_same(sobel(Tensor(x), padding), reference.sobel(x, padding))


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("shape", [(2, 3, 7, 6), (1, 1, 3, 3), (1, 2, 9, 41), (2, 1, 3, 12), (0, 1, 4, 4)], ids=str)
def test_cuda(shape, gpu) -> None:
    y = assert_twin(gpu, forward, normal(*shape), terms=6)
    assert_twin(gpu, grad_x, normal(*y.shape), terms=12)


@pytest.mark.parametrize(
    "shape, padding, text",
    [
        ((1, 1, 4, 4), "same", r"sobel: padding 'same' is unknown; use zeros, replicate or valid"),
        ((4, 4), "zeros", r"sobel: x must be \(N, C, H, W\), but has shape \(4, 4\)"),
        ((1, 1, 2, 4), "valid", r"sobel: padding 'valid' needs H and W of at least 3 \(x \(1, 1, 2, 4\)\)"),
    ],
)
def test_bad_input(shape, padding, text) -> None:
    with pytest.raises(ValueError, match=text):
        sobel(Tensor(np.zeros(shape)), padding)

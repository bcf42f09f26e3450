"""pixel_shuffle: values by hand and by loops, gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from helpers import DEVICES, assert_linear, assert_same, normal
from twins import GPUS, assert_twin

from minidepth import Tensor
from minidepth.ops import pixel_shuffle
from minidepth.ops.pixel_shuffle import forward, grad_x

SETTINGS = [((2, 8, 3, 5), 2), ((1, 9, 2, 4), 3), ((2, 3, 4, 5), 1), ((1, 4, 1, 1), 2), ((2, 16, 60, 70), 2)]


def test_by_hand() -> None:
    x = Tensor(np.arange(8.0).reshape(1, 4, 1, 2), requires_grad=True)
    y = pixel_shuffle(x, 2)
    assert y.numpy().tolist() == [[[[0, 2, 1, 3], [4, 6, 5, 7]]]]
    y.backward(np.array([[[[1.0, 2, 3, 4], [5, 6, 7, 8]]]]))
    assert x.grad.tolist() == [[[[1, 3]], [[2, 4]], [[5, 7]], [[6, 8]]]]


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_oracle_and_gradient(setting) -> None:
    shape, factor = setting
    x = normal(*shape)
    assert_same(pixel_shuffle(Tensor(x), factor), reference.pixel_shuffle(x, factor), relative=0)
    assert_linear(lambda x: pixel_shuffle(x, factor), x)


@pytest.mark.parametrize("device", DEVICES)
def test_gives_the_same_for_any_memory_layout(device) -> None:
    x = normal(2, 3, 5, 8)
    y = pixel_shuffle(Tensor(DEVICES[device](x)).permute(0, 3, 1, 2), 2)
    assert_same(y.numpy(), reference.pixel_shuffle(x.transpose(0, 3, 1, 2), 2), relative=0)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("setting", [*SETTINGS[:4], ((2, 27, 5, 3), 3), ((1, 4, 0, 2), 2)], ids=str)
def test_cuda(setting, gpu) -> None:
    shape, factor = setting
    y = assert_twin(gpu, forward, normal(*shape), factor)
    assert_twin(gpu, grad_x, normal(*y.shape), factor)


@pytest.mark.parametrize(
    "shape, factor, text",
    [
        ((4, 3, 3), 2, r"pixel_shuffle: x must be \(N, C, H, W\) with C a multiple of 4, .* \(x \(4, 3, 3\)\)"),
        ((1, 6, 3, 3), 2, r"pixel_shuffle: x must be \(N, C, H, W\) with C a multiple of 4"),
        ((1, 4, 3, 3), 0, r"pixel_shuffle: upscale_factor is 0; it must be a whole number of at least 1"),
        ((1, 4, 3, 3), 2.0, r"pixel_shuffle: upscale_factor is 2.0"),
    ],
)
def test_bad_input(shape, factor, text) -> None:
    with pytest.raises(ValueError, match=text):
        pixel_shuffle(Tensor(np.zeros(shape)), factor)

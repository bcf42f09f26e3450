"""FCRN: count, sizes, and that its up-convolution is the plain one: zeros between the pixels, then 5x5."""

from __future__ import annotations

import numpy as np
import pytest
import reference

from minidepth import Tensor, no_grad, ops
from minidepth.errors import InputError
from minidepth.models.fcrn import FCRN, UpProjection
from minidepth.nn.init import empty_weights

SMALL = {"width": 2, "blocks": (1, 1, 1, 1)}


def test_count() -> None:
    with empty_weights():
        assert sum(parameter.size for parameter in FCRN().parameters()) == 63_566_913


@no_grad()
def test_the_fast_up_convolution_is_the_plain_one() -> None:
    up = UpProjection(3, 2, 0).astype(np.float64).up1
    rng = np.random.default_rng(0)
    up.bias.data[...] = rng.standard_normal(2)
    x = rng.standard_normal((2, 3, 4, 5))
    unpooled = np.zeros((2, 3, 8, 10))
    unpooled[:, :, ::2, ::2] = x
    weight = up.weight.data.swapaxes(0, 1)[:, :, ::-1, ::-1]
    expected = reference.conv2d(unpooled, weight, up.bias.data, padding=(2, 2))
    np.testing.assert_allclose(up(Tensor(x)).data, expected, rtol=1e-12, atol=1e-12)


@no_grad()
def test_an_up_projection_ends_with_the_relu_of_the_sum() -> None:
    up = UpProjection(3, 2, 0).eval()
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, 4, 5)).astype(np.float32))
    fine = up.bn2(up.conv(ops.relu(up.bn1(up.up1(x))))).data
    coarse = up.bn3(up.up2(x)).data
    assert (fine + coarse < 0).any() and (fine < 0).any() and (coarse < 0).any()
    np.testing.assert_allclose(up(x).data, np.maximum(fine + coarse, 0), rtol=1e-5, atol=1e-6)


@no_grad()
@pytest.mark.parametrize("size, expected", [((64, 96), (32, 48)), ((228, 304), (128, 160)), ((33, 20), (32, 16))])
def test_size_of_the_output(size: tuple[int, int], expected: tuple[int, int]) -> None:
    model = FCRN(rng=0, **SMALL).eval()
    assert model(Tensor(np.zeros((1, 3, *size), np.float32))).shape == (1, 1, *expected)


def test_every_parameter_is_reached() -> None:
    model = FCRN(rng=0, dropout=0.0, **SMALL)
    rng = np.random.default_rng(0)
    y = model(Tensor(rng.standard_normal((2, 3, 64, 96)).astype(np.float32)))
    y.backward(rng.standard_normal(y.shape).astype(np.float32))
    undone = ("bottom.0.bias", "up1.bias", "up2.bias", "conv.bias")  # by the batch-norm behind it
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and (name.endswith(undone) or parameter.grad.any()), name


def test_dropout_is_for_training_only() -> None:
    model = FCRN(rng=0, dropout=0.9, **SMALL)
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, 64, 64)).astype(np.float32))
    assert not np.array_equal(model(x).data, model(x).data)
    model.eval()
    np.testing.assert_array_equal(model(x).data, model(x).data)


def test_bad_input() -> None:
    with pytest.raises(InputError, match="FCRN: width is 0"):
        FCRN(width=0)
    with pytest.raises(InputError, match=r"FCRN: the input has shape \(3, 64, 64\)"):
        FCRN(rng=0, **SMALL)(Tensor(np.zeros((3, 64, 64), np.float32)))

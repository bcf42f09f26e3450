"""DenseDepth: counts at both widths, half the size, the activation that some have and others do not."""

from __future__ import annotations

import numpy as np
import pytest

from minidepth import Tensor, no_grad
from minidepth.errors import InputError
from minidepth.models.densedepth import DenseDepth, WayUp
from minidepth.nn.init import empty_weights

SMALL = {"width": 4, "growth": 4, "blocks": (1, 1, 1, 1)}


@pytest.mark.parametrize("half_features, count", [(False, 42_657_689), (True, 21_365_405)])
def test_counts(half_features: bool, count: int) -> None:
    with empty_weights():
        model = DenseDepth(half_features=half_features)
    assert sum(parameter.size for parameter in model.parameters()) == count


@pytest.mark.parametrize("options", [{}, {"half_features": True}, {"first_activation": False}])
def test_half_the_size_and_every_parameter_is_reached(options: dict) -> None:
    model = DenseDepth(rng=0, **SMALL, **options)
    rng = np.random.default_rng(0)
    y = model(Tensor(rng.standard_normal((2, 3, 64, 96)).astype(np.float32)))
    assert y.shape == (2, 1, 32, 48)
    y.backward(rng.standard_normal(y.shape).astype(np.float32))
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


@no_grad()
@pytest.mark.parametrize("first, expected", [(True, -0.2 * 0.2), (False, -0.2)])
def test_the_first_activation_is_an_option(first: bool, expected: float) -> None:
    way_up = WayUp(2, 1, first, 0)
    for conv in (way_up.conv1, way_up.conv2):
        conv.weight.data[...] = 0
        conv.weight.data[0, 0, 1, 1] = 1
    x = Tensor(-np.ones((1, 1, 2, 2), np.float32))
    skip = Tensor(np.zeros((1, 1, 4, 4), np.float32))
    np.testing.assert_allclose(way_up(x, skip).data, expected, rtol=1e-6)


def test_bad_input() -> None:
    with pytest.raises(InputError, match="DenseDepth: growth is 0"):
        DenseDepth(growth=0)
    with pytest.raises(InputError, match="DenseDepth: a picture of 228x304 .* multiples of 32, such as 224x320"):
        DenseDepth(rng=0, **SMALL)(Tensor(np.zeros((1, 3, 228, 304), np.float32)))

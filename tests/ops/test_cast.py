"""cast: rounding by hand and by NumPy, the gradient in the type of x, float16 on a GPU, errors."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import normal
from twins import GPUS, to_gpu

from minidepth import Tensor
from minidepth.ops import cast


def test_by_hand() -> None:
    x = Tensor(np.array([1 + 2.0**-30, 2.0]), requires_grad=True)
    y = cast(x, np.float32)
    assert (y.dtype, y.numpy().tolist()) == (np.float32, [1, 2])
    y.backward(np.array([0.1, 3], np.float32))
    assert (x.grad.dtype, x.grad.tolist()) == (np.float64, [np.float64(np.float32(0.1)), 3])


@pytest.mark.parametrize("dtype", ["float32", np.float64, np.dtype(np.float32)], ids=str)
def test_the_type_that_it_has_already(dtype) -> None:
    x = Tensor(normal(2, 3).astype(dtype))
    assert cast(x, dtype) is x and x.astype(dtype) is x


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("start", [np.float32, np.float64])
def test_float16_on_a_gpu_and_back(start, gpu) -> None:
    """Rounded once each way; what is too large becomes infinite, which a loss scaler counts on, and NaN stays."""
    data = np.array([[0.1, -3, 65519, 65520, 70000], [2e-8, 4e-8, -1e30, np.inf, np.nan]], start)
    x = Tensor(to_gpu(gpu, data).T, requires_grad=True)
    half = x.astype(np.float16)
    y = half.astype(start)
    with np.errstate(over="ignore"):
        expected = data.T.astype(np.float16)
    assert half.dtype == np.float16 and y.dtype == start
    np.testing.assert_array_equal(half.numpy(), expected)
    np.testing.assert_array_equal(y.numpy(), expected.astype(start))
    grad = to_gpu(gpu, np.full((5, 2), 0.1, start))
    y.backward(grad)
    np.testing.assert_array_equal(x.grad.get(), np.full((5, 2), np.float16(0.1), start))  # rounded on its way, too
    assert x.grad.dtype == start


def test_bad_input() -> None:
    with pytest.raises(TypeError, match=r"cast: float16 is for a GPU, but x is on the CPU; move it with backend.to_d"):
        cast(Tensor(np.ones(2)), np.float16)
    with pytest.raises(TypeError, match=r"cast: dtype int32 is none that a tensor holds; use float32, float64, or fl"):
        cast(Tensor(np.ones(2)), np.int32)

"""What the tests of operations share: comparing, gradients, and where the arrays live."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minidepth import Tensor
from minidepth.gradient_check import check_adjoint, check_gradient

DEVICES: dict[str, Callable[[np.ndarray], np.ndarray]] = {"cpu": np.asarray}
"""Device name -> how an array gets there. Tests that take a device run over all of them."""


def assert_same(actual: Tensor | np.ndarray, expected: np.ndarray, relative: float = 1e-10) -> None:
    """Equal shapes, and numbers that differ by at most `relative` of the largest one."""
    values = actual.data if isinstance(actual, Tensor) else actual
    assert values.shape == expected.shape
    atol = relative * float(np.max(np.abs(expected), initial=0.0))
    np.testing.assert_allclose(values, expected, rtol=0, atol=atol)


def assert_gradient(function: Callable[..., Tensor], *inputs: np.ndarray, tolerance: float = 1e-6) -> None:
    """Backward agrees with finite differences, for random directions and random cotangents in float64."""
    report = check_gradient(function, *inputs, tolerance=tolerance)
    assert report.ok, str(report)


def assert_linear(function: Callable[..., Tensor], *inputs: np.ndarray) -> None:
    """Backward is the exact adjoint of a function that is linear (up to a constant) in each of its inputs."""
    report = check_adjoint(function, *inputs)
    assert report.ok, str(report)


def value_and_gradients(
    function: Callable[..., Tensor], inputs: list[np.ndarray], cotangent: np.ndarray
) -> tuple[np.ndarray, list[np.ndarray]]:
    """The value of `function` and, for dL/dy = cotangent, the gradient of every input."""
    tensors = [Tensor(array, requires_grad=True) for array in inputs]
    y = function(*tensors)
    y.backward(cotangent.astype(y.dtype))
    grads = [tensor.grad for tensor in tensors if tensor.grad is not None]
    assert len(grads) == len(inputs), "an input got no gradient"
    return y.data, grads


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    """Standard normal numbers in float64."""
    return np.random.default_rng(seed).standard_normal(shape)

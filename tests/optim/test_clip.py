"""Clipping of gradients by their common norm."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from minidepth import get_num_threads, set_num_threads
from minidepth.nn import Parameter
from minidepth.optim import clip_grad_norm_


def parameters(*grads: np.ndarray | None) -> list[Parameter]:
    made = []
    for grad in grads:
        parameter = Parameter(np.zeros(1 if grad is None else grad.shape, np.float64 if grad is None else grad.dtype))
        parameter.grad = grad
        made.append(parameter)
    return made


def test_by_hand() -> None:
    first, without, second = parameters(np.array([3.0, 0.0]), None, np.array([[0.0], [-4.0]]))
    assert clip_grad_norm_([first, without, second], 1.0) == 5.0
    np.testing.assert_allclose(first.grad, [0.6, 0], rtol=1e-6)
    np.testing.assert_allclose(second.grad, [[0], [-0.8]], rtol=1e-6)
    assert without.grad is None
    assert first.grad[0] == 3 / (5 + 1e-6)  # the constant of PyTorch


def test_short_gradients_stay_to_the_last_bit() -> None:
    grad = np.array([0.3, -0.4])
    (parameter,) = parameters(grad.copy())
    assert clip_grad_norm_([parameter], 0.6) == pytest.approx(0.5)
    assert parameter.grad.tobytes() == grad.tobytes()
    assert clip_grad_norm_([Parameter([1.0])], 1.0) == 0  # nothing has a gradient


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_sizes_against_python_sums(dtype: type) -> None:
    """Some parameters share a tile, some have several; math.fsum is exact."""
    rng = np.random.default_rng(0)
    grads = [rng.standard_normal(size).astype(dtype) for size in (3, 131_072, (2, 70_001), 0, 1)]
    norm = math.sqrt(math.fsum(float(g) ** 2 for grad in grads for g in grad.reshape(-1)))
    made = parameters(*(grad.copy() for grad in grads))
    tolerance = 1e-6 if dtype is np.float32 else 1e-12
    assert clip_grad_norm_(made, 2.5) == pytest.approx(norm, rel=tolerance)
    for parameter, grad in zip(made, grads):
        assert parameter.grad.dtype == dtype
        np.testing.assert_allclose(parameter.grad, grad * (2.5 / (norm + 1e-6)), rtol=tolerance * 2)


def test_the_same_bits_on_any_number_of_threads() -> None:
    grad = np.random.default_rng(0).standard_normal(400_000).astype(np.float32)
    before, found = get_num_threads(), []
    try:
        for threads in (1, 3):
            set_num_threads(threads)
            (parameter,) = parameters(grad.copy())
            found.append((clip_grad_norm_([parameter], 1.0), parameter.grad.tobytes()))
    finally:
        set_num_threads(before)
    assert found[0] == found[1]


def test_needs_no_memory() -> None:
    made = parameters(np.ones(1_000_000, np.float32))
    clip_grad_norm_(made, 1.0)
    tracemalloc.start()
    clip_grad_norm_(made, 0.5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_500_000  # the array itself has 4 MB; each thread may need a tile of 0.5 MB


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_norm_that_is_not_finite_can_be_seen(bad: float) -> None:
    made = parameters(np.array([bad, 1.0]), np.array([1.0]))
    with np.errstate(invalid="ignore"):
        assert not math.isfinite(clip_grad_norm_(made, 1.0))
    assert not np.isfinite(made[0].grad[0])


def test_bad_input() -> None:
    with pytest.raises(ValueError, match="max_norm is 0; it must be above 0"):
        clip_grad_norm_([Parameter([1.0])], 0)
    with pytest.raises(ValueError, match="max_norm is nan"):
        clip_grad_norm_([Parameter([1.0])], math.nan)
    made = parameters(np.ones(2), np.ones((2, 3)).T)
    with pytest.raises(ValueError, match=r"gradient 1 \(\(3, 2\)\) must be contiguous in memory"):
        clip_grad_norm_(made, 0.1)
    assert (made[0].grad == 1).all()

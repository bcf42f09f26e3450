"""The CUDA kernels of batch-norm with all of its activations: against NumPy, far from zero, what they read, errors."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import normal
from twins import GPUS, assert_twin, to_gpu

from minidepth import Tensor
from minidepth.cuda import constant
from minidepth.diagnose import quiet_overflow
from minidepth.ops import batch_norm, batch_norm_leaky_relu, batch_norm_relu6
from minidepth.ops.batch_norm import backward, forward, normalise
from minidepth.ops.cpu.activation import NONE, Activation
from minidepth.testing import checking, device_array, emulated

PART, THREADS = constant("batch_norm", "PART"), constant("batch_norm", "THREADS")
ACTIVATIONS = {
    "none": NONE,
    "leaky_relu": Activation(0.2),
    "relu": Activation(0),
    "relu6": Activation(0, ceiling=6),
}
SMALL = (2, 5, 7, 9)
SETTINGS = [
    *((SMALL, act) for act in ACTIVATIONS),
    ((5, 4), "relu"),
    ((600, 2), "leaky_relu"),  # a plane is one number, a thread has several
    ((2, 3, 6), "none"),
    (
        (2, 9, 16, 16),
        "leaky_relu",
    ),  # a plane is a step of the block; more channels than it has warps
    ((40, 2, 9, 29), "relu6"),  # three parts: planes shorter than a step, ending anywhere
    ((3, 2, 53, 59), "leaky_relu"),  # three parts of planes that are longer
]


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("shape, act", SETTINGS, ids=str)
def test_kernels(shape, act, gpu) -> None:
    x, grad = 3 + 2 * normal(*shape), normal(*shape, seed=5)
    scale, shift = 3 * normal(shape[1], seed=1), 3 * normal(shape[1], seed=2)
    running = normal(shape[1], seed=3), 0.1 + normal(shape[1], seed=4) ** 2
    act, count = ACTIVATIONS[act], x.size // shape[1]
    _, mean, var = assert_twin(gpu, forward, x, scale, shift, None, None, 0.1, 1e-5, act, terms=count, single=(1, 2))
    back = {"terms": count, "single": (2, 3, 4, 5)}
    assert_twin(gpu, backward, grad, x, mean, var, scale, shift, 1e-5, True, act, **back)
    if shape == SMALL:
        assert_twin(gpu, normalise, x, *running, scale, shift, 1e-5, act, single=(1, 2, 3, 4))
        assert_twin(gpu, backward, grad, x, *running, scale, shift, 1e-5, False, act, **back)


@pytest.mark.parametrize("gpu", GPUS)
def test_more_parts_than_a_warp_has_lanes(gpu) -> None:
    x, one = normal(1, 1, 377, 350), np.ones(1)
    assert x.size > 32 * PART
    given = [to_gpu(gpu, array.astype(np.float32)) for array in (x, one, one)]
    _, mean, var = forward(*given, None, None, 0.1, 1e-5, NONE)
    np.testing.assert_allclose([mean.get()[0], var.get()[0]], [x.mean(), x.var()], rtol=1e-6, atol=1e-8)
    _, grad_scale, grad_shift = backward(given[0], given[0], mean, var, *given[1:], 1e-5, True, NONE)
    np.testing.assert_allclose(grad_shift.get()[0], x.sum(), rtol=1e-5, atol=1e-5 * x.size**0.5)
    np.testing.assert_allclose(grad_scale.get()[0], x.size * x.std(), rtol=1e-5)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("deviation, first", [(1.0, 1000.0), (0.01, 1000.0), (1.0, 0.0), (1.0, -1e5)])
@pytest.mark.parametrize("shape", [(2, 2, 45, 81), (3, 4, 7)], ids=str)
def test_float32_far_from_zero_loses_nothing(shape, deviation, first, gpu) -> None:
    """Also where the first number of a channel, from which the others are measured, is far from all of them."""
    x = (1000 + deviation * normal(*shape)).astype(np.float32)
    x[0].reshape(shape[1], -1)[:, 0] = first
    axes, column = (0, *range(2, len(shape))), (-1, *(1,) * (len(shape) - 2))
    exact_mean, exact_var = (f(x, axis=axes, dtype=np.float64) for f in (np.mean, np.var))
    expected = (x - exact_mean.reshape(column)) / np.sqrt(exact_var.reshape(column) + 1e-5)
    one, zero = (to_gpu(gpu, np.full(shape[1], value, np.float32)) for value in (1, 0))
    y, mean, var = forward(to_gpu(gpu, x), one, zero, None, None, 0.1, 1e-5, NONE)
    np.testing.assert_allclose(mean.get(), exact_mean, rtol=1e-7, atol=2e-7 * abs(first - 1000))
    np.testing.assert_allclose(var.get(), exact_var, rtol=1e-6)
    np.testing.assert_allclose(y.get(), expected, rtol=2e-5, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_running_statistics_stay_on_the_gpu(dtype, gpu) -> None:
    """They become those of NumPy, and nobody waits for a number meanwhile."""
    x, (mean, var) = (3 + normal(4, 3, 5, 7)).astype(dtype), (normal(3, seed=1).astype(dtype), np.ones(3, dtype))
    on_gpu = [to_gpu(gpu, array) for array in (x, mean, var)]
    before = device_array.synchronisations
    tensor = Tensor(on_gpu[0], requires_grad=True)
    z = batch_norm_leaky_relu(tensor, *on_gpu[1:], training=True, momentum=0.3)
    z.backward(on_gpu[0])
    batch_norm_relu6(Tensor(on_gpu[0]), *on_gpu[1:])
    assert device_array.synchronisations == before
    batch_norm_leaky_relu(Tensor(x), mean, var, training=True, momentum=0.3)
    for array, expected in zip(on_gpu[1:], (mean, var)):
        np.testing.assert_allclose(array.get(), expected, rtol=16 * np.finfo(dtype).eps)


@pytest.mark.parametrize("place", ["numpy", *GPUS])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_batch_that_is_not_finite_leaves_no_trace_in_the_running_statistics(dtype, place) -> None:
    """Channel by channel: the last two alone are good."""
    x = normal(2, 5, 3, 3).astype(dtype)
    x[0, 0, 0, 0], x[1, 1, 2, 1], x[0, 2, 1, 1] = np.nan, np.inf, -np.inf
    arrays = [x.astype(np.float32) if place == "numpy" else x, np.full(5, 0.5, np.float32), np.full(5, 2, np.float32)]
    x, mean, var = arrays if place == "numpy" else [to_gpu(place, array) for array in arrays]
    with quiet_overflow():
        batch_norm_leaky_relu(Tensor(x), mean, var, training=True)
    kept = [(array if place == "numpy" else array.get()) == value for array, value in ((mean, 0.5), (var, 2))]
    assert [list(each) for each in kept] == [[True, True, True, False, False]] * 2


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("act", ["none", "relu", "relu6"])
@pytest.mark.parametrize("dtype", [np.float16, np.float64])
def test_numbers_that_are_none(act, dtype, gpu) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 1]).reshape(1, 1, 2, 2)
    given = np.zeros(1), np.ones(1), np.ones(1), np.zeros(1)
    expected = normalise(x, *given, 0.0, ACTIVATIONS[act])
    single = np.promote_types(dtype, np.float32)
    on_gpu = [to_gpu(gpu, x.astype(dtype)), *(to_gpu(gpu, array.astype(single)) for array in given)]
    z = normalise(*on_gpu, 0.0, ACTIVATIONS[act])
    np.testing.assert_array_equal(z.get(), expected)


@pytest.mark.parametrize("gpu", GPUS)
def test_at_the_kinks_the_flat_side_counts(gpu) -> None:
    """y is 0 and 6 exactly, and where the weight is 0 it is the bias, whatever x is."""
    x = np.stack([np.array([0.0, 0, 2, 2])] * 5, axis=1)  # mean 1, variance 1, so x^ is -1, -1, 1, 1
    scale, shift = np.array([3.0, -3, 0, 0, 0]), np.array([3.0, 3, 6, 0, 2])
    grad, one = normal(4, 5), np.ones(5)
    for act in (ACTIVATIONS["relu6"], ACTIVATIONS["leaky_relu"]):
        assert_twin(gpu, backward, grad, x, one, one, scale, shift, 0.0, True, act, terms=4, single=(2, 3, 4, 5))


def test_what_is_read_and_written() -> None:
    """The table of bytes in batch_norm.cu: 12 forward and 20 backward for each number of x, three launches each."""
    x, grad = (emulated(normal(3, 2, 53, 59, seed=seed).astype(np.float32)) for seed in range(2))
    with checking() as launches:
        tensor = Tensor(x, requires_grad=True)
        batch_norm_leaky_relu(tensor, None, None, training=True).backward(grad)
    moments, statistics, last, sums, grad_weight, grad_x = launches
    channels, parts = x.shape[1], 3 * x.shape[1]
    assert moments.reads == {"x": x.size + parts * THREADS, "means": 0, "squares": 0}  # each thread reads the origin
    assert statistics.reads["x"] == channels and statistics.writes["mean"] == channels
    assert statistics.reads["means"] == 2 * parts and grad_weight.reads["sums"] == parts
    assert last.reads["x"] == last.writes["z"] == sums.reads["x"] == sums.reads["grad"] == x.size
    assert grad_x.reads["x"] == grad_x.reads["grad"] == grad_x.writes["grad_x"] == x.size
    assert not any(sum(kernel.writes.values()) > 2 * parts for kernel in (moments, sums))


def test_running_statistics_that_are_a_view() -> None:
    """A twin is handed a copy of those, and the update would be lost."""
    mean, var = np.zeros((3, 2))[:, 0], np.ones(3)
    with pytest.raises(ValueError, match=r"batch_norm: running_mean is updated in place and must be C-contiguous"):
        batch_norm(Tensor(np.ones((2, 3))), mean, var, training=True)
    assert batch_norm(Tensor(np.ones((2, 3))), mean, var).shape == (2, 3)

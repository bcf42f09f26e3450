"""Half between layers: who computes in it, who is handed float32, and what must not depend on where an array begins."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from helpers import normal
from twins import GPUS, to_gpu, watched

from minidepth import Tensor, backend, ops
from minidepth.backend import HALF_TWINS, KERNELS
from minidepth.cuda import flat, mapped
from minidepth.ops.cpu.activation import NONE
from minidepth.testing import emulated

leaky_relu = importlib.import_module("minidepth.ops.leaky_relu")
max_pool2d = importlib.import_module("minidepth.ops.max_pool2d")
batch_norm = importlib.import_module("minidepth.ops.batch_norm")

ONLY_FLOAT32 = {
    "minidepth.losses.ssim.forward",
    "minidepth.ops.im2col.col2im",
    "minidepth.ops.im2col.im2col",
    "minidepth.optim.clip.shorten",
    "minidepth.optim.loss_scaler.cotangent",
    "minidepth.optim.loss_scaler.decide",
    "minidepth.optim.loss_scaler.finite",
    "minidepth.optim.optimizer.update",
}
"""Twins without kernels in half. Losses, weights and their gradients are float32; else one that is here is slow."""


def test_who_computes_in_half() -> None:
    for name in ("ops", "losses.ssim", "optim", "optim.loss_scaler"):
        importlib.import_module(f"minidepth.{name}")
    assert {name for name in KERNELS if name.startswith("minidepth.")} - HALF_TWINS == ONLY_FLOAT32


def test_a_twin_without_half_is_handed_float32(monkeypatch) -> None:
    """It gives back float16 for the floats, in a tuple, too; what is no float stays."""
    monkeypatch.setattr(backend, "KERNELS", {})
    monkeypatch.setattr(backend, "CUDA_TWINS", {})
    seen = []

    @backend.kernel
    def forward(x, weight, n):
        raise AssertionError

    @backend.cuda(forward)
    def forward_cuda(x, weight, n):
        seen.append((x.dtype, weight.dtype, n))
        return x * weight, None, x > 0, (x,)

    x, weight = emulated(np.array([1, 2049], np.float16)), emulated(np.array([1, 3], np.float32))
    y, nothing, positive, (same,) = forward(x, weight, 7)
    assert seen == [(np.float32, np.float32, 7)]
    assert (y.dtype, positive.dtype, same.dtype, nothing) == (np.float16, bool, np.float16, None)
    assert y.get().tolist() == [1, np.float16(6144)]
    for dtype in (np.float32, np.float64):
        assert forward(emulated(np.ones(2, dtype)), weight, 7)[0].dtype == dtype


def test_a_thread_has_twice_as_many_halves() -> None:
    for dtype, blocks in ((np.float16, 2), (np.float32, 4), (np.float64, 4)):
        assert mapped(emulated(np.zeros(4096, dtype)), each=4) == flat(blocks)._replace(blocks=(blocks, 1, 1))


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("begins", [(0, 0), (1, 0), (0, 1), (1, 1)], ids=str)
@pytest.mark.parametrize("n", [4096, 4095])
def test_memory_that_begins_anywhere(n, begins, gpu) -> None:
    """Two halves are read at once only where they begin at a multiple of 4 bytes, and the last may be alone."""
    arrays = [to_gpu(gpu, normal(n + 1, seed=seed).astype(np.float16))[k : k + n] for seed, k in enumerate(begins)]
    with watched(gpu, np.float16):
        y = leaky_relu.forward(arrays[0], 0.25)
        grad = leaky_relu.grad_x(*arrays, 0.25)
    one, other = (array.get() for array in arrays)
    np.testing.assert_array_equal(y.get(), np.where(one > 0, one, one / 4))
    np.testing.assert_array_equal(grad.get(), np.where(other > 0, one, one / 4))


@pytest.mark.parametrize("gpu", GPUS)
def test_batch_norm_of_memory_that_begins_anywhere(gpu) -> None:
    x, grad = (to_gpu(gpu, normal(1 + 4 * 34, seed=seed).astype(np.float16)) for seed in range(2))
    scale, shift = (to_gpu(gpu, np.full(2, value, np.float32)) for value in (2, 1))
    found = []
    for place in (slice(1, None), slice(0, -1)):  # the same numbers at two places
        x[place], grad[place] = to_gpu(gpu, x[1:].get()), to_gpu(gpu, grad[1:].get())
        one, other = (array[place].reshape(2, 2, 34) for array in (x, grad))
        with watched(gpu, np.float16):
            y, mean, var = batch_norm.forward(one, scale, shift, None, None, 0.1, 1e-5, NONE)
            grads = batch_norm.backward(other, one, mean, var, scale, shift, 1e-5, True, NONE)
        found.append([array.get() for array in (y, mean, var, *grads)])
    for one, other in zip(*found):
        np.testing.assert_allclose(one, other, rtol=2**-10 if one.dtype == np.float16 else 1e-6, atol=1e-6)


@pytest.mark.parametrize("gpu", GPUS)
def test_too_large_becomes_infinite_and_nan_stays(gpu) -> None:
    """Else a loss scaler would not see that a step went wrong."""
    x = to_gpu(gpu, np.array([[[[1, np.nan, 60000, -np.inf], [2, 3, -60000, 5]]]], np.float16))
    one, zero = (to_gpu(gpu, np.array([value], np.float32)) for value in (2, 0))
    with watched(gpu, np.float16):
        y = batch_norm.normalise(x, zero, one, one, zero, 0.0, NONE).get().ravel()
        best, _ = max_pool2d.forward(x, (2, 2), (2, 2), (0, 0), (1, 1), (1, 2))
        leaky = leaky_relu.forward(x, 0.5).get().ravel()
    factor = 2 / 2**0.5
    np.testing.assert_allclose(y, [factor, np.nan, np.inf, -np.inf, 2 * factor, 3 * factor, -np.inf, 5 * factor], 1e-3)
    np.testing.assert_array_equal(best.get().ravel(), np.array([np.nan, 60000], np.float16))
    np.testing.assert_array_equal(leaky, np.array([1, np.nan, 60000, -np.inf, 2, 3, -30000, 5], np.float16))
    large = Tensor(x)[..., :1, 2:3]
    assert np.isinf((large + large).numpy()).all() and np.isinf(ops.sum(large * 1.5).numpy())


@pytest.mark.parametrize("gpu", GPUS)
def test_sums_are_made_in_float32(gpu) -> None:
    """2048 + 1 is 2048 in half, so one after the other 5000 ones would never get further."""
    x = Tensor(to_gpu(gpu, np.ones((5000, 5), np.float16)), requires_grad=True)
    for op, expected in ((ops.sum, 5000), (ops.mean, 1), (ops.var, 0)):
        assert op(x, 0).dtype == np.float16 and op(x, 0).numpy().tolist() == [expected] * 5
    bias = Tensor(to_gpu(gpu, np.zeros(5, np.float32)), requires_grad=True)
    half_bias = Tensor(to_gpu(gpu, np.zeros(5, np.float16)), requires_grad=True)
    ((x + half_bias).sum() + (x + bias).sum()).backward()
    assert (x.grad.dtype, bias.grad.dtype, half_bias.grad.dtype) == (np.float16, np.float32, np.float16)
    assert bias.grad.get().tolist() == half_bias.grad.get().tolist() == [5000] * 5


@pytest.mark.parametrize("gpu", GPUS)
def test_two_gradients_in_half_are_added_and_rounded_once(gpu) -> None:
    x = Tensor(to_gpu(gpu, np.ones(1, np.float16)), requires_grad=True)
    (x * 2048.0 + x * 3.0).backward(to_gpu(gpu, np.ones(1, np.float16)))
    assert x.grad.get().tolist() == [2052]  # 2051 lies between two halves, 2050 and 2052: to the even one

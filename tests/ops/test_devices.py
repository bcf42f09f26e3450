"""Every operation on every device, in float32 and float64: the numbers are NumPy's, and stay where the inputs are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from op_settings import DRAW, HAS_PARAMETERS, call
from twins import GPUS, to_gpu, watched

from minidepth import Tensor, ops

SETTINGS = {"cpu": 8, "emulated": 4, "cuda": 8}
"""Device -> how many drawn settings of an operation; the emulator is slow."""


def in_dtypes(op: str, inputs: list[Any], dtype: Any) -> list[np.ndarray]:
    """The inputs in `dtype`, in which parameters stay float32 where the others are float16."""
    of_parameters = np.promote_types(dtype, np.float32) if op in HAS_PARAMETERS else dtype
    return [array.astype(of_parameters if k > 0 else dtype) for k, array in enumerate(inputs)]


def value_and_gradients(op: str, inputs: list[Any], options: dict[str, Any], device: str, dtype: Any) -> list[Any]:
    """The result and the gradient of every input, for a cotangent that is the same on all devices."""

    def move(array: np.ndarray) -> Any:
        return array if device == "cpu" else to_gpu(device, array)

    arrays = [move(array) for array in in_dtypes(op, inputs, dtype)]
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    y = call(ops, op, options, *tensors)
    y.backward(move(np.random.default_rng(3).standard_normal(y.shape).astype(np.float16).astype(dtype)))
    results = [y.data, *(tensor.grad for tensor in tensors)]
    for array, like in zip(results, [arrays[0], *arrays]):
        assert type(array) is type(like) and array.dtype == like.dtype
    assert all(tensor.grad.flags.c_contiguous for tensor in tensors)
    return [Tensor(array).numpy() for array in results]


@pytest.mark.parametrize("device", ["cpu", *GPUS])
@pytest.mark.parametrize("op", DRAW)
def test_every_device_agrees_with_numpy_in_float64(op: str, device: str) -> None:
    rng = np.random.default_rng(2)
    for _ in range(SETTINGS[device]):
        inputs, options = DRAW[op](rng)
        expected = value_and_gradients(op, inputs, options, "cpu", np.float64)
        for dtype, tolerance in ((np.float32, 2e-5), (np.float64, 1e-12)):
            with watched(device, dtype):
                actual = value_and_gradients(op, inputs, options, device, dtype)
            for one, other in zip(actual, expected):
                assert np.max(np.abs(one - other), initial=0) <= tolerance * (1 + np.max(np.abs(other), initial=0))


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("op", DRAW)
def test_in_half_every_operation_is_rounded_a_few_times(op: str, gpu: str) -> None:
    """With the inputs rounded to half, float64 on the CPU is what it may be a few roundings away from, at most four."""
    rng = np.random.default_rng(2)
    for _ in range(SETTINGS[gpu] // 2):
        inputs, options = DRAW[op](rng)
        inputs = in_dtypes(op, inputs, np.float16)
        expected = value_and_gradients(op, inputs, options, "cpu", np.float64)
        with watched(gpu, np.float16):
            actual = value_and_gradients(op, inputs, options, gpu, np.float16)
        for one, other in zip(actual, expected):
            assert np.max(np.abs(one - other), initial=0) <= 4 * 2**-11 * (1 + np.max(np.abs(other), initial=0))

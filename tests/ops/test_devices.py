"""Every operation on every device, in float32 and float64: the numbers are NumPy's, and stay where the inputs are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from op_settings import DRAW, call
from twins import GPUS, to_gpu, watched

from minidepth import Tensor, ops

SETTINGS = {"cpu": 8, "emulated": 4, "cuda": 8}
"""Device -> how many drawn settings of an operation; the emulator is slow."""


def value_and_gradients(op: str, inputs: list[Any], options: dict[str, Any], device: str, dtype: Any) -> list[Any]:
    """The result and the gradient of every input, for a cotangent that is the same on all devices."""

    def move(array: np.ndarray) -> Any:
        array = array.astype(dtype)
        return array if device == "cpu" else to_gpu(device, array)

    arrays = [move(array) for array in inputs]
    tensors = [Tensor(array, requires_grad=True) for array in arrays]
    y = call(ops, op, options, *tensors)
    y.backward(move(np.random.default_rng(3).standard_normal(y.shape)))
    results = [y.data, *(tensor.grad for tensor in tensors)]
    for array in results:
        assert type(array) is type(arrays[0]) and array.dtype == dtype
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

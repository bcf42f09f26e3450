"""Every operation on every device, in float32 and float64: the result stays where its inputs are, in their dtype."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import DEVICES
from op_settings import DRAW, call

from minidepth import Tensor, ops


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("op", DRAW)
def test_float32_agrees_with_float64(op: str, device: str) -> None:
    rng = np.random.default_rng(2)
    for _ in range(8):
        inputs, options = DRAW[op](rng)
        results = {}
        for dtype in (np.float64, np.float32):
            arrays = [DEVICES[device](array.astype(dtype)) for array in inputs]
            tensors = [Tensor(array, requires_grad=True) for array in arrays]
            y = call(ops, op, options, *tensors)
            cotangent = np.random.default_rng(3).standard_normal(y.shape)
            y.backward(DEVICES[device](cotangent.astype(dtype)))
            for array in (y.data, *(tensor.grad for tensor in tensors)):
                assert type(array) is type(arrays[0]) and array.dtype == dtype
            assert all(tensor.grad.flags.c_contiguous and tensor.grad.flags.writeable for tensor in tensors)
            results[dtype] = [y.numpy(), *(tensor.grad for tensor in tensors)]
        for single, double in zip(results[np.float32], results[np.float64]):
            assert np.max(np.abs(single - double), initial=0) <= 2e-5 * (1 + np.max(np.abs(double), initial=0))

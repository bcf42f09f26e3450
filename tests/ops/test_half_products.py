"""Layers with weights in half: x, y and their gradients in float16, parameters and their gradients in float32."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from helpers import normal
from twins import GPUS, to_gpu, watched

from minidepth import Tensor
from minidepth.ops import conv2d, conv_transpose2d, linear

LAYERS: dict[str, tuple[Callable[..., Tensor], tuple[int, ...], tuple[int, ...], int]] = {
    "conv2d": (lambda *args: conv2d(*args, padding=1), (2, 3, 5, 7), (4, 3, 3, 3), 4),
    "depthwise": (lambda *args: conv2d(*args, padding=1, groups=3), (2, 3, 5, 7), (3, 1, 3, 3), 3),
    "1x1": (conv2d, (2, 3, 5, 4), (1, 3, 1, 1), 1),
    "conv_transpose2d": (lambda *args: conv_transpose2d(*args, stride=2), (1, 3, 4, 5), (3, 2, 2, 2), 2),
    "linear": (linear, (3, 5, 20), (6, 20), 6),
}


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("name", LAYERS)
def test_layers_in_half(name, gpu) -> None:
    layer, x_shape, weight_shape, outputs = LAYERS[name]
    arrays = normal(*x_shape), normal(*weight_shape, seed=1), normal(outputs, seed=2)
    arrays = tuple(array.astype(np.float16) for array in arrays)  # so that nothing but sums and results are rounded

    def run(move: Callable[..., np.ndarray], *dtypes: type) -> tuple[Tensor, list[Tensor]]:
        tensors = [Tensor(move(a.astype(d)), requires_grad=True) for a, d in zip(arrays, dtypes)]
        y = layer(*tensors)
        y.backward(move(normal(*y.shape, seed=3).astype(np.float16).astype(dtypes[0])))
        return y, tensors

    expected, exact = run(np.asarray, np.float64, np.float64, np.float64)
    with watched(gpu, np.float16):
        y, tensors = run(lambda array: to_gpu(gpu, array), np.float16, np.float32, np.float32)
    results = [(y.data, expected.data), *((tensor.grad, other.grad) for tensor, other in zip(tensors, exact))]
    assert [result.dtype for result, _ in results] == [np.float16, np.float16, np.float32, np.float32]
    for actual, wanted in results:
        once = 2.0**-11 if actual.dtype == np.float16 else 0
        np.testing.assert_allclose(actual.get().astype(float), wanted, rtol=once, atol=1e-5 * np.abs(wanted).max())


@pytest.mark.parametrize("name", LAYERS)
def test_parameters_in_half_are_refused(name) -> None:
    layer, x_shape, weight_shape, outputs = LAYERS[name]
    x = Tensor(to_gpu("emulated", np.zeros(x_shape, np.float16)))
    half, single = (
        [Tensor(to_gpu("emulated", np.zeros(shape, dtype))) for shape in (weight_shape, (outputs,))]
        for dtype in (np.float16, np.float32)
    )
    for weight, bias in ((half[0], single[1]), (single[0], half[1])):
        with pytest.raises(
            TypeError, match=r"weight and bias must be float32 where x is float16 \(x float16, weight flo"
        ):
            layer(x, weight, bias)

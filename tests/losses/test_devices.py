"""Every loss on a GPU: the numbers of NumPy, and not one of them is read back on the way."""

from __future__ import annotations

import numpy as np
import pytest
from loss_batches import batch, picture
from twins import GPUS, to_gpu

from minidepth import Tensor, losses
from minidepth.testing import checking, device_array

ON_THE_CPU = ("cross_entropy:unet",)
"""Its weights are distances between objects, made on the CPU: the labels have to come there."""


def value_and_gradient(name, prediction, target, valid, image, move):
    p = Tensor(move(prediction), requires_grad=True)
    before = device_array.synchronisations
    loss = losses.build(f"0.5*{name}")(p, move(target), move(valid), move(image))
    loss.backward()
    waits = device_array.synchronisations - before
    assert type(loss.data) is type(p.data) is type(p.grad)
    assert loss.dtype == p.dtype == p.grad.dtype and p.grad.flags.c_contiguous
    return loss.numpy(), Tensor(p.grad).numpy(), waits


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("name", losses.names())
def test_a_loss_on_a_gpu(name, gpu):
    prediction, target, valid = batch(name)
    arguments = target, valid, picture()
    value, grad, _ = value_and_gradient(name, prediction, *arguments, np.asarray)
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-4)):
        found, found_grad, waits = value_and_gradient(
            name, prediction.astype(dtype), *arguments, lambda array: to_gpu(gpu, array)
        )
        assert found == pytest.approx(value, rel=tolerance)
        np.testing.assert_allclose(found_grad, grad, rtol=0, atol=tolerance * np.abs(grad).max())
        assert waits == 0 or name in ON_THE_CPU
    if gpu == "emulated":
        with checking():
            value_and_gradient(name, prediction.astype(np.float32), *arguments, lambda array: to_gpu(gpu, array))

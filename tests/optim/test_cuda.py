"""Optimisers and clipping on a GPU: the numbers of the NumPy ones, in one launch for all parameters."""

from __future__ import annotations

import math
from unittest.mock import patch

import numpy as np
import pytest
from twins import GPUS, to_gpu

from minidepth import optim
from minidepth.nn import Parameter
from minidepth.optim import clip_grad_norm_, multi_tensor
from minidepth.optim.optimizer import Optimizer
from minidepth.testing import KernelError, checking, device_array

SHAPES = [(3,), (2, 1300), (1,), (5, 3, 3, 3), (0,), (2049,), (2048,)]
"""Up to three chunks of 2048 numbers each; none, one and exactly full ones."""
NAMES = [
    "adam", "adam:beta1=0.8,beta2=0.9,amsgrad", "adam:keras,eps=0.01", "adamw", "adamw:amsgrad,keras",
    "sgd:momentum=0", "sgd", "sgd:nesterov",
    "rmsprop", "rmsprop:momentum=0.9", "rmsprop:keras", "rmsprop:momentum=0.5,keras",
]  # fmt: skip


def weights_and_gradients(dtype, move):
    rng = np.random.default_rng(0)
    weights = [Parameter(move(rng.standard_normal(shape).astype(dtype))) for shape in SHAPES]
    steps = [[rng.standard_normal(shape).astype(dtype) for shape in SHAPES] for _ in range(4)]
    return weights, [[move(array) for array in arrays] for arrays in steps]


def four_steps(name, decay, dtype, move) -> tuple[list, Optimizer]:
    """Weights and running sums after four steps with a rate that changes; one parameter comes in late, one never."""
    weights, steps = weights_and_gradients(dtype, move)
    optimizer = optim.build(name, weights, lr=0.1, weight_decay=decay)
    for number, (grads, optimizer.lr) in enumerate(zip(steps, (0.1, 0.05, 0.02, 0.01))):
        for index, (weight, grad) in enumerate(zip(weights, grads)):
            weight.grad = None if index == 2 or (index == 3 and number < 2) else grad
        optimizer.step()
    return [weight.data for weight in weights] + [
        array for sums in optimizer.state.values() for array in sums
    ], optimizer


def assert_close(found, expected, tolerance):
    for array, other in zip(found, expected, strict=True):
        assert array.dtype == other.dtype and array.shape == other.shape
        np.testing.assert_allclose(array.get(), other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", NAMES)
def test_steps_like_numpy(name, decay, gpu) -> None:
    for dtype in (np.float64, np.float32):
        expected, _ = four_steps(name, decay, dtype, np.asarray)
        before = device_array.synchronisations
        found, optimizer = four_steps(name, decay, dtype, lambda array: to_gpu(gpu, array))
        assert device_array.synchronisations == before
        assert_close(found, expected, 30 * np.finfo(dtype).eps)
        assert optimizer.steps.tolist() == [4, 4, 0, 2, 4, 4, 4]
    if gpu == "emulated" and decay:
        with checking():
            found, _ = four_steps(name, decay, np.float32, lambda array: to_gpu(gpu, array))
        assert_close(found, expected, 30 * np.finfo(np.float32).eps)


def test_a_launch_for_all_and_one_that_counts() -> None:
    """However many steps each parameter has made."""
    with checking() as launches:
        four_steps("adam", 0.0, np.float32, lambda array: to_gpu("emulated", array))
    assert [launch.kernel for launch in launches] == ["adam_count", "adam_step"] * 4


@pytest.mark.parametrize("gpu", GPUS)
def test_a_state_saved_on_the_cpu_goes_on_on_a_gpu(gpu) -> None:
    expected, before = four_steps("adam", 0.0, np.float32, np.asarray)
    weights, _ = weights_and_gradients(np.float32, lambda array: to_gpu(gpu, array))
    optimizer = optim.build("adam", weights, lr=1.0)
    optimizer.load_state_dict(before.state_dict())
    assert optimizer.lr == before.lr and optimizer.steps.tolist() == before.steps.tolist()
    assert_close([array for sums in optimizer.state.values() for array in sums], expected[len(SHAPES) :], 0)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("max_norm", [0.5, 1e6])
def test_clipping(max_norm, gpu) -> None:
    for dtype in (np.float64, np.float32):
        norms, clipped = [], []
        for move in (np.asarray, lambda array: to_gpu(gpu, array)):
            weights, (grads, *_) = weights_and_gradients(dtype, move)
            for weight, grad in zip(weights, grads):
                weight.grad = grad
            before = device_array.synchronisations
            norms.append(clip_grad_norm_(weights, max_norm))
            assert device_array.synchronisations == before
            clipped.append([weight.grad for weight in weights])
        assert float(norms[1]) == pytest.approx(norms[0], rel=10 * float(np.finfo(dtype).eps))
        assert_close(clipped[1], clipped[0], 20 * np.finfo(dtype).eps)
    if gpu == "emulated":
        with checking():
            clip_grad_norm_(weights, max_norm / 2)
        assert float(clip_grad_norm_(weights, 1e9)) == pytest.approx(min(norms[0], max_norm / 2), rel=1e-5)


@pytest.mark.parametrize("gpu", GPUS)
def test_a_norm_that_is_not_finite_can_be_seen(gpu) -> None:
    weights = [Parameter(to_gpu(gpu, np.ones(2))) for _ in range(2)]
    for weight, grad in zip(weights, ([np.nan, 1.0], [1.0, 1.0])):
        weight.grad = to_gpu(gpu, np.array(grad))
    assert math.isnan(float(clip_grad_norm_(weights, 1.0)))
    assert all(np.isnan(weight.grad.get()).all() for weight in weights)


def test_the_emulator_sees_where_an_address_leads() -> None:
    """Beyond the end of an array, and to an array that is no more."""
    weights = [Parameter(to_gpu("emulated", np.ones(shape, np.float32))) for shape in (10, 20)]
    for weight in weights:
        weight.grad = weight.data * 2
    optimizer = optim.build("sgd", weights, lr=0.1)
    longer = to_gpu("emulated", np.array([[0, 0, 10], [1, 0, 21]], np.int32))
    with patch.object(multi_tensor, "chunks", lambda arrays: longer), checking():
        with pytest.raises(KernelError, match=r"the array at 0x\w+\[20\] is out of bounds: .* has 20 numbers"):
            optimizer.step()
    make_table = multi_tensor.addresses

    def of_copies(*rows):
        return make_table(*([array + 0 for array in row] for row in rows))

    with patch("minidepth.optim.optimizer.addresses", of_copies), checking():
        with pytest.raises(KernelError, match="a pointer is made from an address at which no array begins"):
            optimizer.step()


def test_bad_input() -> None:
    weights = [Parameter(to_gpu("emulated", np.ones(3, dtype))) for dtype in (np.float32, np.float64)]
    for weight in weights:
        weight.grad = weight.data * 1
    with pytest.raises(ValueError, match="on a GPU must have one dtype, not float32 and float64"):
        optim.build("adam", weights, lr=0.1).step()
    with pytest.raises(ValueError, match="on a GPU must have one dtype, not float32 and float64"):
        clip_grad_norm_(weights, 1.0)

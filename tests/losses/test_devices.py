"""Every loss on a GPU: the numbers of NumPy, and not one of them is read back on the way."""

from __future__ import annotations

from unittest.mock import patch

import numpy as np
import pytest
from loss_batches import batch, picture
from twins import GPUS, to_gpu, watched

from minidepth import Tensor, losses
from minidepth.cuda.launch import RUNNERS
from minidepth.losses import fused
from minidepth.testing import device_array

MOST_LAUNCHES = {"berhu": 7, "smoothness": 7, "smoothness:keras": 8, "cross_entropy": 7, "cross_entropy:unet": 13}
MOST_LAUNCHES["ssim:logits"] = 10
"""What a loss takes forward and backward, kernels and calls of CuPy, two of which are the engine's; the others: 6."""


def value_and_gradient(name, prediction, target, valid, image, move):
    p = Tensor(move(prediction), requires_grad=True)
    before = device_array.synchronisations
    loss = losses.build(f"0.5*{name}")(p, move(target), move(valid), move(image))
    loss.backward()
    waits = device_array.synchronisations - before
    assert type(loss.data) is type(p.data) is type(p.grad)
    assert loss.dtype == p.dtype == p.grad.dtype and p.grad.flags.c_contiguous
    return loss.numpy(), Tensor(p.grad).numpy(), waits


def compare(name, maps, gpu, rounding=8):
    """Value and gradient on a GPU are those of NumPy in float64, in float64 and float32."""
    value, grad, _ = value_and_gradient(name, *maps, np.asarray)
    for dtype in (np.float64, np.float32):
        tolerance = rounding * float(np.finfo(dtype).eps) * maps[0].size ** 0.5
        with watched(gpu, dtype):
            found, found_grad, waits = value_and_gradient(
                name, maps[0].astype(dtype), *maps[1:], lambda array: to_gpu(gpu, array)
            )
        assert found == pytest.approx(value, rel=tolerance)
        np.testing.assert_allclose(found_grad, grad, rtol=0, atol=tolerance * np.abs(grad).max())
        assert waits == 0


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("name", losses.names())
def test_a_loss_on_a_gpu(name, gpu):
    compare(name, (*batch(name), picture()), gpu)


@pytest.fixture
def launches(monkeypatch):
    """The names of the kernels launched and of CuPy's functions that write an array; what only looks at one is none."""
    names, kind, wrapped = [], device_array.DeviceArray, device_array._wrapped

    def counting(function, call):
        def counted(*args, **kwargs):
            result = call(*args, **kwargs)
            seen = [getattr(arg, "host", None) for arg in args] + [getattr(function, "__self__", None)]
            seen = [host for host in seen if isinstance(host, np.ndarray)]
            if isinstance(result, kind) and (
                "out" in kwargs or not any(np.shares_memory(result.host, x) for x in seen)
            ):
                names.append(getattr(function, "__name__", "") or str(function))
            return result

        return counted

    def counting_run(kernel, *args):
        names.append(kernel.name)
        run(kernel, *args)

    run = RUNNERS[kind]
    monkeypatch.setitem(RUNNERS, kind, counting_run)
    monkeypatch.setattr(device_array, "_wrapped", lambda function: counting(function, wrapped(function)))
    for name, function in list(vars(kind).items()):
        if getattr(function, "__qualname__", "").startswith("_operator."):
            monkeypatch.setattr(kind, name, counting(function, function))
    return names


@pytest.mark.parametrize("name", losses.names())
def test_few_launches(name, launches):
    """Each costs the CPU some 10 us, whatever the size; written as formulas, a loss takes up to 70."""
    prediction, *maps = [to_gpu("emulated", array) for array in (*batch(name), picture())]
    launches.clear()
    losses.build(name)(Tensor(prediction, requires_grad=True), *maps).backward()
    assert len(launches) <= MOST_LAUNCHES.get(name, 6), launches


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("shape", [(2, 1, 37, 45), (3, 1, 16, 32), (1, 1, 3, 3)], ids=str)
@pytest.mark.parametrize(
    "name",
    ["mse", "l1:hu", "berhu", "bce", "gradient", "gradient:hu", "normal", "normal:readme", "edges", "smoothness"]
    + ["silog:bts", "dice", "normal:code", "smoothness:keras", "rmse:logits"],
)
def test_several_blocks_and_tiles_each_way(name, shape, gpu):
    """With blocks enough for a part of the pixels alone, so that each thread has several of them."""
    rng = np.random.default_rng(0)
    prediction, target = rng.uniform(0.1, 0.9, (2, *shape)).astype(np.float32).astype(np.float64)
    valid = rng.uniform(size=shape) < 0.95
    image = rng.standard_normal((shape[0], 2, *shape[2:]))
    with patch.object(fused, "MOST_BLOCKS", 3):
        compare(name, (prediction, target, valid, image), gpu)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize(
    "name", ["mse", "gradient", "edges", "ssim", "cross_entropy", "silog:bts", "dice", "normal:code"]
)
def test_without_a_gradient(name, gpu):
    maps = batch(name)
    expected = losses.build(name)(Tensor(maps[0]), *maps[1:])
    on_gpu = [to_gpu(gpu, array) for array in maps]
    loss = losses.build(name)(Tensor(on_gpu[0]), *on_gpu[1:])
    assert not loss.requires_grad and loss.item() == pytest.approx(expected.item(), rel=1e-12)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("name", losses.names())
def test_an_empty_mask_and_a_valid_nan(name, gpu):
    """Nothing valid costs 0 and has no gradient, whatever stands there; a valid NaN is not hidden."""
    prediction, target, valid = batch(name)
    meaningless = np.full_like(target, np.nan if target.dtype.kind == "f" else 255)
    arguments = meaningless * 1, np.zeros_like(valid), picture()
    value, grad, _ = value_and_gradient(name, prediction, *arguments, lambda array: to_gpu(gpu, array))
    assert value == 0 and not grad.any()
    prediction[0, 0, 4, 4] = np.nan
    broken = [to_gpu(gpu, array) for array in (target, valid, picture())]
    assert np.isnan(losses.build(name)(Tensor(to_gpu(gpu, prediction)), *broken).item())


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize(
    "name",
    ["l1", "berhu", "bce", "gradient:hu", "normal", "normal:readme", "edges", "ssim"]
    + ["silog:eigen", "silog:bts", "dice:probabilities", "normal:code", "rmse"],
)
def test_perfect_and_constant_predictions(name, gpu):
    """Where roots, quotients and signs have their corners."""
    _, target, valid = batch("mse")
    for prediction in (target, np.full_like(target, 0.7)):
        value, grad, _ = value_and_gradient(name, prediction, target, valid, picture(), np.asarray)
        found, found_grad, _ = value_and_gradient(
            name, prediction, target, valid, picture(), lambda array: to_gpu(gpu, array)
        )
        assert found == pytest.approx(value, rel=1e-12, abs=1e-15)
        np.testing.assert_allclose(found_grad, grad, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("scale", [1e4, -1e4, 1e30])
def test_sure_logits(scale, gpu):
    _, labels, valid = batch("cross_entropy")
    logits = scale * np.moveaxis(np.eye(3)[labels[:, 0]], -1, 1)
    compare("cross_entropy", (logits, labels, valid, picture()), gpu)

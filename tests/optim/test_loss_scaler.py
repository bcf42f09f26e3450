"""Loss scaling: the rule by hand, NumPy against the emulated GPU, and what a skipped step leaves alone."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
from twins import GPUS, to_gpu, watched

from minidepth import Tensor, optim
from minidepth.errors import CheckpointError
from minidepth.nn import Parameter
from minidepth.optim import LossScaler, clip_grad_norm_, guard
from minidepth.optim.loss_scaler import LEAST, MOST, ScalerState
from minidepth.testing import checking, device_array

SHAPES = [(3,), (2, 1300), (0,), (2049,)]
NAMES = ["adam", "adam:amsgrad,keras", "adamw", "sgd", "sgd:momentum=0", "rmsprop:momentum=0.5"]
PLACES = ["numpy", *GPUS]
"""Where the arrays lie; a scaler works there like everywhere."""


def mover(place, dtype=np.float32):
    def move(array):
        array = np.asarray(array, dtype)
        return array.copy() if place == "numpy" else to_gpu(place, array)

    return move


def host(array) -> np.ndarray:
    return array if isinstance(array, np.ndarray) else array.get()


def waits() -> int:
    return device_array.synchronisations


class Run:
    """Weights that get gradients drawn from the number of the step, in an optimiser and with a scaler."""

    def __init__(self, name, place, scaler=None, dtype=np.float32, clip=None) -> None:
        self.move, self.clip, self.number = mover(place, dtype), clip, 0
        rng = np.random.default_rng(0)
        self.weights = [Parameter(self.move(rng.standard_normal(shape))) for shape in SHAPES]
        self.optimizer = optim.build(name, self.weights, lr=0.1, weight_decay=0.01)
        self.scaler = None if scaler is None else LossScaler(self.weights, **scaler)
        self.norms = []

    def backward(self, loss=None, bad=None) -> None:
        """The gradients that a backward pass would leave, of a loss scaled as the scaler says."""
        share = self.move(1.0) if self.scaler is None else self.scaler.cotangent(1.0, loss)
        for index, weight in enumerate(self.weights):
            rng = np.random.default_rng((self.number, index))
            grad = rng.standard_normal(weight.shape)
            if bad is not None and index == len(self.weights) - 1:
                grad[-1] = bad  # the last number of the last chunk
            weight.grad = self.move(grad) * share

    def step(self, bad=None, count=True) -> None:
        self.backward(bad=bad)
        if self.clip is not None:
            with np.errstate(invalid="ignore"):  # as train does
                self.norms.append(clip_grad_norm_(self.weights, self.clip, self.scaler))
        self.optimizer.step(self.scaler)
        if self.scaler is not None:
            self.scaler.update()
        self.number += count

    def arrays(self) -> list[np.ndarray]:
        state = self.optimizer.state_dict()
        return [host(weight.data).copy() for weight in self.weights] + [host(state[name]).copy() for name in state]


def assert_same(found, expected) -> None:
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("place", PLACES)
def test_the_rule_by_hand(place) -> None:
    """Twice as much after three good steps in a row, half as much after a bad one, and the count begins anew."""
    run = Run("sgd:momentum=0", place, {"scale": 8, "interval": 3})
    seen = []
    for bad in (None, None, None, math.inf, None, math.nan, -math.inf, None):
        run.step(bad)
        seen.append(tuple(run.scaler.read()))
    assert seen == [
        (8, 1, 0, 0), (8, 2, 0, 0), (16, 0, 0, 0), (8, 0, 1, 1), (8, 1, 0, 1), (4, 0, 1, 2), (2, 0, 2, 3), (2, 1, 0, 3),
    ]  # fmt: skip


def test_the_numbers_are_those_of_pytorch() -> None:
    scaler = LossScaler([Parameter([1.0])])
    assert scaler.read() == ScalerState(65536.0, 0, 0, 0)
    assert (scaler.growth, scaler.backoff, scaler.interval) == (2.0, 0.5, 2000)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", NAMES)
def test_scaled_steps_are_the_unscaled_ones_and_skipped_ones_leave_no_trace(name, place) -> None:
    """To the last bit, as the scale is a power of 2: weights, running sums, and the steps that Adam counts."""
    plain, scaled = Run(name, place), Run(name, place, {})
    for bad in (None, math.nan, None, math.inf, math.inf, None):
        before, waited = scaled.arrays(), waits()
        scaled.step(bad, count=bad is None)
        assert waits() == waited
        if bad is None:
            plain.step()
        else:
            assert_same(scaled.arrays(), before)
    assert_same(scaled.arrays(), plain.arrays())
    assert host(scaled.optimizer.steps).tolist() == [3] * len(SHAPES)
    assert tuple(scaled.scaler.read()) == (2.0**13, 1, 0, 3)


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("clip", [None, 0.5])
def test_a_gpu_like_numpy(clip, dtype, gpu) -> None:
    """With every access watched in float32; a parameter that comes in late has counted fewer steps."""
    runs = [Run("adam", place, {"interval": 2}, dtype, clip) for place in ("numpy", gpu)]
    with watched(gpu, dtype):
        for run in runs:
            kept, run.weights = run.weights, run.weights[1:]
            for bad in (None, math.inf, None, None, None):
                run.step(bad)
                run.weights = kept
    tolerance = 30 * np.finfo(dtype).eps
    for found, expected in zip(runs[1].arrays(), runs[0].arrays(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    assert [tuple(run.scaler.read()) for run in runs] == [(2.0**16, 1, 0, 1)] * 2
    assert host(runs[1].optimizer.steps).tolist() == [3, 4, 4, 4]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("clip", [0.5, 1e6])
def test_clipping_goes_by_the_norm_of_the_unscaled_gradients(clip, place) -> None:
    plain, scaled = Run("sgd", place, clip=clip), Run("sgd", place, {}, clip=clip)
    for _ in range(3):
        plain.step()
        scaled.step()
    assert scaled.norms == plain.norms
    assert_same(scaled.arrays(), plain.arrays())
    before, waited = scaled.arrays(), waits()
    scaled.step(math.inf)
    assert waits() == waited and not math.isfinite(float(scaled.norms[-1]))
    assert_same(scaled.arrays(), before)
    assert scaled.scaler.read() == ScalerState(2.0**15, 0, 1, 1)


def test_clipping_spares_the_second_look_at_the_gradients() -> None:
    plain, clipped = Run("sgd", "emulated", {}), Run("sgd", "emulated", {}, clip=1.0)
    with checking() as launches:
        plain.step()
        clipped.step()
    step = ["optimizer_count", "sgd_step"]
    assert [launch.kernel for launch in launches] == [
        "loss_scaler_cotangent", "loss_scaler_look", "loss_scaler_decide", *step,
        "loss_scaler_cotangent", "clip_squares", "clip_norm", "clip_shorten", "loss_scaler_decide", *step,
    ]  # fmt: skip


@pytest.mark.parametrize("place", PLACES)
def test_a_checkpoint_in_the_middle_goes_on_to_the_same_bits(place) -> None:
    runs = [Run("adam", place, {"interval": 2}) for _ in range(2)]
    script = [None, math.inf, None, None, None, math.nan, None]
    for bad in script:
        runs[0].step(bad)
    for bad in script[:3]:
        runs[1].step(bad)
    saved = copy.deepcopy([{name: host(value) for name, value in part.state_dict().items()}
                           for part in (runs[1].optimizer, runs[1].scaler)])  # fmt: skip
    assert {name: value.tolist() for name, value in saved[1].items()} == {
        "scale": [2.0**15], "good_steps": [1], "bad_steps": [0], "skipped_steps": [1],
    }  # fmt: skip
    resumed = Run("adam", place, {"interval": 2})
    for weight, other in zip(resumed.weights, runs[1].weights):
        weight.data[...] = other.data
    resumed.optimizer.load_state_dict(saved[0])
    resumed.scaler.load_state_dict(saved[1])
    resumed.number = runs[1].number
    for bad in script[3:]:
        resumed.step(bad)
    assert_same(resumed.arrays(), runs[0].arrays())
    assert resumed.scaler.read() == runs[0].scaler.read() == ScalerState(2.0**15, 1, 0, 2)


@pytest.mark.parametrize("place", PLACES)
def test_the_cotangent(place) -> None:
    """Through backward passes over two batches; a loss that is not finite makes it NaN, and the step is skipped."""
    move = mover(place)
    weight = Parameter(move([3.0, 4.0]))
    scaler, optimizer = LossScaler([weight], scale=1024), optim.SGD([weight], lr=1.0)
    waited = waits()
    for factor in (2.0, 6.0):
        loss = (weight * Tensor(move([factor, 0.0]))).sum()
        loss.backward(scaler.cotangent(1 / 2, loss))
    optimizer.step(scaler)
    scaler.update()
    scaled, optimizer_grad = host(weight.grad), weight.grad
    optimizer.zero_grad()
    loss = (weight * Tensor(move([1.0, 1.0]))).sum()
    loss.backward(scaler.cotangent(loss=Tensor(move(math.inf))))
    assert waits() == waited + (place != "numpy")  # ours, above
    optimizer.step(scaler)
    scaler.update()
    assert scaled.tolist() == [4 * 1024, 0] and optimizer_grad.dtype == np.float32
    assert np.isnan(host(weight.grad)).all()
    assert host(weight.data).tolist() == [-1.0, 4.0]
    assert host(scaler.cotangent(0.25)) == 128 and scaler.cotangent().shape == ()
    assert host(scaler.cotangent(loss=Tensor(move(5.0)))) == 512
    assert scaler.read().skipped_steps == 1


@pytest.mark.parametrize("place", PLACES)
def test_the_scale_stays_where_nothing_can_go_wrong(place) -> None:
    run = Run("adam", place, {"scale": LEAST * 2})
    before = run.arrays()
    for _ in range(3):
        run.step(math.nan)
    assert run.scaler.read() == ScalerState(LEAST, 0, 3, 3)
    run.step()
    assert all(np.isfinite(array).all() for array in run.arrays())
    assert run.scaler.read().bad_steps == 0 and any((a != b).any() for a, b in zip(run.arrays(), before))
    run = Run("sgd", place, {"scale": MOST / 2, "interval": 1})
    for _ in range(3):
        run.weights = run.weights[:1]
        run.step()
    assert run.scaler.read() == ScalerState(MOST, 0, 0, 0)
    assert all(np.isfinite(array).all() for array in run.arrays())


@pytest.mark.parametrize("place", PLACES)
def test_when_to_stop(place) -> None:
    run = Run("sgd", place, {"scale": 2.0})
    assert run.scaler.fault() is None
    run.step(math.nan)
    assert run.scaler.fault() is None and run.scaler.read().scale == 1
    run.step(math.nan)
    assert run.scaler.fault() == (
        "the loss or its gradients are not finite whatever their scale, which fell to 0.5; 2 steps were skipped "
        "(2 of them in a row)"
    )
    run.scaler = guard(run.weights)
    before = run.arrays()
    run.step()
    assert run.scaler.fault() is None and run.scaler.read().scale == 1
    run.step(math.inf)
    assert run.scaler.fault() == "the loss or its gradients are not finite; 1 step was skipped"
    assert run.scaler.read() == ScalerState(1, 0, 1, 1) and any((a != b).any() for a, b in zip(run.arrays(), before))


def test_bad_input() -> None:
    weight = Parameter([1.0])
    with pytest.raises(ValueError, match="there are no parameters"):
        LossScaler([])
    for wrong in ({"scale": 0}, {"scale": math.inf}, {"growth": 0.5}, {"backoff": 0}, {"backoff": 2}, {"interval": 0}):
        with pytest.raises(ValueError, match=r"LossScaler: scale .* growth .* backoff .* interval"):
            LossScaler([weight], **wrong)
    scaler, optimizer = LossScaler([weight]), optim.SGD([weight], lr=0.1)
    with pytest.raises(RuntimeError, match=r"no step was taken; call optimizer.step\(scaler\) first"):
        scaler.update()
    weight.grad = np.ones(1, np.float32)
    optimizer.step(scaler)
    with pytest.raises(RuntimeError, match=r"call scaler.update\(\) after each optimizer.step\(scaler\)"):
        optimizer.step(scaler)
    with pytest.raises(RuntimeError, match=r"call scaler.update\(\) after each optimizer.step\(scaler\)"):
        clip_grad_norm_([weight], 1.0, scaler)
    state = scaler.state_dict()
    with pytest.raises(CheckpointError, match="missing or unexpected: good_steps, steps"):
        scaler.load_state_dict({name.replace("good_steps", "steps"): value for name, value in state.items()})
    assert scaler.read().good_steps == 1

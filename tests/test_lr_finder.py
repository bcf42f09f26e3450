"""The learning-rate finder: on a problem whose limit is known, on a network, and without a trace."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from run_helpers import SMALL_OPTIONS, small_config, tiny_data

from minidepth import Tensor, checkpoint, cli, lr_finder, models, nn, ops, optim
from minidepth.errors import InputError
from minidepth.lr_finder import find_lr
from minidepth.nn import Module, Parameter
from minidepth.train_parts import build_parts


class Bowl(Module):
    """floor + (stiff w0^2 + w1^2) / 2, somewhat shifted: plain descent diverges where the rate is above 2 / stiff."""

    def __init__(self, stiff: float, floor: float = 0.0) -> None:
        self.w = Parameter(np.array([1.0, 1.0]))
        self.stiffness, self.floor = np.array([stiff, 1.0]), floor

    def forward(self, shift: float) -> Tensor:
        distance = self.w - shift
        return (distance * distance * Tensor(self.stiffness)).sum() * 0.5 + self.floor


def search(network: Module, noise: float = 0.0, **options: Any) -> lr_finder.RateCurve:
    rng = np.random.default_rng(0)
    shifts = (noise * rng.standard_normal() for _ in itertools.count())
    return find_lr(network, optim.SGD(network.parameters(), lr=0.5), network, shifts, **options)


@pytest.mark.parametrize("stiff", [1.0, 100.0, 1e4])
def test_the_suggestion_is_a_tenth_of_the_limit_of_descent(stiff: float) -> None:
    limit = 2 / stiff
    curve = search(Bowl(stiff, floor=stiff / 100), noise=0.1, low=1e-5 * limit, high=100 * limit)
    assert 0.05 * limit < curve.suggestion < 0.2 * limit
    assert curve.steepest < curve.suggestion < curve.lowest
    assert len(curve.losses) < 100 and curve.lrs[-1] < 5 * limit  # it did not go on after the explosion


def test_points_of_a_curve_by_hand() -> None:
    """A fall from 10 to 0 in steps of 2, 4, 3 and 1; nine tenths of it are done one step before the bottom."""
    losses = np.array([9.5, 10.0, 8.0, 4.0, 1.0, 0.0, 3.0, 20.0])
    curve = lr_finder.read_curve(10.0 ** np.arange(-7, 1), losses, width=1e-3)
    assert curve.smoothed == pytest.approx(losses)
    assert (curve.lowest, curve.steepest, curve.suggestion) == pytest.approx((1e-2, 1e-4, 1e-3))


def test_rates_and_losses_by_hand() -> None:
    network = Bowl(1.0)
    curve = search(network, low=1e-3, high=1.0, steps=13)
    assert curve.lrs == pytest.approx([10 ** (-3 + step / 4) for step in range(13)])
    w, expected = 1.0, []
    for lr in curve.lrs:
        expected.append(w * w)
        w -= lr * w
    assert curve.losses == pytest.approx(expected)
    around = [math.exp(-0.5 * (step / 1.04) ** 2) for step in range(13)]  # 8 steps of a hundred
    assert curve.smoothed[0] == pytest.approx(np.average(expected, weights=around))


def test_losses_below_zero() -> None:
    curve = search(Bowl(100.0, floor=-20.0), noise=0.1, low=1e-5, high=100)
    assert 0.05 * 0.02 < curve.suggestion < 0.2 * 0.02 and len(curve.losses) < 100


def test_a_loss_that_is_not_finite_ends_it() -> None:
    def loss_of(number: int) -> Tensor:
        return network(math.nan if number == 40 else 0.0)

    network = Bowl(1.0)
    curve = find_lr(network, optim.SGD(network.parameters(), 1), loss_of, itertools.count(), low=1e-3, high=0.1)
    assert len(curve.losses) == 40 and np.isfinite(curve.losses).all()


def test_clipping_as_in_the_real_training() -> None:
    """With clipping, w0 loses at most lr a step, so the loss falls later."""
    free, clipped = (search(Bowl(1.0), low=1e-3, high=0.5, clip_norm=norm) for norm in (None, 1e-3))
    assert free.losses[-1] < 0.1 < 0.9 < clipped.losses[-1]


class Small(Module):
    """Everything that a training step changes: weights, statistics, a counter of masks."""

    def __init__(self) -> None:
        self.conv = nn.Conv2d(1, 2, 3, rng=0)
        self.norm = nn.BatchNorm2d(2)
        self.drop = nn.Dropout(0.5, rng=0)
        self.norm.training = False  # one part is frozen

    def forward(self, x: Tensor) -> Tensor:
        return ops.mean(self.drop(self.norm(self.conv(x))) ** 2)


def images() -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    while True:
        yield rng.standard_normal((2, 1, 6, 6)).astype(np.float32)


def everything(network: Module, optimizer: optim.Optimizer) -> dict[str, bytes]:
    arrays = {**network.state_dict(), **{f"optimizer.{name}": a for name, a in optimizer.state_dict().items()}}
    return {name: array.tobytes() for name, array in arrays.items()}


@pytest.mark.parametrize("fault", [None, RuntimeError])
def test_it_leaves_no_trace(fault: type[Exception] | None) -> None:
    network = Small()
    optimizer = optim.build("adam:amsgrad", network.parameters(), lr=0.3)
    for _, image in zip(range(3), images()):  # it need not be the beginning of a training
        network(Tensor(image)).backward()
        optimizer.step()
    network.conv.train(False)
    before, modes = everything(network, optimizer), [module.training for module in network.modules()]
    grads = [parameter.grad for parameter in network.parameters()]
    seen = []

    def loss_of(image: np.ndarray) -> Tensor:
        seen.append(everything(network, optimizer))
        if fault and len(seen) == 15:
            raise fault("a frame cannot be read")
        return network(Tensor(image))

    if fault is None:
        find_lr(network, optimizer, loss_of, images(), low=1e-3, high=1.0, steps=20)
    else:
        with pytest.raises(fault, match="a frame"):
            find_lr(network, optimizer, loss_of, images(), low=1e-3, high=1.0, steps=20)
    changed = {name for name in before if seen[14][name] != before[name]}
    assert {"conv.weight", "norm.running_mean", "drop.seed_and_count", "optimizer.lr", "optimizer.steps"} <= changed
    assert everything(network, optimizer) == before and optimizer.lr == 0.3
    assert [module.training for module in network.modules()] == modes
    assert all(parameter.grad is grad for parameter, grad in zip(network.parameters(), grads))


def test_picture(tmp_path) -> None:
    curve = search(Bowl(100.0, floor=1.0), noise=0.1)
    lr_finder.save_picture(tmp_path / "lr.png", curve)
    with Image.open(tmp_path / "lr.png") as picture:
        pixels = np.asarray(picture.convert("RGB")).reshape(-1, 3)
    for color in ((0, 114, 178), (213, 94, 0), (153, 153, 153)):  # suggestion, smoothed curve, losses
        assert (np.abs(pixels.astype(int) - color).max(axis=1) < 20).any(), color
    with pytest.raises(InputError, match="cannot be written"):
        lr_finder.save_picture(tmp_path / "no folder" / "lr.png", curve)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"low": 0.0}, "rates 0 to 10 in 100 steps; they must rise, in 10 or more"),
        ({"low": 1.0, "high": 0.1}, "rates 1 to 0.1"),
        ({"high": math.inf}, "rates 1e-06 to inf"),
        ({"steps": 9}, "in 9 steps"),
        ({"low": 10.0, "high": 100.0}, r"the loss exploded after 1 steps, at a rate of 1\.0e\+01; begin lower"),
    ],
)
def test_bad_input(options: dict, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        search(Bowl(1.0), **options)


def test_a_loss_that_never_falls() -> None:
    with pytest.raises(InputError, match="lowest at the first rate, 1e-05, and never falls below that; begin lower"):
        search(Uphill(), low=1e-5, high=1e-3)


class Uphill(Bowl):
    """Its gradient points the wrong way: every step makes the loss larger."""

    def __init__(self) -> None:
        super().__init__(1.0)

    def forward(self, shift: float) -> Tensor:
        value = super().forward(shift)
        return Tensor.from_op("uphill", value.data.copy(), (value,), lambda grad: (-grad,))


def test_batches_that_run_out() -> None:
    network = Bowl(1.0)
    with pytest.raises(InputError, match="there are 12 batches for 100 steps; give more, or take fewer steps"):
        find_lr(network, optim.SGD(network.parameters(), 1), network, [1.0] * 12)
    assert (network.w.data == 1).all()


# --- minidepth lr-find ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> str:
    return tiny_data(tmp_path_factory.mktemp("data"))


def test_the_command_finds_what_the_function_finds(data, tmp_path, capsys) -> None:
    words = ["lr-find", "--data", data, *SMALL_OPTIONS, "--optimizer", "sgd", "--steps", "30", "--clip-norm", "3"]
    assert cli.main([*words, "--out", str(tmp_path / "found")]) == 0
    said = capsys.readouterr().out
    assert [path.name for path in (tmp_path / "found").iterdir()] == ["lr.png"]
    parts = build_parts(small_config(data, "unused", optimizer="sgd"))
    parts.task.start(parts.network, parts.guesses)

    def loss_of(batch: Any) -> Tensor:
        return parts.loss(parts.network(Tensor(batch.image)), batch.depth_m, batch.valid)

    epochs = itertools.chain.from_iterable(parts.batches.epoch(epoch) for epoch in itertools.count())
    curve = find_lr(parts.network, parts.optimizer, loss_of, epochs, steps=30, clip_norm=3.0)
    assert f"{len(curve.losses)} steps of 4, sgd, rates from 1e-06 to" in said
    assert f"is lowest at {curve.lowest:.1e}" in said and said.endswith(f"\n  --lr {curve.suggestion:g}\n")


def test_the_command_begins_where_training_would(data, tmp_path, monkeypatch, capsys) -> None:
    """With the weights that --weights names, as `train` does."""
    monkeypatch.setattr("minidepth.lr_finder.save_picture", lambda path, curve: None)
    network = models.build("unet", base_channels=2, norm="batch", activation="leaky_relu", up="bilinear", rng=9)
    checkpoint.save(tmp_path / "weights.safetensors", network.state_dict(), {})
    seen = []
    monkeypatch.setattr("minidepth.lr_finder.find_lr", lambda network, *_, **__: seen.append(network) or CURVE)
    words = ["lr-find", "--data", data, *SMALL_OPTIONS, "--weights", str(tmp_path / "weights.safetensors")]
    assert cli.main([*words, "--out", str(tmp_path / "found")]) == 0
    assert "weights from" in capsys.readouterr().out
    for name, array in seen[0].state_dict().items():
        np.testing.assert_array_equal(array, network.state_dict()[name])


CURVE = lr_finder.read_curve(np.array([0.1, 1.0]), np.array([2.0, 1.0]), 1.0)


def test_the_command_leaves_nothing_where_nothing_is_found(data, tmp_path, capsys) -> None:
    words = ["lr-find", "--data", data, *SMALL_OPTIONS, "--out", str(tmp_path / "found")]
    assert cli.main([*words, "--steps", "9"]) == 2
    assert "find_lr: rates 1e-06 to 10 in 9 steps; they must rise, in 10 or more" in capsys.readouterr().err
    assert not (tmp_path / "found").exists()
    (tmp_path / "found").mkdir()
    assert cli.main(words) == 2
    assert f"--out {tmp_path / 'found'} exists already" in capsys.readouterr().err


def test_a_scaled_loss_gives_the_same_curve() -> None:
    """The scale is a power of 2, which rounds nothing."""
    plain, scaled = Bowl(1.0), Bowl(1.0)
    scaler = optim.LossScaler(scaled.parameters())
    options = {"low": 1e-3, "high": 1.0, "steps": 13, "clip_norm": 0.3}
    curves = [search(plain, **options), search(scaled, **options, scaler=scaler)]
    np.testing.assert_array_equal(curves[1].losses, curves[0].losses)
    assert scaler.read().good_steps == 13

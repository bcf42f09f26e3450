"""Which learning rate? A short mock training with a rate that grows from step to step, until the loss explodes.

Too small a rate leaves the loss where it is, a good one lowers it, too large a one throws it up. One run of a hundred
steps shows all three:

    lr of step i    low (high / low)^(i / (steps - 1))
    smoothed        mean of the losses of the steps around it, weighted by a Gaussian, in the logarithm of lr
    explosion       a loss that is not finite, or a running mean above best + 3 |best|, that is 4 best where losses
                    are positive
    suggestion      the rate at which the smoothed loss has made nine tenths of its whole fall

At the lowest point the loss has stopped falling: there the rate is too large already. The suggestion is the near edge
of that valley, past the steepest descent; in a quadratic bowl it is about a tenth of the rate at which descent
diverges. Others take the steepest descent, or a tenth of the lowest rate: all are in the picture. Real valleys are
flat, and batches differ: over five seeds of the training on rooms the suggestion came out between 2.5e-3 and 1.5e-2, a
tenth of the lowest rate between 1e-3 and 2.4e-2, the steepest descent between 6e-5 and 7e-4. The curve is that of the
first steps: a schedule that begins low (one-cycle) takes the suggestion as its highest rate.

Source: Smith (2017), "Cyclical learning rates for training neural networks", arXiv:1506.01186, section 3.3; the rule to
stop is that of fastai's ``lr_find``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minidepth import draw, precision, run_folder
from minidepth.config import TrainConfig
from minidepth.data import Batch
from minidepth.data.prefetch import ahead
from minidepth.diagnose import quiet_overflow
from minidepth.engine import Tensor
from minidepth.errors import InputError
from minidepth.nn import Module
from minidepth.optim import LossScaler, Optimizer, clip_grad_norm_
from minidepth.train_parts import build_parts, first_weights

SMOOTH_STEPS = 8.0
"""Width (standard deviation) of the Gaussian that smooths the curve, in steps of a hundred. Batches differ so much that
with 3 the lowest point jumps about by a factor of a hundred."""
SHARE_OF_FALL = 0.9
RUNNING_SHARE = 0.1
"""How much the newest loss counts in the running mean that notices the explosion."""
FEWEST_STEPS = 10


class RateCurve(NamedTuple):
    """The losses of a mock training, and the rate to be read from them."""

    lrs: np.ndarray
    losses: np.ndarray
    smoothed: np.ndarray
    lowest: float
    """The rate at the lowest point of the smoothed curve."""
    steepest: float
    """The rate where the smoothed curve falls most steeply."""
    suggestion: float
    """The rate to train with, to two digits."""


def find_lr(
    network: Module,
    optimizer: Optimizer,
    batch_loss: Callable[[Any], Tensor],
    batches: Iterable[Any],
    low: float = 1e-6,
    high: float = 10.0,
    steps: int = 100,
    clip_norm: float | None = None,
    scaler: LossScaler | None = None,
) -> RateCurve:
    """Train for up to `steps` steps with a rate that grows from `low` to `high`, then undo it all.

    Afterwards weights, running statistics, the optimiser's state, gradients and training modes are as they were, also
    after an error. Memory: a copy of weights and state. Time: `steps` training steps.

    Args:
        network: what to train.
        optimizer: over its parameters, of the kind that the real training will use.
        batch_loss: the loss of a batch, which it sends through the network.
        batches: at least `steps` batches, of any kind.
        low, high, steps: the rates to try.
        clip_norm: clip gradients to this norm, as in the real training.
        scaler: scales the loss where the network computes in half precision; what it does is not undone.

    Raises:
        InputError: the rates or steps make no sense, batches run out, or the loss explodes at once, or never falls.
    """
    if not (0 < low < high < math.inf and steps >= FEWEST_STEPS):
        raise InputError(
            f"find_lr: rates {low:g} to {high:g} in {steps} steps; they must rise, in {FEWEST_STEPS} or more"
        )
    lrs, losses = low * (high / low) ** (np.arange(steps) / (steps - 1)), list[float]()
    mean, best = 0.0, math.inf
    with unchanged(network, optimizer), quiet_overflow():
        network.train()
        source = iter(batches)
        for step, optimizer.lr in enumerate(lrs.tolist()):
            batch = next(source, None)
            if batch is None:
                raise InputError(f"find_lr: there are {step} batches for {steps} steps; give more, or take fewer steps")
            loss = batch_loss(batch)
            value = loss.item()
            mean += RUNNING_SHARE * (value - mean)
            running = mean / (1 - (1 - RUNNING_SHARE) ** (step + 1))
            best = min(best, running)
            if not running <= best + 3 * abs(best):  # also where it is NaN
                break
            losses.append(value)
            optimizer.zero_grad()
            loss.backward(None if scaler is None else scaler.cotangent(loss=loss))
            if clip_norm is not None:
                clip_grad_norm_(network.parameters(), clip_norm, scaler)
            optimizer.step(scaler)
            if scaler is not None:
                scaler.update()
    if len(losses) < FEWEST_STEPS:
        raise InputError(
            f"find_lr: the loss exploded after {len(losses)} steps, at a rate of {lrs[step]:.1e}; begin lower"
        )
    curve = read_curve(lrs[: len(losses)], np.array(losses), SMOOTH_STEPS * steps / 100)
    if curve.lowest == low:
        raise InputError(
            f"find_lr: the loss is lowest at the first rate, {low:g}, and never falls below that; begin lower"
        )
    return curve


def lr_find(config: TrainConfig, steps: int = 100, log: Callable[[str], None] = print) -> float:
    """Find a rate for the run that `config` describes, write the picture into a fresh folder, and return the rate.

    Every batch makes a step of its own here, also where ``accumulate`` says otherwise.

    Raises:
        InputError: a setting cannot be used, or there is no rate to be found.
    """
    from tqdm import tqdm  # imported here so that `import minidepth` stays quick

    parts = build_parts(config)
    first_weights(parts, log)

    def batch_loss(batch: Batch) -> Tensor:
        return parts.task.loss(parts.loss, parts.task.run(parts.network, batch, config.amp), batch)

    def batches() -> Iterator[Batch]:
        for epoch in itertools.count():
            yield from ahead(parts.batches.epoch(epoch), parts.cupy)

    folder = run_folder.create(config, f"lr-{parts.dataset.name}")
    try:
        bar = tqdm(batches(), "learning rate", steps, leave=False, disable=None)
        scaler = parts.scaler if config.amp else None
        with precision.factors(config.tf32):
            curve = find_lr(
                parts.network, parts.optimizer, batch_loss, bar, steps=steps, clip_norm=config.clip_norm, scaler=scaler
            )
        bar.close()
    except BaseException:
        folder.rmdir()  # nothing came of it
        raise
    save_picture(folder / "lr.png", curve)
    log(
        f"{folder / 'lr.png'}: {len(curve.losses)} steps of {parts.batches.batch_size}, {config.optimizer}, rates from "
        f"{curve.lrs[0]:.0e} to {curve.lrs[-1]:.0e}\n"
        f"the loss falls most steeply at {curve.steepest:.1e} and is lowest at {curve.lowest:.1e}; "
        f"nine tenths of the fall are done at:\n"
        f"  --lr {curve.suggestion:g}"
    )
    return curve.suggestion


def read_curve(lrs: np.ndarray, losses: np.ndarray, width: float) -> RateCurve:
    """Smooth the losses over `width` steps and find the three points of interest."""
    smoothed = smooth(losses, width)
    bottom = int(smoothed.argmin())
    top = smoothed[: bottom + 1].max()
    fallen = smoothed <= top - SHARE_OF_FALL * (top - smoothed[bottom])
    steepest = np.gradient(smoothed).argmin()  # rates are evenly spaced in their logarithm
    suggestion = float(f"{lrs[fallen.argmax()]:.1e}")
    return RateCurve(lrs, losses, smoothed, float(lrs[bottom]), float(lrs[steepest]), suggestion)


def smooth(values: np.ndarray, width: float) -> np.ndarray:
    """A Gaussian mean of each value and its neighbours, which neither lags behind nor needs values outside."""
    distance = np.arange(len(values))[:, None] - np.arange(len(values))
    weights = np.exp(-0.5 * (distance / width) ** 2)
    return (weights @ values) / weights.sum(axis=1)


@contextmanager
def unchanged(network: Module, optimizer: Optimizer) -> Iterator[None]:
    """``with unchanged(...):`` whatever happens to the two in the block is undone at its end."""
    state, kept = network.state_dict(), optimizer.state_dict()
    before = [array.copy() for array in state.values()]
    before_kept = {name: array.copy() for name, array in kept.items()}
    grads = [parameter.grad for parameter in optimizer.params]
    modes = [(module, module.training) for module in network.modules()]
    try:
        yield
    finally:
        for array, old in zip(state.values(), before):
            array[...] = old
        optimizer.load_state_dict(before_kept)
        for parameter, grad in zip(optimizer.params, grads):
            parameter.grad = grad
        for module, training in modes:
            module.training = training


def save_picture(path: Path, curve: RateCurve) -> None:
    """Draw the losses over the rates, with the suggestion and the points that it comes from."""
    figure = draw.new_figure(7, 4)
    axes = figure.add_subplot()
    axes.semilogx(curve.lrs, curve.losses, ".", color=draw.GUESS_COLOR, markersize=4, label="loss of a batch")
    axes.semilogx(curve.lrs, curve.smoothed, color=draw.LOSS_COLOR, label="smoothed")
    marks = (
        (curve.suggestion, "-", f"suggestion: {curve.suggestion:g}"),
        (curve.lowest, ":", f"lowest: {curve.lowest:.1e}"),
        (curve.steepest, "--", f"steepest: {curve.steepest:.1e}"),
    )
    for lr, style, label in marks:
        axes.axvline(lr, linestyle=style, color=draw.NETWORK_COLOR, linewidth=1.2, label=label)
    low, usual = float(curve.losses.min()), float(np.percentile(curve.losses, 90))
    axes.set_ylim(low - 0.1 * (usual - low), usual + 0.5 * (usual - low))  # the explosion would flatten the rest
    axes.set_xlabel("learning rate", fontsize=8)
    axes.set_title("loss while the learning rate grows", fontsize=9)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)
    draw.write(figure, path)

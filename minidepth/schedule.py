"""Learning-rate schedules: functions from the step, counted from 0, to the learning rate of that step.

With lr the rate asked for, T the number of steps of the whole run and t the step:

    constant     lr
    linear       lr (1 - t / T)
    cosine       lr (1 + cos(pi t / T)) / 2
    one-cycle    from lr / 25 up to lr over the first 30 % of the steps, then down to lr / 25 / 10^4; both along half a
                 cosine. Source: Smith and Topin (2018), arXiv:1708.07120; the curve of torch's OneCycleLR
    step:30,60   lr, a tenth of it once 30 % of the steps are done, a hundredth once 60 % are

With E the number of epochs and e the epoch, counted from 0, these change between epochs only:

    linear:epochs                lr (1 - e / E)
    step:every=5                 lr, a tenth of it after 5 epochs, a hundredth after 10, ...; step:every=5,factor=0.5
                                 halves it. torch's StepLR
    plateau                      a tenth whenever the validation has not got better for 10 epochs, see `Plateau`;
                                 plateau:factor=0.5,patience=2 is half, after 2
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from minidepth import named_options
from minidepth.errors import CheckpointError, InputError

Schedule = Callable[[int], float]

WARM_UP_SHARE = 0.3
START_DIVISOR = 25.0
END_DIVISOR = 1e4
WORTH_COUNTING = 1e-4
"""An error got smaller only if by more than this share of it; torch's threshold."""

SCHEDULES: dict[str, named_options.Kinds] = {
    "constant": {},
    "linear": {"epochs": bool},
    "cosine": {},
    "one-cycle": {},
    "step": {"every": int, "factor": float},
    "plateau": {"factor": float, "patience": int},
}


def build(text: str, lr: float, total_steps: int, steps_per_epoch: int | None = None) -> Schedule:
    """The schedule described by `text` (see the top of this file) for a run of `total_steps`.

    Args:
        text: the description.
        lr: the rate asked for.
        total_steps: steps of the whole run.
        steps_per_epoch: needed by the schedules that change between epochs.

    Raises:
        InputError: the text describes no schedule, or there is no step to take.
    """
    if total_steps < 1:
        raise InputError(f"schedule: the run has {total_steps} steps; it needs at least 1")
    if text.startswith("step:") and "=" not in text:
        marks = _percentages(text)
        return lambda step: lr * 0.1 ** sum(100 * step >= mark * total_steps for mark in marks)
    name, options = named_options.parse("schedule", text, SCHEDULES)
    if name == "constant":
        return lambda step: lr
    if name == "cosine":
        return lambda step: half_cosine(lr, 0, step / total_steps)
    if name == "one-cycle":
        return lambda step: one_cycle(step, lr, total_steps)
    if name == "linear" and not options:
        return lambda step: lr * (1 - min(step / total_steps, 1))
    if name == "plateau":
        return Plateau(lr, **options)
    if steps_per_epoch is None:
        raise ValueError(f"schedule {text!r} changes between epochs: give steps_per_epoch")
    if name == "linear":
        return lambda step: lr * (1 - min(step // steps_per_epoch * steps_per_epoch / total_steps, 1))
    every, factor = options.get("every", 0), options.get("factor", 0.1)
    if every < 1 or not 0 < factor < 1:
        raise InputError(f"schedule {text!r}: every must be at least 1 epoch, and factor lie between 0 and 1")
    return lambda step: lr * factor ** (step // (every * steps_per_epoch))


class Plateau:
    """Lowers the rate once the validation metric has stopped getting better: torch's ReduceLROnPlateau.

    ``rate(step)`` is the rate, the same at every step, until `observe` lowers it. The error of an epoch is better than
    the best so far if it is smaller by more than a share of 1e-4. After more than `patience` epochs without a better
    one the rate is multiplied by `factor`, and the count begins anew.

    Raises:
        InputError: a number that makes no sense.
    """

    def __init__(self, lr: float, factor: float = 0.1, patience: int = 10) -> None:
        if not 0 < factor < 1 or patience < 0:
            raise InputError(
                f"schedule plateau: factor ({factor:g}) must lie between 0 and 1, patience ({patience}) be 0 or more"
            )
        self.lr, self.factor, self.patience = lr, factor, patience
        self.best: float | None = None
        self.bad_epochs = 0

    def __call__(self, step: int) -> float:
        """The rate that holds now."""
        return self.lr

    def observe(self, error: float) -> bool:
        """Take the validation error of an epoch, and tell whether the rate has become lower."""
        if not math.isnan(error) and (self.best is None or error < self.best * (1 - WORTH_COUNTING)):
            self.best, self.bad_epochs = error, 0
            return False
        self.bad_epochs += 1
        if self.bad_epochs <= self.patience:
            return False
        self.lr, self.bad_epochs = self.lr * self.factor, 0
        return True

    def state_dict(self) -> dict[str, Any]:
        """What the next `observe` needs, as JSON values; Python writes and reads them without loss."""
        return {"lr": self.lr, "best": self.best, "bad_epochs": self.bad_epochs}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where `state` was taken.

        Raises:
            CheckpointError: it holds other names.
        """
        if state.keys() != self.state_dict().keys():
            raise CheckpointError(f"Plateau.load_state_dict: needs lr, best and bad_epochs, not {', '.join(state)}")
        self.lr, self.best, self.bad_epochs = state["lr"], state["best"], state["bad_epochs"]


def one_cycle(step: int, lr: float, total_steps: int) -> float:
    """The rate of `step` in a one-cycle schedule whose highest rate is `lr`; after the last step it stays there."""
    start, last = lr / START_DIVISOR, total_steps - 1
    top = WARM_UP_SHARE * total_steps - 1  # the step of the highest rate; it need not be a whole number
    if step <= top:
        return half_cosine(start, lr, step / top)
    return half_cosine(lr, start / END_DIVISOR, (step - top) / (last - top))


def half_cosine(start: float, end: float, share: float) -> float:
    """From `start` (share 0) to `end` (share 1) along half a cosine, flat at both ends."""
    return end + (start - end) / 2 * (1 + math.cos(math.pi * min(share, 1)))


def _percentages(text: str) -> list[float]:
    """``"step:30,60"`` -> [30.0, 60.0]."""
    try:
        marks = [float(mark) for mark in text.removeprefix("step:").split(",")]
    except ValueError:
        marks = []
    if not marks or not all(0 < mark < 100 for mark in marks):
        raise InputError(f"schedule {text!r}: give per cent of the run, such as step:30,60, or epochs: step:every=5")
    return marks

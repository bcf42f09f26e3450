"""Learning-rate schedules: functions from the step, counted from 0, to the learning rate of that step.

With lr the rate asked for, T the number of steps of the whole run and t the step:

    constant     lr
    linear       lr (1 - t / T)
    cosine       lr (1 + cos(pi t / T)) / 2
    one-cycle    from lr / 25 up to lr over the first 30 % of the steps, then down to lr / 25 / 10^4; both along half a
                 cosine. Source: Smith and Topin (2018), arXiv:1708.07120; the curve of torch's OneCycleLR
    step:30,60   lr, a tenth of it once 30 % of the steps are done, a hundredth once 60 % are
"""

from __future__ import annotations

import math
from collections.abc import Callable

from minidepth.errors import InputError

Schedule = Callable[[int], float]

WARM_UP_SHARE = 0.3
START_DIVISOR = 25.0
END_DIVISOR = 1e4


def build(text: str, lr: float, total_steps: int) -> Schedule:
    """The schedule described by `text` (see the top of this file) for a run of `total_steps`.

    Raises:
        InputError: the text describes no schedule, or there is no step to take.
    """
    if total_steps < 1:
        raise InputError(f"schedule: the run has {total_steps} steps; it needs at least 1")
    if text == "constant":
        return lambda step: lr
    if text == "linear":
        return lambda step: lr * (1 - min(step / total_steps, 1))
    if text == "cosine":
        return lambda step: half_cosine(lr, 0, step / total_steps)
    if text == "one-cycle":
        return lambda step: one_cycle(step, lr, total_steps)
    if text.startswith("step:"):
        marks = _percentages(text)
        return lambda step: lr * 0.1 ** sum(100 * step >= mark * total_steps for mark in marks)
    raise InputError(f"schedule {text!r} is unknown; use constant, linear, cosine, one-cycle or step:30,60 (per cent)")


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
        raise InputError(f"schedule {text!r}: give percentages between 0 and 100, such as step:30,60")
    return marks

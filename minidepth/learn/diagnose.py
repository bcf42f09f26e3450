"""Recognise a mistake: which known wrong idea gives the same answers to the same questions?"""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from minidepth.learn.codec import Opaque
from minidepth.learn.definitions import Definitions
from minidepth.learn.library import load_checks
from minidepth.learn.master import Lesson
from minidepth.learn.mutant import Mutant
from minidepth.learn.probe import Step
from minidepth.learn.sandbox import Direct

RTOL = 1e-5
"""Two ways to write the same mistake differ by rounding."""

_ONE_AT_A_TIME = threading.Lock()
"""Code that runs in this process has its standard output caught, and there is one of that for all threads."""


def recognise(lesson: Lesson, mutants: Sequence[Mutant], steps: Sequence[Step]) -> Mutant | None:
    """The first of the mutants that answers every step as the learner's code did; None where none does.

    What hung or died is not tried again, as this process would hang or die with it.
    """
    if not steps or any("ended" in step.answer or step.answer.get("raised") == "MemoryError" for step in steps):
        return None
    with _ONE_AT_A_TIME:
        for mutant in mutants:
            asked = as_asked(lesson, mutant)
            # The last step is the odd one.
            if all(alike(asked.ask(step.request, 0), step.answer) for step in reversed(steps)):
                return mutant
    return None


@functools.cache
def as_asked(lesson: Lesson, mutant: Mutant | None) -> Direct:
    """The lesson's solutions with that mistake in them, or without, ready to be asked."""
    text = lesson.text if mutant is None else lesson.replaced(mutant.exercise, mutant.old, mutant.new)
    return Direct(Definitions(text, lesson.folder / "lesson.py"), load_checks(lesson))


def alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two answers are the same up to rounding."""
    if "value" in one and "value" in other:
        return one["changed"] == other["changed"] and _same(one["value"], other["value"])
    return "raised" in one and (one["raised"], one["text"]) == (other.get("raised"), other.get("text"))


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, (tuple, list)):
        return isinstance(other, (tuple, list)) and len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict):
        return (
            isinstance(other, dict) and one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
        )
    if isinstance(one, Opaque):
        return isinstance(other, Opaque) and one.text == other.text
    if isinstance(one, (np.ndarray, np.generic, float, int)) and isinstance(
        other, (np.ndarray, np.generic, float, int)
    ):
        a, b = np.asarray(one), np.asarray(other)
        if a.shape != b.shape or "O" in (a.dtype.kind, b.dtype.kind):
            return False
        if a.dtype.kind == "b" or b.dtype.kind == "b":
            return a.dtype.kind == b.dtype.kind and bool(np.array_equal(a, b))
        with np.errstate(all="ignore"):
            scale = np.max(np.abs(b), initial=0, where=np.isfinite(b))
            return bool(np.allclose(a, b, rtol=RTOL, atol=RTOL * scale, equal_nan=True))
    return type(one) is type(other) and bool(one == other)

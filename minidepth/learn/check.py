"""Checks and mutants: how an author says what is right, and which mistakes are known."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from minidepth.learn.diagnose import recognise
from minidepth.learn.errors import LessonError
from minidepth.learn.library import load_checks, load_mutants
from minidepth.learn.master import Lesson
from minidepth.learn.mutant import Mutant
from minidepth.learn.probe import CheckError, Probe, UnwrittenError
from minidepth.learn.sandbox import Asked
from minidepth.learn.variant import constants_of


@dataclass(frozen=True)
class Check:
    """One check of one exercise."""

    exercise: str
    title: str
    points: int
    hints: tuple[str, ...]
    function: Callable[[Probe], None]
    hidden: bool = False
    """Run for grades only; the learner is told so in the lesson."""


@dataclass
class Outcome:
    """What came of a check."""

    check: Check
    status: str
    """``passed``, ``failed`` or ``unwritten``."""
    lines: list[str] = field(default_factory=list)
    mutant: Mutant | None = None
    """The wrong idea that gives the same results, where one is known."""
    seconds: float = 0.0
    printed: bool = False

    @property
    def points(self) -> int:
        return self.check.points if self.status == "passed" else 0


def check(
    exercise: str, title: str, hints: Sequence[str], points: int = 2, hidden: bool = False
) -> Callable[[Callable[[Probe], None]], Callable[[Probe], None]]:
    """Decorator: the function checks `exercise`, such as "4.2".

    Args:
        exercise: of the lesson. title: what is checked, in a few words. hints: from a nudge to nearly the answer.
        points: what it is worth. hidden: see `Check`.
    """
    if not hints:
        raise LessonError(f"check {exercise}: give it at least one hint")

    def mark(function: Callable[[Probe], None]) -> Callable[[Probe], None]:
        function.check = Check(exercise, title, points, tuple(hints), function, hidden)  # type: ignore[attr-defined]
        return function

    return mark


def checks_of(lesson: Lesson) -> list[Check]:
    """The lesson's checks, in the order in which they are written, which is that of its exercises."""
    values = vars(load_checks(lesson)).values()
    found: list[Check] = [value.check for value in values if isinstance(getattr(value, "check", None), Check)]
    for one in found:
        if one.exercise not in lesson.exercises:
            raise LessonError(f"{lesson.slug}/checks.py: there is no exercise {one.exercise} in the lesson")
    return sorted(found, key=lambda one: lesson.exercises.index(one.exercise))


def mutants_of(lesson: Lesson, exercise: str | None = None) -> list[Mutant]:
    """The lesson's wrong ideas, or those of one exercise."""
    found: list[Mutant] = load_mutants(lesson).MUTANTS
    return [mutant for mutant in found if exercise in (None, mutant.exercise)]


def run_check(lesson: Lesson, one: Check, asked: Asked, seed: int = 0, diagnose: bool = True) -> Outcome:
    """Run a check on a learner's code.

    Args:
        lesson: it belongs to. one: the check. asked: the learner's code. seed: another one draws other inputs.
        diagnose: look for a known wrong idea where it fails.
    """
    start = time.perf_counter()
    probe = Probe(asked, rng_of(one, seed), constants=constants_of(lesson.text))
    outcome = Outcome(one, "passed")
    try:
        one.function(probe)
    except UnwrittenError:
        outcome.status = "unwritten"
    except CheckError as error:
        outcome.status, outcome.lines = "failed", error.lines
    except Exception as error:  # a check that reckons with what it was given stumbles over what it did not expect
        outcome.status = "failed"
        outcome.lines = [f"what you return is nothing that can be compared ({type(error).__name__}: {error})"[:300]]
    if diagnose and outcome.status == "failed":
        outcome.mutant = recognise(lesson, mutants_of(lesson, one.exercise), probe.steps)
    outcome.seconds, outcome.printed = time.perf_counter() - start, probe.printed
    return outcome


def rng_of(one: Check, seed: int) -> np.random.Generator:
    """The generator of a check's inputs: the same for the same check and seed."""
    return np.random.default_rng([seed, zlib.crc32(f"{one.exercise} {one.function.__name__}".encode())])


def record(outcome: Outcome) -> dict[str, Any]:
    """The outcome as JSON, for programs."""
    return {
        "exercise": outcome.check.exercise,
        "title": outcome.check.title,
        "status": outcome.status,
        "points": outcome.points,
        "max_points": outcome.check.points,
        "seconds": round(outcome.seconds, 3),
        "message": "\n".join(outcome.lines),
        "misconception": None if outcome.mutant is None else outcome.mutant.name,
        "says": None if outcome.mutant is None else outcome.mutant.says,
        "hidden": outcome.check.hidden,
    }

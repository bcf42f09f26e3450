"""Mutants: solutions with one mistake in them, as students really make it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mutant:
    """A wrong idea: the solution of an exercise with `old`, which it has exactly once, turned into `new`.

    Args:
        exercise: "4.2". name: a word or two, for reports, its own in the exercise.
        old, new: source, of one line or more.
        says: one sentence to the learner who has made this mistake. see: where the lesson treats it.
    """

    exercise: str
    name: str
    old: str
    new: str
    says: str
    see: str = ""

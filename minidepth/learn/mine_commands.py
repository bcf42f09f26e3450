"""``minidepth mine on|off|train``."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from minidepth.learn.commands import learners_file, one_exercise
from minidepth.learn.errors import LearnerError
from minidepth.learn.library import lesson_of, lessons
from minidepth.learn.mine import Training, parts_of, refuse_unless_passed, replaceable, train
from minidepth.learn.progress import Progress
from minidepth.learn.sandbox import Child

BUDGET_S = 60.0


def mine(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Give exercises to the network, take them back, or train on them."""
    if arguments.action == "train":
        return train_on_mine(arguments.steps, say)
    turn = turn_on if arguments.action == "on" else turn_off
    for exercise in arguments.exercises or exercises_that_are_on():
        turn(one_exercise(exercise), say)
    return 0


def turn_on(exercise: str, say: Callable[[str], None]) -> None:
    """Mark an exercise for the network, after a check."""
    lesson = lesson_of(exercise)
    users = [part for part in parts_of(lesson) if exercise in part.exercises]
    if not users:
        usable = [name for one in lessons().values() for part in parts_of(one) for name in part.exercises]
        raise LearnerError(f"{exercise} is no part of the network; these are: {', '.join(dict.fromkeys(usable))}")
    path = learners_file(lesson, None)
    with Child(path, lesson) as child:
        child.start()
        refuse_unless_passed(lesson, [exercise], child)
    progress = Progress()
    progress.set(exercise, mine=True)
    for part in users:
        missing = [other for other in part.exercises if not progress.get(other, "mine")]
        say(
            f"{exercise}: on"
            + (f"; {part.part} waits for {', '.join(missing)}" if missing else f"; {part.part} is yours now")
        )


def turn_off(exercise: str, say: Callable[[str], None]) -> None:
    """Let the library compute that again."""
    lesson_of(exercise)
    Progress().set(exercise, mine=False)
    say(f"{exercise}: off")


def exercises_that_are_on() -> list[str]:
    """All that are marked for the network."""
    progress = Progress()
    return [exercise for exercise in progress.rows if progress.get(exercise, "mine")]


def train_on_mine(steps: int, say: Callable[[str], None]) -> int:
    """Train the U-Net on what is on, checked once more."""
    parts = replaceable(exercises_that_are_on())
    if not parts:
        raise LearnerError(
            "no part of the network is yours yet; pass some exercises and give them: minidepth mine on 4.2"
        )
    for lesson in dict.fromkeys(lesson for lesson, _ in parts):
        wanted = {exercise for other, part in parts if other is lesson for exercise in part.exercises}
        with Child(learners_file(lesson, None), lesson) as child:
            child.start()
            refuse_unless_passed(lesson, wanted, child)
    say("yours: " + ", ".join(f"{part.part} ({', '.join(part.exercises)})" for _, part in parts))
    train(Training(parts, lambda lesson: learners_file(lesson, None)), steps, BUDGET_S, say)
    return 0

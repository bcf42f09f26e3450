"""What the learner reads: the list of lessons, and what a check says."""

from __future__ import annotations

from collections.abc import Sequence

from minidepth.learn.check import Outcome
from minidepth.learn.master import Lesson
from minidepth.learn.progress import Progress

WIDTH = 60
WORDS = {"passed": "passed", "failed": "not yet", "unwritten": "not written yet"}


def outcome_text(outcome: Outcome, hints_opened: int, doubtful: Sequence[str] = ()) -> str:
    """One outcome: a line, and where it failed what was compared, the mistake if it is known, and what to do next.

    Args:
        outcome: of a check. hints_opened: so far. doubtful: exercises that are not right yet and that this one uses.
    """
    one = outcome.check
    heading = f"{one.exercise}  {one.title} ".ljust(WIDTH, ".")
    lines = [f"{heading} {WORDS[outcome.status]}  ({outcome.points}/{one.points})"]
    if outcome.status == "failed":
        lines += [f"     {line}" for line in outcome.lines]
        if outcome.mutant is not None:
            see = f"  See {outcome.mutant.see}." if outcome.mutant.see else ""
            lines.append(f"     Your result is that of a known mistake: {outcome.mutant.says}{see}")
        elif doubtful:
            lines.append(f"     This may come from {' and '.join(doubtful)}, not right yet: begin there.")
        if hints_opened < len(one.hints):
            lines.append(f"     Next: minidepth hint {one.exercise}  ({hints_opened + 1} of {len(one.hints)})")
        else:
            lines.append(f"     Next: minidepth solution {one.exercise} --give-up, if you are stuck; that is no shame")
    if outcome.printed:
        lines.append("     (Your function prints. That is fine while you look for a mistake; take it out afterwards.)")
    return "\n".join(lines)


def closing_text(outcomes: list[Outcome]) -> str:
    """The last line of a check."""
    points, most = sum(one.points for one in outcomes), sum(one.check.points for one in outcomes)
    done = sum(one.status == "passed" for one in outcomes)
    return f"{done} of {len(outcomes)} checks passed, {points} of {most} points"


def lessons_text(lessons: dict[int, Lesson], progress: Progress) -> str:
    """The table of lessons with what is done."""
    lines = []
    for number, lesson in lessons.items():
        done = sum(bool(progress.get(exercise, "passed")) for exercise in lesson.exercises)
        state = f"{done} of {len(lesson.exercises)} done"
        lines.append(f"{number:3}  {lesson.title:<44} {lesson.minutes:3} min   {state:<12}  {lesson.question}")
    return "\n".join(
        ["      lesson                                       to work       exercises      question", *lines, "",
         "Begin one with: minidepth learn 1        and look at your work with: minidepth check 1"]
    )  # fmt: skip

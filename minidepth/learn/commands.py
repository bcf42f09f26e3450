"""``minidepth learn``, ``check``, ``hint``, ``solution``: the learner's day."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minidepth.learn.check import Outcome, checks_of, record, run_check
from minidepth.learn.errors import LearnerError
from minidepth.learn.library import in_variant, lesson_of, lessons
from minidepth.learn.master import Lesson
from minidepth.learn.notebook import notebook_of
from minidepth.learn.page import work_folder
from minidepth.learn.progress import Progress
from minidepth.learn.sandbox import Child
from minidepth.learn.texts import closing_text, lessons_text, outcome_text
from minidepth.learn.variant import seed_of, variant_in

POLL_S = 0.3


def learn(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """List the lessons, or write the learner's file of one."""
    if arguments.lesson is None:
        say(lessons_text(lessons(), Progress()))
        return 0
    path = hand_out(lesson_of(arguments.lesson), arguments.notebook)
    number = int(arguments.lesson.partition(".")[0])
    run = "run it in Jupyter" if arguments.notebook else f"run it with python {path}"
    say(f"{path}\nRead it, write the exercises, {run}, and look at your work: minidepth check {number}")
    return 0


def hand_out(lesson: Lesson, notebook: bool) -> Path:
    """Write the learner's file, which must not be there yet.

    Raises:
        LearnerError: it is; nothing is ever overwritten.
    """
    path = work_folder() / (lesson.slug + (".ipynb" if notebook else ".py"))
    text = lesson.stub()
    if notebook:
        from minidepth.learn.master import cells_of

        text = notebook_of(cells_of(text))
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise LearnerError(
            f"{path} is there already, and your work is never overwritten; rename it if you want to begin again"
        ) from None
    return path


def learners_file(lesson: Lesson, named: str | None) -> Path:
    """The learner's file of a lesson: the one that was named, or the one in the work folder that was changed last."""
    if named is not None:
        return Path(named)
    found = [path for suffix in (".py", ".ipynb") if (path := work_folder() / (lesson.slug + suffix)).exists()]
    if not found:
        raise LearnerError(
            f"{work_folder() / lesson.slug}.py is not there; get it with minidepth learn {lesson.number}, or name your "
            "file with --file"
        )
    return max(found, key=lambda path: path.stat().st_mtime)


def check(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Check one exercise or a whole lesson; status 0 where all passed, 1 where not."""
    lesson = lesson_of(arguments.exercise)
    path = learners_file(lesson, arguments.file)
    if not arguments.watch:
        return check_once(lesson, arguments.exercise, path, say, arguments.json)
    say(f"watching {path}; Ctrl-C ends it")
    seen = None
    while True:
        now = path.stat().st_mtime_ns if path.exists() else None
        if now is not None and now != seen:
            seen = now
            try:
                check_once(lesson, arguments.exercise, path, say, False)
            except LearnerError as error:
                say(f"{error}\n")
        time.sleep(POLL_S)


def check_once(lesson: Lesson, word: str, path: Path, say: Callable[[str], None], as_json: bool) -> int:
    """Run the checks of "4" or "4.2" on a file, and tell."""
    progress = Progress()
    outcomes: list[Outcome] = []
    lesson = in_variant(lesson, variant_of(path))
    chosen = [one for one in checks_of(lesson) if word in (one.exercise, str(lesson.number)) or "." not in word]
    with Child(path, lesson) as child:
        child.start()
        for one in chosen:
            if one.hidden:
                continue
            outcome = run_check(lesson, one, child, seed_of(lesson.variant))
            outcomes.append(outcome)
            if not as_json:
                wrong = [other.check.exercise for other in outcomes if other.status != "passed"]
                doubtful = [other for other in lesson.needs(one.exercise) if other in wrong]
                say(outcome_text(outcome, int(progress.get(one.exercise, "hints")), doubtful))
    remember(progress, outcomes)
    if as_json:
        whole: dict[str, Any] = {
            "lesson": lesson.number,
            "file": str(path),
            "checks": [record(one) for one in outcomes],
        }
        say(json.dumps(whole, indent=2))
    else:
        say(closing_text(outcomes))
    return 0 if all(outcome.status == "passed" for outcome in outcomes) else 1


def variant_of(path: Path) -> str:
    """The variant that a file says it is; "" where it cannot be read, which the check itself will say better."""
    try:
        return variant_in(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return ""


def remember(progress: Progress, outcomes: list[Outcome]) -> None:
    """An exercise is done when all of its checks have passed."""
    for exercise in dict.fromkeys(outcome.check.exercise for outcome in outcomes):
        passed = all(outcome.status == "passed" for outcome in outcomes if outcome.check.exercise == exercise)
        if passed != bool(progress.get(exercise, "passed")):
            progress.set(exercise, passed=passed)


def hint(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Open the next hint of an exercise; those that were opened before are shown again."""
    lesson = lesson_of(one_exercise(arguments.exercise))
    hints = [text for one in checks_of(lesson) if one.exercise == arguments.exercise for text in one.hints]
    progress = Progress()
    opened = min(int(progress.get(arguments.exercise, "hints")) + 1, len(hints))
    progress.set(arguments.exercise, hints=opened)
    for number, text in enumerate(hints[:opened], 1):
        say(f"hint {number} of {len(hints)}: {text}")
    return 0


def solution(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Show the author's solution, after a pass or with --give-up."""
    exercise = one_exercise(arguments.exercise)
    lesson, progress = lesson_of(exercise), Progress()
    if not progress.get(exercise, "passed"):
        if not arguments.give_up:
            raise LearnerError(
                f"{exercise} has not passed yet; minidepth hint {exercise} may help, and --give-up shows it anyhow"
            )
        progress.set(exercise, gave_up=True)
    say(lesson.solution(exercise))
    return 0


def one_exercise(word: str) -> str:
    """`word`, which must be an exercise and not a lesson."""
    if "." not in word:
        raise LearnerError(f"{word} is a lesson; name an exercise of it, such as {word}.1")
    return word

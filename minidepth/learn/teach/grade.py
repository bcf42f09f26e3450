"""``minidepth teach grade``: every check of every submission, each submission in a process of its own."""

from __future__ import annotations

import argparse
import hashlib
import platform
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import minidepth
from minidepth.learn.check import Check, Outcome, checks_of, record, run_check
from minidepth.learn.codec import clean
from minidepth.learn.diagnose import as_asked
from minidepth.learn.errors import LearnerError
from minidepth.learn.library import in_variant, lessons
from minidepth.learn.master import Lesson
from minidepth.learn.sandbox import LIMITS, Child
from minidepth.learn.teach.formats import FORMATS
from minidepth.learn.teach.numbers import numbers_in
from minidepth.learn.teach.submissions import MOST_BYTES, Submission, beginning_of, collect, gather, sorted_out
from minidepth.learn.uses import allowed_in
from minidepth.learn.variant import seed_of, variant_in, variant_word

START_S = 30.0
"""For a process to start and to read a file: beside the time that the file has, as it hangs on the machine."""

LEAST_S = 0.05
"""Less time than that is none."""


class Timed:
    """Asks a child for as long as there is time for its file; see sandbox.Asked."""

    def __init__(self, child: Child, seconds: float) -> None:
        self._child, self._end = child, time.monotonic() + seconds

    def ask(self, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        left = self._end - time.monotonic()
        return {"ended": "late"} if left < LEAST_S else self._child.ask(request, min(timeout_s, left))


def grade(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Grade a folder of submissions; status 0 however badly they did."""
    whole = graded(arguments, arguments.format == "gradescope")
    text = FORMATS[arguments.format](whole)
    if arguments.out is None:
        say(text.rstrip("\n"))
        return 0
    out = Path(arguments.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8", newline="")
    for row in whole["students"]:
        say(f"{row['student']:<40} {row['points']:>3} of {row['max_points']}{trouble(row)}")
    say(f"{len(whole['students'])} submissions in {whole['seconds']:.0f} s -> {out}")
    say(isolation_text(whole["fences"]))
    return 0


def trouble(row: dict[str, Any]) -> str:
    """How much there is for the teacher to look at."""
    problems = sum(bool(lesson["problem"]) for lesson in row["lessons"]) + len(row["notes"])
    notices = sum(len(lesson["notices"]) for lesson in row["lessons"])
    words = [f"{count} {what}" for count, what in ((problems, "not graded as it is"), (notices, "notices")) if count]
    return f"   ({', '.join(words)})" if words else ""


def isolation_text(fences: list[str]) -> str:
    """What kept the submissions in, in a line."""
    if len(fences) == 2:
        return f"Each ran in a process of its own: {', '.join(fences)}, limits on time and memory."
    return (
        "Each ran in a process of its own with a limit on time, but this system could not keep them from "
        f"{'the network' if fences else 'your files and the network'}: grade strangers in a container."
    )


def graded(arguments: argparse.Namespace, is_one: bool = False) -> dict[str, Any]:
    """All that grading has to say, as plain values; formats.py and report.py turn it into texts.

    Args:
        arguments: of the command line. is_one: the whole folder is one student's.
    """
    start = time.perf_counter()
    if arguments.jobs < 1 or not arguments.timeout > 0:
        raise LearnerError("--jobs and --timeout must be more than 0")
    known = lessons()
    variant = None if arguments.variant is None else variant_word(arguments.variant)
    folder = Path(arguments.folder)
    with tempfile.TemporaryDirectory(prefix="minidepth-grade-", ignore_cleanup_errors=True) as scratch:
        if is_one:
            submissions = [sorted_out(folder.resolve().name, *gather(folder, Path(scratch)), known)]
        else:
            submissions = collect(folder, known, Path(scratch))
        handed_in = {number for submission in submissions for number in submission.files}
        wanted = sorted(handed_in) if arguments.lessons is None else numbers_in(arguments.lessons, known)
        if not wanted:
            raise LearnerError(f"{folder}: none of its files belongs to a lesson; name the lessons with --lessons")
        jobs = [(submission, known[number], variant) for submission in submissions for number in wanted]
        prepared = {_lesson_for(*job) for job in jobs}
        broken = {lesson: fault for lesson in prepared if (fault := fault_of(lesson))}
        with ThreadPoolExecutor(arguments.jobs) as pool:
            waiting = [pool.submit(_grade_safely, *job, arguments.timeout, broken) for job in jobs]
            results = [one.result() for one in waiting]
    students = []
    for place, submission in enumerate(submissions):
        rows = [row for row, _ in results[place * len(wanted) : (place + 1) * len(wanted)]]
        students.append({"student": submission.student, **_totals(rows), "notes": submission.notes, "lessons": rows})
    return {
        "minidepth": minidepth.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "system": platform.platform(),
        "variant": variant,
        "graded": wanted,
        "fences": next((fences for _, fences in results if fences), []),
        "seconds": round(time.perf_counter() - start, 3),
        "students": students,
    }


def fault_of(lesson: Lesson) -> str:
    """Why a lesson cannot be graded in its variant: its own solution does not pass there. "" where it does."""
    for one in checks_of(lesson):
        outcome = run_check(lesson, one, as_asked(lesson, None), seed_of(lesson.variant), diagnose=False)
        if outcome.status != "passed":
            return f"in variant {lesson.variant!r} the lesson's own solution fails at {one.exercise}; take another word"
    return ""


def _lesson_for(submission: Submission, lesson: Lesson, variant: str | None) -> Lesson:
    """The lesson in the variant that is asked for, or else that the file says it has."""
    path = submission.files.get(lesson.number)
    return in_variant(lesson, variant_in(beginning_of(path)) if variant is None and path else variant or "")


def _grade_safely(
    submission: Submission, lesson: Lesson, variant: str | None, timeout_s: float, broken: dict[Lesson, str]
) -> tuple[dict[str, Any], list[str]]:
    """A row for a lesson of a submission whatever happens, and what kept its process in."""
    path = submission.files.get(lesson.number)
    if path is None:
        return _row(lesson, None, f"no file for lesson {lesson.number} was handed in"), []
    try:
        lesson = _lesson_for(submission, lesson, variant)
        if lesson in broken:
            return _row(lesson, path, broken[lesson]), []
        return grade_file(lesson, path, timeout_s)
    except LearnerError as error:
        return _row(lesson, path, str(error)), []
    except Exception as error:  # one that nobody has thought of must not stop the others
        return _row(lesson, path, f"{path.name}: could not be graded ({type(error).__name__}: {error})"), []


def grade_file(lesson: Lesson, path: Path, timeout_s: float) -> tuple[dict[str, Any], list[str]]:
    """The row of one file, and what kept its process in.

    Raises:
        LearnerError: the file cannot be read as what it should be.
    """
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise LearnerError(f"{path.name}: has {size / 2**20:,.0f} MiB; at most {MOST_BYTES >> 20} are read")
    limits = {**LIMITS, "cpu_s": int(2 * timeout_s) + 10, "fence": True, "allowed": allowed_in(lesson)}
    outcomes: list[Outcome] = []
    with Child(path, lesson, limits) as child:
        child.start(START_S)
        notices, fences = child.notices, child.fences
        asked = Timed(child, timeout_s)
        for one in checks_of(lesson):
            outcomes.append(run_check(lesson, one, asked, seed_of(lesson.variant)))
    row = _row(lesson, path, "", outcomes)
    said = variant_in(beginning_of(path))
    if said != lesson.variant:
        notices = [*notices, f"says that it is variant {said or 'none'!r}, and was graded as {lesson.variant!r}"]
    return {**row, "notices": notices}, fences


def _row(lesson: Lesson, path: Path | None, problem: str, outcomes: Iterable[Outcome] = ()) -> dict[str, Any]:
    checks = [record(one) for one in outcomes] or [record(_failed(one, clean(problem))) for one in checks_of(lesson)]
    return {
        "lesson": lesson.number,
        "file": None if path is None else clean(path.name),
        "sha256": None if path is None else digest(path),
        "variant": lesson.variant,
        "problem": clean(problem),
        "notices": [],
        **_totals(checks),
        "checks": checks,
    }


def _failed(one: Check, problem: str) -> Outcome:
    return Outcome(one, "failed", [problem])


def _totals(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "points": sum(row["points"] for row in rows),
        "max_points": sum(row["max_points"] for row in rows),
        "seconds": round(sum(row["seconds"] for row in rows), 3),
    }


def digest(path: Path) -> str | None:
    """The SHA-256 of a file, so that it can be told later whether this is what was graded."""
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                found.update(part)
    except OSError:
        return None
    return found.hexdigest()

"""Runs of the lessons' own scripts, each in a process and a folder of its own: figures, and what every cell prints."""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

import minidepth
from minidepth.learn.errors import LessonError
from minidepth.learn.master import Lesson

PRINTED = "printed.json"
"""Beside the figures: what the cells of the lesson have printed, by their places."""

_CELL = re.compile(r"^# %%(?: \[(\w+)\])?[ \t]*$", re.MULTILINE)
_SIGN = re.compile(r"^\x1e(\d+)\n", re.MULTILINE)
_OF_PAGE_PY = ("guess ", "measured ", "figure ")
"""How lines begin that page.py prints: the prose and the figures say the same."""


def run_lessons(lessons: Sequence[Lesson], place: Path, jobs: int, say: Callable[[str], None]) -> Path:
    """Run all, `jobs` at a time, below the folder `place`; returns the folder of their figures."""
    with ThreadPoolExecutor(max(1, jobs)) as pool:
        runs = {pool.submit(run_lesson, lesson, place): lesson for lesson in lessons}
        try:
            for done in as_completed(runs):
                say(f"{runs[done].slug}: ran in {done.result():.0f} s")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return place / "figures"


def run_lesson(lesson: Lesson, place: Path) -> float:
    """Run one with its solutions; returns the seconds that it took.

    Raises:
        LessonError: it fails, with the last line that it says.
    """
    folder, figures = place / lesson.slug, place / "figures" / lesson.slug
    for one in (folder, figures):
        one.mkdir(parents=True)
    script = folder / "lesson.py"
    script.write_text(with_signs(lesson.text), encoding="utf-8")
    above = str(Path(minidepth.__file__).resolve().parents[1])
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, [above, os.environ.get("PYTHONPATH")])),
        "PYTHONIOENCODING": "utf-8",
        "MINIDEPTH_WORK": str(place.resolve()),
        "MPLBACKEND": "Agg",
    }
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, script.name], cwd=folder, env=environment, capture_output=True, encoding="utf-8"
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise LessonError(f"{lesson.slug}: its script fails: {last}")
    (figures / PRINTED).write_text(json.dumps(printed_by(done.stdout), indent=1) + "\n", encoding="utf-8")
    return time.perf_counter() - start


def with_signs(script: str) -> str:
    """The script with a sign printed at the head of each cell of code. No line moves: an error names the right one."""
    numbers = itertools.count()

    def sign(match: re.Match[str]) -> str:
        number = next(numbers)
        return match[0] if match[1] == "markdown" else rf'print("\x1e{number}", flush=True)'

    return _CELL.sub(sign, script)


def printed_by(output: str) -> dict[str, str]:
    """``{"6": "3 rows"}``: what each cell has printed, without what page.py says about guesses and figures."""
    _, *parts = _SIGN.split(output)
    found = {}
    for number, text in zip(parts[::2], parts[1::2]):
        lines = [line for line in text.splitlines() if not line.startswith(_OF_PAGE_PY)]
        if any(lines):
            found[number] = "\n".join(lines).strip("\n")
    return found

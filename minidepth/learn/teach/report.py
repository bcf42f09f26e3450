"""``minidepth teach report``: what a class has misunderstood, most frequent first."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minidepth.learn.errors import LearnerError
from minidepth.learn.teach.grade import graded

WORDS = {"passed": "passed", "failed": "not yet", "unwritten": "not written"}


def report(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Tell about the JSON file that ``teach grade`` has written, or about a folder, which is graded first."""
    path = Path(arguments.folder)
    say(report_text(read_grades(path) if path.is_file() else graded(arguments)))
    return 0


def read_grades(path: Path) -> dict[str, Any]:
    """What ``teach grade --format json --out FILE`` has written.

    Raises:
        LearnerError: it is something else.
    """
    try:
        whole: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        report_text(whole)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise LearnerError(
            f"{path}: is neither a folder of submissions nor what teach grade --format json --out FILE has written"
        ) from None
    return whole


def report_text(whole: dict[str, Any]) -> str:
    """For each exercise how many passed, and its mistakes with how many made them."""
    students = whole["students"]
    lines = [f"{len(students)} students" + (f", variant {whole['variant']}" if whole["variant"] else "")]
    rows = [
        one
        for student in students
        for lesson in student["lessons"]
        if not lesson["problem"]
        for one in lesson["checks"]
    ]
    for exercise, title in dict.fromkeys((one["exercise"], one["title"]) for one in rows):
        mine = [one for one in rows if (one["exercise"], one["title"]) == (exercise, title)]
        counts = Counter(one["status"] for one in mine)
        lines += ["", f"{exercise}  {title}", "  " + ", ".join(f"{counts[key]} {word}" for key, word in WORDS.items())]
        mistakes = Counter((one["misconception"], one["says"]) for one in mine if one["status"] == "failed")
        for (name, says), count in sorted(mistakes.items(), key=lambda item: (item[0][0] is None, -item[1], str(item))):
            lines.append(f"  {count:4}  {name}: {says}" if name else f"  {count:4}  no known mistake")
    problems = [
        f"  {student['student']}: {lesson['problem']}"
        for student in students
        for lesson in student["lessons"]
        if lesson["problem"]
    ]
    return "\n".join([*lines, *(["", "not graded as they are:", *problems] if problems else [])])

"""Grades as JSON, as Gradescope reads them, and as a table."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from typing import Any


def as_json(whole: dict[str, Any]) -> str:
    """Everything, for programs."""
    return json.dumps(whole, indent=1) + "\n"


def as_gradescope(whole: dict[str, Any]) -> str:
    """The ``results.json`` of the one student there is.

    Hidden checks are shown when the grades are published: Gradescope's ``hidden`` is for tests without points only.
    Source: https://gradescope-autograders.readthedocs.io/en/latest/specs/.
    """
    (student,) = whole["students"]
    tests = [
        {
            "name": f"{one['exercise']} {one['title']}",
            "number": one["exercise"],
            "score": one["points"],
            "max_score": one["max_points"],
            "status": "passed" if one["status"] == "passed" else "failed",
            "output": output_of(one),
            "visibility": "after_published" if one["hidden"] else "visible",
        }
        for lesson in student["lessons"]
        for one in lesson["checks"]
    ]
    problems = [*student["notes"], *(lesson["problem"] for lesson in student["lessons"] if lesson["problem"])]
    result = {
        "score": student["points"],
        "execution_time": round(student["seconds"]),
        "output": "\n".join(problems),
        "stdout_visibility": "hidden",
        "extra_data": {
            "notices": [notice for lesson in student["lessons"] for notice in lesson["notices"]],
            "sha256": {str(lesson["lesson"]): lesson["sha256"] for lesson in student["lessons"]},
            **{name: whole[name] for name in ("minidepth", "python", "numpy", "variant")},
        },
        "tests": tests,
    }
    return json.dumps(result, indent=1) + "\n"


def output_of(one: dict[str, Any]) -> str:
    """What the student reads under a test."""
    if one["status"] == "unwritten":
        return "not written yet"
    known = f"\nThis is the result of a known mistake: {one['says']}" if one["says"] else ""
    return one["message"] + known


def as_csv(whole: dict[str, Any]) -> str:
    """A row for each student, a column for each exercise."""
    exercises = list(
        dict.fromkeys(
            one["exercise"]
            for student in whole["students"]
            for lesson in student["lessons"]
            for one in lesson["checks"]
        )
    )
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["student", "points", "max_points", *exercises, "problems", "notices"])
    for student in whole["students"]:
        checks = [one for lesson in student["lessons"] for one in lesson["checks"]]
        points = [sum(one["points"] for one in checks if one["exercise"] == exercise) for exercise in exercises]
        problems = [*student["notes"], *(lesson["problem"] for lesson in student["lessons"] if lesson["problem"])]
        notices = [notice for lesson in student["lessons"] for notice in lesson["notices"]]
        words = [harmless(student["student"]), harmless("; ".join(problems)), harmless("; ".join(notices))]
        writer.writerow([words[0], student["points"], student["max_points"], *points, *words[1:]])
    return text.getvalue()


def harmless(text: str) -> str:
    """A text that no spreadsheet takes for a formula: names and notes come from students."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


FORMATS: dict[str, Callable[[dict[str, Any]], str]] = {"json": as_json, "gradescope": as_gradescope, "csv": as_csv}

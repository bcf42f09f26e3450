"""The commands of teachers: ``minidepth teach release``, ``grade`` and ``report``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

AddCommand = Callable[[Any, str, str, str], argparse.ArgumentParser]
Say = Callable[[str], None]

TIMEOUT_S = 60.0


def add_teach(commands: Any, add_command: AddCommand) -> None:
    """Add the teacher's commands.

    Args:
        commands: subparsers. add_command: that of cli_parser.py, which lies above this file.
    """
    teach = add_command(
        commands,
        "teach",
        "hand lessons out, grade what comes back, see what a class has misunderstood",
        "minidepth teach release hw2 --lessons 4-6 --variant 2027a -o hw2.zip",
    )
    actions = teach.add_subparsers(dest="action", required=True, metavar="ACTION")

    release = add_command(
        actions,
        "release",
        "write a zip file for students, without solutions",
        "minidepth teach release hw2 --lessons 4-6 --variant 2027a -o hw2.zip",
    )
    release.add_argument("name", metavar="NAME", help="of the folder in the zip file, such as hw2")
    release.add_argument("--lessons", metavar="N-M", required=True, help="lessons, such as 4, or 4-6, or 1,4-6")
    release.add_argument("--variant", metavar="WORD", help="other numbers in the checks than in another variant")
    release.add_argument("-o", "--out", metavar="ZIP", help="file to write (default: NAME.zip)")

    grade = add_command(
        actions,
        "grade",
        "grade a folder of submissions, each in a process of its own",
        "minidepth teach grade submissions --format csv --out grades.csv --jobs 4",
    )
    grade.add_argument(
        "--format", choices=("json", "gradescope", "csv"), default="json",
        help="what to write (default: json); for gradescope, the folder is one student's",
    )  # fmt: skip
    grade.add_argument("--out", metavar="FILE", help="where to write it (default: print it)")

    report = add_command(
        actions,
        "report",
        "which mistakes a class has made, and how often",
        "minidepth teach report grades.json",
    )
    for action, what in (
        (grade, "folder of files, folders or zip files"),
        (report, "such a folder, or a file of grades"),
    ):
        action.add_argument("folder", metavar="DIR", help=what)
        action.add_argument("--lessons", metavar="N-M", help="lessons that count (default: all that anybody handed in)")
        action.add_argument("--variant", metavar="WORD", help="variant to check (default: the one each file names)")
        action.add_argument("--jobs", type=int, metavar="N", default=1, help="submissions at a time (default: 1)")
        action.add_argument(
            "--timeout", type=float, metavar="S", default=TIMEOUT_S,
            help=f"seconds for each lesson of each submission (default: {TIMEOUT_S:g})",
        )  # fmt: skip


def run_teach(arguments: argparse.Namespace, say: Say) -> int:
    from minidepth.learn.teach import grade, release, report  # here: the lessons' machinery is slow to import

    runs = {"release": release.release, "grade": grade.grade, "report": report.report}
    return runs[arguments.action](arguments, say)


COMMANDS = {"teach": run_teach}

"""The commands of the lessons: ``minidepth learn``, ``check``, ``hint``, ``solution``, ``mine``."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from minidepth.errors import InputError

AddCommand = Callable[[Any, str, str, str], argparse.ArgumentParser]
Say = Callable[[str], None]


def add_learn(commands: Any, add_command: AddCommand) -> None:
    """Add the learner's commands.

    Args:
        commands: subparsers. add_command: that of cli_parser.py, which lies above this file.
    """
    learn = add_command(commands, "learn", "list the lessons, or begin one", "minidepth learn 1")
    learn.usage = "minidepth learn [N] [--notebook]\n       minidepth learn build-site DIR [--figures DIR] [--jobs N]"
    learn.add_argument("lesson", metavar="N", nargs="?", help="write the file of this lesson (default: list all)")
    learn.add_argument("site", metavar="DIR", nargs="?", help="build-site: folder for a web page of each lesson")
    learn.add_argument("--notebook", action="store_true", help="as a Jupyter notebook")
    learn.add_argument("--figures", metavar="DIR", help="build-site: take the figures of an earlier run from here")
    learn.add_argument("--jobs", type=int, metavar="N", help="build-site: lessons to run at a time (default: 2)")

    check = add_command(commands, "check", "look at your work in a lesson, or in one exercise", "minidepth check 4.2")
    check.add_argument("exercise", metavar="N[.M]", help="lesson or exercise")
    check.add_argument("--file", metavar="FILE", help="your file (default: the one in work/)")
    check.add_argument("--watch", action="store_true", help="again whenever you save")
    check.add_argument("--json", action="store_true", help="print JSON instead of text")

    hint = add_command(commands, "hint", "open the next hint of an exercise", "minidepth hint 4.2")
    hint.add_argument("exercise", metavar="N.M")

    solution = add_command(commands, "solution", "show a solution, once yours has passed", "minidepth solution 4.2")
    solution.add_argument("exercise", metavar="N.M")
    solution.add_argument("--give-up", action="store_true", help="show it before")

    mine = add_command(
        commands, "mine", "run the U-Net on your own functions", "minidepth mine on 4.2 4.3 4.4 && minidepth mine train"
    )
    mine.add_argument("action", choices=("on", "off", "train"), help="give exercises to it, take them back, or train")
    mine.add_argument("exercises", metavar="N.M", nargs="*", help="those (off: default all)")
    mine.add_argument(
        "--steps", type=int, metavar="N", default=100, help="steps to train, at most a minute (default: 100)"
    )


def run_learn(arguments: argparse.Namespace, say: Say) -> int:
    if arguments.lesson == "build-site":
        return run_build_site(arguments, say)
    for name, value in (("DIR", arguments.site), ("--figures", arguments.figures), ("--jobs", arguments.jobs)):
        if value is not None:
            raise InputError(f"{name} {value}: only for minidepth learn build-site DIR")
    from minidepth.learn import commands  # here and below: the lessons' machinery is slow to import

    return commands.learn(arguments, say)


def run_build_site(arguments: argparse.Namespace, say: Say) -> int:
    if arguments.site is None or arguments.notebook:
        raise InputError("build-site takes a folder for the pages, and no notebooks: minidepth learn build-site DIR")
    if arguments.jobs is not None and arguments.jobs < 1:
        raise InputError(f"--jobs {arguments.jobs}: must be at least 1")
    from minidepth.learn.site.build import build_site

    figures = None if arguments.figures is None else Path(arguments.figures)
    pages = build_site(Path(arguments.site), figures, arguments.jobs or 2, say)
    say(f"{len(pages)} pages; open {pages[0]} in a browser")
    return 0


def run_check(arguments: argparse.Namespace, say: Say) -> int:
    from minidepth.learn import commands

    return commands.check(arguments, say)


def run_hint(arguments: argparse.Namespace, say: Say) -> int:
    from minidepth.learn import commands

    return commands.hint(arguments, say)


def run_solution(arguments: argparse.Namespace, say: Say) -> int:
    from minidepth.learn import commands

    return commands.solution(arguments, say)


def run_mine(arguments: argparse.Namespace, say: Say) -> int:
    from minidepth.learn import mine_commands

    return mine_commands.mine(arguments, say)


COMMANDS = {"learn": run_learn, "check": run_check, "hint": run_hint, "solution": run_solution, "mine": run_mine}

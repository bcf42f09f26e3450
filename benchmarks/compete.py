"""Competitors and their turns: who takes part, under which Python, and one process after the other."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
Rows = dict[str, list[dict]]
"""Competitor -> what each of its processes measured."""


@dataclass(frozen=True)
class Competitor:
    """A framework, and one way to use it."""

    title: str
    package: str
    install: str
    argument: str = ""
    """What its programs are told: PyTorch's memory format."""
    slow: bool = False
    """Takes fewer steps, and only every third turn."""


_OLD = "in an environment of its own: `pip install numpy==1.26.4"
OURS = Competitor("minidepth", "minidepth", "`pip install -e .`")
COMPETITORS = (
    OURS,
    Competitor("PyTorch", "torch", "`pip install torch`", "contiguous_format"),
    Competitor("PyTorch, channels last", "torch", "`pip install torch`", "channels_last"),
    Competitor("DeZero", "dezero", f"{_OLD} matplotlib pillow dezero==0.0.13`", slow=True),
    Competitor(
        "Chainer",
        "chainer",
        f"{_OLD} 'setuptools<60' wheel && pip install --no-build-isolation chainer==7.8.1`",
        slow=True,
    ),
)


@dataclass
class Entrants:
    """Who takes part, with which interpreter, and why the others do not."""

    python: dict[str, str] = field(default_factory=dict)
    """Package -> interpreter, for packages in an environment of their own."""
    present: list[Competitor] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    """Title -> how to add it, or how it failed."""

    def by_turns(self, command: Callable[[Competitor], list[str]], rounds: int, what: str) -> Rows:
        """Run ``python program arguments`` of each competitor once a round; each prints a line of JSON."""
        rows: Rows = {competitor.title: [] for competitor in self.present}
        for turn in range(rounds):
            for competitor in [c for c in self.present if turn % 3 == 0 or not c.slow]:
                python = self.python.get(competitor.package, sys.executable)
                program, *arguments = command(competitor)
                done = subprocess.run(
                    [python, "-W", "ignore", str(HERE / program), *arguments],
                    capture_output=True,
                    text=True,
                    check=False,
                )
                if done.returncode:
                    self.drop(competitor, what, done.stderr)
                    continue
                rows[competitor.title].append(json.loads(done.stdout.splitlines()[-1]))
                check_same_work(rows, what)
                print(f"{what}: round {turn + 1}, {competitor.title}: {done.stdout.strip()}", file=sys.stderr)
        return {title: measured for title, measured in rows.items() if measured}

    def drop(self, competitor: Competitor, what: str, error: str) -> None:
        """Without minidepth there is nothing to compare; any other competitor is left out, and the table says why."""
        if competitor is OURS:
            sys.exit(f"minidepth failed at {what}:\n{error}")
        self.absent[competitor.title] = f"failed at {what}: {(error.strip().splitlines() or ['killed'])[-1]}"
        self.present.remove(competitor)
        print(f"{competitor.title} {self.absent[competitor.title]}", file=sys.stderr)

    def note(self) -> str:
        """The absent ones, by name, and why."""
        reasons = sorted(set(self.absent.values()))
        titles = {reason: [title for title in self.absent if self.absent[title] == reason] for reason in reasons}
        return "".join(f"Absent: {' and '.join(titles[reason])}; {reason}.\n\n" for reason in reasons)


def arguments(description: str, rounds: int) -> argparse.ArgumentParser:
    """The options that all benchmarks share."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rounds", type=int, default=rounds, help=f"turns for each competitor (default {rounds})")
    parser.add_argument(
        "--quick", action="store_true", help="small cases, to see in a minute that everything runs; prints only"
    )
    parser.add_argument("--no-write", action="store_true", help="print only, leave RESULTS.md and the plot as they are")
    return parser


def add_python_for(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--python-for",
        action="append",
        default=[],
        metavar="NAME=PATH",
        help="interpreter of a competitor that lives in its own environment, such as chainer=/path/bin/python",
    )


def find_competitors(python_for: list[str], only_fast: bool = False) -> Entrants:
    """Who is installed where. An absent competitor is remembered with the way to install it."""
    wanted = [competitor for competitor in COMPETITORS if not (only_fast and competitor.slow)]
    known = sorted({competitor.package for competitor in wanted})
    entrants = Entrants()
    for text in python_for:
        name, _, path = text.partition("=")
        if name not in known or not Path(path).is_file():
            sys.exit(f"--python-for {text}: give NAME=PATH, NAME one of {', '.join(known)}, PATH its interpreter")
        entrants.python[name] = path
    for competitor in wanted:
        version = _version(entrants.python.get(competitor.package, sys.executable), competitor.package)
        if version:
            entrants.present.append(competitor)
            entrants.versions[competitor.package] = version
        else:
            entrants.absent[competitor.title] = f"to add it, {competitor.install}"
    return entrants


def _version(python: str, package: str) -> str:
    """'torch 2.13.0', with its NumPy where that is another one than ours; '' where it is not installed."""
    if package == "minidepth":
        return "minidepth"  # these very files, which need not be installed
    program = f"from importlib.metadata import version as v; print(v({package!r}), v('numpy'))"
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=False)
    if done.returncode:
        return ""
    version, numpy = done.stdout.split()
    other = "" if numpy == importlib.metadata.version("numpy") else f" with numpy {numpy}"
    return f"{package} {version}{other}"


def check_same_work(rows: Rows, what: str) -> None:
    """Every process tells a few numbers that come out alike only where the same work was done; end if they do not."""
    expected = rows[OURS.title][0]["proof"]
    for title, measured in rows.items():
        for row in measured:
            if any(abs(a - b) > 1e-3 * max(abs(a), abs(b), 1.0) for a, b in zip(row["proof"], expected)):
                sys.exit(f"{what}: {title} computes {row['proof']}, minidepth {expected}; that is not the same work")


@contextmanager
def on_cores(number: int | None) -> Iterator[None]:
    """Processes that begin inside may use `number` cores only, None for all that there are."""
    if number is None:
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[:number])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)

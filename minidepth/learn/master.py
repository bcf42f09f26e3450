"""A lesson as its author writes it, and what is made from that: the learner's file, the solution, the page.

``lessons/04_convolution/lesson.py`` is a percent script: plain Python, in which ``# %% [markdown]`` begins a cell of
prose (comment lines) and ``# %%`` a cell of code. It runs from top to bottom as it stands. Two marks are special:

* what lies between ``# BEGIN SOLUTION 4.2`` and ``# END SOLUTION`` is for the learner to write, and in its place the
  learner finds ``raise NotImplementedError("exercise 4.2")``;
* ``{{ratio:.0f}}`` in prose is a number that the lesson's own run has measured, see page.py. No author types it.

Constants may differ from term to term, see variant.py.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from minidepth.learn.errors import LessonError
from minidepth.learn.variant import constants_of, with_variant, without_choices

_BEGIN = re.compile(r"^(\s*)# BEGIN SOLUTION (\d+\.\d+)$")
_END = re.compile(r"^\s*# END SOLUTION$")
_CELL = re.compile(r"^# %%(?: \[(\w+)\])?\s*$")
_NUMBER = re.compile(r"\{\{(\w+)(:[^{}]*)?\}\}")
_FOLDER = re.compile(r"^(\d\d)_(\w+)$")


class Cell(NamedTuple):
    """A piece of a lesson: ``"markdown"``, without its comment signs, or ``"code"``."""

    kind: str
    text: str


class Lesson:
    """One folder of ``lessons/``.

    Args:
        folder: ``NN_name`` with a ``lesson.py`` in it. variant: of it, see variant.py; "" is as it was written.
    """

    def __init__(self, folder: Path, variant: str = "") -> None:
        match = _FOLDER.match(folder.name)
        if match is None:
            raise LessonError(f"{folder}: the folder of a lesson has a name such as 04_convolution")
        self.folder, self.number, self.name, self.variant = folder, int(match[1]), match[2], variant

    @property
    def slug(self) -> str:
        """``04_convolution``."""
        return self.folder.name

    @cached_property
    def text(self) -> str:
        """The master script."""
        return with_variant((self.folder / "lesson.py").read_text(encoding="utf-8"), self.variant)

    @cached_property
    def front(self) -> dict[str, str]:
        """What the script says about itself between its two ``# ---`` lines: minutes, seconds."""
        lines = self.text.splitlines()
        if not lines or lines[0] != "# ---" or "# ---" not in lines[1:]:
            raise LessonError(f"{self.slug}/lesson.py: begins with '# ---', lines such as '# minutes: 60', and '# ---'")
        inside = lines[1 : lines.index("# ---", 1)]
        return {key.strip(): value.strip() for key, _, value in (line[1:].partition(":") for line in inside)}

    @property
    def minutes(self) -> int:
        """How long a learner is thought to need."""
        return int(self.front["minutes"])

    @property
    def seconds(self) -> float:
        """How long the whole script computes, with solutions."""
        return float(self.front["seconds"])

    @cached_property
    def cells(self) -> list[Cell]:
        """The master's cells in order, numbers not filled in."""
        return cells_of(self.text)

    @cached_property
    def title(self) -> str:
        """The first heading, without its number."""
        heading = next(line for cell in self.cells for line in cell.text.splitlines() if line.startswith("# "))
        return heading[2:].partition(". ")[2]

    @cached_property
    def question(self) -> str:
        """The one question of the lesson: the first bold line."""
        lines = (line for cell in self.cells if cell.kind == "markdown" for line in cell.text.splitlines())
        return next((line.strip("* ") for line in lines if line.startswith("**") and line.endswith("**")), "")

    @cached_property
    def measured(self) -> dict[str, float]:
        """What the last run of the master has measured, see page.py."""
        path = self.folder / "measured.json"
        if not path.exists():
            return {}
        return {name: row["value"] for name, row in json.loads(path.read_text(encoding="utf-8")).items()}

    @cached_property
    def exercises(self) -> list[str]:
        """``["4.1", "4.2"]``: what the learner is to write, in order."""
        found = [match[2] for line in self.text.splitlines() if (match := _BEGIN.match(line))]
        return list(dict.fromkeys(found))

    def filled(self) -> list[Cell]:
        """The cells, with measured numbers in the prose."""
        return [cell if cell.kind == "code" else Cell(cell.kind, self._fill(cell.text)) for cell in self.cells]

    def stub(self) -> str:
        """The learner's file: the script without solutions, the prose with its numbers. It says which variant it is."""
        cells = self.filled()
        if self.variant:
            cells[0] = Cell(cells[0].kind, f"{cells[0].text}\n\nVariant: {self.variant}")
        return without_choices(without_solutions(script_of(cells)))

    def solution(self, exercise: str) -> str:
        """What the author has written for that exercise, with the line that opens the function around it."""
        lines, shown, inside = self.text.splitlines(), [], False
        for number, line in enumerate(lines):
            match = _BEGIN.match(line)
            if match:
                inside = match[2] == exercise
                if inside:
                    shown += _heading_of(lines, number, len(match[1]))
            elif _END.match(line):
                inside = False
            elif inside:
                shown.append(line)
        return "\n".join(shown) + "\n"

    def written(self, exercise: str) -> str:
        """What stands between the marks of that exercise, and nothing else."""
        shown, inside = [], False
        for line in self.text.splitlines():
            match = _BEGIN.match(line)
            if match or _END.match(line):
                inside = match is not None and match[2] == exercise
            elif inside:
                shown.append(line)
        return "\n".join(shown) + "\n"

    def needs(self, exercise: str) -> list[str]:
        """The other exercises whose functions the solution of this one calls."""
        names = {other: re.findall(r"(?:def|class) (\w+)", self.solution(other)) for other in self.exercises}
        body = self.solution(exercise)
        return [
            other
            for other, functions in names.items()
            if other != exercise and any(re.search(rf"\b{name}\(", body) for name in functions)
        ]

    def replaced(self, exercise: str, old: str, new: str) -> str:
        """The master with `old`, which the solution of that exercise has exactly once, turned into `new`."""
        parts, count, inside = [], 0, False
        for part in re.split(r"(^\s*# (?:BEGIN SOLUTION \d+\.\d+|END SOLUTION)$)", self.text, flags=re.MULTILINE):
            begin = _BEGIN.match(part.lstrip("\n"))
            if begin or _END.match(part.lstrip("\n")):
                inside = begin is not None and begin[2] == exercise
            elif inside:
                count += part.count(old)
                part = part.replace(old, new)
            parts.append(part)
        if count != 1:
            raise LessonError(f"{self.slug}: solution {exercise} has {old!r} {count} times; a mutant changes one place")
        return "".join(parts)

    def _fill(self, text: str) -> str:
        def number(match: re.Match[str]) -> str:
            known = {**self.measured, **constants_of(self.text)}
            if match[1] not in known:
                raise LessonError(f"{self.slug}: the prose asks for {match[1]!r}, which the lesson has not measured")
            return format(known[match[1]], (match[2] or ":")[1:])

        return _NUMBER.sub(number, text)


def cells_of(script: str) -> list[Cell]:
    """A percent script as cells; what stands before the first mark is the front matter and left out."""
    cells: list[tuple[str, list[str]]] = []
    for line in script.splitlines():
        match = _CELL.match(line)
        if match:
            cells.append((match[1] or "code", []))
        elif cells:
            cells[-1][1].append(line)
    return [
        Cell(kind, _uncommented(lines) if kind == "markdown" else "\n".join(lines).strip("\n")) for kind, lines in cells
    ]


def script_of(cells: list[Cell]) -> str:
    """Cells as a percent script."""
    parts = []
    for cell in cells:
        if cell.kind == "markdown":
            parts.append("# %% [markdown]\n" + "\n".join(f"# {line}".rstrip() for line in cell.text.splitlines()))
        else:
            parts.append("# %%\n" + cell.text)
    return "\n\n".join(parts) + "\n"


def without_solutions(script: str) -> str:
    """The script with each solution turned into a line that says that it is not written yet."""
    kept, inside = [], False
    for line in script.splitlines():
        match = _BEGIN.match(line)
        if match:
            kept.append(f'{match[1]}raise NotImplementedError("exercise {match[2]}")')
            inside = True
        elif _END.match(line):
            inside = False
        elif not inside:
            kept.append(line)
    return "\n".join(kept) + "\n"


def _uncommented(lines: list[str]) -> str:
    return "\n".join(line[2:] if line.startswith("# ") else line.lstrip("#") for line in lines).strip("\n")


def _heading_of(lines: list[str], number: int, indent: int) -> list[str]:
    """The ``def`` line, or lines, of the function that line `number`, indented by `indent`, is in."""
    first = number
    while first > 0 and not re.match(r"\s*(def|class) ", lines[first]):
        first -= 1
    last = first
    while last < number and not lines[last].rstrip().endswith(":"):
        last += 1
    return lines[first : last + 1] if len(lines[first]) - len(lines[first].lstrip()) < indent else []

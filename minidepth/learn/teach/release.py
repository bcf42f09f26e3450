"""``minidepth teach release``: a zip file for students, with nothing in it that they should write themselves.

It is built from a list of what belongs in it, not by leaving out what does not. Then every text in it is searched, as
if somebody else had made it, for lines of solutions, for the mistakes that checks recognise, for hints, and for paths
of the machine that it was made on; if one is found, nothing is written.

The lessons are published with their solutions, so this keeps honest people honest: whoever looks for them will find
them. What a variant changes, and what it cannot, is in learn/variant.py.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import minidepth
from minidepth.learn.check import checks_of, mutants_of, run_check
from minidepth.learn.definitions import Definitions
from minidepth.learn.errors import LearnerError, LessonError
from minidepth.learn.library import in_variant, lessons, load_checks
from minidepth.learn.master import Lesson, cells_of, without_solutions
from minidepth.learn.notebook import notebook_of
from minidepth.learn.sandbox import Direct
from minidepth.learn.teach.grade import fault_of
from minidepth.learn.teach.numbers import numbers_in
from minidepth.learn.variant import constants_of, seed_of, variant_word

SHORT, LONG = 12, 25
"""A line of up to `SHORT` characters gives nothing away. A longer one must not stand in a file as a line, and one of
more than `LONG` not even inside of one."""

README = """{name}: {titles}

Once:             pip install minidepth
Look at it:       minidepth check {first} --file {file}.py
When stuck:       minidepth hint {first}.1

Each lesson is there twice, as a Python script and as a Jupyter notebook with the same cells: take the one you like,
and hand in that one. Write what is missing where it says NotImplementedError, and leave the functions' names and
arguments as they are. Run a script with: python {file}.py
Checks look at functions, classes and constants only, so you may try out what you like beside them.
"""


def release(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Write the zip file, which must not be there yet."""
    name = arguments.name
    if not re.fullmatch(r"[\w.-]{1,60}", name) or name.startswith("."):
        raise LearnerError(f"{name!r}: the name of a release is one word of letters, digits, ., - and _, such as hw2")
    known = lessons()
    variant = variant_word(arguments.variant) if arguments.variant else ""
    chosen = [in_variant(known[number], variant) for number in numbers_in(arguments.lessons, known)]
    for lesson in chosen:
        prove(lesson)
    whole = zip_of(contents(name, chosen))
    found = leaks(whole, expected_names(name, chosen), list(known.values()) + chosen)
    if found:
        raise LessonError(f"nothing was written: {found[0]}" + (f" (and {len(found) - 1} more)" if found[1:] else ""))
    out = Path(arguments.out or f"{name}.zip")
    try:
        with out.open("xb") as file:
            file.write(whole)
    except FileExistsError:
        raise LearnerError(f"{out} is there already; remove it, or name another file with -o") from None
    except OSError as error:
        raise LearnerError(f"{out}: cannot be written ({error.strerror})") from None
    exercises = sum(len(lesson.exercises) for lesson in chosen)
    say(f"{out}: {len(chosen)} lessons, {exercises} exercises" + (f", variant {variant}" if variant else ""))
    if variant and not any(constants_of(lesson.text) for lesson in chosen):
        say(
            "No statement differs between variants here: checks draw other numbers, so answers that were written down "
            "fail, but last year's right functions are right."
        )
    return 0


def prove(lesson: Lesson) -> None:
    """See that what is handed out can be done: the solution passes in this variant, the stub is not written yet.

    Raises:
        LessonError: it cannot.
    """
    fault = fault_of(lesson)
    if fault:
        raise LessonError(f"lesson {lesson.number}: {fault}")
    stub = Direct(Definitions(lesson.stub(), lesson.folder / "stub.py"), load_checks(lesson))
    for one in checks_of(lesson):
        if run_check(lesson, one, stub, seed_of(lesson.variant), diagnose=False).status != "unwritten":
            raise LessonError(f"lesson {lesson.number}: {one.exercise} is not left to be written")


def expected_names(name: str, chosen: list[Lesson]) -> list[str]:
    """The allow-list."""
    return [
        f"{name}/README.txt",
        *(f"{name}/{lesson.slug}{suffix}" for lesson in chosen for suffix in (".py", ".ipynb")),
    ]


def contents(name: str, chosen: list[Lesson]) -> dict[str, str]:
    """The files of a release, by their names."""
    titles = ", ".join(f"lesson {lesson.number} ({lesson.title})" for lesson in chosen)
    first = chosen[0]
    readme = README.format(name=name, titles=titles, first=first.number, file=first.slug)
    stubs = {lesson.slug: lesson.stub() for lesson in chosen}
    files = {f"{name}/README.txt": readme}
    for slug, stub in stubs.items():
        files[f"{name}/{slug}.py"] = stub
        files[f"{name}/{slug}.ipynb"] = notebook_of(cells_of(stub))
    return files


def zip_of(files: dict[str, str]) -> bytes:
    """A zip file; the same files give the same bytes, on every machine and day."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(info, text.encode())
    return whole.getvalue()


def leaks(whole: bytes, expected: list[str], all_lessons: list[Lesson]) -> list[str]:
    """What should not be in a zip file for students, a sentence each."""
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    found = [f"{name} does not belong in it" for name in files if name not in expected]
    secrets = {line: what for lesson in all_lessons for line, what in secrets_of(lesson).items()}
    given = {line for lesson in all_lessons for line in given_lines(lesson)}
    for name, raw in files.items():
        text = raw.decode(errors="replace")
        if name.endswith(".ipynb"):
            text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
        lines = {line.strip() for line in text.splitlines()}
        for secret, what in secrets.items():
            if secret not in given and (secret in lines or len(secret) > LONG and secret in text):
                found.append(f"{name} holds {what}: {secret}")
        for place in {str(Path.home()), str(Path(minidepth.__file__).resolve().parents[1])} - {"/"}:
            if place in text:
                found.append(f"{name} holds a path of this machine: {place}")
    return found


def secrets_of(lesson: Lesson) -> dict[str, str]:
    """Lines that students should not be given, and what they are."""
    texts = [(hint, f"a hint for {one.exercise}") for one in checks_of(lesson) for hint in one.hints]
    for mutant in mutants_of(lesson):
        texts += [(text, f"a mistake of {mutant.exercise}") for text in (mutant.says, mutant.new)]
    texts += [(lesson.written(exercise), f"a line of solution {exercise}") for exercise in lesson.exercises]
    lines = ((line.strip(), what) for text, what in texts for line in text.splitlines())
    return {line: what for line, what in lines if len(line) > SHORT}


def given_lines(lesson: Lesson) -> set[str]:
    """What the author shows outside of solutions: a line that stands there, too, is no secret."""
    return {line.strip() for line in without_solutions(lesson.text).splitlines()}

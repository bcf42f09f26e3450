"""Where the lessons are, and how their checks and mutants are loaded."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from types import ModuleType

import minidepth
from minidepth.learn.errors import LessonError
from minidepth.learn.master import Lesson


def folder() -> Path:
    """The folder of lessons: beside the package in a clone, inside it where it was installed from a wheel."""
    package = Path(minidepth.__file__).resolve().parent
    for place in (package.parent / "lessons", package / "lessons"):
        if any(place.glob("[0-9][0-9]_*/lesson.py")):
            return place
    raise LessonError("the lessons are not installed; install minidepth again, or work in a clone of its repository")


@functools.cache
def lessons() -> dict[int, Lesson]:
    """All lessons by their numbers; one without mutants is not finished."""
    found = [Lesson(path.parent) for path in sorted(folder().glob("[0-9][0-9]_*/mutants.py"))]
    return {lesson.number: lesson for lesson in found}


def lesson_of(word: str) -> Lesson:
    """The lesson of ``"4"`` or ``"4.2"``.

    Raises:
        LessonError: there is none.
    """
    number = word.partition(".")[0]
    known = lessons()
    if not number.isdecimal() or int(number) not in known:
        raise LessonError(f"there is no lesson {word!r}; there are {min(known)} to {max(known)}: minidepth learn")
    lesson = known[int(number)]
    if "." in word and word not in lesson.exercises:
        raise LessonError(f"there is no exercise {word}; lesson {number} has {', '.join(lesson.exercises)}")
    return lesson


@functools.cache
def in_variant(lesson: Lesson, variant: str) -> Lesson:
    """The lesson as that variant has it."""
    return lesson if lesson.variant == variant else Lesson(lesson.folder, variant)


def load_checks(lesson: Lesson) -> ModuleType:
    """The lesson's ``checks.py`` as a module."""
    return _load(str(lesson.folder), "checks")


def load_mutants(lesson: Lesson) -> ModuleType:
    """The lesson's ``mutants.py`` as a module."""
    return _load(str(lesson.folder), "mutants")


@functools.cache
def _load(place: str, name: str) -> ModuleType:
    path = Path(place) / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"minidepth_{path.parent.name}_{name}", path)
    if spec is None or spec.loader is None or not path.exists():
        raise LessonError(f"{path}: there is no such file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

"""What was handed in: files, folders and zip files in one folder, sorted by student and lesson.

Nothing of it is believed. Links are not followed, names in a zip file are not used as paths, sizes are counted while
they are read, and whatever is left out is said in a note.
"""

from __future__ import annotations

import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from minidepth.learn.codec import clean
from minidepth.learn.errors import LearnerError
from minidepth.learn.master import Lesson

MOST_BYTES = 20 << 20
"""Of one file. A notebook with all its figures has a few."""

BEGINNING_BYTES = 1 << 16

MOST_FILES = 200
"""Of one student."""

SUFFIXES = (".py", ".ipynb")


@dataclass
class Submission:
    """What one student has handed in."""

    student: str
    files: dict[int, Path] = field(default_factory=dict)
    """By the number of the lesson."""
    notes: list[str] = field(default_factory=list)


def collect(folder: Path, lessons: dict[int, Lesson], scratch: Path) -> list[Submission]:
    """Everything in a folder, where each file, folder or zip file is a student's.

    Files that lie in it side by side belong to one student where only the lesson differs in their names.

    Args:
        folder: of submissions. lessons: by number. scratch: where zip files are unpacked.
    """
    students: dict[str, tuple[list[Path], list[str]]] = {}
    for number, entry in enumerate(_entries(folder)):
        files: list[Path] = []
        notes: list[str] = []
        name = clean(entry.name)
        if entry.suffix in (*SUFFIXES, ".zip"):
            name = _without_lesson(clean(entry.stem), lessons)
        if entry.is_symlink():
            notes.append(f"{clean(entry.name)} is a link, and links are not followed")
        elif entry.is_dir():
            files, notes = gather(entry, scratch / str(number))
        elif entry.suffix == ".zip":
            files, notes = unpack(entry, scratch / str(number))
        elif entry.suffix in SUFFIXES and entry.is_file():
            files = [entry]
        else:
            continue
        had = students.setdefault(name, ([], []))
        had[0].extend(files)
        had[1].extend(notes)
    if not students:
        raise LearnerError(f"{folder}: holds no .py or .ipynb file, no folder of them and no zip file")
    return [sorted_out(name, files, notes, lessons) for name, (files, notes) in students.items()]


def gather(folder: Path, scratch: Path) -> tuple[list[Path], list[str]]:
    """The files in a folder and below it, zip files unpacked, and notes."""
    files: list[Path] = []
    notes: list[str] = []
    for place, inner, names in os.walk(folder):
        inner[:] = sorted(name for name in inner if not _ignored(name))
        for name in sorted(names):
            path = Path(place) / name
            if _ignored(name) or path.suffix not in (*SUFFIXES, ".zip"):
                continue
            if not stat.S_ISREG(path.lstat().st_mode):
                notes.append(f"{clean(name)} is a link or something else that is no file, and was left out")
            elif path.suffix == ".zip":
                more, words = unpack(path, scratch / str(len(files)))
                files, notes = files + more, notes + words
            else:
                files.append(path)
            if len(files) > MOST_FILES:
                return files[:MOST_FILES], [*notes, f"more than {MOST_FILES} files; the rest was left out"]
    return files, notes


def unpack(path: Path, scratch: Path) -> tuple[list[Path], list[str]]:
    """The .py and .ipynb files in a zip file, written to `scratch` under numbers, and notes."""
    files: list[Path] = []
    notes: list[str] = []
    left = 2 * MOST_BYTES
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                inside = PurePosixPath(info.filename.replace("\\", "/"))
                name = clean(inside.name)
                if info.is_dir() or inside.suffix not in SUFFIXES or any(map(_ignored, inside.parts)):
                    continue
                if stat.S_ISLNK(info.external_attr >> 16):
                    notes.append(f"{name} in {clean(path.name)} is a link, and links are not followed")
                    continue
                with archive.open(info) as file:
                    text = file.read(min(MOST_BYTES, left) + 1)
                left -= len(text)
                if len(text) > MOST_BYTES or left < 0 or len(files) == MOST_FILES:
                    notes.append(f"{clean(path.name)} holds more than is looked at; {name} and the rest was left out")
                    break
                target = scratch / str(len(files)) / re.sub(r"[^\w.-]", "_", name)[-80:]
                target.parent.mkdir(parents=True)
                target.write_bytes(text)
                files.append(target)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, OSError, EOFError, ValueError) as error:
        notes.append(f"{clean(path.name)} cannot be unpacked ({clean(str(error))})")
    return files, notes


def sorted_out(student: str, files: list[Path], notes: list[str], lessons: dict[int, Lesson]) -> Submission:
    """The files by lesson; of two for one lesson the one that was changed last, in a zip file the last."""
    submission = Submission(student or "(no name)", notes=list(notes))
    for path in sorted(files, key=lambda path: path.stat().st_mtime):
        number = lesson_in(path, lessons)
        if number is None:
            submission.notes.append(
                f"{clean(path.name)} belongs to no lesson: neither its name nor its heading says so"
            )
            continue
        if number in submission.files:
            submission.notes.append(f"two files for lesson {number}; {clean(path.name)} is graded")
        submission.files[number] = path
    return submission


def lesson_in(path: Path, lessons: dict[int, Lesson]) -> int | None:
    """The lesson that a file belongs to: by its name, such as ``ann_04_convolution.py``, or by the lesson's heading."""
    for number, lesson in lessons.items():
        if lesson.slug in path.name:
            return number
    text = beginning_of(path)
    return next((number for number, lesson in lessons.items() if f"# {number}. {lesson.title}" in text), None)


def beginning_of(path: Path) -> str:
    """The first lines of a file, where its heading and its variant are; what is no text becomes question marks."""
    try:
        with path.open("rb") as file:
            return file.read(BEGINNING_BYTES).decode(errors="replace")
    except OSError:
        return ""


def _entries(folder: Path) -> Iterator[Path]:
    try:
        yield from (entry for entry in sorted(folder.iterdir()) if not _ignored(entry.name))
    except OSError as error:
        raise LearnerError(f"{folder}: cannot be read ({error.strerror})") from None


def _ignored(name: str) -> bool:
    return name.startswith(".") and name not in (".", "..") or name in ("__MACOSX", "__pycache__")


def _without_lesson(name: str, lessons: dict[int, Lesson]) -> str:
    for lesson in lessons.values():
        name = name.replace(lesson.slug, "")
    return name.strip("_-. ")

"""``minidepth learn build-site DIR``: an index, a page for each lesson, its figures, one style sheet and one script."""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from minidepth.errors import InputError
from minidepth.learn.errors import LessonError
from minidepth.learn.library import lessons
from minidepth.learn.master import Lesson
from minidepth.learn.site.runs import run_lessons

MARK = "minidepth learn build-site"
"""What the pages name as their generator; a folder whose index does not is somebody else's, and left alone."""

LIBRARIES = {"markdown_it": "markdown-it-py", "pygments": "Pygments"}


def build_site(
    folder: Path,
    figures: Path | None = None,
    jobs: int = 2,
    say: Callable[[str], None] = print,
    chosen: Sequence[Lesson] | None = None,
) -> list[Path]:
    """Write the pages.

    Args:
        folder: new, empty, or with pages of an earlier call, which are written anew. figures: those of an earlier run,
            such as ``work/figures``; None runs every lesson. jobs: lessons to run at a time. say: told how it goes.
        chosen: lessons (default: all).

    Returns:
        The pages, the index first.

    Raises:
        InputError: a library is missing, or the folder has other files. LessonError: a lesson fails, or has no figures.
    """
    check_libraries()
    check_folder(folder)
    known = list(lessons().values()) if chosen is None else list(chosen)
    if figures is not None:
        return _write(folder, known, figures)
    with tempfile.TemporaryDirectory() as place:
        return _write(folder, known, run_lessons(known, Path(place), jobs, say))


def check_libraries() -> None:
    """Raises InputError with the line that installs what is missing."""
    missing = [name for module, name in LIBRARIES.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise InputError(f"build-site needs {' and '.join(missing)}: pip install 'minidepth[site]'")


def check_folder(folder: Path) -> None:
    """Raises InputError where `folder` has files that are no pages of ours."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; name a folder for the pages")
    index = folder / "index.html"
    ours = index.is_file() and MARK in index.read_text(encoding="utf-8", errors="replace")
    if folder.exists() and list(folder.iterdir()) and not ours:
        raise InputError(f"{folder}: has other files in it; name a new folder for the pages")


def _write(folder: Path, known: list[Lesson], figures: Path) -> list[Path]:
    from minidepth.learn.site.colors import style_sheet
    from minidepth.learn.site.page import asset, index_page, lesson_page

    missing = [lesson.slug for lesson in known if not (figures / lesson.slug / "figures.json").is_file()]
    if missing:
        raise LessonError(f"{figures}: has no figures of {', '.join(missing)}; run these first, or leave --figures out")
    folder.mkdir(parents=True, exist_ok=True)
    pages = {"index.html": index_page(known, MARK)}
    for lesson in known:
        pages[f"{lesson.slug}.html"] = lesson_page(lesson, known, figures / lesson.slug, folder, MARK)
    for name, text in {**pages, "site.css": style_sheet() + asset("site.css"), "site.js": asset("site.js")}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in pages]

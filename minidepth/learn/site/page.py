"""One lesson as a page, and the index: what the learner is handed, with figures, hints and the way to the next one."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path
from string import Template

from minidepth.learn.check import checks_of
from minidepth.learn.master import Lesson, cells_of
from minidepth.learn.site.figures import figure_html, figures_by_cell
from minidepth.learn.site.prose import Heading, Prose, code_html, line_html
from minidepth.learn.site.runs import PRINTED

SITE = "minidepth lessons"
_UNWRITTEN = re.compile(r'raise NotImplementedError\("exercise (\d+\.\d+)"\)')

_BEGIN = """
<h1>From one number that remembers to a U-Net that sees depth</h1>
<p>Each lesson asks one question and leaves something out for you to write. A check says whether it is right, and where
it is not, often which mistake it is. These pages are for reading; you work in files of your own:</p>
<pre class="formula"><code>minidepth learn 1   # writes your file of lesson 1
minidepth check 1   # says what is right, and what is not yet
minidepth hint 1.1  # where you are stuck
</code></pre>
"""


def lesson_page(lesson: Lesson, known: Sequence[Lesson], run: Path, site: Path, generator: str) -> str:
    """The page of a lesson, without solutions.

    Args:
        lesson: to show. known: all that have pages. run: folder of its figures, which are copied below `site`.
        generator: what the page says that it was made by.
    """
    prose = Prose({one.number: page_name(one) for one in known if one.number != lesson.number})
    cells = cells_of(lesson.stub())
    figures = figures_by_cell([cell.text if cell.kind == "code" else "" for cell in cells], run)
    printed = json.loads((run / PRINTED).read_text(encoding="utf-8")) if (run / PRINTED).is_file() else {}
    last = {exercise: number for number, cell in enumerate(cells) for exercise in _UNWRITTEN.findall(cell.text)}
    parts = [f'<p class="facts">{facts(lesson)}</p>\n']
    for number, cell in enumerate(cells):
        parts.append(prose.html(cell.text) if cell.kind == "markdown" else code_html(cell.text))
        parts += [hints_html(lesson, exercise) for exercise in last if last[exercise] == number]
        if str(number) in printed:
            parts.append(printed_html(printed[str(number)]))
        parts += [figure_html(name, run, site) for name in figures.get(number, [])]
    return page(
        generator,
        title=f"{lesson.number}. {lesson.title} - {SITE}",
        description=f"{lesson.question} Lesson {lesson.number}, {lesson.minutes} minutes, plain NumPy.",
        main="".join(parts),
        turn=turn_html(lesson, known, "Lessons"),
        turn_below=turn_html(lesson, known, "Lessons, once more"),
        contents=contents_html(prose.headings),
    )


def index_page(known: Sequence[Lesson], generator: str) -> str:
    """Titles, questions and minutes of all lessons."""
    rows = "\n".join(
        f'<li><h2><a href="{page_name(lesson)}">{lesson.number}. {line_html(lesson.title)}</a></h2>\n'
        f'<p>{line_html(lesson.question)}</p>\n<p class="facts">{facts(lesson)}</p></li>'
        for lesson in known
    )
    hours = max(1, round(sum(lesson.minutes for lesson in known) / 60))
    return page(
        generator,
        title=f"All lessons - {SITE}",
        description="From one number that remembers to a U-Net that sees depth: lessons in plain NumPy, with checks "
        "that recognise mistakes.",
        main=f'{_BEGIN}<p>{len(known)} lessons, about {hours} hours in all.</p>\n<ol class="lessons">\n{rows}\n</ol>\n',
    )


def page(
    generator: str, title: str, description: str, main: str, turn: str = "", turn_below: str = "", contents: str = ""
) -> str:
    """A whole page; `turn` leads to its neighbours, `contents` to its parts."""
    return Template(asset("page.html")).substitute(
        generator=generator, site=SITE, title=escape(title.replace("`", "")), main=main, turn=turn,
        turn_below=turn_below, contents=contents, description=escape(description.replace("`", "")),
    )  # fmt: skip


def asset(name: str) -> str:
    """The text of a file that lies beside this one."""
    return (resources.files("minidepth.learn.site") / name).read_text(encoding="utf-8")


def page_name(lesson: Lesson) -> str:
    """``04_convolution.html``."""
    return f"{lesson.slug}.html"


def facts(lesson: Lesson) -> str:
    """How long the lesson takes, and how many exercises it has."""
    return f"{lesson.minutes} minutes, {len(lesson.exercises)} exercises"


def turn_html(lesson: Lesson, known: Sequence[Lesson], label: str) -> str:
    """The way to the lesson before, to the index, and to the next one."""
    place = [one.number for one in known].index(lesson.number)
    links = ['<a href="index.html">All lessons</a>']
    if place > 0:
        links.insert(0, _link("prev", known[place - 1]))
    if place + 1 < len(known):
        links.append(_link("next", known[place + 1]))
    rows = "".join(f"<li>{link}</li>" for link in links)
    return f'<nav class="turn" aria-label="{label}"><ul>{rows}</ul></nav>'


def _link(rel: str, lesson: Lesson) -> str:
    word = "Before" if rel == "prev" else "Next"
    return f'<a rel="{rel}" href="{page_name(lesson)}">{word}: {lesson.number}. {line_html(lesson.title)}</a>'


def contents_html(headings: Sequence[Heading]) -> str:
    """Links to the parts of a page."""
    rows = "".join(f'<li><a href="#{one.anchor}">{one.html}</a></li>' for one in headings if one.level == 2)
    return f'<nav class="contents" aria-label="On this page"><ul>{rows}</ul></nav>'


def hints_html(lesson: Lesson, exercise: str) -> str:
    """The hints of an exercise, each behind a line of its own, and how to look at one's work."""
    hints = [hint for one in checks_of(lesson) if one.exercise == exercise for hint in one.hints]
    rows = "".join(
        f"<details><summary>Hint {number} of {len(hints)} for {exercise}</summary><p>{line_html(hint)}</p></details>\n"
        for number, hint in enumerate(hints, 1)
    )
    return (
        f'<div class="hints" role="group" aria-label="Hints for exercise {exercise}">\n{rows}'
        f"<p>Look at your work: <code>minidepth check {exercise}</code></p>\n</div>\n"
    )


def printed_html(text: str) -> str:
    """What a cell printed when the page was made; collapsed, so that nobody reads it before predicting it."""
    words = escape(text, quote=False)
    return f"<details><summary>What this prints</summary>\n<pre><code>{words}</code></pre></details>\n"

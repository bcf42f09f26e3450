"""Figures of a lesson's run on its page: the picture, the words for those who do not see it, and its numbers."""

from __future__ import annotations

import csv
import json
import re
import shutil
import zlib
from collections.abc import Sequence
from html import escape
from pathlib import Path

from minidepth.learn.errors import LessonError

MOST_ROWS = 60
"""Of a table; the rest is in its CSV file, to which the page links."""

_MADE = re.compile(r'page\.figure\(\s*\w+,\s*"(\w+)"')


def figures_by_cell(cells: Sequence[str], run: Path) -> dict[int, list[str]]:
    """Names of the run's figures by the cell that makes them; a name that is computed counts for the last such cell."""
    makers = [number for number, code in enumerate(cells) if "page.figure(" in code]
    found: dict[int, list[str]] = {}
    for name in json.loads((run / "figures.json").read_text(encoding="utf-8")):
        there = [number for number in makers if name in _MADE.findall(cells[number])] or makers
        if not there:
            raise LessonError(f"{run}: there is a figure {name}, but the lesson draws none")
        found.setdefault(there[-1], []).append(name)
    return found


def figure_html(name: str, run: Path, site: Path) -> str:
    """A figure, whose files are copied to ``figures/<lesson>/`` below `site`."""
    from PIL import Image

    alt = json.loads((run / "figures.json").read_text(encoding="utf-8"))[name]["alt"]
    picture, to = lighter(run / f"{name}.svg", run / f"{name}.png"), site / "figures" / run.name
    to.mkdir(parents=True, exist_ok=True)
    for path in (picture, run / f"{name}.csv"):
        shutil.copyfile(path, to / path.name)
    with Image.open(run / f"{name}.png") as opened:
        width, height = opened.size
    source = f"figures/{run.name}/{picture.name}"
    return (
        f'<figure>\n<div class="paper"><img src="{source}" width="{width}" height="{height}" alt="{escape(alt)}">'
        f"</div>\n<figcaption>{table_html(name, run)}</figcaption>\n</figure>\n"
    )


def lighter(svg: Path, png: Path) -> Path:
    """The SVG, which is sharp at every size, but where it takes more bytes on its way than the PNG does."""
    return svg if len(zlib.compress(svg.read_bytes())) <= png.stat().st_size else png


def table_html(name: str, run: Path) -> str:
    """The numbers of a figure, collapsed, with a link to the file that has all of them in full."""
    with (run / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        headings, *rows = csv.reader(file)
    title = escape(name.replace("_", " "))
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    body = "\n".join(
        f'<tr><th scope="row">{short(row[0])}</th>' + "".join(f"<td>{short(value)}</td>" for value in row[1:]) + "</tr>"
        for row in rows[:MOST_ROWS]
    )
    left = f"The first {MOST_ROWS} of {len(rows)} rows. " if len(rows) > MOST_ROWS else ""
    return (
        f"<details><summary>The numbers of this figure</summary>\n"
        f'<p>{left}<a href="figures/{run.name}/{name}.csv" download>All numbers of {title} as a CSV file</a></p>\n'
        f'<div class="scroll"><table>\n<caption>{title}</caption>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table></div></details>"
    )


def short(value: str) -> str:
    """A value of a table; a number with many digits is rounded to four."""
    try:
        number = float(value)
    except ValueError:
        return escape(value)
    return value if len(value) <= 6 or value.isdecimal() else f"{number:.4g}"

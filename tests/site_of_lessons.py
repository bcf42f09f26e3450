"""Sites for tests: of the real lessons, with empty figures in place of their own, and of a small lesson."""

from __future__ import annotations

import json
import re
import textwrap
from pathlib import Path

from PIL import Image

from minidepth.learn.library import lessons
from minidepth.learn.master import Lesson
from minidepth.learn.site.build import build_site

ALT = 'A line that rises from 0 to 4, then "falls" <to> 1: long enough to say what there is to see.'


def fake_run(folder: Path, slug: str, names: list[str], rows: int = 3) -> Path:
    """What page.py would leave for these figures."""
    run = folder / slug
    run.mkdir(parents=True)
    for name in names:
        Image.new("RGB", (70, 40), "white").save(run / f"{name}.png")
        (run / f"{name}.svg").write_text('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 7 4"/>')
        lines = ["step,size <m>", *(f"{row},{row / 3}" for row in range(rows))]
        (run / f"{name}.csv").write_text("\n".join(lines) + "\n")
    (run / "figures.json").write_text(json.dumps({name: {"alt": ALT} for name in names}))
    return run


def site_of_all(folder: Path) -> Path:
    """The pages of all lessons, with figures of their names in which there is nothing to see."""
    for lesson in lessons().values():
        names = re.findall(r'page\.figure\(\s*\w+,\s*"(\w+)"', lesson.text)
        assert names, f"{lesson.slug}: no figure with a name that stands there"
        fake_run(folder / "runs", lesson.slug, names)
        printed = {"2": "a line that is printed " * 20} if lesson.number == 1 else {}
        (folder / "runs" / lesson.slug / "printed.json").write_text(json.dumps(printed))
    build_site(folder / "site", folder / "runs")
    return folder / "site"


def small_lesson(folder: Path, number: int = 1, code: str = 'print("hello")') -> Lesson:
    """A lesson with one exercise and, if `code` draws it, a figure."""
    place = folder / f"{number:02}_small"
    place.mkdir(parents=True)
    script = f"""
    # ---
    # minutes: 90
    # seconds: 1
    # ---

    # %% [markdown]
    # # {number}. A <small> lesson on `x_y`
    #
    # **Is 2*3*4 "large"?**
    #
    # Lesson 2 and *lesson 7* say w*x*y, and `lesson 2` says <b>b*c*d</b>; ask [here](https://example.org/lesson 2).
    # Measured: {{{{half:.2f}}}}
    #
    # ## What is asked
    #
    #     y = a*b*c < 3
    #
    # ## What is asked
    #
    # | a | b |
    # |---|---|
    # | 1 | 2 |

    # %%
    def twice(x):
        # BEGIN SOLUTION {number}.1
        return x + x + 0 * len("the solution")
        # END SOLUTION


    # %% [markdown]
    # ## After

    # %%
    """
    text = textwrap.dedent(script).lstrip() + code + "\n"
    (place / "lesson.py").write_text(text)
    (place / "measured.json").write_text('{"half": {"value": 0.5, "within": 0.1}}')
    (place / "checks.py").write_text(
        textwrap.dedent(f"""
        from minidepth.learn import check

        @check("{number}.1", title="twice", hints=["Is a*b*c < 3?", "Write `x + x`, or 2*x*1."])
        def twice(t):
            t.call("twice", 2.0).close(4.0)
        """)
    )
    return Lesson(place)

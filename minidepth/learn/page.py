"""What a lesson's script calls while it runs: guesses, measured numbers, figures. Nothing waits for a window.

    page = open_page("04_convolution")
    page.guess("ratio", None, "How many times as fast is the matrix product?")    # a number in place of None
    page.measured(ratio=slow_s / fast_s, within=0.5)
    fig, ax = page.subplots()
    page.figure(fig, "overlap", alt="...", table={"row": rows, "count": counts})

Figures go to ``work/figures/04_convolution/`` as PNG and SVG, with their numbers as CSV; the environment variable
MINIDEPTH_WORK names another folder than ``work``.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from minidepth.learn.errors import LearnerError, LessonError

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000")
"""Told apart by people who do not see all colours; at least 3 to 1 against white, but for the fifth and the sixth,
which are for areas. Source: Okabe and Ito, https://jfly.uni-koeln.de/color/."""

SHORTEST_ALT = 40
"""Characters of a text for people who do not see the figure; a shorter one says nothing."""

STYLE: Any = {
    "figure.figsize": (7, 4),
    "figure.dpi": 110,
    "figure.constrained_layout.use": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 10,
    "svg.fonttype": "none",
    "svg.hashsalt": "minidepth",
}


def work_folder() -> Path:
    """The folder of the learner's files."""
    return Path(os.environ.get("MINIDEPTH_WORK", "work"))


class Page:
    """One run of a lesson's script; made by `open_page`."""

    def __init__(self, slug: str) -> None:
        self.slug, self.folder = slug, work_folder() / "figures" / slug
        self._guesses: dict[str, float | None] = {}
        self._measured: dict[str, dict[str, float]] = {}
        self._figures: dict[str, dict[str, str]] = {}

    def guess(self, name: str, value: float | None, question: str = "") -> None:
        """What the learner expects to be measured under that name, written down before it is."""
        self._guesses[name] = value
        if value is None:
            print(f"guess {name}: none yet. {question} Put your number in place of None, then run again.")

    def measured(self, within: float = 1e-6, **numbers: float) -> None:
        """Numbers that the prose quotes.

        `within`: how far another run may be off before it is news. 0.1 is 10 %; a ratio of two times needs 4 or more,
        from a fifth to five times as much.
        """
        for name, number in numbers.items():
            if not np.isfinite(number):
                raise LessonError(f"{self.slug}: measured {name} is {number}")
            self._measured[name] = {"value": float(number), "within": within}
            guess = self._guesses.get(name)
            print(f"measured {name}: {number:.4g}" + ("" if guess is None else f" (your guess: {guess:g})"))
        self._write("measured.json", self._measured)

    @property
    def second_run(self) -> bool:
        """Whether to learn from NYU Depth V2 this time: MINIDEPTH_SECOND_RUN is set. The prose quotes the first run."""
        return bool(os.environ.get("MINIDEPTH_SECOND_RUN"))

    def nyu_frames(self, count: int, split: str = "test") -> list[Any]:
        """Frames of NYU Depth V2, evenly spread, as `data.Sample`; none where MINIDEPTH_DATA names no such folder.

        It is the folder that holds ``nyu_csv``, in the CSV layout. What is measured on them is printed and not quoted.
        """
        folder = Path(os.environ.get("MINIDEPTH_DATA", "")) / "nyu_csv"
        if "MINIDEPTH_DATA" not in os.environ or not folder.is_dir():
            print("(no NYU Depth V2 here: set MINIDEPTH_DATA to the folder that holds nyu_csv to see real rooms, too)")
            return []
        from minidepth.data import open_dataset

        frames = open_dataset(str(folder), split=split)
        return [frames[int(i)] for i in np.linspace(0, len(frames) - 1, min(count, len(frames)))]

    def nyu_batch(self, count: int, split: str, size: tuple[int, int]) -> tuple[Any, list[np.ndarray]]:
        """`nyu_frames` at that size as one `data.Batch`, and their pictures.

        Raises:
            LearnerError: there are none.
        """
        from minidepth.data import resize_sample
        from minidepth.data.loader import stack

        frames = [resize_sample(frame, size) for frame in self.nyu_frames(count, split)]
        if not frames:
            raise LearnerError("MINIDEPTH_SECOND_RUN: there is no NYU Depth V2; set MINIDEPTH_DATA, or unset both")
        return stack(frames), [frame.image for frame in frames]

    def subplots(self, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Any, Any]:
        """Matplotlib's, in the style of the lessons."""
        import matplotlib

        if "ipykernel" not in sys.modules:
            matplotlib.use("Agg")
        from matplotlib import pyplot, rcsetup

        matplotlib.rcParams.update({**STYLE, "axes.prop_cycle": rcsetup.cycler(color=COLORS)})
        return pyplot.subplots(rows, columns, **options)

    def figure(self, fig: Any, name: str, alt: str, table: Mapping[str, Sequence[Any]]) -> None:
        """Save a figure as PNG and SVG, and its numbers as CSV.

        Args:
            fig: from `subplots`. name: of the files. alt: what it shows, for people who do not see it, in a sentence
                or two. table: columns by their headings.
        """
        if len(alt) < SHORTEST_ALT:
            raise LessonError(f"{self.slug}: figure {name}: an alt text of {len(alt)} characters says nothing")
        columns = {heading: list(values) for heading, values in table.items()}
        if len({len(values) for values in columns.values()}) != 1:
            raise LessonError(f"{self.slug}: figure {name}: the columns of its table are not equally long")
        self.folder.mkdir(parents=True, exist_ok=True)
        fig.savefig(self.folder / f"{name}.png", metadata={"Description": alt, "Software": None})
        fig.savefig(self.folder / f"{name}.svg", metadata={"Description": alt, "Date": None})
        with (self.folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            writer.writerows(zip(*columns.values()))
        self._figures[name] = {"alt": alt}
        self._write("figures.json", self._figures)
        print(f"figure {self.folder / name}.png")
        if "ipykernel" not in sys.modules:
            from matplotlib import pyplot

            pyplot.close(fig)

    def _write(self, name: str, value: Any) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def open_page(slug: str) -> Page:
    """The page of the lesson whose script is running. An exercise that is not written yet ends it with one line."""
    sys.excepthook = _say_what_is_missing
    return Page(slug)


def _say_what_is_missing(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    exercise = str(error).removeprefix("exercise ")
    if kind is NotImplementedError and exercise != str(error):
        print(
            f"The rest needs exercise {exercise}, which is not written yet: write it, try minidepth check {exercise}, "
            "and run this file again.",
            file=sys.stderr,
        )
    else:
        sys.__excepthook__(kind, error, trace)

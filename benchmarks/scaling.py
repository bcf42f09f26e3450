"""Time of a training step against batch, width, picture size and cores: minidepth, and PyTorch where it is installed.

    python benchmarks/scaling.py    # about 10 minutes on 2 cores

One quantity is varied at a time. A process may use only as many cores as the table says (`os.sched_setaffinity`, on
Linux), and each framework by itself then takes as many threads. Competitors take turns, as in benchmarks/step.py.
Written to RESULTS.md, with the plot scaling.png: the median over the rounds with the range, and the ratio to the better
of PyTorch's two memory formats.
"""

from __future__ import annotations

import dataclasses
import os
import statistics
from pathlib import Path
from typing import NamedTuple

from compete import OURS, Rows, add_python_for, arguments, find_competitors, on_cores
from measure import Case
from results import COLORS, machine, median_and_range, numbers_on_log_axis, table, write_between_markers
from step import command, ratios

CENTRE = Case(base=16, norm=True, batch=4, height=240, width=320, steps=2)
BATCHES, BASES, PICTURES = (1, 2, 4, 8), (8, 16, 32, 64), ((128, 160), (240, 320), (336, 448), (480, 640))
QUICK = Case(base=4, norm=True, batch=2, height=48, width=64, steps=1)
ALL_CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


class Point(NamedTuple):
    """One place on an axis: what it is called, how far along it lies, and what to measure there."""

    label: str
    size: int
    case: Case
    cores: int | None


def main() -> None:
    parser = arguments("Time a training step against batch, width, picture size and cores.", rounds=3)
    add_python_for(parser)
    options = parser.parse_args()
    entrants = find_competitors(options.python_for, only_fast=True)
    rounds = 1 if options.quick else options.rounds
    axes = quick_axes() if options.quick else all_axes()
    measured: dict[tuple[Case, int | None], Rows] = {}
    for point in (point for points in axes.values() for point in points):
        if (point.case, point.cores) not in measured:
            what = f"{point.case.title()}, {point.cores} cores"
            with on_cores(point.cores):
                rows = entrants.by_turns(lambda competitor, case=point.case: command(competitor, case), rounds, what)
            measured[point.case, point.cores] = rows
    curves = {axis: [(point, measured[point.case, point.cores]) for point in points] for axis, points in axes.items()}
    centre = QUICK if options.quick else CENTRE
    text = machine("numpy", others=entrants.versions.values())
    text += f"Training step in ms, {rounds} round{'s' * (rounds > 1)}. What is not varied: {centre.title()}.\n\n"
    text += "".join(axis_table(axis, curve) for axis, curve in curves.items()) + entrants.note()
    print(text)
    if not (options.no_write or options.quick):
        plot(curves, Path(__file__).parent / "scaling.png")
        write_between_markers("scaling", text + "![The same as curves](scaling.png)\n")


def all_axes() -> dict[str, list[Point]]:
    return {
        "batch": [Point(str(n), n, dataclasses.replace(CENTRE, batch=n), ALL_CORES) for n in BATCHES],
        "base channels": [Point(str(n), n, dataclasses.replace(CENTRE, base=n), ALL_CORES) for n in BASES],
        "picture": [
            Point(f"{h}x{w}", h * w, dataclasses.replace(CENTRE, height=h, width=w), ALL_CORES) for h, w in PICTURES
        ],
        "cores": [Point(str(n), n, CENTRE, n) for n in core_numbers()],
    }


def quick_axes() -> dict[str, list[Point]]:
    return {
        "batch": [Point(str(n), n, dataclasses.replace(QUICK, batch=n), ALL_CORES) for n in (1, 2)],
        "cores": [Point(str(n), n, QUICK, n) for n in core_numbers()],
    }


def core_numbers() -> list[int]:
    """1, 2, 4 ... and all; empty where a process cannot be held to fewer cores."""
    return [] if ALL_CORES is None else sorted({*(2**k for k in range(ALL_CORES.bit_length())), ALL_CORES})


def axis_table(axis: str, curve: list[tuple[Point, Rows]]) -> str:
    titles = list(dict.fromkeys(title for _, rows in curve for title in rows))
    lines = []
    for point, rows in curve:
        times = [median_and_range([row["step_ms"] for row in rows[title]]) if title in rows else "" for title in titles]
        ratio = ratios(rows, "step_ms").get(OURS.title)
        lines.append([point.label, *times, "" if ratio is None else f"{ratio:.2f}"])
    return table([axis, *titles, "ratio"], lines)


def plot(curves: dict[str, list[tuple[Point, Rows]]], path: Path) -> None:
    """A panel for each axis, both scales logarithmic: a straight line of slope 1 is proportional."""
    from matplotlib import pyplot as plt
    from matplotlib.ticker import NullLocator

    figure, panels = plt.subplots(1, len(curves), figsize=(3 * len(curves), 3.2), layout="constrained", squeeze=False)
    for panel, (axis, curve) in zip(panels[0], curves.items()):
        for title in dict.fromkeys(title for _, rows in curve for title in rows):
            there = [(point.size, rows[title]) for point, rows in curve if title in rows]
            medians = [statistics.median(row["step_ms"] for row in measured) for _, measured in there]
            panel.plot([size for size, _ in there], medians, "o-", color=COLORS[title], label=title, markersize=4)
        panel.set(xscale="log", yscale="log", xlabel=axis)
        panel.set_xticks([point.size for point, _ in curve], [point.label for point, _ in curve])
        panel.xaxis.set_minor_locator(NullLocator())
        numbers_on_log_axis(panel.yaxis)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0][0].set_ylabel("training step, ms")
    panels[0][0].legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()

"""A training step and an inference of the U-Net: minidepth, PyTorch, DeZero and Chainer by turns, a process for each.

    pip install torch            # the CPU build
    python benchmarks/step.py    # 5 minutes on 2 cores, 20 with DeZero and Chainer; --quick shows in one that it runs

DeZero and Chainer need an old NumPy; where they are missing the table says how to install them. Name their interpreter:

    python benchmarks/step.py --python-for chainer=/path/to/bin/python --python-for dezero=/path/to/bin/python

One round starts each competitor once (the slow two in every third round); a process warms up, times a few steps and
gives their median. Rounds follow each other, so that a machine that slows down for a while slows everyone down. All
begin with the same weights and pictures, and the run ends with an error if their losses differ before or after the
first step. Printed and written to RESULTS.md, with the plot step.png: the median over the rounds with the range, the
ratio to the better of PyTorch's two memory formats, and the peak resident memory of the whole process.
"""

from __future__ import annotations

import dataclasses
import statistics
from pathlib import Path

from compete import COMPETITORS, Competitor, Rows, add_python_for, arguments, find_competitors
from measure import Case
from results import COLORS, machine, median_and_range, numbers_on_log_axis, table, write_between_markers

CASES = (
    Case(base=16, norm=True, batch=4, height=240, width=320, steps=5),
    Case(base=64, norm=False, batch=2, height=240, width=320, steps=2),
)
QUICK = (
    Case(base=4, norm=True, batch=2, height=48, width=64, steps=3),
    Case(base=8, norm=False, batch=1, height=48, width=64, steps=2),
)
QUANTITIES = {"step_ms": "training step, ms", "inference_ms": "inference, ms", "peak_mib": "peak memory of a step, MiB"}


def main() -> None:
    parser = arguments("Time minidepth against PyTorch, DeZero and Chainer on the U-Net.", rounds=5)
    add_python_for(parser)
    options = parser.parse_args()
    entrants = find_competitors(options.python_for)
    rounds = 1 if options.quick else options.rounds
    results = {}
    for case in QUICK if options.quick else CASES:
        results[case] = entrants.by_turns(lambda competitor, case=case: command(competitor, case), rounds, case.title())
    text = machine("numpy", others=entrants.versions.values())
    text += '"Ratio" is to the better of PyTorch\'s two memory formats; in brackets the range over the rounds.\n\n'
    text += "".join(case_table(case, rows, rounds) for case, rows in results.items()) + entrants.note()
    print(text)
    if options.no_write or options.quick:
        return
    if all(ratios(rows, "step_ms") for rows in results.values()):  # else there is no PyTorch to compare with
        plot(results, Path(__file__).parent / "step.png")
        text += "![The ratios as bars](step.png)\n"
    write_between_markers("step", text)


def command(competitor: Competitor, case: Case) -> list[str]:
    case = dataclasses.replace(case, steps=1) if competitor.slow else case
    return [f"unet_{competitor.package}.py", case.to_json(), competitor.argument]


def ratios(rows: Rows, key: str) -> dict[str, float]:
    """Competitor -> its median over that of the better of PyTorch's two formats; empty without PyTorch."""
    medians = {title: statistics.median(row[key] for row in measured) for title, measured in rows.items()}
    torch = [medians[c.title] for c in COMPETITORS if c.package == "torch" and c.title in medians]
    return {title: median / min(torch) for title, median in medians.items()} if torch else {}


def case_table(case: Case, rows: Rows, rounds: int) -> str:
    header = [""]
    for title in QUANTITIES.values():
        header += [title, "ratio"]
    lines = []
    for competitor in COMPETITORS:
        cells = [competitor.title]
        for key in QUANTITIES:
            values = [row[key] for row in rows.get(competitor.title, [])]
            ratio = ratios(rows, key).get(competitor.title)
            cells += [median_and_range(values) if values else "absent", "" if ratio is None else f"{ratio:.2f}"]
        lines.append(cells)
    return f"### {case.title()}, {rounds} round{'s' * (rounds > 1)}\n\n" + table(header, lines)


def plot(results: dict[Case, Rows], path: Path) -> None:
    """Bars of the ratios, a panel for each case. They begin at 1, which is PyTorch at its better; down is faster."""
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, len(results), figsize=(11, 3.6), sharey=True, layout="constrained")
    for panel, (case, rows) in zip(panels, results.items()):
        for place, title in enumerate(rows):
            offsets = [group + 0.16 * (place - (len(rows) - 1) / 2) for group in range(len(QUANTITIES))]
            values = [ratios(rows, key)[title] for key in QUANTITIES]
            heights = [value - 1 for value in values]
            bars = panel.bar(offsets, heights, bottom=1, width=0.15, color=COLORS[title], label=title)
            panel.bar_label(bars, [f"{value:.2g}" for value in values], fontsize=7, padding=1)
        panel.axhline(1, color="black", linewidth=0.8)
        panel.set(
            yscale="log", xticks=range(len(QUANTITIES)), xticklabels=["training step", "inference", "peak memory"]
        )
        panel.set_title(case.title(), fontsize=9)
        panel.margins(y=0.15)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right", "bottom"]].set_visible(False)
    numbers_on_log_axis(panels[0].yaxis)
    panels[0].set_ylabel("ratio to the better of\nPyTorch's two formats")
    panels[-1].legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=100)


if __name__ == "__main__":
    main()

"""The plots of gpu.py."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

from gpu_card import figure
from gpu_job import PRECISIONS
from gpu_kernels import TARGET, TYPES, Row
from gpu_steps import COMPETITORS, Measured
from results import COLORS, numbers_on_log_axis


def plot_kernels(rows: list[Row], path: Path, title: str) -> None:
    """A point for each kernel: the share of its ceiling, large layers and small ones on one line."""
    from matplotlib import pyplot as plt

    shown = [(f"{row.name}, {row.column}", row) for row in rows if not row.name.startswith(("conv,", "product"))]
    names = list(dict.fromkeys(name for name, _ in shown))
    figure_, axis = plt.subplots(figsize=(8, 1 + 0.22 * len(names)), layout="constrained")
    for precision, color in zip(TYPES, ("#2c3e50", "#d9a441", "#c0392b")):
        some = [(100 * row.share, names.index(name)) for name, row in shown if row.precision == precision]
        axis.plot(*zip(*some), "o", color=color, label=precision)
    axis.axvline(100 * TARGET, color="black", linewidth=0.8, linestyle=":")
    axis.set(xlabel="% of a copy, or of cuBLAS's product in that type", xlim=(0, None))
    axis.set_yticks(range(len(names)), names, fontsize=8)
    axis.invert_yaxis()
    axis.set_title(title, fontsize=9)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(fontsize=8, frameon=False)
    figure_.savefig(path, dpi=100)
    plt.close(figure_)


def drawn(value: float) -> float:
    """A rehearsal draws 1 for what it has not measured, in a picture that is thrown away."""
    return 1.0 if math.isnan(value) else value


def plot_steps(results: list[Measured], path: Path, title: str) -> None:
    """Bars of the training step, a panel for each case: how long it takes in each precision."""
    from matplotlib import pyplot as plt

    size = 5 * len(results), 3.4
    figure_, panels = plt.subplots(1, len(results), figsize=size, layout="constrained", squeeze=False)
    for panel, measured in zip(panels[0], results):
        for place, competitor in enumerate(COMPETITORS):
            bars = [
                (group + 0.26 * (place - 1), drawn(statistics.median(row["step_ms"] for row in rows)))
                for group, precision in enumerate(PRECISIONS)
                if (rows := measured.rows.get((competitor, precision)))
            ]
            if bars:
                drawn_bars = panel.bar(*zip(*bars), width=0.25, color=COLORS[competitor], label=competitor)
                panel.bar_label(drawn_bars, [figure(height) for _, height in bars], fontsize=7, padding=1)
        panel.set(yscale="log", xticks=range(len(PRECISIONS)), xticklabels=PRECISIONS)
        numbers_on_log_axis(panel.yaxis)
        panel.set_title(measured.case.title(), fontsize=9)
        panel.tick_params(labelsize=8)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0][0].set_ylabel("training step, ms")
    panels[0][-1].legend(fontsize=8, frameon=False)
    figure_.suptitle(title, fontsize=8)
    figure_.savefig(path, dpi=100)
    plt.close(figure_)

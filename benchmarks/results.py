"""RESULTS.md: what was measured on, how a table is written, and where a program's text and plot go."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "RESULTS.md"
COLORS = {
    "minidepth": "#c0392b",
    "PyTorch": "#2c3e50",
    "PyTorch, channels last": "#7f9bb3",
    "DeZero": "#d9a441",
    "Chainer": "#7a9e5b",
}


def machine(*packages: str, others: Iterable[str] = ()) -> str:
    """Date, processor, cores and versions, and whatever the environment tells OpenBLAS."""
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = [f"{name} {importlib.metadata.version(name)}" for name in packages]
    versions += [version for version in others if version not in versions]
    hints = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("OPENBLAS_")]
    facts = [datetime.date.today().isoformat(), f"{cores} cores of {cpu}", f"Python {platform.python_version()}"]
    return ", ".join([*facts, *versions, *hints, "float32"]) + ".\n\n"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown, and an empty line."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines) + "\n"


def number(value: float) -> str:
    """Three digits, or all that stand before the point: 5.43, 54.3, 5,430."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def median_and_range(values: Sequence[float]) -> str:
    """ "529 (507 to 533)"."""
    spread = f" ({number(min(values))} to {number(max(values))})" if len(values) > 1 else ""
    return number(statistics.median(values)) + spread


def numbers_on_log_axis(axis: Any) -> None:
    """Ticks at 1, 2, 5, 10, 20 ... written as such on a logarithmic axis of matplotlib."""
    from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(StrMethodFormatter("{x:,g}"))


def write_between_markers(name: str, text: str) -> None:
    """Replace what stands between ``<!-- name -->`` and ``<!-- /name -->`` in RESULTS.md."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, _, rest = RESULTS.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    RESULTS.write_text(before + begin + text.rstrip() + "\n" + end + after, encoding="utf-8")

"""RESULTS.md: what was measured on, and where a program's text goes."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

RESULTS = Path(__file__).parent / "RESULTS.md"


def machine(*packages: str) -> str:
    """Date, processor, cores and versions, and whatever the environment tells OpenBLAS."""
    cpu = platform.processor()
    if Path("/proc/cpuinfo").exists():
        names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].partition(":")[2].strip() if names else cpu
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = [f"{name} {importlib.metadata.version(name)}" for name in packages]
    hints = [f"{name}={value}" for name, value in sorted(os.environ.items()) if name.startswith("OPENBLAS_")]
    facts = [datetime.date.today().isoformat(), f"{cores} cores of {cpu}", f"Python {platform.python_version()}"]
    return ", ".join([*facts, *versions, *hints, "float32"]) + ".\n\n"


def write_between_markers(name: str, text: str) -> None:
    """Replace what stands between ``<!-- name -->`` and ``<!-- /name -->`` in RESULTS.md."""
    begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
    before, _, rest = RESULTS.read_text(encoding="utf-8").partition(begin)
    _, _, after = rest.partition(end)
    RESULTS.write_text(before + begin + text.rstrip() + "\n" + end + after, encoding="utf-8")

"""Training steps and inference on a card by turns against PyTorch eager, and the largest batch that fits.

Every measurement is a process of its own, which does all precisions one after the other. Rounds follow each other as
long as there is time; a process that takes longer than what is left is ended, and what it has printed counts.
"""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

from gpu_card import figure
from gpu_job import PRECISIONS, Job
from measure import Case
from results import median_and_range, table

HERE = Path(__file__).parent
OURS, LAST = "minidepth", "PyTorch, channels last"
COMPETITORS = {
    OURS: ["gpu_step_minidepth.py"],
    "PyTorch": ["gpu_step_torch.py", "contiguous_format"],
    LAST: ["gpu_step_torch.py", "channels_last"],
}
LARGE = Case(base=64, norm=False, batch=8, height=480, width=640, steps=0)
SMALL = Case(base=16, norm=True, batch=8, height=240, width=320, steps=0)
TINY = Case(base=1, norm=True, batch=2, height=16, width=16, steps=0)
TARGETS = {LARGE: 2.0, SMALL: 1.0, TINY: math.nan}
"""The most that a training step may take of PyTorch's time."""
LIMIT_GIB, BATCH_TARGET = 16.0, 8
QUANTITIES = {
    "step_ms": "training step, ms",
    "host_ms": "Python's part, ms",
    "inference_ms": "inference, ms",
    "used_mib": "memory used, MiB",
    "held_mib": "held, MiB",
}
TOLERANCES = {"float32": 1e-3, "TF32": 1e-2, "half": 2e-2}
"""By how much the first two losses may differ from minidepth's, relatively."""

Rows = dict[tuple[str, str], list[dict[str, Any]]]
"""(competitor, precision) -> what each of its processes measured."""


class Measured(NamedTuple):
    """A case, and what was found; `remarks` says who is missing and why."""

    case: Case
    rows: Rows
    remarks: list[str]


def by_turns(case: Case, task: str, titles: list[str], rounds: int, seconds: float, rehearsal: bool) -> Measured:
    """Run the processes of `titles` one after the other, `rounds` times or until the time is over."""
    measured = Measured(case, {}, [])
    until_s = time.perf_counter() + seconds
    fit = task == "fit"
    job = Job(case, task, limit_gib=LIMIT_GIB if fit else 0.0, rehearsal=rehearsal)
    if fit and rehearsal:
        job = dataclasses.replace(job, precisions=("half",))
    for turn in range(rounds):
        for title in titles:
            left_s = until_s - time.perf_counter()
            if left_s < (20 if turn else 5) and not rehearsal:
                measured.remarks.append(f"no time for {title} in round {turn + 1}")
                continue
            result, remark = process(title, job, left_s if not rehearsal else 300)
            if remark:
                measured.remarks.append(remark)
            for precision, row in result.items():
                measured.rows.setdefault((title, precision), []).append(row)
            print(f"{case.title()}: round {turn + 1}, {title}: {json.dumps(result)}", file=sys.stderr)
    check_same_work(measured)
    return measured


def process(title: str, job: Job, seconds: float) -> tuple[dict[str, Any], str]:
    """What one process measured, and what went wrong, if anything."""
    program, *arguments = COMPETITORS[title]
    command = [sys.executable, "-W", "ignore", str(HERE / program), job.to_json(), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=max(1.0, seconds))
        printed, reason = done.stdout, (done.stderr.strip().splitlines() or ["killed"])[-1] if done.returncode else ""
    except subprocess.TimeoutExpired as error:
        text = error.stdout or b""
        printed, reason = text.decode() if isinstance(text, bytes) else text, "its time was over"
    lines = [line for line in printed.splitlines() if line.startswith("{") and line.endswith("}")]
    return json.loads(lines[-1]) if lines else {}, f"{title}: {reason}" if reason else ""


def check_same_work(measured: Measured) -> None:
    """End where a competitor has other losses than minidepth: then it is not the same work."""
    for (title, precision), rows in measured.rows.items():
        ours = measured.rows.get((OURS, precision))
        for row in rows if ours else []:
            expected, tolerance = ours[0].get("proof", []), TOLERANCES[precision]
            pairs = list(zip(row.get("proof", []), expected))
            if any(not abs(a - b) <= tolerance * max(abs(a), abs(b)) for a, b in pairs):
                sys.exit(
                    f"{measured.case.title()}, {precision}: {title} has the losses {row['proof']}, minidepth "
                    f"{expected}; that is not the same work"
                )


def ratio(measured: Measured, precision: str, key: str) -> float:
    """minidepth's median over that of the better of PyTorch's two formats; NaN where one is missing."""
    medians = {
        title: statistics.median(row[key] for row in rows)
        for (title, known), rows in measured.rows.items()
        if known == precision
    }
    others = [value for title, value in medians.items() if title != OURS]
    return medians[OURS] / min(others) if OURS in medians and others else math.nan


def text_of(measured: Measured) -> str:
    """A table of the case, and whether the target is met."""
    lines = []
    for precision in PRECISIONS:
        for title in COMPETITORS:
            rows = measured.rows.get((title, precision))
            cells = [cell([row[key] for row in rows]) if rows else "absent" for key in QUANTITIES]
            share = ratio(measured, precision, "step_ms") if title == OURS else math.nan
            lines.append([precision, title, cells[0], "" if math.isnan(share) else f"{share:.2f}", *cells[1:]])
    first, *others = QUANTITIES.values()
    text = f"### {measured.case.title()}\n\n" + table(["type", "", first, "ratio", *others], lines)
    target = TARGETS[measured.case]
    ratios = {precision: ratio(measured, precision, "step_ms") for precision in PRECISIONS}
    known = {precision: share for precision, share in ratios.items() if not math.isnan(share)}
    if known and not math.isnan(target):
        verdicts = [f"{name} {share:.2f}{'' if share <= target else ', not met'}" for name, share in known.items()]
        text += f"Target, a training step at most {target:.1f} of PyTorch's: {'; '.join(verdicts)}.\n\n"
    return text + remarks_text(measured)


def batches_text(measured: Measured) -> str:
    """The largest batches that fit."""
    lines, ours = [], []
    for precision in PRECISIONS:
        cells = [precision]
        for title in COMPETITORS:
            rows = measured.rows.get((title, precision), [])
            values = [row["batch"] for row in rows]
            cells.append("absent" if not values else str(max(values)) if measured.case is not TINY else "–")
            ours += values if title == OURS else []
        lines.append(cells)
    text = table([f"largest batch in {LIMIT_GIB:.0f} GiB", *COMPETITORS], lines)
    if ours and measured.case is not TINY:
        verdict = "met" if max(ours) >= BATCH_TARGET else "not met"
        text += f"Target, batch {BATCH_TARGET} or more in {LIMIT_GIB:.0f} GiB: {verdict}.\n\n"
    return text + remarks_text(measured)


def remarks_text(measured: Measured) -> str:
    return "".join(f"- {remark}\n" for remark in dict.fromkeys(measured.remarks)) + "\n" * bool(measured.remarks)


def cell(values: list[float]) -> str:
    return figure(math.nan) if any(math.isnan(value) for value in values) else median_and_range(values)

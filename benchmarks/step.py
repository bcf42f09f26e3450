"""A training step and an inference of the U-Net: minidepth against PyTorch, by turns, each in a process of its own.

    pip install torch            # the CPU build
    python benchmarks/step.py    # about 4 minutes on 2 cores; --rounds 1 for a quick look

One round starts each competitor once; a process warms up, times a few steps and gives their median. Rounds follow each
other, so that a machine that slows down for a while slows everyone down. Printed and written to RESULTS.md: the median
over the rounds with the range, the ratio to PyTorch's default memory format and to the better of its two, and the peak
resident memory of the whole process.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

from measure import Case
from results import machine, write_between_markers

HERE = Path(__file__).parent
CASES = (
    Case(base=16, norm=True, batch=4, height=240, width=320, steps=5),
    Case(base=64, norm=False, batch=2, height=240, width=320, steps=2),
)
COMPETITORS = {
    "minidepth": ("unet_minidepth.py",),
    "PyTorch": ("unet_torch.py", "contiguous_format"),
    "PyTorch, channels last": ("unet_torch.py", "channels_last"),
}
QUANTITIES = {"step_ms": "training step, ms", "inference_ms": "inference, ms", "peak_mib": "peak memory of a step, MiB"}


def main() -> None:
    parser = argparse.ArgumentParser(description="Time minidepth against PyTorch on the U-Net.")
    parser.add_argument("--rounds", type=int, default=5, help="how often each competitor gets its turn (default 5)")
    parser.add_argument("--no-write", action="store_true", help="print only, leave RESULTS.md as it is")
    options = parser.parse_args()
    text = machine("numpy", "torch") + "".join(
        table(case, compete(case, options.rounds), options.rounds) for case in CASES
    )
    print(text)
    if not options.no_write:
        write_between_markers("step", text)


def compete(case: Case, rounds: int) -> dict[str, list[dict[str, float]]]:
    """competitor -> one measurement per round."""
    results: dict[str, list[dict[str, float]]] = {name: [] for name in COMPETITORS}
    for turn in range(rounds):
        for name, (program, *arguments) in COMPETITORS.items():
            command = [sys.executable, str(HERE / program), case.to_json(), *arguments]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                sys.exit(f"{name} failed:\n{done.stderr}")
            results[name].append(json.loads(done.stdout))
            print(f"{case.title()}: round {turn + 1}, {name}: {done.stdout.strip()}", file=sys.stderr)
    return results


def table(case: Case, results: dict[str, list[dict[str, float]]], rounds: int) -> str:
    lines = [f"### {case.title()}, {rounds} rounds", "", "| | " + " | ".join(results) + " | ratio | to the better |"]
    lines.append("|---" * (len(results) + 3) + "|")
    for key, title in QUANTITIES.items():
        medians, cells = {}, []
        for name, rows in results.items():
            values = [row[key] for row in rows]
            medians[name] = statistics.median(values)
            cells.append(f"{medians[name]:,.0f} ({min(values):,.0f} to {max(values):,.0f})")
        ours, *theirs = medians.values()
        lines.append(f"| {title} | {' | '.join(cells)} | {ours / theirs[0]:.2f} | {ours / min(theirs):.2f} |")
    return "\n".join(lines) + "\n\n"


if __name__ == "__main__":
    main()

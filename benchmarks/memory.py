"""What `--recompute` saves and costs: time and peak memory of a training step, with it and without, by turns.

    python benchmarks/memory.py    # about 3 minutes on 2 cores; --quick shows in seconds that everything runs

Every measurement is a process of its own: it warms up, times a few steps, and gives their median and the most memory
that it has had resident. The run ends with an error if the losses differ in any bit, before or after the first step.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

from compete import arguments
from measure import Case, median_ms, peak_mib
from results import machine, median_and_range, table, write_between_markers
from unet_minidepth import training

CASES = (
    Case(base=16, norm=True, batch=4, height=240, width=320, steps=5),
    Case(base=64, norm=False, batch=2, height=240, width=320, steps=2),
)
QUICK = (Case(base=4, norm=True, batch=2, height=48, width=64, steps=3),)
WAYS = {"every value kept": False, "with --recompute": True}
QUANTITIES = {"step_ms": "training step, ms", "peak_mib": "peak memory, MiB"}


def main() -> None:
    options = arguments("Time and memory of a training step of the U-Net, with and without --recompute.", rounds=5)
    chosen = options.parse_args()
    rounds = 1 if chosen.quick else chosen.rounds
    text = machine("numpy")
    for case in QUICK if chosen.quick else CASES:
        text += f"### {case.title()}, {rounds} round{'s' * (rounds > 1)}\n\n" + case_table(by_turns(case, rounds))
    print(text)
    if not (chosen.no_write or chosen.quick):
        write_between_markers("memory", text)


def by_turns(case: Case, rounds: int) -> dict[str, list[dict]]:
    """Way -> what each of its processes measured."""
    rows: dict[str, list[dict]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            done = subprocess.run([sys.executable, __file__, case.to_json(), way], capture_output=True, text=True)
            if done.returncode:
                sys.exit(f"{case.title()}, {way}: failed\n{done.stderr}")
            rows[way].append(json.loads(done.stdout))
            print(f"{case.title()}, {way}: {done.stdout.strip()}", file=sys.stderr)
    losses = {tuple(row["losses"]) for measured in rows.values() for row in measured}
    if len(losses) > 1:
        sys.exit(f"{case.title()}: the losses differ, so not the same was computed: {losses}")
    return rows


def case_table(rows: dict[str, list[dict]]) -> str:
    lines = []
    for key, title in QUANTITIES.items():
        columns = [[row[key] for row in measured] for measured in rows.values()]
        kept, recomputed = (statistics.median(values) for values in columns)
        lines.append([title, *map(median_and_range, columns), f"{recomputed / kept:.2f}"])
    return table(["", *rows, "ratio"], lines)


def measure(case: Case, recompute: bool) -> None:
    """One process: print a line of JSON."""
    model, train_step = training(case)
    model.recompute = recompute
    losses: list[float] = []
    step_ms = median_ms(lambda: losses.append(train_step()), case.steps)
    print(json.dumps({"step_ms": step_ms, "peak_mib": peak_mib(), "losses": losses[:2]}))


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[2] in WAYS:
        measure(Case.from_json(sys.argv[1]), WAYS[sys.argv[2]])
    else:
        main()

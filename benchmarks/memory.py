"""What `--recompute` saves and costs: time and peak memory of a training step, with it and without, by turns. And the
peak memory that `minidepth summary --memory` predicts, beside what is measured.

    python benchmarks/memory.py    # about 4 minutes on 2 cores; --quick shows in seconds that everything runs

Every measurement is a process of its own: it warms up, times a few steps, and gives their median and the most memory
that it has had resident. The run ends with an error if the losses differ in any bit, before or after the first step,
or if a prediction is wrong by more than a tenth.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from functools import partial

import numpy as np
from compete import arguments
from measure import Case, median_ms, peak_mib
from results import machine, median_and_range, table, write_between_markers
from unet_minidepth import training

from minidepth.config import size_text
from minidepth.dry_run import Step, largest_batch, on_cpu, on_gpu, take_steps
from minidepth.listing import named
from minidepth.nn import Module

CASES = (
    Case(base=16, norm=True, batch=4, height=240, width=320, steps=5),
    Case(base=64, norm=False, batch=2, height=240, width=320, steps=2),
)
QUICK = (Case(base=4, norm=True, batch=2, height=48, width=64, steps=3),)
WAYS = {"every value kept": False, "with --recompute": True}
STEPS = (  # network, size, batch, loss, batches that make a step
    ("unet:base_channels=8,norm=batch,up=bilinear", (64, 80), 8, "mse+gradient", 1),
    ("unet:base_channels=16,norm=batch", (240, 320), 4, "mse", 1),
    ("unet:base_channels=16,norm=batch,recompute", (240, 320), 4, "mse", 1),
    ("unet:base_channels=16,norm=batch", (240, 320), 2, "ssim:densedepth+edges+0.1*l1", 2),
    ("unet:base_channels=32,norm=batch,up=bilinear", (128, 160), 8, "mse+gradient+normal", 1),
    ("unet:base_channels=64", (240, 320), 2, "mse", 1),
    ("unet:base_channels=64,recompute", (240, 320), 2, "mse", 1),
    ("unet:base_channels=64", (480, 640), 1, "mse", 1),
    ("mobilenet", (224, 224), 8, "l1", 1),
    ("fcrn", (240, 320), 2, "berhu", 1),
)
MOST_WRONG = 0.1
QUANTITIES = {"step_ms": "training step, ms", "peak_mib": "peak memory, MiB"}


def main() -> None:
    options = arguments("Time and memory of a training step of the U-Net, with and without --recompute.", rounds=5)
    chosen = options.parse_args()
    rounds = 1 if chosen.quick else chosen.rounds
    text = machine("numpy")
    for case in QUICK if chosen.quick else CASES:
        text += f"### {case.title()}, {rounds} round{'s' * (rounds > 1)}\n\n" + case_table(by_turns(case, rounds))
    text += prediction_table(STEPS[:1] if chosen.quick else STEPS) + gpu_table(2 if chosen.quick else 8)
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


def prediction_table(steps: tuple[tuple, ...]) -> str:
    lines = []
    for number, (network, size, batch, loss, accumulate) in enumerate(steps):
        predicted, measured = (run_step(way, number) for way in ("predict", "take"))
        title = f"{network}, batch {batch}, {size_text(size)}, {loss}" + f", --accumulate {accumulate}" * (
            accumulate > 1
        )
        lines.append([title, f"{predicted:,.0f}", f"{measured:,.0f}", f"{predicted / measured:.3f}"])
        print(", ".join(lines[-1]), file=sys.stderr)
        if abs(predicted / measured - 1) > MOST_WRONG:
            sys.exit(f"{title}: {predicted:.0f} MiB were predicted, but it took {measured:.0f}")
    header = ["peak memory of a training step, MiB", "predicted", "measured", "ratio"]
    return "### What `minidepth summary --memory` predicts\n\n" + table(header, lines)


def gpu_table(most: int) -> str:
    """What the original U-Net will take on a GPU, by the number of pictures: counted here, and not measured yet."""
    rows = {
        f"{precision}{', --recompute' * again}": Step(
            partial(make, "unet" + ":recompute" * again), (480, 640), 1, "mse", amp=precision == "--amp"
        )
        for precision in ("float32", "--amp")
        for again in (False, True)
    }
    batches = [2**power for power in range(most.bit_length())]
    lines = []
    for title, step in rows.items():
        taken = [on_gpu(step._replace(batch=batch)).total / 2**30 for batch in batches]
        largest, _ = largest_batch(on_gpu, step, 16 << 30)
        lines.append([title, *(f"{gigabytes:.2f}" for gigabytes in taken), str(largest)])
    header = [
        "original U-Net, 480x640, Adam: GB of a step",
        *(f"batch {batch}" for batch in batches),
        "largest in 16 GB",
    ]
    text = "What CuPy's pool will take from a card, predicted in the same way; not yet measured on one.\n\n"
    return text + table(header, lines)


def run_step(way: str, number: int) -> float:
    """A process that predicts the memory of one of `STEPS`, or takes two such steps: MiB."""
    done = subprocess.run([sys.executable, __file__, way, str(number)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{STEPS[number]}, {way}: failed\n{done.stderr}")
    return float(done.stdout)


def step_memory(way: str, number: int) -> float:
    network, size, batch, loss, accumulate = STEPS[number]
    step = Step(partial(make, network), size, batch, loss, accumulate=accumulate)
    if way == "predict":
        return on_cpu(step).total / 2**20
    take_steps(step, make(network), np, lambda: 0)
    return peak_mib()


def make(network: str) -> Module:
    return named(network)[0]


def measure(case: Case, recompute: bool) -> None:
    """One process: print a line of JSON."""
    model, train_step = training(case)
    model.recompute = recompute
    losses: list[float] = []
    step_ms = median_ms(lambda: losses.append(train_step()), case.steps)
    print(json.dumps({"step_ms": step_ms, "peak_mib": peak_mib(), "losses": losses[:2]}))


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in ("predict", "take"):
        print(step_memory(sys.argv[1], int(sys.argv[2])))
    elif len(sys.argv) == 3 and sys.argv[2] in WAYS:
        measure(Case.from_json(sys.argv[1]), WAYS[sys.argv[2]])
    else:
        main()

"""The reference systems on NYU: each trained from nothing by one set of settings, then put side by side.

    python benchmarks/systems.py --train nyu_csv_320x240 --test nyu_csv --out runs/systems    # hours on 2 cores

Size, epochs, batch, optimiser, schedule, loss and augmentation are the same for all; a network that ends in a sigmoid
or tanh is taught depth / 10 m. They are not the published settings (those are presets) and nobody's best: 20 epochs on
795 frames show how fast a network learns from little, and what it costs, but not what pretrained encoders give.
Beside the systems there are two U-Nets for one question, whether the way up leaves a checkerboard: the scratch U-Net
with bilinear enlargement, and the one with transposed convolutions trained with three losses.

A run that is complete is not trained again, one that was stopped goes on. Each trains in a process of its own, so that
its memory is its own. How long a step takes is measured once all are trained, within minutes of each other: hours apart
a shared machine is another machine. Written to RESULTS.md, and DIR/compare.png shows the same frames by all.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from results import machine, table, write_between_markers

from minidepth.compare import peak_mib
from minidepth.compare_report import compare_to_folder
from minidepth.config import TrainConfig, continue_config
from minidepth.run_folder import Progress, read_config, read_log
from minidepth.train import take_step, train
from minidepth.train_parts import build_parts

COMMON: dict[str, Any] = {
    "size": (128, 160),
    "epochs": 20,
    "batch": 8,
    "optimizer": "adam",
    "lr": 1e-3,
    "schedule": "one-cycle",
    "loss": "l1+gradient",
    "augment": "flip,color:0.2",
    "val_split": 0.0,
    "device": "cpu",
}
THREE_LOSSES = "mse+10*gradient:code+normal:code"
SYSTEMS: dict[str, dict[str, Any]] = {
    "003-a, 16 channels": {"model": "scratch_unet:base_channels=16"},
    "003-d, 16 channels": {"model": "scratch_unet:base_channels=16,up=bilinear-1x1"},
    "003-b, 16 channels": {"model": "scratch_unet:base_channels=16", "scale": "unit", "loss": THREE_LOSSES},
    "001-a": {"model": "mobilenet"},
    "001-pruned": {"model": "mobilenet_pruned"},
    "000-b": {"model": "keras_depth_unet", "scale": "unit"},
    "002-a": {"model": "resnet34_unet_preact", "scale": "unit"},
    "002-b": {"model": "custom_unet", "scale": "unit"},
}
STEPS = 9
METRICS = ("rmse_m", "abs_rel", "log10", "delta1", "delta2", "delta3")
COST = "training_cost.json"


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the reference systems alike and compare them.")
    parser.add_argument("--train", required=True, metavar="PATH", help="data set to train on")
    parser.add_argument("--test", required=True, metavar="PATH", help="data set with the full-size test frames")
    parser.add_argument("--out", required=True, metavar="DIR", type=Path, help="folder for the run folders")
    parser.add_argument(
        "--only", nargs="+", choices=SYSTEMS, metavar="NAME", default=list(SYSTEMS), help="some of them"
    )
    parser.add_argument(
        "--quick", action="store_true", help="one epoch of tiny pictures, to see that it runs; writes nothing"
    )
    options = parser.parse_args()
    quick = {"size": (64, 64), "epochs": 1} if options.quick else {}
    runs = {name: options.out / name.partition(",")[0] for name in options.only}
    configs = {
        name: TrainConfig(data=options.train, out=str(run), **{**COMMON, **SYSTEMS[name], **quick})
        for name, run in runs.items()
    }
    for name, run in runs.items():
        in_process(train_or_go_on, configs[name], run)
    steps = {name: in_process(step_ms, configs[name]) for name in runs}
    compare_to_folder(
        [str(run) for run in runs.values()], options.test, options.out, "test", None, 5, False, None, print, "cpu"
    )
    rows = json.loads((options.out / "compare.json").read_text(encoding="utf-8"))["rows"]
    text = machine("numpy") + describe(quick) + tables(runs, steps, rows)
    print(text)
    if not options.quick:
        write_between_markers("systems", text)


def in_process(function: Callable[..., Any], *args: Any) -> Any:
    """``function(*args)`` in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def train_or_go_on(config: TrainConfig, run: Path) -> None:
    """Train, or finish what was begun, and keep how much memory it took."""
    if not run.exists():
        train(config)
    elif len(read_log(run)) < config.epochs:
        saved, _ = read_config(run)
        train(continue_config(saved, {}, run), resume=run)
    if not (run / COST).exists():
        (run / COST).write_text(json.dumps({"peak_mib": peak_mib()}) + "\n", encoding="utf-8")


def step_ms(config: TrainConfig) -> float:
    """A training step on one batch over and over, the median of `STEPS`: no pictures are read meanwhile."""
    parts = build_parts(config)
    batch = next(iter(parts.batches.epoch(0)))
    times = []
    for step in range(STEPS + 1):
        start_s = time.perf_counter()
        loss = parts.task.loss(parts.loss, parts.task.run(parts.network, batch), batch)
        loss.backward()
        take_step(parts, Progress(step=step))
        times.append((time.perf_counter() - start_s) * 1e3)
    return statistics.median(times[1:])  # the first one fills the pool of memory


def describe(quick: dict[str, Any]) -> str:
    """The settings that all share."""
    words = ", ".join(f"{name} {value}" for name, value in {**COMMON, **quick}.items())
    return f"All alike: {words}; 003-b has the loss {THREE_LOSSES} instead.\n\n"


def tables(runs: dict[str, Path], steps: dict[str, float], rows: list[dict[str, Any]]) -> str:
    """What each cost, and how good it is in both averages."""
    costs, scores = [], []
    for (name, run), row in zip(runs.items(), rows):
        peak = json.loads((run / COST).read_text(encoding="utf-8"))["peak_mib"]
        costs.append(
            [
                name, row["model"], f"{row['parameters']:,}", f"{row['multiply_adds'] / 1e9:.2f}",
                f"{steps[name]:.0f}", f"{peak:.0f}", f"{row['ms_per_picture']:.1f}",
                f"{row['peak_mib']:.0f}", "" if row["grid_excess_db"] is None else f"{row['grid_excess_db']:.2f}",
            ]
        )  # fmt: skip
        for average, title in (("per_picture", "mean of pictures"), ("pooled", "pooled over pixels")):
            scores.append([name, title, *(f"{row[f'{metric} ({average})']:.3f}" for metric in METRICS)])
    head = ["system", "network", "parameters", "G multiply-adds", "training step, ms", "training peak, MiB",
            "ms a picture", "prediction peak, MiB", "grid excess, dB"]  # fmt: skip
    return table(head, costs) + table(["system", "average", *METRICS], scores)


if __name__ == "__main__":
    main()

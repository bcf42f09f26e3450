"""The main job: train the U-Net on the 795 labelled NYU frames and score it on official test frames, in full size.

    python benchmarks/nyu.py --train nyu_csv_320x240 --test nyu_csv --out runs/nyu

Both are folders in the CSV layout; training may read pictures of half the size, as the network sees 128x160. A run
folder that exists is scored and not trained again. The settings below were chosen on validation frames (10 % of the
training frames in contiguous blocks, `minidepth train` with its default --val-split); the run itself uses all 795.
Printed and written to RESULTS.md: the scores by the NYU protocol, with and without the mirrored picture, and the time.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

from results import machine, write_between_markers

from minidepth.config import TrainConfig
from minidepth.evaluate import evaluate
from minidepth.run_folder import load_model, read_log
from minidepth.train import train

SETTINGS: dict[str, Any] = {
    "size": (128, 160),
    "base_channels": 16,
    "epochs": 30,
    "batch": 8,
    "lr": 3e-3,
    "loss": "mse+gradient+normal",
    "augment": "flip,color:0.2",
    "val_split": 0.0,
}
METRICS = {"rmse_m": "RMSE, m", "abs_rel": "AbsRel", "log10": "log10", "delta1": "delta1"}


def main() -> None:
    parser = argparse.ArgumentParser(description="Train on NYU Depth V2 and score the result.")
    parser.add_argument("--train", required=True, metavar="PATH", help="data set to train on")
    parser.add_argument("--test", required=True, metavar="PATH", help="data set with the full-size test frames")
    parser.add_argument("--out", required=True, metavar="DIR", type=Path, help="run folder")
    options = parser.parse_args()
    if not options.out.exists():
        train(TrainConfig(data=options.train, out=str(options.out), **SETTINGS))
    results = {tta: evaluate(options.out, options.test, tta=tta) for tta in (False, True)}
    text = machine("numpy") + settings(options.out) + table(results)
    print(text)
    write_between_markers("nyu", text)


def settings(run: Path) -> str:
    """How the run was made, and how long it took."""
    model = load_model(run)
    epochs = read_log(run)
    weights = sum(parameter.size for parameter in model.network.parameters())
    options = {
        name: value for name, value in model.config.to_dict().items() if name not in ("data", "workers", "device")
    }
    words = ", ".join(f"{name} {value}" for name, value in options.items())
    epoch_s = [row["epoch_s"] for row in epochs]
    waited = statistics.fmean(row["data_wait_share"] for row in epochs)
    return (
        f"{weights:,} parameters; {words}. An epoch took {statistics.median(epoch_s):.1f} s "
        f"({min(epoch_s):.1f} to {max(epoch_s):.1f}), the run {sum(epoch_s) / 60:.1f} minutes, {waited:.1%} of it "
        f"waiting for data.\n\n"
    )


def table(results: dict[bool, dict[str, Any]]) -> str:
    """The scores as Markdown."""
    scope = results[False]["network"]
    lines = [
        f"{scope['pictures']} test frames at full size, crop {scope['crop']}, depth clamped to "
        f"{scope['min_depth_m']:g} .. {scope['max_depth_m']:g} m.",
        "",
        "| | average | " + " | ".join(METRICS.values()) + " |",
        "|---" * (2 + len(METRICS)) + "|",
    ]
    rows = {
        "network": results[False]["network"],
        "network, mean with the mirrored picture": results[True]["network"],
        f"constant guess, {results[False]['guess_m']:.2f} m": results[False]["guess"],
    }
    for key, average in {"per_picture": "mean of pictures", "pooled": "pooled over pixels"}.items():
        for name, summary in rows.items():
            cells = " | ".join(f"{summary[key][metric]:.3f}" for metric in METRICS)
            lines.append(f"| {name} | {average} | {cells} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

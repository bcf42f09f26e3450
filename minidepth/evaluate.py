"""Evaluation by the NYU protocol: predictions at the full size of the truth, scored beside a constant guess."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from minidepth import precision
from minidepth.backend import resolve_device
from minidepth.data import Sample, open_dataset
from minidepth.errors import InputError
from minidepth.metrics import CROPS
from minidepth.predict import predict_maps
from minidepth.run_folder import load_model
from minidepth.targets import KINDS, TaskBoard

NYU_SIZE = (480, 640)


def evaluate(
    run: Path | str,
    data: str,
    split: str = "test",
    tta: bool = False,
    crop: str | None = None,
    device: str = "auto",
    amp: bool = False,
    tf32: bool = False,
) -> dict[str, Any]:
    """Score a trained network on a data set.

    Each frame is read at full size, its picture is resized to the size the network was trained at, and the prediction
    is brought back to the size of the truth (bilinear); depth is clamped to 0.001 m .. the largest one, 10 m for NYU.

    Args:
        run: run folder or weight file.
        data: what `open_dataset` takes.
        split: ``"test"`` or ``"train"``.
        tta: average with the prediction for the mirrored picture.
        crop: which pixels count, a name of `metrics.CROPS`; None is ``eigen-bts`` for 480x640 frames and else ``none``.
        device: where the network runs, ``"auto"``, ``"cpu"`` or ``"cuda"``.
        amp, tf32: on a GPU, how exactly, see precision.py.

    Returns:
        What the scores were made with, and the scores: those of the target (see targets/), or where a run has several,
        those of each under its name.
    """
    from tqdm import tqdm  # imported here so that `import minidepth` stays quick

    if crop is not None and crop not in CROPS:
        raise InputError(f"--crop {crop}: use {', '.join(CROPS)}")
    precision.check(resolve_device(device), amp, tf32)
    model = load_model(run, device)._replace(half=amp)
    dataset = open_dataset(data, split=split)
    missing = [name for name in model.task.names if name not in dataset.targets]
    if missing:
        raise InputError(f"--data {data} holds {' and '.join(dataset.targets)}, but {run} predicts {missing[0]}")
    board = TaskBoard(model.task, model.guesses, crop or usual_crop(dataset[0]))
    for index in tqdm(range(len(dataset)), "evaluate", leave=False, unit="picture", disable=None):
        sample = dataset[index]
        with precision.factors(tf32):
            board.add(predict_maps(model, sample.image, sample.background, tta), sample)
    height, width = model.config.size
    scores = board.scores()
    return {
        "run": str(run),
        "weights": str(model.path),
        "data": str(data),
        "split": split,
        "network_size": [height, width],
        "tta": tta,
        "task": list(model.task.names),
        **(scores[model.task.names[0]] if len(scores) == 1 else scores),
    }


def usual_crop(sample: Sample) -> str:
    """The crop of the NYU protocol for frames of its size, else none."""
    return "eigen-bts" if sample.valid.shape == NYU_SIZE else "none"


def scores_text(result: dict[str, Any]) -> str:
    """The result of `evaluate` as a table for people."""
    height, width = result["network_size"]
    mirror = ", averaged with the mirrored picture" if result["tta"] else ""
    tables = []
    for name in result["task"]:
        tables.append(KINDS[name].table(result if len(result["task"]) == 1 else result[name]))
    return (
        f"{result['weights']} on {result['data']} ({result['split']}); network at {height}x{width}{mirror}, "
        "prediction upsampled to the truth\n" + "\n".join(tables)
    )

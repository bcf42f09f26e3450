"""Evaluation by the NYU protocol: predictions at the full size of the truth, scored beside a constant guess."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from minidepth.data import open_dataset
from minidepth.errors import InputError
from minidepth.metrics import CROPS, MetricMean, format_table
from minidepth.predict import predict_depth
from minidepth.run_folder import load_model

NYU_SIZE = (480, 640)


class ScoreBoard:
    """Adds up the metrics of predictions, and over the same pixels those of one constant depth, `guess_m`."""

    def __init__(self, guess_m: float, crop: str = "none") -> None:
        self.guess_m = guess_m
        self.network, self.guess = MetricMean(crop), MetricMean(crop)

    def add(self, prediction_m: np.ndarray, depth_m: np.ndarray, valid: np.ndarray) -> None:
        """Score one picture; all arrays are (H, W)."""
        self.network.add(prediction_m, depth_m, valid)
        self.guess.add(np.full_like(depth_m, self.guess_m), depth_m, valid)

    def scores(self) -> dict[str, Any]:
        """``network`` and ``guess``, each a `MetricMean.summary`, and ``guess_m``: JSON values only."""
        return {"network": self.network.summary(), "guess": self.guess.summary(), "guess_m": self.guess_m}


def evaluate(
    run: Path | str, data: str, split: str = "test", tta: bool = False, crop: str | None = None
) -> dict[str, Any]:
    """Score a trained network on a data set.

    Each frame is read at full size, its picture is resized to the size the network was trained at, and the prediction
    is brought back to the size of the truth (bilinear) and clamped to 0.001 .. 10 m.

    Args:
        run: run folder or weight file.
        data: what `open_dataset` takes.
        split: ``"test"`` or ``"train"``.
        tta: average with the prediction for the mirrored picture.
        crop: which pixels count, a name of `metrics.CROPS`; None is ``eigen-bts`` for 480x640 frames and else ``none``.

    Returns:
        The scores (see `ScoreBoard.scores`) and what they were made with.
    """
    from tqdm import tqdm  # imported here so that `import minidepth` stays quick

    if crop is not None and crop not in CROPS:
        raise InputError(f"--crop {crop}: use {', '.join(CROPS)}")
    model = load_model(run)
    dataset = open_dataset(data, split=split)
    first = dataset[0]
    if crop is None:
        crop = "eigen-bts" if first.valid.shape == NYU_SIZE else "none"
    board = ScoreBoard(model.mean_depth_m, crop)
    for index in tqdm(range(len(dataset)), "evaluate", leave=False, unit="picture", disable=None):
        sample = dataset[index]
        board.add(predict_depth(model, sample.image, tta), sample.depth_m, sample.valid)
    height, width = model.config.size
    return {
        "run": str(run),
        "weights": str(model.path),
        "data": str(data),
        "split": split,
        "network_size": [height, width],
        "tta": tta,
        **board.scores(),
    }


def scores_text(result: dict[str, Any]) -> str:
    """The result of `evaluate` as a table for people."""
    height, width = result["network_size"]
    mirror = ", averaged with the mirrored picture" if result["tta"] else ""
    rows = {"network": result["network"], f"constant guess {result['guess_m']:.2f} m": result["guess"]}
    return (
        f"{result['weights']} on {result['data']} ({result['split']}); network at {height}x{width}{mirror}, "
        f"prediction upsampled to the truth\n{format_table(rows)}"
    )

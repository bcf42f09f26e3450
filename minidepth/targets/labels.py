"""Labels: one class for every pixel (semantic segmentation)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from minidepth import draw_maps
from minidepth.backend import Array, xp
from minidepth.data import Batch, Sample
from minidepth.engine import Tensor
from minidepth.errors import InputError
from minidepth.metrics import LabelMean, format_label_table
from minidepth.targets.base import Reported, Target


class Labels(Target):
    """The number of each pixel's class, from logits (N, classes, H, W).

    Args:
        classes: how many there are.
    """

    name = "labels"
    reported = (Reported("accuracy", "accuracy"), Reported("mean_iou", "mean IoU"))
    drawn = reported

    def __init__(self, classes: int) -> None:
        if not 2 <= classes <= 256:
            raise InputError(f"--task labels: {classes} classes; there must be 2 to 256")
        self.classes = classes

    def truth(self, batch: Batch) -> Array:
        if batch.labels is None:
            raise InputError("--task labels: the data have no labels")
        return batch.labels

    def for_loss(self, output: Tensor) -> Tensor:
        if output.shape[1] != self.classes:
            raise InputError(f"--task labels: {self.classes} classes, but the network gives {output.shape[1]}")
        return output

    def read(self, output: Array) -> Array:
        """The class with the largest logit, uint8."""
        return xp(output).argmax(output, axis=1).astype(np.uint8)

    def guess(self, samples: Iterable[Sample]) -> float:
        """The most frequent class."""
        counts = np.zeros(256, np.int64)
        for sample in samples:
            if sample.labels is not None:
                counts += np.bincount(sample.labels[sample.valid], minlength=256)
        return float(counts.argmax())

    def board(self, guess: float, crop: str = "none") -> LabelBoard:
        return LabelBoard(guess, self.classes)

    def guess_text(self, scores: dict[str, Any]) -> str:
        return f"class {scores['guess_class']}"

    def error(self, scores: dict[str, Any]) -> float:
        return 1 - float(scores["network"]["pooled"]["mean_iou"])

    def error_text(self, error: float) -> str:
        return f"validation mean IoU of {1 - error:.3f} (pooled over pixels)"

    @staticmethod
    def table(scores: dict[str, Any]) -> str:
        return format_label_table(
            {"network": scores["network"], f"always class {scores['guess_class']}": scores["guess"]}
        )

    def draw_samples(self, path: Path, samples: list[Sample], predictions: list[np.ndarray]) -> None:
        truths = [np.zeros(s.valid.shape, np.uint8) if s.labels is None else s.labels for s in samples]
        right = [(p == t)[s.valid].mean() for p, t, s in zip(predictions, truths, samples)]
        titles = ("true classes", "predicted classes")
        notes = [f"{share:.0%} right" for share in right]
        draw_maps.save_map_samples(path, samples, truths, predictions, draw_maps.show_labels, titles, notes)

    def save(self, folder: Path, name: str, image: np.ndarray, prediction: np.ndarray) -> Path:
        """Class numbers as 8-bit grey, ``NAME_labels.png``, and picture and classes side by side."""
        Image.fromarray(prediction).save(folder / f"{name}_labels.png")
        side = folder / f"{name}_labels_side.png"
        draw_maps.save_map_side_by_side(side, image, prediction, draw_maps.show_labels, "predicted classes")
        return side

    def summary(self, prediction: np.ndarray) -> str:
        shares = np.bincount(prediction.ravel(), minlength=self.classes) / prediction.size
        return ", ".join(f"class {number} {share:.0%}" for number, share in enumerate(shares) if share)


class LabelBoard:
    """Adds up the metrics of predicted classes, and over the same pixels those of one constant class."""

    def __init__(self, guess: float, classes: int) -> None:
        self.guess_class = int(guess)
        self.network, self.guess = LabelMean(classes), LabelMean(classes)

    def add(self, prediction: np.ndarray, sample: Sample) -> None:
        """Score one picture; the prediction holds class numbers."""
        if sample.labels is None:
            raise InputError("--task labels: the data have no labels")
        self.network.add(prediction, sample.labels, sample.valid)
        self.guess.add(np.full_like(sample.labels, self.guess_class), sample.labels, sample.valid)

    def scores(self) -> dict[str, Any]:
        """``network`` and ``guess``, each a `LabelMean.summary`, and ``guess_class``: JSON values only."""
        return {"network": self.network.summary(), "guess": self.guess.summary(), "guess_class": self.guess_class}

"""A mask: which pixels belong to the thing in front."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from minidepth import draw_maps, ops
from minidepth.backend import Array
from minidepth.data import Batch, Sample
from minidepth.engine import Tensor
from minidepth.errors import InputError
from minidepth.metrics import MaskMean, format_mask_table, mask_metrics
from minidepth.targets.base import Reported, Target


class Mask(Target):
    """The share of each pixel that belongs to the thing, 0 to 1, from logits (N, 1, H, W)."""

    name = "mask"
    reported = (Reported("iou", "IoU"), Reported("iou_soft", "soft IoU"), Reported("accuracy", "accuracy"))
    drawn = reported[:2]

    def truth(self, batch: Batch) -> Array:
        if batch.mask is None:
            raise InputError("--task mask: the data have no masks")
        return batch.mask

    def read(self, output: Array) -> Array:
        """The probability that the pixel belongs to the thing."""
        return ops.sigmoid(Tensor(output)).data[:, 0]

    def guess(self, samples: Iterable[Sample]) -> float:
        """The share of all pixels that belong to things."""
        sums = [(float(s.mask[s.valid].sum(dtype=np.float64)), s.valid.sum()) for s in samples if s.mask is not None]
        return float(sum(total for total, _ in sums) / max(1, sum(count for _, count in sums)))

    def board(self, guess: float, crop: str = "none") -> MaskBoard:
        return MaskBoard(guess)

    def guess_text(self, scores: dict[str, Any]) -> str:
        return f"{scores['guess_share']:.1%} of each pixel"

    def error(self, scores: dict[str, Any]) -> float:
        return 1 - float(scores["network"]["pooled"]["iou_soft"])

    def error_text(self, error: float) -> str:
        return f"validation soft IoU of {1 - error:.3f} (pooled over pixels)"

    @staticmethod
    def table(scores: dict[str, Any]) -> str:
        return format_mask_table({"network": scores["network"], f"always {scores['guess_share']:.1%}": scores["guess"]})

    def draw_samples(self, path: Path, samples: list[Sample], predictions: list[np.ndarray]) -> None:
        truths = [np.zeros(s.valid.shape, np.float32) if s.mask is None else s.mask for s in samples]
        scored = [mask_metrics(p, t, s.valid) for p, t, s in zip(predictions, truths, samples)]
        titles, notes = ("true mask", "predicted mask"), [f"IoU {metrics['iou']:.2f}" for metrics in scored]
        draw_maps.save_map_samples(path, samples, truths, predictions, draw_maps.show_mask, titles, notes)

    def save(self, folder: Path, name: str, image: np.ndarray, prediction: np.ndarray) -> Path:
        """The mask as 8-bit grey, ``NAME_mask.png``, and picture and mask side by side."""
        Image.fromarray(np.rint(prediction * 255).astype(np.uint8)).save(folder / f"{name}_mask.png")
        side = folder / f"{name}_mask_side.png"
        draw_maps.save_map_side_by_side(side, image, prediction, draw_maps.show_mask, "predicted mask")
        return side

    def summary(self, prediction: np.ndarray) -> str:
        return f"mask covers {(prediction > 0.5).mean():.1%}"


class MaskBoard:
    """Adds up the metrics of predicted masks, and over the same pixels those of one constant share."""

    def __init__(self, guess_share: float) -> None:
        self.guess_share = guess_share
        self.network, self.guess = MaskMean(), MaskMean()

    def add(self, prediction: np.ndarray, sample: Sample) -> None:
        """Score one picture; the prediction is from 0 to 1."""
        if sample.mask is None:
            raise InputError("--task mask: the data have no masks")
        self.network.add(prediction, sample.mask, sample.valid)
        self.guess.add(np.full_like(sample.mask, self.guess_share), sample.mask, sample.valid)

    def scores(self) -> dict[str, Any]:
        """``network`` and ``guess``, each a `MaskMean.summary`, and ``guess_share``: JSON values only."""
        return {"network": self.network.summary(), "guess": self.guess.summary(), "guess_share": self.guess_share}

"""How good a mask is: the share of each pixel that belongs to the thing. With p the prediction and t the truth, 0 to 1:

    iou         I / U     I the number of pixels where p > 1/2 and t > 1/2, U where one of them is; 1 if U is 0
    iou_soft    (S + e) / (sum p + sum t - S + e)     S = sum p t, e = 1e-6
    accuracy    share of pixels where p > 1/2 and t > 1/2 agree
    mae         mean |p - t|

iou_soft sees how sure the network is, and is below 1 even for a perfect fit if the truth has soft edges. Two averages
are in use, and differ: the mean of the pictures' metrics, or one metric over the pixels of all pictures (pooled).
Both are given. Sums are in float64, over valid pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from minidepth.backend import Array
from minidepth.metrics.averages import Averages

MASK_METRICS = ("iou", "iou_soft", "accuracy", "mae")
SOFT_EPS = 1e-6


def mask_metrics(prediction: Array, target: Array, valid: Array) -> dict[str, float]:
    """The metrics of one picture (H, W), by name; see `MASK_METRICS`.

    Args:
        prediction: 0 to 1, a probability and not a logit; nan counts as 0.
        target: 0 to 1.
        valid: bool; pixels that do not count may hold anything.

    Raises:
        ValueError: the shapes differ, a number is outside 0 .. 1, or no pixel counts.
    """
    sums = _sums(prediction, target, valid)
    if sums[0] == 0:
        raise ValueError("mask_metrics: no pixel is valid")
    return _from_sums(sums)


class MaskMean(Averages):
    """The metrics of many masks, in both averages."""

    def __init__(self) -> None:
        super().__init__(np.zeros(7), _from_sums)

    @property
    def pixels(self) -> int:
        """Pixels that counted, in all pictures."""
        return int(self.sums[0])

    def add(self, prediction: Array, target: Array, valid: Array) -> None:
        """Count one picture (H, W); arguments as for `mask_metrics`."""
        self.take(_sums(prediction, target, valid))


def format_mask_table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """A table as text of ``{row name: MaskMean.summary()}``.

    Raises:
        ValueError: the summaries are not over the same pixels, so side by side they would mislead.
    """
    scopes = {(summary["pictures"], summary["pixels"]) for summary in results.values()}
    if len(scopes) != 1:
        raise ValueError(f"format_mask_table: the rows are over different pixels or pictures: {sorted(scopes)}")
    pictures, pixels = scopes.pop()
    width = max(map(len, results))
    titles = "".join(f"{title:>9}" for title in ("IoU", "soft IoU", "accuracy", "MAE"))
    lines = [
        f"{pictures} picture{'s' * (pictures != 1)}, {pixels} valid pixels",
        f"{'':{width}}  {'average':18}{titles}",
    ]
    for key, average in (("per_picture", "mean of pictures"), ("pooled", "pooled over pixels")):
        for name, summary in results.items():
            numbers = "".join(f"{summary[key][metric]:9.3f}" for metric in MASK_METRICS)
            lines.append(f"{name:{width}}  {average:18}{numbers}")
    return "\n".join(lines)


def _sums(prediction: Array, target: Array, valid: Array) -> Array:
    """Over valid pixels: their number, I, U, pixels that agree, sum p t, sum p + sum t, sum |p - t|."""
    if target.ndim != 2 or not prediction.shape == target.shape == valid.shape or valid.dtype != bool:
        raise ValueError(
            f"mask metrics: prediction, target and valid must be one picture (H, W), valid bool "
            f"(prediction {prediction.shape}, target {target.shape}, valid {valid.shape} {valid.dtype})"
        )
    p, t = np.nan_to_num(prediction[valid].astype(np.float64), nan=0.0), target[valid].astype(np.float64)
    for name, values in (("prediction", p), ("target", t)):
        if values.size and not (values.min() >= 0 and values.max() <= 1):
            raise ValueError(
                f"mask metrics: the {name} goes from {values.min():g} to {values.max():g}, but a mask from 0 to 1 "
                f"(logits need a sigmoid first)"
            )
    there, true = p > 0.5, t > 0.5
    counts = [p.size, np.count_nonzero(there & true), np.count_nonzero(there | true), np.count_nonzero(there == true)]
    return np.array([*counts, p @ t, p.sum() + t.sum(), np.abs(p - t).sum()], np.float64)


def _from_sums(sums: Array) -> dict[str, float]:
    pixels, both, either, agree, product, total, error = sums.tolist()
    return {
        "iou": both / either if either else 1.0,
        "iou_soft": (product + SOFT_EPS) / (total - product + SOFT_EPS),
        "accuracy": agree / pixels,
        "mae": error / pixels,
    }

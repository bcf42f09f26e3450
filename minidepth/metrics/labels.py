"""How good a map of classes is. With n_tp the number of pixels of class t that were called p:

    accuracy    sum_c n_cc / n                              share of pixels that got their class
    iou of c    n_cc / (sum_p n_cp + sum_t n_tc - n_cc)     intersection over union: also called Jaccard index
    mean_iou    the mean of it over the classes that are there, in the truth or in the prediction

All come from the K x K table of counts n_tp, and pixels that are not valid are not in it. A class that is neither in
the truth nor in the prediction has no IoU, and the mean is over the others. Two averages are in use, and differ: the
mean of the pictures' metrics, or one table over all pixels (pooled). Both are given; the IoU of each class is pooled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from minidepth.backend import Array
from minidepth.metrics.averages import Averages

LABEL_METRICS = ("accuracy", "mean_iou")


def confusion(prediction: Array, target: Array, valid: Array, classes: int) -> Array:
    """The table n_tp of one picture (H, W): int64 (classes, classes), row the true class, column the predicted one.

    Raises:
        ValueError: the shapes differ, or a class is outside 0 .. classes - 1.
    """
    if target.ndim != 2 or not prediction.shape == target.shape == valid.shape or valid.dtype != bool:
        raise ValueError(
            f"confusion: prediction, target and valid must be one picture (H, W), valid bool "
            f"(prediction {prediction.shape}, target {target.shape}, valid {valid.shape} {valid.dtype})"
        )
    p, t = prediction[valid], target[valid]
    for name, labels in (("prediction", p), ("target", t)):
        if labels.dtype.kind not in "iu":
            raise ValueError(f"confusion: the {name} has dtype {labels.dtype}; classes are whole numbers")
        if labels.size and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            raise ValueError(
                f"confusion: the {name} has classes {labels.min()} to {labels.max()}, outside 0 to {classes - 1}"
            )
    pairs = t.astype(np.intp) * classes + p.astype(np.intp)
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def iou_per_class(table: Array) -> Array:
    """Intersection over union of each class (K,), NaN for a class that is nowhere, from a table n_tp (K, K)."""
    hits = np.diag(table).astype(np.float64)
    union = table.sum(axis=0) + table.sum(axis=1) - hits
    return np.divide(hits, union, out=np.full(len(table), np.nan), where=union > 0)


class LabelMean(Averages):
    """The metrics of many maps of classes, in both averages.

    Args:
        classes: how many there are, or their names in order.

    Attributes:
        sums: pixels by true (row) and predicted (column) class, over all pictures.
    """

    def __init__(self, classes: int | Sequence[str]) -> None:
        self.names = tuple(map(str, range(classes))) if isinstance(classes, int) else tuple(classes)
        if not self.names:
            raise ValueError("LabelMean: there must be at least one class")
        super().__init__(np.zeros((len(self.names), len(self.names)), np.int64), _from_table)

    @property
    def pixels(self) -> int:
        """Pixels that counted, in all pictures."""
        return int(self.sums.sum())

    def add(self, prediction: Array, target: Array, valid: Array) -> None:
        """Count one picture: classes (H, W) as whole numbers, valid bool (H, W)."""
        self.take(confusion(prediction, target, valid, len(self.names)))

    def per_class(self) -> dict[str, float | None]:
        """The pooled IoU of each class by name; None for a class that is nowhere."""
        return {name: None if np.isnan(iou) else float(iou) for name, iou in zip(self.names, iou_per_class(self.sums))}

    def summary(self) -> dict[str, Any]:
        """`Averages.summary`, the names of the classes, and the IoU of each."""
        return {"classes": list(self.names), **super().summary(), "iou": self.per_class()}


def format_label_table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """A table as text of ``{row name: LabelMean.summary()}``: both averages, then the IoU of each class.

    Raises:
        ValueError: the summaries are not over the same pixels or classes, so side by side they would mislead.
    """
    scopes = {(summary["pictures"], summary["pixels"], tuple(summary["classes"])) for summary in results.values()}
    if len(scopes) != 1:
        raise ValueError(f"format_label_table: the rows are over different pixels or classes: {sorted(scopes)}")
    pictures, pixels, classes = scopes.pop()
    width = max(map(len, results))
    lines = [
        f"{pictures} picture{'s' * (pictures != 1)}, {pixels} valid pixels, {len(classes)} classes",
        f"{'':{width}}  {'average':18}{'accuracy':>9}{'mean IoU':>9}",
    ]
    for key, average in (("per_picture", "mean of pictures"), ("pooled", "pooled over pixels")):
        for name, summary in results.items():
            numbers = "".join(f"{summary[key][metric]:9.3f}" for metric in LABEL_METRICS)
            lines.append(f"{name:{width}}  {average:18}{numbers}")
    cell = max(8, *map(len, classes)) + 1
    lines.append(f"{'':{width}}  {'IoU of':18}" + "".join(f"{name:>{cell}}" for name in classes))
    for name, summary in results.items():
        values = ("-" if iou is None else f"{iou:.3f}" for iou in summary["iou"].values())
        lines.append(f"{name:{width}}  {'pooled over pixels':18}" + "".join(f"{value:>{cell}}" for value in values))
    return "\n".join(lines)


def _from_table(table: Array) -> dict[str, float]:
    return {
        "accuracy": float(np.trace(table) / table.sum()),
        "mean_iou": float(np.nanmean(iou_per_class(table))),
    }

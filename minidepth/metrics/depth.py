"""How good a depth map is: the usual errors over valid pixels, by the NYU protocol.

With p the prediction and t the truth in metres, means over the valid pixels:

    rmse_m     sqrt(mean (p - t)^2)            log10      mean |log10 p - log10 t|
    mae_m      mean |p - t|                    rmse_log   sqrt(mean (ln p - ln t)^2)
    abs_rel    mean |p - t| / t                delta_k    share of pixels with max(p/t, t/p) < 1.25^k,  k = 1, 2, 3
    sq_rel_m   mean (p - t)^2 / t
    silog      100 sqrt(mean d^2 - (mean d)^2) with d = ln p - ln t: how uneven the ratio is, whatever it is on average

The protocol (as in the program of Lee et al., From Big to Small, 2019):

1. A pixel counts if it is no hole and 0.001 m < t < 10 m. The prediction is clamped to 0.001 .. 10 m, nan to 0.001.
2. Only a crop of the 480x640 picture counts. Two are in use: eigen-bts, rows 45:471 and columns 41:601, and
   eigen-densedepth, rows 20:460 and columns 24:616. Scores differ, so the crop is printed with them.
3. Two averages are in use, and differ too: the mean of the pictures' metrics, or one metric over the pixels of all
   pictures together (pooled). Both are printed.

Sums are in float64 whatever the input.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from minidepth.backend import Array
from minidepth.errors import InputError
from minidepth.metrics.averages import Averages

MIN_DEPTH_M, MAX_DEPTH_M = 1e-3, 10.0

METRICS = ("rmse_m", "mae_m", "abs_rel", "sq_rel_m", "log10", "rmse_log", "silog", "delta1", "delta2", "delta3")

CROPS: dict[str, tuple[slice, slice] | None] = {
    "eigen-bts": (slice(45, 471), slice(41, 601)),
    "eigen-densedepth": (slice(20, 460), slice(24, 616)),
    "none": None,
}
"""Rows and columns that count, of a 480x640 picture."""


def prepare(prediction_m: Array, min_depth_m: float = MIN_DEPTH_M, max_depth_m: float = MAX_DEPTH_M) -> Array:
    """The prediction in float64, clamped to the range; nan, which is no depth at all, becomes `min_depth_m`."""
    numbers = np.asarray(prediction_m, np.float64)
    return np.clip(np.where(np.isnan(numbers), min_depth_m, numbers), min_depth_m, max_depth_m)


def crop_mask(crop: str, height: int, width: int) -> Array:
    """The pixels that count, bool (height, width).

    Raises:
        InputError: the crop is unknown, or the picture is not 480x640, for which the crops are made.
    """
    if crop not in CROPS:
        raise InputError(f"crop {crop!r} is unknown; crops are {', '.join(CROPS)}")
    window = CROPS[crop]
    if window is None:
        return np.ones((height, width), bool)
    if (height, width) != (480, 640):
        raise InputError(f"crop {crop} is made for 480x640 pictures, but this one is {height}x{width}; use crop none")
    mask = np.zeros((height, width), bool)
    mask[window] = True
    return mask


def depth_metrics(
    prediction_m: Array,
    target_m: Array,
    valid: Array,
    min_depth_m: float = MIN_DEPTH_M,
    max_depth_m: float = MAX_DEPTH_M,
) -> dict[str, float]:
    """The metrics of one picture (H, W), by name; see `METRICS`.

    Args:
        prediction_m: predicted depth; it is clamped first (`prepare`).
        target_m: true depth; pixels outside ``min_depth_m < t < max_depth_m`` do not count.
        valid: bool; pixels that do not count may hold anything.

    Raises:
        ValueError: the shapes differ, or no pixel counts.
    """
    sums = _sums(prediction_m, target_m, valid, min_depth_m, max_depth_m)
    if sums[0] == 0:
        raise ValueError(
            f"depth_metrics: no pixel is valid with a true depth between {min_depth_m:g} and {max_depth_m:g} m"
        )
    return _from_sums(sums)


class MetricMean(Averages):
    """The metrics of many pictures, in both averages.

    Args:
        crop: a name of `CROPS`.
        min_depth_m: pixels whose truth is not above this do not count, and predictions are clamped to it.
        max_depth_m: pixels whose truth is not below this do not count, and predictions are clamped to it.
    """

    def __init__(self, crop: str = "none", min_depth_m: float = MIN_DEPTH_M, max_depth_m: float = MAX_DEPTH_M) -> None:
        crop_mask(crop, 480, 640)  # an unknown name is an error now, not at the first picture
        self.crop, self.min_depth_m, self.max_depth_m = crop, min_depth_m, max_depth_m
        super().__init__(np.zeros(1 + len(METRICS)), _from_sums)

    @property
    def pixels(self) -> int:
        """Pixels that counted, in all pictures."""
        return int(self.sums[0])

    def add(self, prediction_m: Array, target_m: Array, valid: Array) -> None:
        """Count one picture (H, W); arguments as for `depth_metrics`."""
        _check_shapes("MetricMean.add", prediction_m, target_m, valid)
        inside = valid & crop_mask(self.crop, *target_m.shape)
        self.take(_sums(prediction_m, target_m, inside, self.min_depth_m, self.max_depth_m))

    def summary(self) -> dict[str, Any]:
        """`Averages.summary`, and which pixels count."""
        scope = {"crop": self.crop, "min_depth_m": self.min_depth_m, "max_depth_m": self.max_depth_m}
        return {**scope, **super().summary()}

    def nothing_counts(self) -> str:
        """Why there are no metrics."""
        return (
            f"no metrics: none of {self.skipped} pictures has a valid pixel between {self.min_depth_m:g} and "
            f"{self.max_depth_m:g} m inside crop {self.crop}; check the data with: minidepth data info"
        )


def constant_guess(depths: Iterable[tuple[Array, Array]]) -> float:
    """The best guess for a person who sees nothing, in metres: the mean of all valid training depth.

    No other single number has a smaller pooled RMSE on the same pixels. A network that scores no better than this has
    learned nothing from the picture.

    Args:
        depths: (depth_m, valid) of each training picture.
    """
    total, count = 0.0, 0
    for depth_m, valid in depths:
        known = np.asarray(depth_m)[valid]
        total += float(known.sum(dtype=np.float64))
        count += known.size
    if count == 0:
        raise InputError("constant guess: there is no valid depth pixel in the training data")
    return total / count


def format_table(results: Mapping[str, Mapping[str, Any]]) -> str:
    """A table as text of ``{row name: MetricMean.summary()}``, with units, crop, range and averaging named.

    Raises:
        ValueError: the summaries are not over the same pixels, so side by side they would mislead.
    """
    scope_keys = ("crop", "min_depth_m", "max_depth_m", "pictures", "pixels")
    scopes = {tuple(summary[key] for key in scope_keys) for summary in results.values()}
    if len(scopes) != 1:
        raise ValueError(f"format_table: the rows are over different pixels or pictures: {sorted(scopes)}")
    crop, min_depth_m, max_depth_m, pictures, pixels = scopes.pop()
    window = CROPS[crop]
    where = f" (rows {window[0].start}:{window[0].stop}, columns {window[1].start}:{window[1].stop})" if window else ""
    count = f"{pictures} picture{'s' * (pictures != 1)}, {pixels} valid pixels"
    head = f"{count}, crop {crop}{where}, depth {min_depth_m:g} .. {max_depth_m:g} m"
    titles = ("RMSE m", "MAE m", "AbsRel", "SqRel m", "log10", "RMSElog", "SILog", "delta1", "delta2", "delta3")
    averages = {"per_picture": "mean of pictures", "pooled": "pooled over pixels"}
    width = max(len(name) for name in results)
    lines = [head, f"{'':{width}}  {'average':18}" + "".join(f"{title:>9}" for title in titles)]
    for key, average in averages.items():
        for name, summary in results.items():
            numbers = "".join(f"{summary[key][metric]:9.3f}" for metric in METRICS)
            lines.append(f"{name:{width}}  {average:18}{numbers}")
    return "\n".join(lines)


def _check_shapes(name: str, prediction_m: Array, target_m: Array, valid: Array) -> None:
    if target_m.ndim != 2 or not prediction_m.shape == target_m.shape == valid.shape or valid.dtype != bool:
        raise ValueError(
            f"{name}: prediction, target and valid must be one picture (H, W), valid bool "
            f"(prediction {prediction_m.shape}, target {target_m.shape}, valid {valid.shape} {valid.dtype})"
        )


def _sums(prediction_m: Array, target_m: Array, valid: Array, min_m: float, max_m: float) -> Array:
    """How many pixels count, then for each metric the sum over them of what its mean is taken of (before any root)."""
    _check_shapes("depth_metrics", prediction_m, target_m, valid)
    counts = valid & (target_m > min_m) & (target_m < max_m)  # comparisons with nan are False
    t = target_m[counts].astype(np.float64)
    p = prepare(prediction_m[counts], min_m, max_m)
    error, log_ratio = np.abs(p - t), np.log(p) - np.log(t)
    ratio = np.maximum(p / t, t / p)
    hits = [np.count_nonzero(ratio < 1.25**k) for k in (1, 2, 3)]
    squared = error * error
    terms = (squared, error, error / t, squared / t, np.abs(log_ratio) / np.log(10), log_ratio * log_ratio, log_ratio)
    return np.array([t.size, *(term.sum() for term in terms), *hits], np.float64)


def _from_sums(sums: Array) -> dict[str, float]:
    """Metrics by name, from the number of pixels and the sums in the order of `METRICS`: squares still need a root."""
    values = dict(zip(METRICS, (sums[1:] / sums[0]).tolist()))
    variance = values["rmse_log"] - values["silog"] ** 2  # of ln p - ln t: in place of silog stands its mean
    values["silog"] = 100 * max(variance, 0.0) ** 0.5
    return {name: value**0.5 if name.startswith("rmse") else value for name, value in values.items()}


def depth_acc(prediction: Array, target: Array, valid: Array) -> float:
    """The "depth accuracy" of the depth U-Nets of github.com/siddinc and kyovchev, for one picture (H, W).

    Prediction and truth are put on a scale on which the nearest true depth is 0 and the farthest 1; the result is the
    share of valid pixels on which both round to the same whole number. So it asks only which half of the range a pixel
    lies in, and the answer depends on the two extreme pixels of the truth. **Not comparable** with delta1 or anything
    else; here to reproduce those programs. 0 where the truth is one single depth.

    Raises:
        ValueError: the shapes differ, or no pixel is valid.
    """
    _check_shapes("depth_acc", prediction, target, valid)
    t, p = target[valid].astype(np.float64), prediction[valid].astype(np.float64)
    if t.size == 0:
        raise ValueError("depth_acc: no pixel is valid")
    nearest, span = t.min(), t.max() - t.min()
    if span == 0:
        return 0.0
    return float(np.mean(np.round((p - nearest) / span) == np.round((t - nearest) / span)))

"""Depth: metres for every pixel."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from minidepth import draw, ops
from minidepth.backend import Array
from minidepth.data import Batch, Sample
from minidepth.engine import Tensor
from minidepth.errors import InputError
from minidepth.metrics import MIN_DEPTH_M, MetricMean, constant_guess, format_table
from minidepth.nn import BatchNorm2d, Conv2d, Module, ReLU, Sigmoid, Tanh
from minidepth.targets.base import Reported, Target
from minidepth.targets.scale import SCALES, decode, encode, encode_number

BEFORE: dict[type[Module], Callable[[float], float]] = {
    Sigmoid: lambda y: math.log(y / (1 - y)),
    Tanh: math.atanh,
    ReLU: float,
}
"""What goes into an activation so that y comes out."""


class Depth(Target):
    """Depth in metres, taught on a scale (see scale.py).

    Args:
        scale: a name of `SCALES`.
        max_depth_m: the largest depth; predictions are clamped to 0.001 m and this.
        logits: whether a sigmoid is still to be applied to the network's output, as where one network has several.
    """

    name = "depth"
    reported = (
        Reported("rmse_m", "RMSE", " m"),
        Reported("abs_rel", "AbsRel"),
        Reported("log10", "log10"),
        Reported("delta1", "delta1"),
    )

    drawn = (reported[0], reported[3])

    def __init__(self, scale: str = "metres", max_depth_m: float = 10.0, logits: bool = False) -> None:
        if scale not in SCALES:
            raise InputError(f"--scale {scale}: use {', '.join(SCALES)}")
        if logits and scale != "unit":
            raise InputError(f"--scale {scale}: a network with several outputs gives depth between 0 and 1; use unit")
        self.scale, self.max_depth_m, self.logits = scale, max_depth_m, logits

    def truth(self, batch: Batch) -> Array:
        return encode(batch.depth_m, batch.valid, self.scale, self.max_depth_m)

    def for_loss(self, output: Tensor) -> Tensor:
        return ops.sigmoid(output) if self.logits else output

    def read(self, output: Array) -> Array:
        """Metres, float32, between 0.001 m and `max_depth_m`; NaN becomes the least."""
        values = ops.sigmoid(Tensor(output)).data if self.logits else output
        depth_m = decode(values[:, 0], self.scale, self.max_depth_m)
        return np.clip(np.nan_to_num(depth_m, nan=MIN_DEPTH_M), MIN_DEPTH_M, self.max_depth_m).astype(np.float32)

    def guess(self, samples: Iterable[Sample]) -> float:
        return constant_guess((sample.depth_m, sample.valid) for sample in samples)

    def start(self, network: Module, guess: float) -> None:
        """The last bias, of a convolution or a batch-norm, becomes what gives the mean depth, in place of 0 m."""
        head = getattr(network, "head", None) or getattr(network, "last", None)
        if head is None or self.logits:
            return
        layers = [layer for layer in head.modules() if type(layer) in (Conv2d, BatchNorm2d, *BEFORE)]
        biases = [layer.bias for layer in layers if isinstance(layer, (Conv2d, BatchNorm2d)) and layer.bias is not None]
        if biases:
            value = encode_number(guess, self.scale, self.max_depth_m)
            biases[-1].data[...] = BEFORE.get(type(layers[-1]), float)(value)

    def board(self, guess: float, crop: str = "none") -> DepthBoard:
        return DepthBoard(guess, crop, self.max_depth_m)

    def guess_text(self, scores: dict[str, Any]) -> str:
        return f"{scores['guess_m']:.2f} m"

    def error(self, scores: dict[str, Any]) -> float:
        return float(scores["network"]["per_picture"]["rmse_m"])

    def error_text(self, error: float) -> str:
        return f"validation RMSE of {error:.3f} m (mean of pictures)"

    @staticmethod
    def table(scores: dict[str, Any]) -> str:
        return format_table(
            {"network": scores["network"], f"constant guess {scores['guess_m']:.2f} m": scores["guess"]}
        )

    def draw_samples(self, path: Path, samples: list[Sample], predictions: list[np.ndarray]) -> None:
        draw.save_samples(path, samples, predictions)

    def save(self, folder: Path, name: str, image: np.ndarray, prediction: np.ndarray) -> Path:
        """Metres as ``.npy``, millimetres as 16-bit grey, colours with a scale, and picture and depth side by side."""
        np.save(folder / f"{name}_depth.npy", prediction)
        millimetres = np.minimum(np.rint(prediction * 1000), np.iinfo(np.uint16).max)
        Image.fromarray(millimetres.astype(np.uint16)).save(folder / f"{name}_depth.png")
        draw.save_depth(folder / f"{name}_color.png", prediction)
        side = folder / f"{name}_side.png"
        draw.save_side_by_side(side, image, prediction)
        return side

    def summary(self, prediction: np.ndarray) -> str:
        return f"depth {prediction.min():.2f} to {prediction.max():.2f} m"


class DepthBoard:
    """Adds up the metrics of predicted depth, and over the same pixels those of one constant depth, `guess_m`."""

    def __init__(self, guess_m: float, crop: str = "none", max_depth_m: float = 10.0) -> None:
        self.guess_m = guess_m
        self.network, self.guess = (MetricMean(crop, max_depth_m=max_depth_m) for _ in range(2))

    def add(self, prediction: np.ndarray, sample: Sample) -> None:
        """Score one picture; the prediction is in metres."""
        self.network.add(prediction, sample.depth_m, sample.valid)
        self.guess.add(np.full_like(sample.depth_m, self.guess_m), sample.depth_m, sample.valid)

    def scores(self) -> dict[str, Any]:
        """``network`` and ``guess``, each a `MetricMean.summary`, and ``guess_m``: JSON values only."""
        return {"network": self.network.summary(), "guess": self.guess.summary(), "guess_m": self.guess_m}

"""Rows for the losses, each with a mask that leaves pixels out and, where the target is no label, NaN planted there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minidepth import losses, ops
from minidepth.backend import Array
from minidepth.engine import Tensor
from minidepth.gradient_inputs import ramp
from minidepth.gradient_table.row import Case, Function, Row

SHAPE = (2, 1, 14, 15)
CLASSES = 3
SUMS = {"mse": "mse+10*gradient:code+normal:code", "ssim": "ssim:002+edges+0.1*l1"}
BERHU_ERROR = 14.5
"""The largest error, of a pixel that the check does not move, so that c = 2.9 stays. Those of the ramps are multiples
of 0.2, give or take 0.006, and on both sides of it."""


def rows() -> Iterator[Row]:
    """All rows of this file."""
    for name in losses.names():
        yield Row(name, "all pixels", _case(name, name, holes=False))
        yield Row(name, "with holes", _case(name, name, holes=True))
    for name, text in SUMS.items():
        yield Row(name, text, _case(name, text, holes=True))


def _case(name: str, text: str, holes: bool) -> Case:
    def make(rng: np.random.Generator) -> tuple[Function, list[Any]]:
        loss = losses.build(text)
        prediction, target = _batch(name, rng)
        image = rng.standard_normal((SHAPE[0], 3, *SHAPE[2:]))
        valid = np.ones(SHAPE, dtype=bool)
        if holes:
            valid[0, 0, 5, 2] = valid[1, 0, 0, 4] = valid[1, 0, 13, 14] = False
            target[~valid] = np.nan if target.dtype.kind == "f" else 99
        if name != "berhu":
            return lambda x: loss(x, target, valid, image), [prediction]
        still = np.zeros((1, *SHAPE[1:]))  # a third picture, with one error
        target, valid = np.concatenate([target, still]), np.concatenate([valid, np.ones_like(valid[:1])])
        still[0, 0, 0, 0] = BERHU_ERROR
        return lambda x: loss(ops.cat([x, Tensor(still)]), target, valid), [prediction]

    return make


def _batch(name: str, rng: np.random.Generator) -> tuple[Array, Array]:
    """Prediction and target as the loss called `name` wants them, away from its kinks.

    Depths are tilted planes that differ by 1 m or more, and by their slopes, at every pixel.
    """
    family, _, form = name.partition(":")
    if family == "cross_entropy":
        labels = np.zeros(SHAPE, np.uint8)
        labels[:, :, 2:6, 1:5], labels[:, :, 4:11, 8:13] = 1, 2
        return rng.standard_normal((SHAPE[0], CLASSES, *SHAPE[2:])), labels
    if form == "probabilities":
        return rng.uniform(0.1, 0.9, SHAPE), rng.uniform(0, 1, SHAPE)
    if form == "logits" or family in ("bce", "dice"):
        return rng.standard_normal(SHAPE), rng.uniform(0, 1, SHAPE)
    prediction = ramp(rng, SHAPE, start=6.0, per_row=0.3, per_column=0.2)
    return prediction, ramp(rng, SHAPE, start=2.0, per_row=0.1, per_column=0.4)

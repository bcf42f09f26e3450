"""Rows for the losses, each with a mask that leaves pixels out and NaN planted where it does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from minidepth import losses
from minidepth.gradient_inputs import ramp
from minidepth.gradient_table.row import Case, Function, Row

SHAPE = (2, 1, 8, 7)
SUM = "mse+10*gradient:code+normal:code"


def rows() -> Iterator[Row]:
    """All rows of this file."""
    for name in losses.names():
        yield Row(name, "all pixels", _case(name, holes=False))
        yield Row(name, "with holes", _case(name, holes=True))
    yield Row("mse", SUM, _case(SUM, holes=True))


def _case(text: str, holes: bool) -> Case:
    """Prediction and target as tilted planes. They differ by 0.6 m or more, and by their slopes, at every pixel."""

    def make(rng: np.random.Generator) -> tuple[Function, list[Any]]:
        loss = losses.build(text)
        prediction = ramp(rng, SHAPE, start=4.0, per_row=0.3, per_column=0.2)
        target = ramp(rng, SHAPE, start=2.0, per_row=0.1, per_column=0.4)
        valid = np.ones(SHAPE, dtype=bool)
        if holes:
            valid[0, 0, 5, 2] = valid[1, 0, 0, 4] = valid[1, 0, 7, 6] = False
            target[~valid] = np.nan
        return lambda x: loss(x, target, valid), [prediction]

    return make

"""One row of the table of gradient checks: an operation in one setting, and the inputs that suit it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minidepth.backend import Array
from minidepth.engine import Tensor
from minidepth.gradient_check import check_adjoint, check_gradient
from minidepth.gradient_inputs import normal
from minidepth.gradient_report import GradientReport

Function = Callable[..., Tensor]
Case = Callable[[np.random.Generator], tuple[Function, list[Any]]]
"""A function that makes the function to check and its inputs."""

Input = tuple[int, ...] | Callable[[np.random.Generator], Array]
"""A shape, for normal numbers; or a function that makes the array, where there are kinks to stay away from."""


@dataclass(frozen=True)
class Row:
    """`make` is called with the row's own generator; `kind` is "finite difference", with `step`, or "adjoint".

    `draws` is how many directions are tried.
    """

    op: str
    setting: str
    make: Case
    kind: str = "finite difference"
    step: float = 1e-6
    draws: int = 3

    def check(self) -> GradientReport:
        """Run the check. Each row has its own seed, so no row changes when another one is added."""
        rng = np.random.default_rng(zlib.crc32(f"{self.op}, {self.setting}".encode()))
        function, inputs = self.make(rng)
        if self.kind == "adjoint":
            return check_adjoint(function, *inputs, rng=rng, draws=self.draws)
        return check_gradient(function, *inputs, rng=rng, step=self.step, draws=self.draws)


def nonlinear(op: str, setting: str, function: Function, *inputs: Input) -> Iterator[Row]:
    """One row, by finite differences. Inputs of a function with kinks are to stay away from them."""
    yield Row(op, setting, case(function, inputs))


def linear(op: str, setting: str, function: Function, *inputs: Input) -> Iterator[Row]:
    """Two rows for a function that is linear in each input: finite differences, and the exact adjoint identity."""
    yield Row(op, setting, case(function, inputs))
    yield Row(op, setting, case(function, inputs), kind="adjoint")


def case(function: Function, inputs: tuple[Input, ...]) -> Case:
    """`function` with inputs of those shapes, or as they are made."""

    def make(rng: np.random.Generator) -> tuple[Function, list[Any]]:
        return function, [normal(rng, each) if isinstance(each, tuple) else each(rng) for each in inputs]

    return make

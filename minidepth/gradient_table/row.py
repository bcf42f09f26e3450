"""One row of the table of gradient checks: an operation in one setting, and the inputs that suit it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Union

import numpy as np

from minidepth.backend import Array
from minidepth.engine import Tensor
from minidepth.gradient_check import check_adjoint, check_gradient
from minidepth.gradient_inputs import normal
from minidepth.gradient_report import GradientReport

Function = Callable[..., Tensor]
Input = Union[tuple[int, ...], Callable[[np.random.Generator], Array]]
"""A shape, for normal numbers; or a function that makes the array, where there are kinks to stay away from."""


@dataclass(frozen=True)
class Row:
    """``make(rng)`` returns the function to check and its inputs; `kind` says how it is checked."""

    op: str
    setting: str
    make: Callable[[np.random.Generator], tuple[Function, list[Any]]]
    kind: str = "finite difference"

    def check(self) -> GradientReport:
        """Run the check. Each row has its own seed, so no row changes when another one is added."""
        rng = np.random.default_rng(zlib.crc32(f"{self.op}, {self.setting}".encode()))
        function, inputs = self.make(rng)
        check = check_adjoint if self.kind == "adjoint" else check_gradient
        return check(function, *inputs, rng=rng)


def nonlinear(op: str, setting: str, function: Function, *inputs: Input) -> Iterator[Row]:
    """One row, by finite differences. Inputs of a function with kinks are to stay away from them."""
    yield Row(op, setting, _maker(function, inputs))


def linear(op: str, setting: str, function: Function, *inputs: Input) -> Iterator[Row]:
    """Two rows for a function that is linear in each input: by finite differences, and by the exact adjoint identity."""
    yield Row(op, setting, _maker(function, inputs))
    yield Row(op, setting, _maker(function, inputs), kind="adjoint")


def _maker(
    function: Function, inputs: tuple[Input, ...]
) -> Callable[[np.random.Generator], tuple[Function, list[Any]]]:
    def make(rng: np.random.Generator) -> tuple[Function, list[Any]]:
        return function, [normal(rng, each) if isinstance(each, tuple) else each(rng) for each in inputs]

    return make

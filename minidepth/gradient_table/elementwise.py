"""Rows for arithmetic, functions of single numbers, reductions, moving numbers about, and computing them twice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from minidepth import nn, ops
from minidepth.backend import Array
from minidepth.engine import Tensor
from minidepth.gradient_inputs import away_from, distinct, positive
from minidepth.gradient_table.row import Input, Row, case, linear, nonlinear

ONE_TWICE = np.array([0, 3, 3, 1])  # the gradient of what is taken twice is a sum


def rows() -> Iterator[Row]:
    """All rows of this file."""
    yield from arithmetic()
    yield from functions()
    yield from reductions()
    yield from moves()
    yield from computed_twice()


def arithmetic() -> Iterator[Row]:
    """The operators of Tensor, with and without broadcasting."""
    yield from linear("add", "x + y", lambda x, y: x + y, (3, 4), (3, 4))
    yield from linear("add", "broadcast", lambda x, y: x + y, (2, 1, 4), (3, 1))
    yield from linear("add", "x + x: one input twice", lambda x: x + x, (3, 4))
    yield from linear("add", "2 + x", lambda x: 2 + x, (3, 4))
    yield from linear("subtract", "broadcast", lambda x, y: x - y, (2, 3, 4), (3, 1))
    yield from linear("subtract", "2 - x", lambda x: 2 - x, (3, 4))
    yield from linear("multiply", "broadcast", lambda x, y: x * y, (2, 3, 4), (4,))
    yield from nonlinear("multiply", "x * x: one input twice", lambda x: x * x, (3, 4))
    yield from linear("multiply", "2 * x", lambda x: 2 * x, (3, 4))
    yield from nonlinear("divide", "broadcast", lambda x, y: x / y, (2, 3, 4), _positive(3, 1))
    yield from nonlinear("divide", "2 / x", lambda x: 2 / x, _positive(3, 4))
    yield from nonlinear("power", "x ** 3", lambda x: x**3, (3, 4))
    yield from nonlinear("power", "x ** -0.5", lambda x: x**-0.5, _positive(3, 4))
    yield from linear("negative", "-x", lambda x: -x, (3, 4))
    yield from linear("matmul", "(3, 4) @ (4, 5)", lambda x, y: x @ y, (3, 4), (4, 5))
    yield from linear("matmul", "(2, 1, 3, 4) @ (5, 4, 2)", lambda x, y: x @ y, (2, 1, 3, 4), (5, 4, 2))
    yield from linear("matmul", "vector @ matrix", lambda x, y: x @ y, (4,), (4, 5))
    yield from linear("matmul", "matrix @ vector", lambda x, y: x @ y, (2, 3, 4), (4,))
    yield from linear("matmul", "vector @ vector", lambda x, y: x @ y, (4,), (4,))
    yield from linear("linear", "(2, 3, 4) to (2, 3, 5)", ops.linear, (2, 3, 4), (5, 4), (5,))
    yield from linear("linear", "no bias", ops.linear, (3, 4), (5, 4))


def functions() -> Iterator[Row]:
    """Functions of each number on its own."""
    yield from nonlinear("exp", "", ops.exp, (3, 4))
    yield from nonlinear("log", "", ops.log, _positive(3, 4))
    yield from nonlinear("sqrt", "", ops.sqrt, _positive(3, 4))
    yield from nonlinear("abs", "", ops.abs, _away_from(3, 4, kinks=(0.0,)))
    yield from nonlinear("clip", "both ends", lambda x: ops.clip(x, -1, 1), _away_from(3, 4, kinks=(-1.0, 1.0)))
    yield from nonlinear("clip", "min only", lambda x: ops.clip(x, min=0.5), _away_from(3, 4, kinks=(0.5,)))
    yield from nonlinear("clip", "max only", lambda x: ops.clip(x, max=0.5), _away_from(3, 4, kinks=(0.5,)))
    yield from nonlinear("maximum", "broadcast", ops.maximum, _distinct(2, 3, 4), _distinct(3, 1, offset=0.05))
    yield from nonlinear("minimum", "broadcast", ops.minimum, _distinct(4), _distinct(2, 3, 4, offset=0.05))
    yield from nonlinear("sigmoid", "", ops.sigmoid, (3, 4))
    yield from nonlinear("tanh", "", ops.tanh, (3, 4))
    yield from nonlinear("relu", "", ops.relu, _away_from(3, 4, kinks=(0.0,)))
    yield from nonlinear("relu6", "", ops.relu6, _away_from(3, 4, kinks=(0.0, 6.0)))
    yield from nonlinear("leaky_relu", "", ops.leaky_relu, _away_from(3, 4, kinks=(0.0,)))
    yield from nonlinear("leaky_relu", "slope 0.2", lambda x: ops.leaky_relu(x, 0.2), _away_from(3, 4, kinks=(0.0,)))
    yield from nonlinear("leaky_relu", "slope 0", lambda x: ops.leaky_relu(x, 0.0), _away_from(3, 4, kinks=(0.0,)))
    # To float32 each number is rounded, whatever the step: so the step is a large one.
    there_and_back = case(lambda x: ops.cast(ops.cast(x, np.float32), np.float64), ((3, 4),))
    yield Row("cast", "to float32 and back", there_and_back, step=1.0)
    yield from linear("dropout", "seed 3", lambda x: ops.dropout(x, 0.4, rng=3), (3, 4))
    for softmax in (ops.softmax, ops.log_softmax):
        for dim in (1, -1):
            yield from nonlinear(softmax.__name__, f"dim {dim}", lambda x, f=softmax, dim=dim: f(x, dim), (2, 3, 4))


def reductions() -> Iterator[Row]:
    """Many numbers to one."""
    for name, reduce in (("sum", ops.sum), ("mean", ops.mean)):
        yield from linear(name, "all", reduce, (2, 3, 4))
        yield from linear(name, "dim (0, -1)", lambda x, f=reduce: f(x, dim=(0, -1)), (2, 3, 4))
        yield from linear(name, "dim 1, keepdim", lambda x, f=reduce: f(x, dim=1, keepdim=True), (2, 3, 4))
    for name, reduce in (("max", ops.max), ("min", ops.min)):
        yield from nonlinear(name, "all", reduce, _distinct(2, 3, 4))
        yield from nonlinear(name, "dim 1", lambda x, f=reduce: f(x, dim=1), _distinct(2, 3, 4))
        yield from nonlinear(name, "dim 2, keepdim", lambda x, f=reduce: f(x, 2, keepdim=True), _distinct(2, 3, 4))
    yield from nonlinear("var", "all", ops.var, (2, 3, 4))
    yield from nonlinear("var", "dim (0, 2), keepdim", lambda x: ops.var(x, dim=(0, 2), keepdim=True), (2, 3, 4))
    yield from nonlinear("var", "dim 1, biased", lambda x: ops.var(x, dim=1, unbiased=False), (2, 3, 4))


def moves() -> Iterator[Row]:
    """Numbers that change place and nothing else."""
    yield from linear("reshape", "(2, 3, 4) to (4, -1)", lambda x: ops.reshape(x, (4, -1)), (2, 3, 4))
    yield from linear("flatten", "from dim 1", lambda x: ops.flatten(x, 1), (2, 3, 4))
    yield from linear("transpose", "0 and 2", lambda x: ops.transpose(x, 0, 2), (2, 3, 4))
    yield from linear("permute", "(2, 0, 1)", lambda x: ops.permute(x, (2, 0, 1)), (2, 3, 4))
    yield from linear("getitem", "slices", lambda x: x[1:, ::-2], (3, 4))
    yield from linear("getitem", "number, ..., None", lambda x: x[1, ..., None, :2], (3, 2, 4))
    yield from linear("getitem", "indices, one twice", lambda x: x[:, ONE_TWICE], (3, 4))
    yield from linear("getitem", "mask", lambda x: x[np.eye(4) > 0], (4, 4))
    yield from linear("cat", "dim 1, three inputs", lambda *x: ops.cat(x, dim=1), (2, 3, 4), (2, 1, 4), (2, 2, 4))
    yield from linear("cat", "one input twice", lambda x: ops.cat([x, x], dim=-1), (2, 3))
    for mode in ("constant", "replicate", "reflect"):
        yield from linear("pad", mode, lambda x, mode=mode: ops.pad(x, (1, 2, 2, 0), mode=mode), (1, 2, 4, 5))
    yield from linear("pad", "constant 3", lambda x: ops.pad(x, (0, 1), value=3.0), (2, 3))


def computed_twice() -> Iterator[Row]:
    """A part of a computation that backward runs once more."""

    def part(x: Tensor, w: Tensor) -> Tensor:
        return ops.tanh(x @ w) * x

    def part_of_a_part(x: Tensor, w: Tensor) -> Tensor:
        return part(ops.recompute(part, x, w), w)

    shapes = (3, 4), (4, 4)
    yield from nonlinear("recompute", "two inputs", lambda x, w: ops.recompute(part, x, w), *shapes)
    yield from nonlinear("recompute", "w from outside", lambda x, w: ops.recompute(lambda x: part(x, w), x), *shapes)
    yield from nonlinear("recompute", "one in another", lambda x, w: ops.recompute(part_of_a_part, x, w), *shapes)
    yield from linear("recompute", "dropout", lambda x: ops.recompute(nn.Dropout(0.4, rng=0), x), (3, 4))


def _positive(*shape: int) -> Input:
    return lambda rng: positive(rng, shape)


def _distinct(*shape: int, offset: float = 0.0) -> Input:
    return lambda rng: distinct(rng, shape) + offset


def _away_from(*shape: int, kinks: tuple[float, ...]) -> Input:
    def make(rng: np.random.Generator) -> Array:
        return away_from(rng, shape, kinks)

    return make

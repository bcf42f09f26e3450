"""The U-Net on the learner's own functions: ``minidepth mine on 4.2 4.3 4.4`` and ``minidepth mine train``.

A lesson's checks.py says how its exercises stand in for a layer of the library, or for the loss or the optimiser:

    @replaces("LeakyReLU", "7.1", "7.2")
    def leaky_relu(yours, layer, x):
        slope = layer.negative_slope
        return own("leaky_relu", yours.leaky_relu(x.data, slope), (x,), lambda g: (yours.backward(g, x.data, slope),))

Every layer of that kind then runs so, forward and backward. Only what passes its checks, now and not last week, may.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from minidepth import losses, models, nn, optim, summary
from minidepth.data import Batch, Loader
from minidepth.data.rooms import RoomsDataset
from minidepth.engine import Tensor
from minidepth.learn.check import checks_of, run_check
from minidepth.learn.definitions import read
from minidepth.learn.errors import LearnerError
from minidepth.learn.library import lessons, load_checks
from minidepth.learn.master import Lesson

SIZE = (32, 40)
BATCH = 2
ROOMS = 16
"""Small and few: a training on loops of Python is to end within a minute."""


@dataclass(frozen=True)
class Mine:
    """How exercises of a lesson stand in for a part of the network's training."""

    exercises: tuple[str, ...]
    part: str
    """A kind of layer, such as ``Conv2d``, or ``loss`` or ``optimizer``."""
    function: Callable[..., Any]


def replaces(part: str, *exercises: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator for a function of checks.py: those exercises stand in for `part`, see `Mine`.

    It is called as ``f(yours, layer, *inputs)`` for a layer and gives a Tensor; as ``f(yours, prediction, depth_m,
    valid)`` for ``loss`` and gives a Tensor of shape (); as ``f(yours, params)`` for ``optimizer`` and gives an object
    with ``step()`` and ``zero_grad()``. ``yours`` has all that the learner has defined in the file of that lesson.
    """

    def mark(function: Callable[..., Any]) -> Callable[..., Any]:
        function.mine = Mine(exercises, part, function)  # type: ignore[attr-defined]
        return function

    return mark


def own(name: str, value: Any, parents: Sequence[Tensor], pullback: Callable[[Any], Iterable[Any]]) -> Tensor:
    """The result of a learner's functions as one of the engine's: in the dtype of the first parent, gradients too."""
    dtype = parents[0].dtype

    def cast(grad: Any) -> tuple[Any, ...]:
        return tuple(
            np.ascontiguousarray(part, parent.dtype) if parent.requires_grad else None
            for part, parent in zip(pullback(grad), parents)
        )

    return Tensor.from_op(f"your {name}", np.ascontiguousarray(value, dtype), tuple(parents), cast)


def parts_of(lesson: Lesson) -> list[Mine]:
    """What the exercises of a lesson can stand in for."""
    values = vars(load_checks(lesson)).values()
    return [value.mine for value in values if isinstance(getattr(value, "mine", None), Mine)]


def replaceable(exercises: Iterable[str]) -> list[tuple[Lesson, Mine]]:
    """The parts for which all exercises are among these, in the order of the lessons: a later one wins."""
    chosen = set(exercises)
    return [
        (lesson, part)
        for lesson in lessons().values()
        for part in parts_of(lesson)
        if chosen.issuperset(part.exercises)
    ]


def refuse_unless_passed(lesson: Lesson, exercises: Iterable[str], asked: Any) -> None:
    """Raise LearnerError for the first of the exercises that does not pass."""
    for one in checks_of(lesson):
        if one.exercise in exercises and run_check(lesson, one, asked, diagnose=False).status != "passed":
            raise LearnerError(
                f"{one.exercise} ({one.title}) does not pass, so the network does not get it: "
                f"minidepth check {one.exercise}"
            )


class Training:
    """A small U-Net on procedural rooms, some parts of which are the learner's.

    Args:
        parts: from `replaceable`. file_of: the learner's file of a lesson.
    """

    def __init__(self, parts: Sequence[tuple[Lesson, Mine]], file_of: Callable[[Lesson], Any]) -> None:
        self.by_part: dict[str, tuple[SimpleNamespace, Mine]] = {}
        for lesson, part in parts:
            names = {key: value for key, value in read(file_of(lesson)).load().items() if not key.startswith("__")}
            self.by_part[part.part] = SimpleNamespace(**names), part
        up = "transposed" if "ConvTranspose2d" in self.by_part else "bilinear"
        self.network = models.build(
            "unet", base_channels=4, depth=2, norm="batch", activation="leaky_relu", up=up, init="pytorch", rng=0
        )
        dict(self.network.named_parameters())["head.bias"].data[:] = 3.0  # a first guess: everything is 3 m away
        self.layers: Counter[str] = Counter()
        """Calls in a step: ``yours`` and ``all``."""
        self._calls: Counter[str] = Counter()
        self.optimizer = self._optimizer()

    def _optimizer(self) -> Any:
        if "optimizer" in self.by_part:
            yours, part = self.by_part["optimizer"]
            return part.function(yours, list(self.network.parameters()))
        return optim.Adam(self.network.parameters(), lr=3e-3)

    def step(self, batch: Batch) -> float:
        """One step; its loss."""
        self._calls.clear()
        with nn.run_layers_by(self.network, self._run):
            prediction = self.network(Tensor(batch.image))
        if "loss" in self.by_part:
            yours, part = self.by_part["loss"]
            loss = part.function(yours, prediction, batch.depth_m, batch.valid)
        else:
            loss = losses.build("mse")(prediction, batch.depth_m, batch.valid)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.layers = Counter(self._calls)
        return loss.item()

    def _run(self, name: str, layer: nn.Module, forward: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
        if isinstance(layer, nn.Identity):
            return forward(*inputs)
        self._calls["all"] += 1
        if type(layer).__name__ not in self.by_part:
            return forward(*inputs)
        self._calls["yours"] += 1
        yours, part = self.by_part[type(layer).__name__]
        return part.function(yours, layer, *inputs)

    def share_of_multiply_adds(self) -> float:
        """How much of the network's arithmetic is the learner's, from 0 to 1."""
        rows = summary.summarize(self.network, SIZE).rows
        own_rows = [row for row in rows if row.kind in self.by_part]
        return sum(row.multiply_adds for row in own_rows) / sum(row.multiply_adds for row in rows)


def train(training: Training, steps: int, budget_s: float, say: Callable[[str], None]) -> None:
    """Train for that many steps, or as many as the time allows, and say how much of the network was the learner's."""
    batches = Loader(RoomsDataset(ROOMS, SIZE), BATCH, workers=0)
    start, seen = time.perf_counter(), []
    for number, batch in enumerate(batch for epoch in range(steps) for batch in batches.epoch(epoch)):
        try:
            seen.append(training.step(batch))
        except Exception as error:  # the learner's own code: whatever it raises ends this with one line
            raise LearnerError(f"your code in step {number + 1}: {type(error).__name__}: {error}") from error
        if not np.isfinite(seen[-1]):
            raise LearnerError(
                f"step {number + 1}: the loss is {seen[-1]}; one of your parts gives numbers out of bounds"
            )
        elapsed_s = time.perf_counter() - start
        if number % 10 == 0:
            say(f"step {number + 1}: loss {seen[-1]:.3f}  ({elapsed_s / (number + 1):.2f} s a step)")
        if len(seen) == steps or elapsed_s > budget_s:
            break
    few = max(1, len(seen) // 5)
    say(f"loss: {np.mean(seen[:few]):.3f} at first, {np.mean(seen[-few:]):.3f} at the end, after {len(seen)} steps")
    layers, kinds = training.layers, {type(layer).__name__ for layer in training.network.modules()}
    for idle in sorted(training.by_part.keys() - kinds - {"loss", "optimizer"}):
        say(f"{idle} was not needed: this network goes up by ConvTranspose2d; turn that off to see yours at work")
    others = [name for name in ("loss", "optimizer") if name in training.by_part]
    say(
        f"yours: {layers['yours']} of the network's {layers['all']} layer calls, "
        f"{training.share_of_multiply_adds():.0%} of its multiply-adds"
        + (f", and the {' and the '.join(others)}" if others else "")
    )

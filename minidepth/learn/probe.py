"""What a check looks through: it draws inputs, asks the learner's functions, and compares what comes back.

    @check("4.1", title="forward", points=2, hints=["...", "..."])
    def forward(t):
        x, w, b = t.randn(2, 3, 7, 9), t.randn(4, 3, 3, 3), t.randn(4)
        t.call("conv2d_forward", x, w, b, stride=2, pad=1).close(by_fft(x, w, b, 2, 1), "y")

The random numbers follow from the exercise and a seed, so a check that fails fails again. Everything that is asked is
written down: a wrong idea is recognised by giving the same answers to the same questions (diagnose.py).
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from minidepth.learn.compare import difference, kind_of
from minidepth.learn.sandbox import Asked

TIMEOUT_S = 20.0


class CheckError(Exception):
    """The learner's function does not do what the check wants; `lines` say what was compared."""

    def __init__(self, *lines: str) -> None:
        super().__init__("\n".join(lines))
        self.lines = list(lines)


class UnwrittenError(Exception):
    """The learner has not written this exercise yet."""


class Step(NamedTuple):
    """One question, and what came back."""

    request: dict[str, Any]
    answer: dict[str, Any]


class Probe:
    """The ``t`` of a check.

    Args:
        asked: the learner's code, see sandbox.py. rng: draws the inputs. timeout_s: for one question.
        constants: of the lesson, see variant.py.
    """

    def __init__(
        self,
        asked: Asked,
        rng: np.random.Generator,
        timeout_s: float | None = None,
        constants: Mapping[str, Any] | None = None,
    ) -> None:
        self._asked, self.rng, self._constants = asked, rng, constants or {}
        self.timeout_s = TIMEOUT_S if timeout_s is None else timeout_s
        self.steps: list[Step] = []
        self.printed = False

    # --- inputs -----------------------------------------------------------------------------------------------------

    def randn(self, *shape: int) -> Any:
        """Normally distributed numbers in float64; without a shape, one number."""
        return self.rng.standard_normal(shape) if shape else float(self.rng.standard_normal())

    def uniform(self, low: float, high: float, *shape: int) -> Any:
        """Numbers between `low` and `high`."""
        return self.rng.uniform(low, high, shape) if shape else float(self.rng.uniform(low, high))

    def choose(self, options: Sequence[Any]) -> Any:
        """One of `options`: a size, a stride. Another seed takes another one."""
        return options[int(self.rng.integers(len(options)))]

    def constant(self, name: str) -> Any:
        """A constant of the lesson that differs between its variants, see variant.py."""
        return self._constants[name]

    # --- questions --------------------------------------------------------------------------------------------------

    def call(self, name: str, *args: Any, may_change: bool = False, **kwargs: Any) -> Answer:
        """Call the learner's function; it must leave its arguments as they are unless it `may_change` them."""
        request = {"do": "call", "name": name, "args": list(args), "kwargs": kwargs}
        return self._ask(request, name, may_change)

    def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Answer:
        """Call ``function(mine, *args)``, a function of checks.py, where the learner's code runs.

        ``mine`` has everything that the learner has defined; this is for what a single call cannot show: a class, a
        function that takes functions, a training. It must return plain values: numbers, texts, lists, dicts, arrays.
        """
        request = {"do": "run", "function": function.__name__, "args": list(args), "kwargs": kwargs}
        return self._ask(request, function.__name__.replace("_", " "), may_change=True)

    def that(self, condition: Any, *lines: str) -> None:
        """Fail with these lines unless `condition` holds."""
        if not condition:
            raise CheckError(*lines)

    def _ask(self, request: dict[str, Any], title: str, may_change: bool) -> Answer:
        answer = self._asked.ask(request, self.timeout_s)
        self.steps.append(Step(request, answer))
        self.printed = self.printed or bool(answer.get("printed"))
        problem = self._problem(request, answer, title)
        if problem:
            raise CheckError(*problem)
        if answer["changed"] and not may_change:
            place = answer["changed"][0]
            raise CheckError(f"{title} changes its input number {place + 1}; work on a copy: x = x.copy()")
        return Answer(answer["value"], title)

    def _problem(self, request: dict[str, Any], answer: dict[str, Any], title: str) -> list[str]:
        """What kept the question from being answered, in a sentence, and the learner's own lines."""
        if "ended" in answer:
            if answer["ended"] == "time":
                seconds = answer.get("after_s", self.timeout_s)
                return [f"{title} was not done after {seconds:.3g} s: is there a loop that never ends?"]
            if answer["ended"] == "late":
                return ["there was no time left for it: what was checked before has taken all that a file may take"]
            return [f"{title} ended the whole process (or used more memory than there is); a function only returns"]
        if "missing" in answer:
            near = difflib.get_close_matches(answer["missing"], answer["there"], 1)
            hint = f"; did you rename it {near[0]}?" if near else ""
            return [f"{answer['missing']} is not defined in your file{hint}"]
        if "signature" in answer:
            return [f"{title} cannot be called as the lesson calls it: yours is {title}{answer['signature']}"]
        if "raised" not in answer:
            return []
        frames = [f"  {line}" for line in answer["frames"][-3:]]
        if answer["raised"] == "NotImplementedError" and answer["text"].startswith("exercise "):
            raise UnwrittenError(answer["text"].removeprefix("exercise "))
        if answer["raised"] == "SystemExit":
            return [f"{title} calls exit(): a function gives its result back with return", *frames]
        if answer["raised"] == "MemoryError":
            return [f"{title} asks for more memory than there is: is an array larger than it has to be?", *frames]
        given = ", ".join(kind_of(value) for value in request["args"])
        text = answer["text"].splitlines()[0] if answer["text"] else ""
        return [
            f"{title} raised {answer['raised']}: {text}"[:300],
            *frames,
            *([f"  called with {given}"] if given else []),
        ]


class Answer:
    """What a learner's function gave back, to be compared."""

    def __init__(self, value: Any, title: str) -> None:
        self.value, self.title = value, title

    def item(self, place: int, count: int | None = None) -> Answer:
        """One of several results; `count` says how many there must be."""
        if not isinstance(self.value, (tuple, list)) or (count is not None and len(self.value) != count):
            wanted = f"{count} results" if count else "several results"
            raise CheckError(f"{self.title} must return {wanted}, yours returns {kind_of(self.value)}")
        if place >= len(self.value):
            raise CheckError(f"{self.title} must return at least {place + 1} results, yours returns {len(self.value)}")
        return Answer(self.value[place], self.title)

    def close(self, expected: Any, what: str = "", rtol: float = 1e-6, atol: float | None = None) -> Answer:
        """Equal to `expected` up to rounding, see `compare.difference`; `what` names it for the learner."""
        found = difference(self.value, expected, rtol, atol)
        if found:
            raise CheckError(f"{what or self.title}: {found[0]}", *found[1:])
        return self

    def number(self, what: str = "") -> float:
        """The value as a float."""
        kinds = (int, float, np.generic, np.ndarray)
        if isinstance(self.value, (bool, np.bool_)) or not isinstance(self.value, kinds) or np.shape(self.value):
            raise CheckError(f"{what or self.title} must be a number, yours is {kind_of(self.value)}")
        return float(self.value)

    def array(self, shape: tuple[int, ...], what: str = "") -> np.ndarray:
        """The value as an array, which must have that shape."""
        if not isinstance(self.value, np.ndarray) or self.value.shape != shape:
            raise CheckError(f"{what or self.title} must be an array {shape}, yours is {kind_of(self.value)}")
        return self.value

"""Runs the learner's functions and says what came of it, in plain values: the part that knows the learner's code.

It runs in a process of its own (child.py) for people and grades, and in this one for the tests of the lessons. A
request is a dict, and so is the answer, so that both ways are the same:

    {"do": "call", "name": "conv2d", "args": [...], "kwargs": {...}}      the learner's function on these arguments
    {"do": "run", "function": "train_once", "args": [...], ...}           a function of checks.py, whose first argument
                                                                          is all that the learner has defined
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import io
import sys
import traceback
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from minidepth.learn.definitions import Definitions

MOST_PRINTED = 2000


class Learner:
    """What the learner has written, ready to be asked.

    Args:
        definitions: the learner's file. checks: the lesson's checks.py, whose functions `run` may name.
    """

    def __init__(self, definitions: Definitions, checks: ModuleType) -> None:
        self.definitions, self.checks = definitions, checks
        self.namespace = definitions.load()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what is asked: ``{"value": ..., "changed": [...], "printed": ...}``, or ``{"raised": ...}`` and more."""
        args, kwargs = request["args"], request["kwargs"]
        if request["do"] == "call":
            function = self.namespace.get(request["name"])
            if not callable(function):
                return {"missing": request["name"], "there": sorted(self._own())}
            wrong = self._wrong_signature(function, args, kwargs)
            if wrong:
                return {"signature": wrong}
            return self._attempt(function, args, kwargs)
        mine = SimpleNamespace(**{name: value for name, value in self.namespace.items() if not name.startswith("__")})
        return self._attempt(getattr(self.checks, request["function"]), [mine, *args], kwargs, skip=1)

    def _own(self) -> list[str]:
        """The names of functions and classes that the file defines itself."""
        return [
            name
            for name, value in self.namespace.items()
            if inspect.isclass(value) or inspect.isfunction(value)
            if getattr(value, "__module__", None) == "learner"
        ]

    def _wrong_signature(self, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> str:
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):  # some builtins do not tell
            return ""
        try:
            signature.bind(*args, **kwargs)
        except TypeError as error:
            plain = [part.replace(annotation=part.empty) for part in signature.parameters.values()]
            return f"{signature.replace(parameters=plain, return_annotation=signature.empty)} ({error})"
        return ""

    def _attempt(
        self, function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any], skip: int = 0
    ) -> dict[str, Any]:
        before, printed = copy.deepcopy(args[skip:]), io.StringIO()
        try:
            with contextlib.redirect_stdout(printed), np.errstate(all="ignore"):
                value = function(*args, **kwargs)
        except SystemExit:
            return {"raised": "SystemExit", "text": "", "frames": self._frames(), "printed": ""}
        except MemoryError as error:
            return {"raised": "MemoryError", "text": str(error), "frames": self._frames(), "printed": ""}
        except AttributeError as error:
            # In a function of checks.py, what is not in the learner's file is missing there: that is no crash.
            if skip and isinstance(error.obj, SimpleNamespace):
                return {"missing": error.name, "there": sorted(self._own())}
            return self._raised(error, printed)
        except Exception as error:
            return self._raised(error, printed)
        changed = [place for place, (old, new) in enumerate(zip(before, args[skip:])) if not _same(old, new)]
        return {"value": value, "changed": changed, "printed": printed.getvalue()[:MOST_PRINTED]}

    def _raised(self, error: Exception, printed: io.StringIO) -> dict[str, Any]:
        return {
            "raised": type(error).__name__,
            "text": str(error) + (f"; {why}" if (why := self.definitions.why(error)) else ""),
            "frames": self._frames(),
            "printed": printed.getvalue()[:MOST_PRINTED],
        }

    def _frames(self) -> list[str]:
        """The learner's own lines in the traceback of what was just raised, outermost first."""
        path, lines = str(self.definitions.path), self.definitions.text.splitlines()
        return [
            f"{self.definitions.place(frame.lineno or 1)}, in {frame.name}: {lines[(frame.lineno or 1) - 1].strip()}"
            for frame in traceback.extract_tb(sys.exc_info()[2])
            if frame.filename == path
        ]


def _same(old: Any, new: Any) -> bool:
    """Whether an argument is what it was."""
    if isinstance(old, np.ndarray) and isinstance(new, np.ndarray):
        same = old.shape == new.shape and old.dtype == new.dtype
        return same and (
            np.array_equal(old, new, equal_nan=True) if old.dtype.kind == "f" else np.array_equal(old, new)
        )
    if isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
        return len(old) == len(new) and all(map(_same, old, new))
    if isinstance(old, dict) and isinstance(new, dict):
        return old.keys() == new.keys() and all(_same(old[key], new[key]) for key in old)
    return True  # numbers and texts cannot be changed, and what else there is looks after itself

"""Where two results differ, in words: how many entries, the worst one, both values."""

from __future__ import annotations

from typing import Any

import numpy as np

from minidepth.learn.codec import Opaque


def kind_of(value: Any) -> str:
    """``an array (2, 3, 7, 9) of float64``, ``None``, ``a float``."""
    if isinstance(value, np.ndarray):
        return f"an array {value.shape} of {value.dtype}"
    if isinstance(value, Opaque):
        return value.text
    if value is None:
        return "None"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, np.generic):
        return f"a number of {value.dtype}"
    return "an int" if type(value) is int else f"a {type(value).__name__}"


def difference(actual: Any, expected: Any, rtol: float, atol: float | None = None) -> list[str]:
    """What is wrong with `actual`, a line or two; nothing where it is as expected.

    Args:
        actual: what the learner's function gave back.
        expected: array, number, text, None, or a tuple, list or dict of them.
        rtol: largest relative error of a number. atol: largest absolute one; None is rtol times the largest expected.
    """
    if isinstance(expected, (tuple, list)):
        if not isinstance(actual, (tuple, list)) or len(actual) != len(expected):
            return [f"yours is {kind_of(actual)}, expected {kind_of(expected)}{_forgotten(actual)}"]
        for place, (one, other) in enumerate(zip(actual, expected)):
            found = difference(one, other, rtol, atol)
            if found:
                return [f"item {place} of {len(expected)}: {found[0]}", *found[1:]]
        return []
    if isinstance(expected, dict):
        if not isinstance(actual, dict) or actual.keys() != expected.keys():
            names = ", ".join(map(repr, expected))
            given = ", ".join(map(repr, actual)) if isinstance(actual, dict) else kind_of(actual)
            return [f"expected a dict with {names}, yours has {given}"]
        for key in expected:
            found = difference(actual[key], expected[key], rtol, atol)
            if found:
                return [f"{key}: {found[0]}", *found[1:]]
        return []
    if isinstance(expected, (np.ndarray, np.generic, float, int)) and not isinstance(expected, bool):
        return _of_numbers(actual, np.asarray(expected), rtol, atol)
    same = type(actual) is type(expected) or isinstance(expected, bool) and isinstance(actual, (bool, np.bool_))
    return [] if same and actual == expected else [f"yours is {_shown(actual)}, expected {_shown(expected)}"]


def _of_numbers(actual: Any, expected: np.ndarray, rtol: float, atol: float | None) -> list[str]:
    if isinstance(actual, bool) or not isinstance(actual, (np.ndarray, np.generic, float, int)):
        return [f"yours is {kind_of(actual)}, expected {_array_or_number(expected)}{_forgotten(actual)}"]
    given = np.asarray(actual)
    if given.dtype.kind not in "biuf":  # a whole number that fits into no array
        return [f"yours is a number of {given.item().bit_length()} bits, expected {_array_or_number(expected)}"]
    if given.shape != expected.shape:
        return [f"yours has the shape {given.shape}, expected {expected.shape}"]
    if given.dtype.kind == "b" or expected.dtype.kind == "b":
        wrong = given != expected if given.dtype.kind == expected.dtype.kind else np.ones(expected.shape, bool)
    else:
        with np.errstate(all="ignore"):
            largest = np.max(np.abs(expected), initial=0, where=np.isfinite(expected))
            limit = (rtol * largest if atol is None else atol) + rtol * np.abs(expected)
            both = np.isnan(given) & np.isnan(expected) | (given == expected)
            wrong = ~(both | (np.abs(given - expected.astype(np.float64)) <= limit))
    count = int(np.count_nonzero(wrong))
    if not count:
        return []
    if expected.ndim == 0:
        return [f"yours is {_number(given)}, expected {_number(expected)}"]
    with np.errstate(all="ignore"):
        distance = np.where(wrong, np.abs(given.astype(np.float64) - expected.astype(np.float64)), -1)
    worst = np.unravel_index(int(np.argmax(distance)), expected.shape)  # NaN counts as largest
    one, other = given[worst], expected[worst]
    with np.errstate(all="ignore"):
        relative = abs(float(one) - float(other)) / max(abs(float(other)), 1e-300)
    place = ", ".join(str(int(i)) for i in worst)
    beside = f" (relative error {relative:.2g})" if np.isfinite(relative) and relative < 1e6 else ""
    return [
        f"compared {expected.shape} {given.dtype}: {count} of {expected.size} entries differ",
        f"worst at [{place}]: yours {_number(one)}, expected {_number(other)}{beside}",
    ]


def _array_or_number(expected: np.ndarray) -> str:
    return f"an array {expected.shape}" if expected.ndim else "a number"


def _forgotten(actual: Any) -> str:
    return "; is there a return at the end?" if actual is None else ""


def _number(value: Any) -> str:
    number = np.asarray(value)
    return str(number) if number.dtype.kind in "biu" else f"{float(number):.6g}"


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, (str, bool, type(None))) else kind_of(value)

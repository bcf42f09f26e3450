"""What a learner is told about two results."""

from __future__ import annotations

import numpy as np
import pytest

from minidepth.learn.codec import Opaque
from minidepth.learn.compare import difference, kind_of

GRID = np.arange(6.0).reshape(2, 3)


def said(actual, expected, rtol=1e-6, atol=None):
    return difference(actual, expected, rtol, atol)


@pytest.mark.parametrize(
    ("actual", "expected"),
    [
        (GRID, GRID * (1 + 4e-7)),
        (GRID.astype(np.float32), GRID),
        (3, 3.0),
        (np.float64(3), 3),
        (np.array(3), 3.0),
        ((1, [2.0, GRID]), [1, (2, GRID)]),
        ({"a": 1, "b": None}, {"b": None, "a": 1.0}),
        ("x", "x"),
        (True, True),
        (np.True_, True),
        (np.array([np.nan, np.inf, 1]), np.array([np.nan, np.inf, 1])),
        (np.array([True, False]), np.array([True, False])),
        (np.array([2**63], np.uint64), np.array([2**63], np.uint64)),
    ],
)
def test_equal_up_to_rounding(actual, expected):
    assert said(actual, expected) == []


@pytest.mark.parametrize(
    ("actual", "expected", "text"),
    [
        (None, GRID, "yours is None, expected an array (2, 3); is there a return at the end?"),
        (None, (1, 2), "yours is None, expected a tuple of 2; is there a return at the end?"),
        ([1, 2, 3], (1, 2), "yours is a list of 3, expected a tuple of 2"),
        (GRID.T, GRID, "yours has the shape (3, 2), expected (2, 3)"),
        (3.5, GRID, "yours has the shape (), expected (2, 3)"),
        (2, 3, "yours is 2, expected 3"),
        (True, 1, "yours is a bool, expected a number"),
        (1, True, "yours is an int, expected True"),
        ("a", "b", "yours is 'a', expected 'b'"),
        (1, None, "yours is an int, expected None"),
        ((1, 2), (1, 3), "item 1 of 2: yours is 2, expected 3"),
        ({"a": 1}, {"a": 2}, "a: yours is 1, expected 2"),
        ({"b": 1}, {"a": 2}, "expected a dict with 'a', yours has 'b'"),
        (7, {"a": 2}, "expected a dict with 'a', yours has an int"),
        (Opaque("a module"), GRID, "yours is a module, expected an array (2, 3)"),
        (10**400, 3, "yours is a number of 1329 bits, expected a number"),
        (np.nan, 3.0, "yours is nan, expected 3"),
    ],
)
def test_what_is_wrong_in_a_line(actual, expected, text):
    assert said(actual, expected) == [text]


def test_the_worst_entry_is_shown_with_both_values():
    wrong = GRID.copy()
    wrong[1, 2], wrong[0, 1] = 5.5, 1.1
    assert said(wrong, GRID) == [
        "compared (2, 3) float64: 2 of 6 entries differ",
        "worst at [1, 2]: yours 5.5, expected 5 (relative error 0.1)",
    ]
    wrong[0, 0] = np.nan
    assert said(wrong, GRID)[1] == "worst at [0, 0]: yours nan, expected 0"
    assert "1 of 2 entries differ" in said(np.array([True, True]), np.array([True, False]))[0]
    assert "2 of 2 entries differ" in said(np.array([1, 0]), np.array([True, False]))[0]  # numbers are no answers


def test_tolerances():
    assert said(1.001, 1.0, rtol=1e-2) == []
    assert said(1.001, 1.0, rtol=1e-4)
    assert said(np.array([0.001, 100]), np.array([0, 100.0]), rtol=1e-4) == []  # zero beside large numbers
    assert said(np.array([0.001, 100]), np.array([0, 100.0]), rtol=1e-4, atol=1e-6)
    assert said(4, 3, rtol=0) and not said(3, 3, rtol=0)
    assert said(np.array([np.inf]), np.array([1e308]))
    assert said(np.array([1.0]), np.array([np.nan]))


def test_kinds():
    assert kind_of(GRID) == "an array (2, 3) of float64"
    assert kind_of(np.float32(1)) == "a number of float32"
    assert kind_of(3) == "an int"

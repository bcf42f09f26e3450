"""Every operation and every gradient agrees with what PyTorch computed once (tests/golden/make_golden.py)."""

from __future__ import annotations

import json
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from helpers import assert_same, value_and_gradients
from op_settings import DRAW, call

from minidepth import ops

FOLDER = Path(__file__).parent
with np.load(FOLDER / "golden.npz") as _file:
    GOLDEN = dict(_file)
CASES = json.loads(str(GOLDEN["cases"]))
SIZES = [[math.prod(shape) for shape in case["shapes"]] for case in CASES]


@pytest.mark.parametrize("number", range(len(CASES)), ids=lambda i: f"{CASES[i]['op']}-{i}")
def test_agrees_with_pytorch(number: int) -> None:
    op, options, shapes = (CASES[number][key] for key in ("op", "options", "shapes"))
    start = sum(map(sum, SIZES[:number]))
    flat = np.split(GOLDEN["numbers"][start : start + sum(SIZES[number])], np.cumsum(SIZES[number][:-1]))
    arrays = [numbers.reshape(shape) for numbers, shape in zip(flat, shapes)]
    count = (len(arrays) - 2) // 2
    inputs, (expected, cotangent), expected_grads = arrays[:count], arrays[count : count + 2], arrays[count + 2 :]
    value, grads = value_and_gradients(partial(call, ops, op, options), inputs, cotangent)
    assert_same(value, expected, relative=1e-10)
    for grad, expected_grad in zip(grads, expected_grads, strict=True):
        assert_same(grad, expected_grad, relative=1e-10)


def test_the_file_says_where_it_comes_from() -> None:
    assert str(GOLDEN["torch"]).startswith("2.")
    assert str(GOLDEN["script"]) == (FOLDER / "make_golden.py").read_text(), "run make_golden.py again"
    assert {case["op"] for case in CASES} == set(DRAW)


def test_every_public_operation_has_settings() -> None:
    public = {name for name in vars(ops) if getattr(getattr(ops, name), "__module__", "").startswith("minidepth.ops.")}
    public = {name for name in public if callable(getattr(ops, name))} - {"recompute", "cast"}  # neither computes
    assert public <= set(DRAW)

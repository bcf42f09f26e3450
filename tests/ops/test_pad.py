"""pad: values by hand and by loops, gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from helpers import assert_linear, assert_same, normal

from minidepth import Tensor
from minidepth.ops import pad

# x, pad (last dimension first), the same as (before, after) for each dimension
SETTINGS = [
    ((5,), (2, 1), [(2, 1)]),
    ((2, 3, 4, 5), (1, 2, 0, 3), [(0, 0), (0, 0), (0, 3), (1, 2)]),
    ((2, 3, 4, 5), (4, 4), [(0, 0), (0, 0), (0, 0), (4, 4)]),
    ((2, 3, 4, 5), (0, 0, 3, 3), [(0, 0), (0, 0), (3, 3), (0, 0)]),
    ((3, 4, 5), (1, 1, 2, 2, 2, 0), [(2, 0), (2, 2), (1, 1)]),
    ((2, 3), (), [(0, 0), (0, 0)]),
]


@pytest.mark.parametrize(
    "mode, value, grad",
    [
        ("constant", [9, 9, 1, 2, 3, 9], [4, 8, 16]),
        ("replicate", [1, 1, 1, 2, 3, 3], [1 + 2 + 4, 8, 16 + 32]),
        ("reflect", [3, 2, 1, 2, 3, 2], [4, 2 + 8 + 32, 1 + 16]),
    ],
)
def test_by_hand(mode, value, grad) -> None:
    x = Tensor(np.array([1.0, 2.0, 3.0]), requires_grad=True)
    y = pad(x, (2, 1), mode, 9.0 if mode == "constant" else 0.0)
    assert y.numpy().tolist() == value
    y.backward(np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0]))
    assert x.grad.tolist() == grad


@pytest.mark.parametrize("mode", ["constant", "replicate", "reflect"])
@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_oracle_and_gradient(setting, mode) -> None:
    shape, widths, by_dimension = setting
    if mode == "reflect":  # the mirror has only what lies behind the edge
        widths = [min(width, 2) for width in widths]
        by_dimension = [(min(a, 2), min(b, 2)) for a, b in by_dimension]
    x = normal(*shape)
    assert_same(pad(Tensor(x), widths, mode, 1.5), reference.pad(x, by_dimension, mode, 1.5))
    assert_linear(lambda x: pad(x, widths, mode, 1.5), x)


@pytest.mark.parametrize(
    "shape, widths, mode, text",
    [
        ((2, 3), (1,), "constant", r"pad: pad \(1,\) must hold two numbers a dimension, at most 4 \(x \(2, 3\)\)"),
        ((3,), (1, 1, 1, 1), "constant", r"pad: pad \(1, 1, 1, 1\) must hold two numbers a dimension, at most 2"),
        ((3,), (1, -1), "constant", r"pad: pad \(1, -1\) has a negative width; cut with"),
        ((3,), (1, 1), "circular", r"pad: mode 'circular' is unknown; use constant, replicate or reflect"),
        ((2, 3), (0, 3), "reflect", r"pad: reflect needs widths below the size, but \(0, 3\) meets 3"),
        ((2, 0), (1, 0), "replicate", r"pad: replicate has no edge value to repeat in size 0"),
    ],
)
def test_bad_input(shape, widths, mode, text) -> None:
    with pytest.raises(ValueError, match=text):
        pad(Tensor(np.zeros(shape)), widths, mode)

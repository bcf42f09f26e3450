"""Enlargement to twice the size by repeating: by hand, the plain loops, the adjoint, several blocks, views."""

import numpy as np
import pytest
import reference
from helpers import assert_same, normal

from minidepth.ops.cpu import repeat_2x2


def test_by_hand():
    x = np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
    assert repeat_2x2.forward(x).tolist() == [[[[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]]]
    grad = np.arange(16.0).reshape(1, 1, 4, 4)
    assert repeat_2x2.grad_x(grad).tolist() == [[[[0 + 1 + 4 + 5, 2 + 3 + 6 + 7], [8 + 9 + 12 + 13, 50]]]]


@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 1), (2, 3, 2, 5), (1, 2, 7, 3), (0, 2, 3, 3), (1, 1, 90, 800), (3, 5, 70, 90)]
)
def test_oracle_and_adjoint(shape):
    x, g = normal(*shape), normal(*shape[:2], 2 * shape[2], 2 * shape[3], seed=1)
    y = repeat_2x2.forward(x)
    assert_same(y, x.repeat(2, axis=2).repeat(2, axis=3), relative=0)
    if x.size < 1000:
        assert_same(y, reference.interpolate(x, (2 * shape[2], 2 * shape[3]), "nearest"), relative=0)
    assert repeat_2x2.grad_x(g).shape == shape
    assert np.sum(y * g) == pytest.approx(np.sum(x * repeat_2x2.grad_x(g)), rel=1e-11)


@pytest.mark.parametrize("shape", [(2, 8, 6, 10), (3, 16, 60, 70)])
def test_views_and_float32(shape):
    x = normal(*shape).astype(np.float32)
    for view in (x[:, 2:6], x[::2], x.transpose(1, 0, 3, 2)):
        for function in (repeat_2x2.forward, repeat_2x2.grad_x):
            result = function(view)
            assert result.dtype == np.float32 and result.flags.c_contiguous
            np.testing.assert_array_equal(result, function(np.ascontiguousarray(view)))

"""Enlargement to twice the size: by hand, the plain loops, the adjoint, several blocks, views."""

import numpy as np
import pytest
import reference
from helpers import assert_same, normal

from minidepth.ops.cpu import double_size


def test_by_hand():
    x = np.array([[[[0.0, 16.0], [32.0, 48.0]]]])
    along_columns = [[0, 4, 12, 16], [32, 36, 44, 48]]
    expected = [along_columns[0], [8, 12, 20, 24], [24, 28, 36, 40], along_columns[1]]
    assert double_size.forward(x).tolist() == [[expected]]
    grad = np.zeros((1, 1, 4, 4))
    grad[0, 0, 1, 2] = 16  # 3/4 of the upper row, 1/4 of the left column
    assert double_size.grad_x(grad).tolist() == [[[[3, 9], [1, 3]]]]


@pytest.mark.parametrize(
    "shape", [(1, 1, 2, 2), (2, 3, 2, 5), (1, 2, 7, 3), (0, 2, 3, 3), (1, 1, 90, 800), (3, 5, 70, 90)]
)
def test_oracle_and_adjoint(shape):
    x, g = normal(*shape), normal(*shape[:2], 2 * shape[2], 2 * shape[3], seed=1)
    y = double_size.forward(x)
    if x.size < 1000:
        assert_same(y, reference.interpolate(x, (2 * shape[2], 2 * shape[3]), "bilinear", False), relative=1e-15)
    assert double_size.grad_x(g).shape == shape
    assert np.sum(y * g) == pytest.approx(np.sum(x * double_size.grad_x(g)), rel=1e-11)


@pytest.mark.parametrize("shape", [(2, 8, 6, 10), (3, 16, 60, 70)])
def test_views_and_float32(shape):
    x = normal(*shape).astype(np.float32)
    for view in (x[:, 2:6], x[::2], x.transpose(1, 0, 3, 2)):
        for function in (double_size.forward, double_size.grad_x):
            result = function(view)
            assert result.dtype == np.float32 and result.flags.c_contiguous
            np.testing.assert_array_equal(result, function(np.ascontiguousarray(view)))
            assert_same(result, function(view.astype(np.float64)), relative=1e-6)

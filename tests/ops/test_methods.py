"""The methods of Tensor give what the functions give."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import normal

from minidepth import Tensor, ops


@pytest.mark.parametrize(
    "method, function",
    [
        (lambda x: x.sum(1), lambda x: ops.sum(x, 1)),
        (lambda x: x.mean(dim=(0, 1), keepdim=True), lambda x: ops.mean(x, (0, 1), True)),
        (lambda x: x.var(0, unbiased=False), lambda x: ops.var(x, 0, unbiased=False)),
        (lambda x: x.max(-1), lambda x: ops.max(x, -1)),
        (lambda x: x.min(), lambda x: ops.min(x)),
        (lambda x: x.abs(), ops.abs),
        (lambda x: x.exp(), ops.exp),
        (lambda x: (x * x).log(), lambda x: ops.log(x * x)),
        (lambda x: (x * x).sqrt(), lambda x: ops.sqrt(x * x)),
        (lambda x: x.clip(min=-1, max=0.5), lambda x: ops.clip(x, -1, 0.5)),
        (lambda x: x.reshape(3, -1), lambda x: ops.reshape(x, (3, -1))),
        (lambda x: x.reshape((3, -1)), lambda x: ops.reshape(x, (3, -1))),
        (lambda x: x.flatten(1), lambda x: ops.flatten(x, 1)),
        (lambda x: x.transpose(0, 2), lambda x: ops.transpose(x, 0, 2)),
        (lambda x: x.permute(1, 2, 0), lambda x: ops.permute(x, (1, 2, 0))),
        (lambda x: x.permute((1, 2, 0)), lambda x: ops.permute(x, (1, 2, 0))),
        (lambda x: x[0].T, lambda x: ops.transpose(ops.getitem(x, 0), 0, 1)),
    ],
)
def test_methods_are_the_functions(method, function) -> None:
    x = Tensor(normal(2, 3, 4))
    assert np.array_equal(method(x).data, function(x).data)


def test_the_transpose_of_what_is_no_matrix() -> None:
    with pytest.raises(ValueError, match=r"T: x must be a matrix, but has shape \(2, 3, 4\); use permute or transpose"):
        _ = Tensor(np.zeros((2, 3, 4))).T


def test_a_float32_chain_stays_float32() -> None:
    x = Tensor(normal(2, 3).astype(np.float32), requires_grad=True)
    y = (x.abs() + 1).log().clip(0.1, 2.0).exp().sqrt().var(0).mean()
    y.backward()
    assert y.dtype == np.float32 and x.grad.dtype == np.float32

"""Many random settings of every operation beside PyTorch, where it is installed; golden files serve everybody else."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from helpers import assert_same, value_and_gradients
from op_settings import DRAW, call

from minidepth import ops

pytest.importorskip("torch", reason="PyTorch is not installed; tests/golden holds fixed results of it instead")
import torch_oracle  # noqa: E402

SETTINGS = 40


@pytest.mark.parametrize("op", DRAW)
def test_agrees_with_pytorch(op: str) -> None:
    rng = np.random.default_rng(1)
    for _ in range(SETTINGS):
        inputs, options = DRAW[op](rng)
        expected, cotangent, expected_grads = torch_oracle.value_and_gradients(op, inputs, options, rng)
        value, grads = value_and_gradients(partial(call, ops, op, options), inputs, cotangent)
        assert_same(value, expected, relative=1e-10)
        for grad, expected_grad in zip(grads, expected_grads, strict=True):
            assert_same(grad, expected_grad, relative=1e-10)

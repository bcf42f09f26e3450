"""The sum of parts on a GPU: every part counts once, whatever their number and size."""

from __future__ import annotations

import numpy as np
import pytest
from twins import GPUS, to_gpu, watched

from minidepth.ops.gpu.sum_parts import sum_parts


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("shape", [(1, 5), (2, 33), (5, 3, 4, 3), (32, 1), (70, 40)])
def test_the_sum_over_the_first_axis(shape, gpu) -> None:
    whole = np.random.default_rng(0).integers(-9, 10, shape)
    for dtype in (np.float32, np.float64):
        with watched(gpu, dtype):
            y = sum_parts(to_gpu(gpu, whole.astype(dtype))).get()
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, whole.sum(axis=0))

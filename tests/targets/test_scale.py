"""Scales of depth: by hand, there and back, and what a network may say that is no depth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minidepth.targets.scale import SCALES, decode, encode, encode_number

BY_HAND = {"metres": [0, 0.5, 4, 10], "unit": [0, 0.05, 0.4, 1], "inverse": [0, 20, 2.5, 1]}
BY_HAND["log"] = [0, math.log(0.5), math.log(4), math.log(10)]


@pytest.mark.parametrize("scale", SCALES)
def test_by_hand(scale):
    depth_m = np.array([0, 0.5, 4, 10], np.float32)
    values = encode(depth_m, depth_m > 0, scale, 10.0)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, BY_HAND[scale], rtol=1e-6)
    assert [encode_number(m, scale, 10.0) for m in (0.5, 4.0, 10.0)] == pytest.approx(BY_HAND[scale][1:])


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("max_depth_m", [10.0, 80.0])
def test_there_and_back(scale, max_depth_m):
    depth_m = np.random.default_rng(0).uniform(0.1, max_depth_m, (2, 1, 4, 5))
    back = decode(encode(depth_m, depth_m > 0, scale, max_depth_m), scale, max_depth_m)
    np.testing.assert_allclose(back, depth_m, rtol=1e-12)


def test_numbers_that_mean_no_depth_become_the_farthest_one():
    assert decode(np.array([0.5, 0.0, -3.0]), "inverse", 10.0).tolist() == [10, 10, 10]
    assert decode(np.array([5.0, 1e9]), "log", 10.0) == pytest.approx([10, 10])

"""Sums over channels against exact ones, and tiles that cover every channel once."""

from __future__ import annotations

import math

import numpy as np
import pytest
from helpers import normal

from minidepth.ops.cpu.channels import SEGMENT, TILE_ELEMENTS, channel_sums, column, run_channels

PIXELS = [1, 7, SEGMENT - 1, SEGMENT, SEGMENT + 1, 3 * SEGMENT, 5 * SEGMENT + 100]


@pytest.mark.parametrize("pixels", PIXELS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_are_exact_but_for_rounding(pixels: int, dtype: type) -> None:
    a, b = normal(3, 4, pixels).astype(dtype), normal(3, 4, pixels, seed=1).astype(dtype)
    tolerance = 20 * np.finfo(dtype).eps * math.sqrt(a[:, 0].size)
    for sums, terms in ((channel_sums(a), a), (channel_sums(a, b), a.astype(np.float64) * b)):
        assert sums.shape == (4, 1) and sums.dtype == np.float64
        exact = [[math.fsum(terms[:, channel].ravel())] for channel in range(4)]
        np.testing.assert_allclose(sums, exact, rtol=0, atol=tolerance)


def test_a_large_mean_is_not_rounded_away() -> None:
    a = (1000 + normal(4, 2, 240 * 320)).astype(np.float32)
    exact = [[math.fsum(a[:, channel].ravel()) / a[:, channel].size] for channel in range(2)]
    np.testing.assert_allclose(channel_sums(a) / a[:, 0].size, exact, rtol=1e-8)


def test_slices_of_channels_and_strides_are_summed_where_they_lie() -> None:
    a = normal(2, 9, 2 * SEGMENT + 5)
    np.testing.assert_allclose(channel_sums(a[:, 3:7]), a[:, 3:7].sum(axis=(0, 2))[:, None])
    b = normal(2, 9, 4 * SEGMENT + 10, seed=1)[:, :, ::2]
    np.testing.assert_allclose(channel_sums(a, b), (a * b).sum(axis=(0, 2))[:, None])


@pytest.mark.parametrize(
    "shape", [(2, 3, 4, 5), (5, 7), (2, 300, 50, 40), (1, 5, 600, 500), (2, 3, 0), (0, 3, 4)], ids=str
)
def test_every_channel_is_in_one_tile(shape: tuple[int, ...]) -> None:
    x, y = normal(*shape), np.zeros(shape)
    seen: list[slice] = []

    def tile(channels: slice, part: np.ndarray, result: np.ndarray) -> None:
        assert part.ndim == 3
        result += 2 * part
        seen.append(channels)

    run_channels(tile, x, y)
    assert sorted(c for channels in seen for c in range(shape[1])[channels]) == list(range(shape[1]))
    np.testing.assert_array_equal(y, 2 * x)
    if x.size > TILE_ELEMENTS:
        assert len(seen) > 1


@pytest.mark.parametrize("elements, tiles", [(10**6, 1), (60_000, 2), (20_000, 6), (1, 20)])
def test_so_many_numbers_make_a_tile(elements: int, tiles: int) -> None:
    seen: list[slice] = []
    run_channels(lambda channels, part: seen.append(channels), np.zeros((1, 20, 100, 50)), elements=elements)
    assert len({(some.start, some.stop) for some in seen}) == len(seen)
    assert len(seen) == -(-20 // -(-20 // tiles))


def test_column() -> None:
    values = column(np.array([1.0, 2.0]), np.dtype(np.float32))
    assert values.tolist() == [[1], [2]] and values.dtype == np.float32

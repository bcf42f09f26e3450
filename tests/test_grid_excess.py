"""grid_excess: known patterns give known numbers, smooth maps none, and the unit does not matter."""

from __future__ import annotations

import numpy as np
import pytest

from minidepth.grid_excess import PERIODS, grid_excess, grid_excess_by_period

ROWS, COLUMNS = np.mgrid[:128, :160]

SMOOTH = {
    "waves": 3 + np.sin(COLUMNS / 20) + 0.5 * np.cos(ROWS / 15),
    "ramp": 2 + 0.01 * COLUMNS + 0.03 * ROWS,
    "steps": np.where(COLUMNS > 77, 2.0, 5.0) + np.where(ROWS > 33, 1, 0),
    "constant": np.full((128, 160), 2.7),
    "zero": np.zeros((128, 160)),
    "smallest": np.full((64, 64), 2.7),
}


def white_noise(seed=0, size=512):
    return np.random.default_rng(seed).standard_normal((size, size))


def room(seed=0):
    """A map whose spectrum falls like 1/f^2, of depths around 3 m."""
    rng = np.random.default_rng(seed)
    f = np.hypot(np.fft.fftfreq(128)[:, None], np.fft.rfftfreq(160))
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((128, 160))) / (0.01 + f) ** 2)
    return 3 + field / field.std()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", SMOOTH)
def test_smooth_maps_have_no_excess(name, dtype):
    found = grid_excess_by_period(SMOOTH[name].astype(dtype))
    assert list(found) == list(PERIODS) == [2, 4, 8, 16]
    assert all(-1.2 < excess < 0.1 for excess in found.values()), found
    assert 0 <= grid_excess(SMOOTH[name].astype(dtype)) < 0.05


@pytest.mark.parametrize("seed", range(4))
def test_the_scatter_of_a_room_is_a_decibel_or_so(seed):
    found = grid_excess_by_period(room(seed))
    assert all(abs(excess) < 2 for excess in found.values()), found


@pytest.mark.parametrize("amplitude", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_pattern_of_known_strength_on_noise(amplitude, axis):
    """Of rows and columns one has the pattern, so the mean of both has half of its decibels."""
    place = np.indices((512, 512))[axis]
    found = grid_excess_by_period(white_noise() + amplitude * (-1.0) ** place)
    expected = 10 * np.log10(1 + 1024 / 24 * amplitude**2)  # (sum w)^2 = 32^2, sum w^2 = 24
    assert 2 * found[2] == pytest.approx(expected, abs=0.5)
    assert all(abs(found[period]) < 0.2 for period in (4, 8, 16))


@pytest.mark.parametrize("period", PERIODS)
def test_each_period_is_told_from_the_others(period):
    """A cosine of the period itself: nothing at its harmonics, so nothing in other periods."""
    waves = np.cos(2 * np.pi * COLUMNS / period) + np.cos(2 * np.pi * ROWS / period)
    noise = 3 + 0.1 * white_noise()[:128, :160]
    before, after = grid_excess_by_period(noise), grid_excess_by_period(noise + 0.2 * waves)
    for other in PERIODS:
        change = after[other] - before[other]
        assert change > 3 if other == period else abs(change) < 0.3, (other, change)


def test_a_stronger_pattern_has_more_excess():
    pattern = np.random.default_rng(5).standard_normal((4, 4))[ROWS % 4, COLUMNS % 4]
    found = [grid_excess(room() * (1 + strength * pattern)) for strength in (0, 0.003, 0.01, 0.03)]
    assert found == sorted(found)
    assert found[0] < 0.5 and found[-1] > 3


def test_a_step_of_depth_does_not_drown_the_pattern():
    pattern = 0.01 * (-1.0) ** COLUMNS
    assert grid_excess_by_period(SMOOTH["steps"] + pattern)[2] > 3
    edges = np.random.default_rng(0).permutation(160)[:20]
    clutter = 3 + np.cumsum(np.isin(COLUMNS, edges), axis=1) % 2 * (ROWS < 64)  # edges everywhere in the upper half
    assert abs(grid_excess_by_period(clutter)[2]) < 1
    assert grid_excess_by_period(clutter + pattern)[2] > 2.5


@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1000.0, 1e30])
def test_the_unit_does_not_matter(scale):
    depth = room() * (1 + 0.01 * (-1.0) ** COLUMNS)
    assert grid_excess(depth * scale) == pytest.approx(grid_excess(depth), rel=1e-9)


def test_rows_and_columns_count_alike():
    depth = room() + 0.02 * (-1.0) ** COLUMNS
    assert grid_excess(depth.T) == pytest.approx(grid_excess(depth), rel=1e-12)


def test_a_lack_is_no_excess():
    """What bilinear resizing by 2 takes out in one period does not pay for a pattern in another."""
    half = room()[::2, ::2]
    twice = (half[:, :-1] + half[:, 1:]) / 2
    soft = np.empty((64, 2 * half.shape[1] - 1))
    soft[:, ::2], soft[:, 1::2] = half, twice
    soft = np.repeat(soft, 2, axis=0)
    found = grid_excess_by_period(soft)
    assert found[2] < -1
    assert grid_excess(soft) >= 0


def test_bad_input():
    with pytest.raises(ValueError, match=r"grid_excess: the map must be \(H, W\) with at least 64 .* shape \(63, 64\)"):
        grid_excess(np.ones((63, 64)))
    with pytest.raises(ValueError, match=r"shape \(1, 64, 64\)"):
        grid_excess(np.ones((1, 64, 64)))
    with pytest.raises(ValueError, match="not finite"):
        grid_excess(np.full((64, 64), np.nan))

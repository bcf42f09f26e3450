import numpy as np
import pytest

from minidepth.data.sample import Sample, change_fields, make_sample, valid_depth
from minidepth.errors import DataError

IMAGE = np.zeros((2, 3, 3), np.uint8)


def test_valid_is_finite_above_zero_and_at_most_ten_metres():
    depth_m = np.array([0, 1e-3, 5, 10, 10.0004, 10.01, -1, np.nan, np.inf, -np.inf], np.float32)
    expected = [False, True, True, True, True, False, False, False, False, False]
    assert valid_depth(depth_m).tolist() == expected


def test_invalid_depth_becomes_zero():
    depth_m = np.array([[1, 0, 11], [12, 0, 10]], np.float32)
    sample = make_sample(IMAGE, depth_m, "here")
    assert sample.depth_m.tolist() == [[1, 0, 0], [0, 0, 10]]
    assert sample.valid.tolist() == [[True, False, False], [False, False, True]]
    assert sample.depth_m.dtype == np.float32


@pytest.mark.parametrize(
    "values, counts",
    [
        ((np.nan,), "NaN at 1 pixels"),
        ((-1, -0.5), "negative at 2 pixels"),
        ((np.inf, 2), "infinite at 1 pixels"),
        ((-np.inf, 2), "infinite at 1 pixels, negative at 1 pixels"),
        ((np.nan, -1, np.inf), "NaN at 1 pixels, infinite at 1 pixels, negative at 1 pixels"),
    ],
)
def test_depth_that_means_nothing_is_an_error_that_counts_it(values, counts):
    depth_m = np.ones((2, 3), np.float32)
    depth_m.flat[: len(values)] = values
    with pytest.raises(DataError, match=rf"^a\.h5: depth is {counts}; the file is damaged"):
        make_sample(IMAGE, depth_m, "a.h5")


def test_different_sizes_are_an_error_that_gives_both():
    with pytest.raises(DataError, match=r"^a\.png: the picture is 2x3, but the depth map is 3x2 \(height x width\)"):
        make_sample(IMAGE, np.ones((3, 2), np.float32), "a.png")


@pytest.mark.parametrize("value, found", [(0, "0 to 0 m"), (2500, "2500 to 2500 m")])
def test_no_valid_pixel_is_an_error_that_says_what_was_found(value, found):
    with pytest.raises(DataError, match=rf"^a\.png: the depth map has no valid pixel \(found {found};"):
        make_sample(IMAGE, np.full((2, 3), value, np.float32), "a.png")


def test_another_greatest_depth():
    depth_m = np.array([[1, 60, 0], [80, 81, 10]], np.float32)
    sample = make_sample(IMAGE, depth_m, "here", 80)
    assert sample.valid.tolist() == [[True, True, False], [True, False, True]]
    assert sample.depth_m.tolist() == [[1, 60, 0], [80, 0, 10]]
    with pytest.raises(DataError, match=r"found 90 to 90 m; valid is above 0 and at most 80 m"):
        make_sample(IMAGE, np.full((2, 3), 90, np.float32), "here", 80)


def test_a_change_of_fields_takes_each_field_by_its_kind():
    tags = dict(depth_m=1.0, valid=True, labels=2, mask=0.5, background=4)
    sample = Sample(np.zeros(1), *(np.array([value]) for value in tags.values()))
    changed = change_fields(sample, lambda a: a + 100, lambda a: a * 3, lambda a: a - 7)
    assert [float(array[0]) for array in changed] == [100, 3, 3, 6, -6.5, 104]
    assert change_fields(sample, lambda a: a + 100, lambda a: a * 3).mask[0] == 1.5
    assert change_fields(Sample(*sample[:3]), lambda a: a, lambda a: a)[3:] == (None, None, None)

import numpy as np
import pytest

from minidepth.data.sample import make_sample, network_input, valid_depth
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


def test_network_input_by_hand():
    image = np.zeros((1, 2, 3), np.uint8)
    image[0, 1] = (255, 128, 10)
    x = network_input(image)
    assert x.shape == (3, 1, 2) and x.dtype == np.float32 and x.flags.c_contiguous
    expected = [(1 - 0.485) / 0.229, (128 / 255 - 0.456) / 0.224, (10 / 255 - 0.406) / 0.225]
    np.testing.assert_allclose(x[:, 0, 1], expected, rtol=1e-5)
    np.testing.assert_allclose(x[:, 0, 0], [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225], rtol=1e-5)

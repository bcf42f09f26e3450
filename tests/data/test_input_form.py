import numpy as np
import pytest

from minidepth.data import network_input
from minidepth.data.input_form import FORMS
from minidepth.errors import InputError

PIXEL = (255, 128, 10)


def picture():
    """Black, and one pixel of three different bytes."""
    image = np.zeros((1, 2, 3), np.uint8)
    image[0, 1] = PIXEL
    return image


def standardized(mean, std):
    return [(v / 255 - m) / s for v, m, s in zip(PIXEL, mean, std)]


@pytest.mark.parametrize(
    "form, background, expected",
    [
        ("imagenet", False, standardized((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))),
        ("imagenet", True, standardized((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))),
        ("unit", False, [1, 128 / 255, 10 / 255]),
        ("bytes", True, PIXEL),
        ("minmax", False, [1, 128 / 255, 10 / 255]),
        ("modest", False, standardized((0.41221, 0.47368, 0.53431), (0.25699, 0.24577, 0.24217))),
        ("modest", True, standardized((0.40086, 0.46599, 0.53281), (0.25451, 0.24249, 0.23615))),
    ],
)
def test_every_form_by_hand(form, background, expected):
    x = network_input(picture(), form, background)
    assert x.shape == (3, 1, 2) and x.dtype == np.float32 and x.flags.c_contiguous
    np.testing.assert_allclose(x[:, 0, 1], expected, rtol=1e-5)


def test_imagenet_is_the_default_and_black_is_minus_mean_over_std():
    x = network_input(picture())
    np.testing.assert_allclose(x[:, 0, 0], [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225], rtol=1e-5)


def test_minmax_uses_the_range_of_the_picture_over_all_channels():
    image = np.array([[[40, 60, 90], [50, 140, 100]]], np.uint8)
    np.testing.assert_allclose(network_input(image, "minmax")[:, 0, 0], [0, 0.2, 0.5], atol=1e-6)
    assert network_input(image, "minmax").max() == pytest.approx(1)
    assert (network_input(np.full((2, 2, 3), 77, np.uint8), "minmax") == 0).all()


def test_an_unknown_form_lists_the_known_ones():
    with pytest.raises(InputError, match=r"input 'imagnet': unknown; use imagenet, unit, .*; did you mean imagenet\?"):
        network_input(picture(), "imagnet")
    assert len(FORMS) == 5

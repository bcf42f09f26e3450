"""MaskNet3: the published count, row by row, its two inputs, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from network_checks import assert_every_parameter_counts, assert_one_seed_one_network, counts, pictures

from minidepth import Tensor
from minidepth.errors import InputError
from minidepth.models import MaskNet3

BN_BIAS = ("conv.bias",)  # a bias before batch-norm: the mean takes it away again


def test_published_count_and_its_rows() -> None:
    assert counts(MaskNet3)[0] == 76_097
    model = MaskNet3(rng=0)
    rows = [sum(p.size for p in part.parameters()) for part in (model.background_conv, model.image_conv, model.conv1)]
    assert rows == [896 + 64, 896 + 64, 36_928 + 128]
    assert sum(p.size for p in model.head.parameters()) == 65


def test_two_pictures_in_one_logit_out_of_any_size() -> None:
    model = MaskNet3(base_channels=2, rng=0)
    assert (model.inputs, model.outputs, model.multiple) == (("background", "image"), ("mask",), 1)
    assert model(*pictures((2, 3, 5, 7), (2, 3, 5, 7))).shape == (2, 1, 5, 7)


def test_a_pixel_of_the_mask_sees_7x7_pixels_of_both_pictures() -> None:
    model = MaskNet3(base_channels=4, rng=0).eval()
    inputs = [Tensor(picture.data, requires_grad=True) for picture in pictures((1, 3, 13, 13), (1, 3, 13, 13))]
    y = model(*inputs)
    cotangent = np.zeros(y.shape, np.float32)
    cotangent[0, 0, 6, 6] = 1
    y.backward(cotangent)
    for x in inputs:
        rows, columns = np.nonzero(np.abs(x.grad).sum(axis=(0, 1)))
        assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 9, 3, 9)


def test_the_background_has_weights_of_its_own_and_comes_first() -> None:
    model = MaskNet3(base_channels=2, rng=0).eval()
    background, image = pictures((1, 3, 6, 6), (1, 3, 6, 6))
    y = model(background, image).data
    assert np.abs(y - model(image, background).data).max() > 1e-3
    model.background_conv.conv.weight.data[...] = 0
    changed = model(background, image).data
    assert np.abs(changed - y).max() > 1e-3
    np.testing.assert_array_equal(changed, model(background * 2, image).data)


def test_every_parameter_counts_and_one_seed_gives_one_network() -> None:
    assert_every_parameter_counts(
        MaskNet3(base_channels=3, rng=0), *pictures((2, 3, 6, 8), (2, 3, 6, 8)), without=BN_BIAS
    )
    assert_one_seed_one_network(MaskNet3, base_channels=3)


@pytest.mark.parametrize(
    "shapes, text",
    [
        (((1, 1, 4, 4), (1, 3, 4, 4)), r"the background has shape \(1, 1, 4, 4\); it must be \(N, 3, H, W\)"),
        (((1, 3, 4, 4), (3, 4, 4)), r"the image has shape \(3, 4, 4\); it must be \(N, 3, H, W\)"),
        (((1, 3, 4, 4), (1, 3, 4, 5)), r"the background has shape \(1, 3, 4, 4\), but the image has \(1, 3, 4, 5\)"),
        (((1, 3, 0, 4), (1, 3, 0, 4)), "a picture of 0x4"),
    ],
)
def test_inputs_that_do_not_fit(shapes, text: str) -> None:
    with pytest.raises(InputError, match=f"MaskNet3: {text}"):
        MaskNet3(base_channels=1, rng=0)(*pictures(*shapes))


def test_bad_width() -> None:
    with pytest.raises(InputError, match="MaskNet3: base_channels is 0; it must be at least 1"):
        MaskNet3(base_channels=0)

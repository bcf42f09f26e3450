import colorsys

import numpy as np
import pytest

from minidepth.data import Sample, augment, colors

CHANGES = [colors.color, colors.jitter, colors.brightness_contrast, colors.hsv, colors.lighting, colors.permute]


def generator(seed=0):
    return np.random.default_rng(seed)


def sample_of(image):
    """A sample with every field; the background is the picture moved by one pixel."""
    size = image.shape[:2]
    depth_m, valid, mask = np.full(size, 2, np.float32), np.ones(size, bool), np.full(size, 0.5, np.float32)
    return Sample(image, depth_m, valid, np.ones(size, np.uint8), mask, np.roll(image, 1, 1))


def blocks(seed=3, low=60, high=180):
    """Blocks of 4 x 4 equal pixels, so that every 16th pixel has the mean of all."""
    image = np.random.default_rng(seed).integers(low, high, (6, 8, 3), np.uint8)
    return np.repeat(np.repeat(image, 4, 0), 4, 1)


def luminance(x):
    return x[..., 0] * 0.299 + x[..., 1] * 0.587 + x[..., 2] * 0.114


def same(a, b):
    """Equal but for the rounding of half a step."""
    assert np.abs(a.astype(float) - np.clip(b, 0, 255)).max() <= 0.51


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_the_pictures_change_and_nothing_else(change):
    sample, changed_once = sample_of(blocks()), False
    for seed in range(8):
        changed = change(sample, generator(seed))
        assert all(a is b for a, b in zip(changed[1:5], sample[1:5]))
        assert changed.image.dtype == np.uint8 and changed.image.shape == sample.image.shape
        changed_once |= bool((changed.image != sample.image).any())
        # one draw for both: the background is still the picture moved by one pixel
        np.testing.assert_array_equal(changed.background, np.roll(changed.image, 1, 1))
    assert changed_once


@pytest.mark.parametrize("change", CHANGES, ids=lambda f: f.__name__)
def test_a_sample_without_background_stays_so(change):
    for seed in range(4):
        assert change(sample_of(blocks())._replace(background=None), generator(seed)).background is None


def test_colour_is_the_three_steps_of_its_formula():
    image = blocks()
    changed = augment.color(sample_of(image), generator(7), 0.2)
    draws = generator(7)
    brightness, contrast, saturation = draws.uniform(0.8, 1.2, 3)
    channels = draws.uniform(0.9, 1.1, 3)
    x = image.astype(np.float64)
    mean = luminance(x).mean()
    x = saturation * x + (1 - saturation) * luminance(x)[..., None]
    x = contrast * x + (1 - contrast) * mean
    same(changed.image, brightness * channels * x)


def test_colour_clips_and_never_wraps():
    white = sample_of(np.full((48, 64, 3), 250, np.uint8))
    for seed in range(20):
        assert augment.color(white, generator(seed), 0.3).image.min() > 120
        assert colors.jitter(white, generator(seed), 0.4).image.min() > 100


def test_jitter_does_the_three_steps_in_a_random_order():
    def brighter(x, f):
        return f * x

    def contrasted(x, f):
        return f * x + (1 - f) * luminance(x).mean()

    def saturated(x, f):
        return f * x + (1 - f) * luminance(x)[..., None]

    image, orders = blocks(), set()
    for seed in range(12):
        draws = generator(seed)
        factors, order = draws.uniform(0.6, 1.4, 3), draws.permutation(3)
        orders.add(tuple(order.tolist()))
        x = image.astype(np.float64)
        for step in order:
            x = np.clip((brighter, contrasted, saturated)[step](x, factors[step]), 0, 255)
        changed = colors.jitter(sample_of(image), generator(seed), 0.4)
        assert np.abs(changed.image - x).max() <= 2  # each step is rounded
    assert len(orders) > 3


def test_brightness_and_contrast_about_black():
    image, changed_count = blocks(), 0
    for seed in range(40):
        draws = generator(seed)
        factor, shift = 1 + draws.uniform(-0.3, 0.3), 255 * draws.uniform(-0.1, 0.1)
        changed = colors.brightness_contrast(sample_of(image), generator(seed), 0.1, 0.3).image
        if (changed != image).any():
            changed_count += 1
            same(changed, factor * image.astype(float) + shift)
    assert 10 < changed_count < 30


def test_hue_turns_by_twice_its_number_of_degrees():
    """One colour, only the hue may turn: by every whole number of OpenCV's half degrees up to the limit."""
    rgb = (0.9, 0.35, 0.2)
    image = np.full((4, 4, 3), np.round(np.multiply(rgb, 255)), np.uint8)
    before, turns = colorsys.rgb_to_hsv(*rgb)[0], set()
    for seed in range(200):
        pixel = colors.hsv(sample_of(image), generator(seed), 20, 0, 0).image[0, 0] / 255
        hue, saturation, value = colorsys.rgb_to_hsv(*pixel)
        assert saturation == pytest.approx(1 - 0.2 / 0.9, abs=0.03) and value == pytest.approx(0.9, abs=0.02)
        turns.add(round(((hue - before + 0.5) % 1 - 0.5) * 180))
    assert min(turns) <= -19 and max(turns) >= 19 and -22 < min(turns) and max(turns) < 22


def test_saturation_and_value_shift_and_are_cut():
    image = np.full((4, 4, 3), (200, 100, 100), np.uint8)  # saturation 127.5, value 200
    found = []
    for seed in range(200):
        pixel = colors.hsv(sample_of(image), generator(seed), 0, 40, 90).image[0, 0] / 255
        found.append(colorsys.rgb_to_hsv(*pixel)[1:])
    saturation, value = np.array(found).T * 255
    assert 85 <= saturation.min() <= 92 and 163 <= saturation.max() <= 171
    assert 109 <= value.min() <= 113 and value.max() == 255


def test_lighting_adds_one_colour_along_the_published_directions():
    values, first = (0.2175, 0.0188, 0.0045), (-0.5675, -0.5808, -0.5836)
    image = blocks()
    shifts = []
    for seed in range(300):
        shift = colors.lighting(sample_of(image), generator(seed), 0.5).image.astype(float) - image
        assert np.ptp(shift, axis=(0, 1)).max() == 0
        shifts.append(shift[0, 0])
    covariance = np.cov(np.array(shifts).T / 255)
    variances, vectors = np.linalg.eigh(covariance)
    assert np.sqrt(variances[-1]) == pytest.approx(0.5 * values[0], rel=0.15)
    assert abs(vectors[:, -1] @ first) == pytest.approx(1, abs=0.01)


def test_permute_gives_every_order_of_the_channels():
    image, orders = blocks(), set()
    image[..., 1], image[..., 2] = 5, 250
    image[..., 0] = 100
    for seed in range(200):
        orders.add(tuple(colors.permute(sample_of(image), generator(seed)).image[0, 0].tolist()))
    assert len(orders) == 6

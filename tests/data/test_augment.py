import numpy as np
import pytest

from minidepth.data import Sample, augment, resize_sample
from minidepth.errors import InputError

TEXTS = ["flip", "crop:0.8", "zoom:1-1.5", "rotate:10", "color", "flip,rotate:5,zoom:1.3,color:0.3", "none"]


def ramp(height=48, width=64):
    """A sample whose picture shows its own depth, 1 + red / 50 metres, with a block of holes."""
    y, x = np.mgrid[:height, :width]
    value = x + 2 * y
    valid = ~((x > 20) & (x < 30) & (y > 10) & (y < 20))
    depth_m = np.where(valid, 1 + value / 50, 0).astype(np.float32)
    return Sample(np.stack([value, value, value], -1).astype(np.uint8), depth_m, valid)


def generator(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("text", TEXTS)
def test_pure_functions_of_sample_and_generator(text):
    change = augment.build(text)
    sample = ramp()
    kept = [array.copy() for array in sample]
    first, second, *others = (change(sample, generator(seed)) for seed in (0, 0, 1, 2, 3, 4, 5))
    for a, b in zip(first, second):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(sample, kept):
        np.testing.assert_array_equal(a, b)
    differs = any(a.shape != b.shape or (a != b).any() for other in others for a, b in zip(first, other))
    assert differs == (text != "none")


@pytest.mark.parametrize("text", TEXTS)
def test_types_and_the_zero_at_invalid_pixels_stay(text):
    for seed in range(5):
        image, depth_m, valid = augment.build(text)(ramp(), generator(seed))
        assert (image.dtype, depth_m.dtype, valid.dtype) == (np.uint8, np.float32, bool)
        assert image.shape[:2] == depth_m.shape == valid.shape
        assert (depth_m[~valid] == 0).all() and (depth_m[valid] > 0).all() and not valid.all()


@pytest.mark.parametrize("text", ["flip", "crop:0.7", "rotate:15", "flip,rotate:5,crop:0.9"])
def test_picture_and_depth_share_the_geometry(text):
    for seed in range(5):
        image, depth_m, valid = augment.build(text)(ramp(), generator(seed))
        error_m = np.abs(1 + image[..., 0] / 50.0 - depth_m)
        near_edge = ~valid  # pixels beside the corners of a rotation mix with the fill
        for axis in (0, 1):
            near_edge = near_edge | np.roll(near_edge, 1, axis) | np.roll(near_edge, -1, axis)
        near_edge[[0, -1]] = near_edge[:, [0, -1]] = True
        assert error_m[~near_edge].max() <= 0.06  # one pixel and a half of the ramp


def test_flip_mirrors_all_three_about_half_of_the_time():
    sample, flipped = ramp(), 0
    for seed in range(200):
        image, depth_m, valid = augment.flip(sample, generator(seed))
        if (image != sample.image).any():
            flipped += 1
            np.testing.assert_array_equal(image, sample.image[:, ::-1])
            np.testing.assert_array_equal(depth_m, sample.depth_m[:, ::-1])
            np.testing.assert_array_equal(valid, sample.valid[:, ::-1])
    assert 70 < flipped < 130


def test_crop_takes_a_window_and_leaves_depth():
    sample, places = ramp(), set()
    for seed in range(50):
        crop = augment.crop(sample, generator(seed), 0.75)
        assert crop.valid.shape == (36, 48)
        top, left = next(
            (t, c)
            for t in range(13)
            for c in range(17)
            if (sample.depth_m[t : t + 36, c : c + 48] == crop.depth_m).all()
        )
        places.add((top, left))
    assert len(places) > 30


def test_zoom_divides_depth_by_the_scale():
    sample = ramp()
    zoomed = augment.zoom(sample, generator(), 1.6, 1.6)
    assert zoomed.valid.shape == (30, 40)
    expected = (1 + zoomed.image[..., 0] / 50) / 1.6
    np.testing.assert_allclose(zoomed.depth_m[zoomed.valid], expected[zoomed.valid], rtol=1e-5)


def test_zoom_keeps_the_camera():
    """With u = f X / Z, the size of a thing in pixels times its depth is f times its true size, which must stay."""
    height, width, depth_m = 48, 64, 4.0
    image = np.zeros((height, width, 3), np.uint8)
    image[:, 24:40] = 255  # a bar 16 pixels wide at 4 m
    sample = Sample(image, np.full((height, width), depth_m, np.float32), np.ones((height, width), bool))
    for seed in range(10):
        zoomed = resize_sample(augment.zoom(sample, generator(seed), 1.1, 1.5), (height, width))
        pixels = zoomed.image[24, :, 0].sum() / 255
        assert abs(pixels * zoomed.depth_m[0, 0] / (16 * depth_m) - 1) < 0.05


def test_rotation_marks_the_corners_invalid_and_fills_them_with_the_mean_colour():
    sample = Sample(np.full((40, 60, 3), 255, np.uint8), np.full((40, 60), 2, np.float32), np.ones((40, 60), bool))
    seed = next(s for s in range(99) if generator(s).uniform(-20, 20) > 15)
    turned = augment.rotate(sample, generator(seed), 20)
    corners = np.s_[[0, 0, -1, -1], [0, -1, 0, -1]]
    assert not turned.valid[corners].any() and (turned.depth_m[corners] == 0).all()
    assert (turned.image[corners] == (124, 116, 104)).all()
    assert turned.valid[10:30, 20:40].all() and 0.7 < turned.valid.mean() < 0.95


def test_colour_changes_the_picture_only():
    sample = ramp()
    changed = augment.color(sample, generator())
    assert (changed.image != sample.image).any()
    assert changed.depth_m is sample.depth_m and changed.valid is sample.valid


def test_colour_is_the_three_steps_of_its_formula():
    rng = np.random.default_rng(3)
    image = np.repeat(np.repeat(rng.integers(60, 180, (6, 8, 3), np.uint8), 4, 0), 4, 1)
    sample = ramp(24, 32)._replace(image=image)
    changed = augment.color(sample, generator(7), 0.2)
    draws = generator(7)
    brightness, contrast, saturation = draws.uniform(0.8, 1.2, 3)
    channels = draws.uniform(0.9, 1.1, 3)

    def luminance(x):
        return x[..., 0] * 0.299 + x[..., 1] * 0.587 + x[..., 2] * 0.114

    x = image.astype(np.float64)
    mean = luminance(x).mean()
    x = saturation * x + (1 - saturation) * luminance(x)[..., None]
    x = contrast * x + (1 - contrast) * mean
    x = brightness * channels * x
    assert np.abs(changed.image - x.clip(0, 255)).max() <= 0.51


def test_colour_clips_and_never_wraps():
    white = ramp()._replace(image=np.full((48, 64, 3), 250, np.uint8))
    for seed in range(20):
        assert augment.color(white, generator(seed), 0.3).image.min() > 120


def test_steps_are_applied_from_left_to_right():
    sample = ramp()
    both = augment.build("rotate:8, crop:0.5")(sample, generator(2))
    rng = generator(2)
    by_hand = augment.crop(augment.rotate(sample, rng, 8), rng, 0.5)
    np.testing.assert_array_equal(both.depth_m, by_hand.depth_m)


def test_zoom_with_one_number_starts_at_one():
    seen = [augment.build("zoom:1.5")(ramp(), generator(seed)).valid.shape[0] for seed in range(60)]
    assert 32 <= min(seen) < 35 and 46 < max(seen) <= 48


@pytest.mark.parametrize(
    "text, message",
    [
        ("flop", "augment 'flop': cannot use 'flop'; known: flip, crop:SHARE"),
        ("flip,,color", "cannot use ''"),
        ("flip:2", "cannot use 'flip:2'"),
        ("zoom", "cannot use 'zoom'"),
        ("zoom:x", "'x' is not a number"),
        ("zoom:1.4-1.1", "augment 'zoom:1.4-1.1': 1.1 must be from 1.4 to 10"),
        ("zoom:0.5-1.1", "0.5 must be from 1 to 10"),
        ("crop:0", "0 must be from 0.1 to 1"),
        ("rotate:nan", "nan must be from 0 to 45"),
        ("color:2", "2 must be from 0 to 1"),
    ],
)
def test_bad_texts(text, message):
    with pytest.raises(InputError, match=message):
        augment.build(text)

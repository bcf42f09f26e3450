import numpy as np
import pytest

from minidepth.data import Sample, augment, resize_sample
from minidepth.errors import InputError

GEOMETRY = ["flip", "vflip", "crop:0.7", "rotate:15", "elastic:3", "flip,rotate:5,crop:0.9"]
DRAWS = [*GEOMETRY, "zoom:1-1.5", "color", "jitter", "brightness", "hsv", "lighting:0.5", "permute"]
TEXTS = [*DRAWS, "flip,rotate:5,zoom:1.3,color:0.3", "center:0.8", "aspect:1-1", "none"]


def ramp(height=48, width=64):
    """A sample with every field. Its picture shows its own depth, 1 + red / 50 metres, with a block of holes; labels,
    mask and background follow from the same ramp.
    """
    y, x = np.mgrid[:height, :width]
    value = x + 2 * y
    valid = ~((x > 20) & (x < 30) & (y > 10) & (y < 20))
    depth_m = np.where(valid, 1 + value / 50, 0).astype(np.float32)
    image = np.stack([value, 200 - value, value // 2], -1).astype(np.uint8)
    mask = (value / 160).astype(np.float32)
    return Sample(image, depth_m, valid, (value // 32).astype(np.uint8), mask, 255 - image)


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
    assert differs == (text not in ("center:0.8", "aspect:1-1", "none"))


@pytest.mark.parametrize("text", TEXTS)
def test_types_and_the_zero_at_invalid_pixels_stay(text):
    for seed in range(5):
        changed = augment.build(text)(ramp(), generator(seed))
        image, depth_m, valid, *_ = changed
        types = (np.uint8, np.float32, bool, np.uint8, np.float32, np.uint8)
        assert tuple(array.dtype for array in changed) == types
        assert all(array.shape[:2] == valid.shape for array in changed)
        assert changed.mask.min() >= 0 and changed.mask.max() <= 1
        assert (depth_m[~valid] == 0).all() and (depth_m[valid] > 0).all() and not valid.all()


@pytest.mark.parametrize("text", [*GEOMETRY, "center:0.8", "aspect:3-1"])
def test_all_fields_share_the_geometry(text):
    for seed in range(5):
        image, depth_m, valid, labels, mask, background = augment.build(text)(ramp(), generator(seed))
        value = image[..., 0].astype(float)
        near_edge = ~valid  # pixels beside the corners of a rotation mix with the fill
        for axis in (0, 1):
            near_edge = near_edge | np.roll(near_edge, 1, axis) | np.roll(near_edge, -1, axis)
        near_edge[[0, -1]] = near_edge[:, [0, -1]] = True
        inner, pixel = ~near_edge, 1.5 * 2  # a pixel and a half of the ramp
        assert inner.mean() > 0.2
        assert np.abs((depth_m - 1) * 50 - value)[inner].max() <= pixel
        assert np.abs(mask * 160 - value)[inner].max() <= pixel
        assert np.abs(255 - background[..., 0].astype(float) - value)[inner].max() <= 2  # both were rounded
        # a label may only differ from the ramp's where the ramp is at the step from one label to the next
        assert (labels == value // 32)[inner & (value % 32 > pixel) & (value % 32 < 32 - pixel)].all()


def test_samples_of_depth_alone_stay_so():
    plain = Sample(*ramp()[:3])
    for text in TEXTS:
        assert augment.build(text)(plain, generator(1))[3:] == (None, None, None)


@pytest.mark.parametrize("change, mirrored", [("flip", np.s_[:, ::-1]), ("vflip", np.s_[::-1])])
def test_a_flip_mirrors_every_field_about_half_of_the_time(change, mirrored):
    sample, flipped = ramp(), 0
    for seed in range(200):
        changed = augment.build(change)(sample, generator(seed))
        if (changed.image != sample.image).any():
            flipped += 1
            for before, after in zip(sample, changed):
                np.testing.assert_array_equal(after, before[mirrored])
    assert 70 < flipped < 130


def test_center_and_aspect_take_the_middle():
    sample = ramp(48, 64)
    np.testing.assert_array_equal(augment.center(sample, generator(), 0.5).depth_m, sample.depth_m[12:36, 16:48])
    np.testing.assert_array_equal(augment.aspect(sample, generator(), 1, 1).depth_m, sample.depth_m[:, 8:56])
    np.testing.assert_array_equal(augment.aspect(sample, generator(), 120, 320).mask, sample.mask[12:36])


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
    assert zoomed.valid.shape == zoomed.labels.shape == zoomed.mask.shape == (30, 40)
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
        ("flop", "augment 'flop': cannot use 'flop'; known: flip, vflip, crop:SHARE"),
        ("flip,,color", "cannot use ''"),
        ("flip:2", "cannot use 'flip:2'"),
        ("zoom", "cannot use 'zoom'"),
        ("zoom:x", "'x' is not a number"),
        ("zoom:1.4-1.1", "augment 'zoom:1.4-1.1': 1.1 must be from 1.4 to 10"),
        ("zoom:0.5-1.1", "0.5 must be from 1 to 10"),
        ("crop:0", "0 must be from 0.1 to 1"),
        ("rotate:nan", "nan must be from 0 to 45"),
        ("color:2", "2 must be from 0 to 1"),
        ("hsv:10", "cannot use 'hsv:10'"),
        ("hsv:100-0-0", "100 must be from 0 to 90"),
        ("brightness:0.2-2", "2 must be from 0 to 1"),
        ("aspect:1", "cannot use 'aspect:1'; known: .*aspect:HEIGHT-WIDTH"),
        ("aspect:0-1", "0 must be from 1 to 10000"),
        ("elastic", "cannot use 'elastic'"),
        ("permute:1", "cannot use 'permute:1'"),
    ],
)
def test_bad_texts(text, message):
    with pytest.raises(InputError, match=message):
        augment.build(text)

import numpy as np

from minidepth.data import Sample, resize_image, resize_sample
from minidepth.data.resize import nearest_pixels


def ramp(height, width):
    """A sample whose picture shows its own depth: red is x, green is y."""
    y, x = np.mgrid[:height, :width]
    image = np.stack([x, y, 0 * x], -1).astype(np.uint8)
    depth_m = (1 + x / 100 + y / 1000).astype(np.float32)
    return Sample(image, depth_m, np.ones((height, width), bool))


def test_nearest_by_hand():
    rows, columns = nearest_pixels((6, 3), (2, 6))
    assert rows.tolist() == [1, 4]  # the middle of each three
    assert columns.tolist() == [0, 0, 1, 1, 2, 2]


def test_nearest_takes_the_pixel_under_the_centre():
    for old in range(1, 12):
        for new in range(1, 12):
            expected = [int((i + 0.5) * old / new + 1e-9) for i in range(new)]
            assert nearest_pixels((old, 1), (new, 1))[0].tolist() == expected


def test_depth_keeps_measured_values_and_holes_stay_holes():
    rng = np.random.default_rng(0)
    valid = rng.random((24, 32)) < 0.7
    depth_m = np.where(valid, rng.uniform(1, 9, (24, 32)), 0).astype(np.float32)
    small = resize_sample(Sample(np.zeros((24, 32, 3), np.uint8), depth_m, valid), (10, 12))
    assert small.image.shape == (10, 12, 3) and small.depth_m.shape == small.valid.shape == (10, 12)
    assert np.isin(small.depth_m[small.valid], depth_m[valid]).all()
    assert (small.depth_m[~small.valid] == 0).all() and 0.5 < small.valid.mean() < 0.9


def test_picture_and_depth_keep_to_each_other():
    for size in ((48, 64), (96, 128), (30, 50)):
        sample = resize_sample(ramp(60, 80), size)
        x, y = sample.image[..., 0].astype(float), sample.image[..., 1].astype(float)
        inner = np.s_[3:-3, 3:-3]
        from_picture = 1 + x / 100 + y / 1000
        assert np.abs(from_picture - sample.depth_m)[inner].max() < 0.01  # one pixel of x


def test_shrinking_a_picture_averages():
    board = np.zeros((8, 8, 3), np.uint8)
    board[::2, ::2] = board[1::2, 1::2] = 200
    small = resize_image(board, (4, 4))
    assert np.abs(small[1:-1, 1:-1].astype(int) - 100).max() <= 2  # without antialiasing it would be 0 or 200


def test_the_same_size_is_left_alone():
    sample = ramp(6, 8)
    assert resize_sample(sample, (6, 8)) is sample


def test_labels_keep_their_classes_and_a_mask_is_averaged():
    y, x = np.mgrid[:8, :8]
    labels = np.where(x < 4, 0, 2).astype(np.uint8)
    mask = ((x + y) % 2).astype(np.float32)
    background = np.full((8, 8, 3), 90, np.uint8)
    sample = ramp(8, 8)._replace(labels=labels, mask=mask, background=background)
    small = resize_sample(sample, (4, 6))
    assert small.labels.dtype == np.uint8 and small.mask.dtype == np.float32
    assert small.labels.tolist() == [[0, 0, 0, 2, 2, 2]] * 4
    assert small.background.shape == (4, 6, 3) and (small.background == 90).all()
    assert np.abs(small.mask - 0.5).max() < 0.25  # a chessboard finer than the new pixels is grey
    large = resize_sample(sample, (31, 33))
    assert set(np.unique(large.labels)) == {0, 2} and 0 <= large.mask.min() and large.mask.max() <= 1

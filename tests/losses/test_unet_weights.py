"""The pixel weights of the U-Net: classes by hand, distances and objects against plain loops over all places."""

from __future__ import annotations

import math

import loss_reference as reference
import numpy as np
import pytest
from twins import GPUS, to_gpu, watched

from minidepth.losses.fused import label_weights
from minidepth.losses.unet_weights import border_weights, class_weights, connected_objects, distance_to, unet_weights


def blobs(seed=0, size=(30, 40), share=0.25):
    """A ragged picture of many objects."""
    rng = np.random.default_rng(seed)
    noise = rng.random(size)
    return (noise + np.roll(noise, 1, axis=0) + np.roll(noise, 1, axis=1)) / 3 < share


def test_classes_weigh_alike():
    labels = np.array([[[[0, 0, 0, 1], [2, 1, 0, 9]]]])
    valid = labels < 9
    weights = class_weights(labels, valid)
    np.testing.assert_allclose(weights[valid], 7 / 3 / np.array([4, 4, 4, 2, 1, 2, 4]))
    assert weights[valid].mean() == pytest.approx(1)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", [0.3, 0.45, 0.6])
def test_objects_are_those_that_filling_finds(seed, share):
    inside = blobs(seed, share=share)
    numbers = connected_objects(inside)
    parts = reference.objects_of(inside)
    assert numbers.max() == len(parts) > 1
    for part in parts:
        assert len({int(numbers[place]) for place in part}) == 1
    assert not numbers[~inside].any()


def test_objects_in_a_spiral_and_in_nothing():
    """One object whose ends meet late; corners do not connect."""
    spiral = np.array([[1, 1, 1, 1, 1], [0, 0, 0, 0, 1], [1, 1, 1, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]], bool)
    assert connected_objects(spiral).max() == 1
    assert connected_objects(np.eye(3, dtype=bool)).max() == 3
    assert not connected_objects(np.zeros((3, 4), bool)).any()


@pytest.mark.parametrize("reach", [3, 8, 60])
def test_distances_are_euclidean(reach):
    rng = np.random.default_rng(reach)
    for _ in range(5):
        inside = rng.random((14, 19)) < 0.02
        inside[rng.integers(14), rng.integers(19)] = True
        window, found = distance_to(inside, reach)
        distances = np.full(inside.shape, np.inf)
        distances[window] = found
        for place in np.ndindex(*inside.shape):
            least = min(math.dist(place, other) for other in np.argwhere(inside).tolist())
            assert distances[place] == (pytest.approx(least) if least <= reach else np.inf)


def test_border_against_plain_loops():
    inside = blobs(share=0.3)
    parts = reference.objects_of(inside)
    found = border_weights(connected_objects(inside))
    expected = [[reference.border_weight(parts, row, column) for column in range(40)] for row in range(30)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-7)  # what lies beyond the reach is left out
    assert found.max() > 5


def test_border_by_hand():
    """A gap of two columns between two squares: 1 and 2 pixels away, then 10 exp(-9 / 50)."""
    objects = np.zeros((6, 8), int)
    objects[:, :3], objects[:, 5:] = 1, 2
    found = border_weights(objects)
    np.testing.assert_allclose(found[:, 3:5], 10 * math.exp(-9 / 50))
    assert not found[objects > 0].any()
    assert not border_weights(np.minimum(objects, 1)[:, :4]).any()  # one object alone


def test_touching_objects_need_their_numbers():
    objects = np.zeros((1, 1, 6, 8), int)
    objects[..., :3, :4], objects[..., :3, 4:] = 1, 2
    labels, valid = np.minimum(objects, 1), np.ones(objects.shape, bool)
    apart, together = unet_weights(labels, valid, objects), unet_weights(labels, valid)
    np.testing.assert_allclose(together, 1)  # 24 pixels of each of two classes
    assert apart[0, 0, 3, 3] == pytest.approx(1 + 10 * math.exp(-((1 + math.sqrt(2)) ** 2) / 50), rel=1e-6)


def test_invalid_pixels_are_no_objects_and_weigh_nothing():
    labels, valid = np.zeros((2, 1, 20, 20), np.uint8), np.ones((2, 1, 20, 20), bool)
    labels[:, 0, :, :4] = labels[:, 0, :, 8:12] = 1
    valid[1, 0, :, 8:12] = False
    weights = unet_weights(labels, valid)
    assert weights.dtype == np.float32 and weights.shape == labels.shape
    assert not weights[~valid].any()
    assert weights[0, 0, 5, 6] > 5
    assert np.unique(weights[1, 0][valid[1, 0] & (labels[1, 0] == 0)]).size == 1
    labels[~valid] = 200
    np.testing.assert_array_equal(unet_weights(labels, valid), weights)


def test_objects_do_not_hang_together_through_invalid_pixels():
    labels, valid = np.zeros((1, 1, 12, 12), np.uint8), np.ones((1, 1, 12, 12), bool)
    labels[..., 2:4] = labels[..., 6:8] = labels[:, :, :2] = 1
    weights = unet_weights(labels, valid)
    assert np.unique(weights[labels == 0]).size == 1  # one object
    valid[:, :, :2] = False
    assert unet_weights(labels, valid)[0, 0, 8, 5] > 5


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("share", [0.2, 0.35, 0.6])
def test_the_same_on_a_gpu(gpu, share):
    """Ragged objects in several pictures, a spiral whose ends meet late, holes, and a picture without any object."""
    labels = 2 * np.stack([blobs(seed, share=share) for seed in range(4)])[:, None].astype(np.int32)
    labels[1, 0, 3:8, 4:9] = [[1, 1, 1, 1, 1], [0, 0, 0, 0, 1], [1, 1, 1, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]]
    labels[3] = 0
    valid = np.random.default_rng(0).random(labels.shape) < 0.95
    expected = unet_weights(labels, valid)
    for dtype in (np.float32, np.float64):
        with watched(gpu, dtype):
            found = label_weights(to_gpu(gpu, labels), to_gpu(gpu, valid), 4, np.dtype(dtype)).get()
        assert found.dtype == dtype
        np.testing.assert_allclose(found, expected, rtol=2e-6 if dtype == np.float32 else 2e-7)

import numpy as np
import pytest

from minidepth.data import Sample
from minidepth.data.elastic import bilinear, elastic, mirrored


def smooth(height=40, width=56):
    """A sample of smooth waves, the same in every field."""
    y, x = np.mgrid[:height, :width]
    wave = 0.5 + 0.2 * np.sin(x / 9) + 0.2 * np.cos(y / 7)
    image = np.repeat(np.round(255 * wave)[..., None], 3, 2).astype(np.uint8)
    labels = np.round(200 * wave).astype(np.uint8)
    return Sample(
        image, wave.astype(np.float32), np.ones((height, width), bool), labels, wave.astype(np.float32), image
    )


def test_strength_zero_changes_nothing():
    sample = smooth()
    for before, after in zip(sample, elastic(sample, np.random.default_rng(0), 0)):
        np.testing.assert_array_equal(before, after)


def test_one_deformation_for_all_fields_about_as_large_as_asked():
    sample, moved = smooth(), []
    for seed in range(10):
        image, depth_m, valid, labels, mask, background = elastic(sample, np.random.default_rng(seed), 4)
        assert valid.all() and np.isin(depth_m, sample.depth_m).all() and np.isin(labels, sample.labels).all()
        assert np.abs(image[..., 0] / 255 - depth_m).max() < 0.05  # nearest and bilinear differ by half a pixel
        assert np.abs(image[..., 0] / 255 - mask).max() < 0.005 and (image == background).all()
        moved.append(np.abs(depth_m - sample.depth_m).mean())
    assert 0.02 < np.mean(moved) < 0.15  # four pixels of a wave that rises by 0.02 a pixel


def test_bilinear_by_hand():
    image = np.array([[0, 10], [20, 40]], np.uint8)
    places = (np.array([[0.0, 0.5, 1.0]]), np.array([[0.0, 0.5, 1.0]]))
    assert bilinear(image, *places).tolist() == [[0, 17.5, 40]]


def test_bilinear_takes_from_the_place_and_not_to_it():
    """Displacements of +1 pixel to the right show the right neighbour."""
    image = np.arange(12.0).reshape(3, 4)
    rows, columns = np.mgrid[:3, :3]
    np.testing.assert_array_equal(bilinear(image, rows, columns + 1.0), image[:, 1:])


@pytest.mark.parametrize("place, expected", [(-1, 1), (-2.5, 2.5), (4, 4), (5, 3), (9, 1), (0, 0)])
def test_places_beyond_the_edge_mirror(place, expected):
    assert mirrored(np.array([float(place)]), 5)[0] == expected


def test_a_sample_of_one_pixel():
    tiny = Sample(*(array[:1, :1] for array in smooth()))
    assert elastic(tiny, np.random.default_rng(0), 5).image.shape == (1, 1, 3)

import math

import numpy as np
import pytest

from minidepth.data.make.animal import BLEND, Limb, bounds, draw, mirrored, random_animal, to_limb


def animals(count=8):
    return [random_animal(np.random.default_rng(seed)) for seed in range(count)]


def slow_distance(limb, x, y):
    """To the nearest of 400 discs along a limb of one radius."""
    points = [(limb.a[0] + t * (limb.b[0] - limb.a[0]), limb.a[1] + t * (limb.b[1] - limb.a[1]))
              for t in np.linspace(0, 1, 400)]  # fmt: skip
    return min(math.hypot(x - px, y - py) for px, py in points) - limb.ra


def test_distance_to_a_limb():
    limb = Limb((0.2, -0.1), (0.9, 0.6), 0.15, 0.15)
    rng = np.random.default_rng(0)
    x, y = rng.uniform(-1, 2, (2, 50))
    found = to_limb(limb, x, y)
    assert all(abs(f - slow_distance(limb, a, b)) < 1e-2 for f, a, b in zip(found, x, y))


def test_a_cone_has_its_radii_at_its_ends():
    limb = Limb((0, 0), (0, 1), 0.3, 0.1)
    assert to_limb(limb, np.array([0.3, 0.2, 0.1]), np.array([0, 0.5, 1])) == pytest.approx([0, 0, 0], abs=1e-6)


@pytest.mark.parametrize("animal", animals(), ids=lambda animal: f"{animal.species}-{animal.pattern}")
def test_the_outline_is_the_union_of_the_limbs_a_little_rounder(animal):
    drawing = draw(animal, (80, 96), (70, 48), 40)
    rows, columns = np.mgrid[:80, :96]
    x, y = (columns - 48) / 40, (70 - rows) / 40
    union = np.min([to_limb(limb, x, y) for limb in animal.limbs], 0) * 40
    gain = union - drawing.distance
    assert gain.min() > -1e-3  # a smooth minimum is never above the minimum
    assert gain.max() < 40 * BLEND and np.median(gain) < 4
    assert ((drawing.cover == 1) == (drawing.distance <= -0.5)).all()
    assert ((drawing.cover == 0) == (drawing.distance >= 0.5)).all()


@pytest.mark.parametrize("animal", animals(4), ids=lambda animal: animal.species)
def test_it_lies_within_its_bounds(animal):
    left, right, bottom, top = bounds(animal)
    drawing = draw(animal, (120, 200), (100, 100), 50)
    rows, columns = np.nonzero(drawing.cover > 0.5)
    grown = 50 * BLEND / 2  # where limbs flow into each other
    assert 100 + 50 * left - grown <= columns.min() and columns.max() <= 100 + 50 * right + grown
    assert 100 - 50 * top - grown <= rows.min() and rows.max() <= 100 - 50 * bottom + grown
    assert drawing.color.min() >= 0 and drawing.color.max() <= 1


def test_mirrored_is_the_mirror_image_of_the_outline():
    for animal in animals(4):
        first = draw(animal, (60, 81), (50, 40), 30)
        second = draw(mirrored(animal), (60, 81), (50, 40), 30)
        np.testing.assert_allclose(second.distance, first.distance[:, ::-1], atol=1e-3)
        assert mirrored(mirrored(animal)) == animal


def test_cats_and_dogs_in_several_furs():
    made = animals(40)
    assert {animal.species for animal in made} == {"cat", "dog"}
    assert len({animal.pattern for animal in made}) == 4 and len({animal.fur for animal in made}) > 5
    assert {animal.muzzle for animal in made} == {True, False}
    looks = {animal.head[0] < 0 for animal in made if len(animal.limbs) > 12}
    assert looks == {True, False}  # both ways

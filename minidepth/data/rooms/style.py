"""What the furniture of `rooms` is made with: a room's woods and cloths, and helpers to build. Lengths in metres."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from minidepth.data.rooms.noise import Colour
from minidepth.data.rooms.parts import Part, Piece
from minidepth.data.rooms.texture import Material, linear

Rng = np.random.Generator

WOODS = [
    ((0.76, 0.60, 0.42), (0.62, 0.45, 0.29)), ((0.85, 0.74, 0.57), (0.75, 0.62, 0.45)),
    ((0.46, 0.30, 0.19), (0.33, 0.20, 0.12)), ((0.60, 0.38, 0.24), (0.46, 0.26, 0.15)),
    ((0.90, 0.89, 0.86), (0.85, 0.84, 0.81)), ((0.26, 0.21, 0.18), (0.18, 0.14, 0.12)),
]  # fmt: skip
CLOTHS = [
    (0.55, 0.55, 0.57), (0.30, 0.33, 0.38), (0.70, 0.64, 0.54), (0.48, 0.20, 0.18),
    (0.22, 0.32, 0.47), (0.34, 0.42, 0.30), (0.76, 0.58, 0.26), (0.42, 0.31, 0.25),
    (0.60, 0.44, 0.50), (0.20, 0.42, 0.44), (0.80, 0.79, 0.76), (0.66, 0.36, 0.22),
]  # fmt: skip


class Style(NamedTuple):
    """What the furniture of one room has in common."""

    wood: Material
    fronts: Material
    cloth: Material
    second_cloth: Material
    metal: Material
    white: Material


def tint(rng: Rng, colour: Colour, spread: float = 0.05) -> Colour:
    """A screen colour shifted a little, as linear light."""
    lighter = rng.normal(0, spread)
    shifts = (lighter + rng.normal(0, 0.4 * spread, 3)).tolist()
    red, green, blue = (min(max(value + shift, 0.02), 0.97) for value, shift in zip(colour, shifts))
    return linear((red, green, blue))


def seed_of(rng: Rng) -> int:
    """A seed for a texture."""
    return int(rng.integers(1000))


def random_style(rng: Rng) -> Style:
    """Woods, cloths and metal that go through a room."""
    first, second = WOODS[rng.integers(len(WOODS))]
    wood = Material("wood", tint(rng, first, 0.03), tint(rng, second, 0.03), seed=seed_of(rng), gloss=0.05)
    fronts = wood._replace(texture="fronts", scale=float(rng.uniform(0.35, 0.55)))
    if rng.random() < 0.3:  # lacquered fronts
        lacquer = tint(rng, CLOTHS[rng.integers(len(CLOTHS))], 0.06)
        fronts = fronts._replace(colour=lacquer, second=lacquer, gloss=0.1)
    grey = float(rng.choice([0.12, 0.5, 0.75]))
    metal = Material("paint", linear((grey, grey, grey * 0.98)), gloss=0.35)
    white = Material("paint", tint(rng, (0.9, 0.89, 0.86), 0.02), gloss=0.08)
    return Style(wood, fronts, random_cloth(rng), random_cloth(rng), metal, white)


def random_cloth(rng: Rng) -> Material:
    """Plain, striped or plaid cloth."""
    first, second = rng.choice(len(CLOTHS), 2, replace=False)
    texture = str(rng.choice(["cloth", "cloth", "cloth", "plaid", "stripes"]))
    scale = float(rng.uniform(0.06, 0.2))
    return Material(texture, tint(rng, CLOTHS[first]), tint(rng, CLOTHS[second]), scale, seed_of(rng))


def box(
    x: tuple[float, float], y: tuple[float, float], z: tuple[float, float], material: Material, **other: Any
) -> Part:
    """A box between two limits on each axis."""
    centre = (0.5 * (x[0] + x[1]), 0.5 * (y[0] + y[1]), 0.5 * (z[0] + z[1]))
    return Part(centre, (0.5 * (x[1] - x[0]), 0.5 * (y[1] - y[0]), 0.5 * (z[1] - z[0])), material, **other)


def ball(centre: tuple[float, float, float], radius: float, material: Material, **other: Any) -> Part:
    """A sphere."""
    return Part(centre, (radius, radius, radius), material, is_sphere=True, **other)


def piece(parts: Iterable[Part], width: float, depth: float, height: float) -> Piece:
    """Parts that together fill width x depth x height, the back on y = 0."""
    return Piece(list(parts), (0.0, 0.5 * depth, 0.5 * height), (0.5 * width, 0.5 * depth, 0.5 * height))


def legs(width: float, depth: float, height: float, thick: float, material: Material, y0: float = 0.0) -> list[Part]:
    """Four legs under a rectangle."""
    a, b = 0.5 * width - 0.03 - thick, depth - 0.03 - thick
    return [
        box((x, x + thick), (y0 + y, y0 + y + thick), (0, height), material) for x in (-a - thick, a) for y in (0.03, b)
    ]

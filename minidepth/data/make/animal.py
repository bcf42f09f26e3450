"""A drawn cat or dog: a body of round limbs that grow into each other, fur with a pattern, a face.

Every limb is a cone with round ends. The distance of a point to the body is a smooth minimum of the distances to the
limbs (Quilez, "Smooth minimum"): negative inside, so that one field gives the outline with soft edges, the band along
it that a trimap calls border, and the shading, as if the body were thickest in the middle.

Coordinates: x to the right, y up, 1 is about the height of the animal at its shoulders; feet at y = 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minidepth.data.rooms.noise import Array, limit, noise

Rng = np.random.Generator
Point = tuple[float, float]

FURS = [
    (0.80, 0.52, 0.26), (0.42, 0.29, 0.20), (0.16, 0.15, 0.15), (0.55, 0.55, 0.57), (0.90, 0.87, 0.80),
    (0.67, 0.56, 0.43), (0.33, 0.33, 0.36), (0.72, 0.38, 0.20), (0.85, 0.74, 0.55),
]  # fmt: skip
PATTERNS = ("plain", "stripes", "spots", "patches")
BLEND = 0.10
"""How far limbs flow into each other."""
ROUND = 0.14


class Limb(NamedTuple):
    """A cone with round ends: from a with radius ra to b with radius rb."""

    a: Point
    b: Point
    ra: float
    rb: float


class Animal(NamedTuple):
    """Everything that decides what it looks like."""

    species: str
    """"cat" or "dog"."""
    limbs: list[Limb]
    head: Point
    head_radius: float
    fur: tuple[float, float, float]
    second: tuple[float, float, float]
    pattern: str
    muzzle: bool
    """Whether the lower face is light."""
    seed: int


class Drawing(NamedTuple):
    """An animal on a grid of pixels."""

    color: Array
    """float32 (H, W, 3), 0 to 1; meaningless where `cover` is 0."""
    cover: Array
    """float32 (H, W): the share of the pixel that is animal."""
    distance: Array
    """float32 (H, W): pixels to the outline, negative inside."""


def random_animal(rng: Rng) -> Animal:
    """A cat or a dog, standing or sitting."""
    species = str(rng.choice(["cat", "dog"]))
    limbs, head = (standing if rng.random() < 0.5 else sitting)(rng, species)
    radius = float(rng.uniform(0.21, 0.27)) * (1.0 if species == "cat" else 1.05)
    limbs += skull(rng, species, head, radius)
    fur, second = (FURS[i] for i in rng.choice(len(FURS), 2, replace=False))
    pattern, muzzle = str(rng.choice(PATTERNS)), bool(rng.random() < 0.5)
    animal = Animal(species, limbs, head, radius, fur, second, pattern, muzzle, int(rng.integers(99)))
    return mirrored(animal) if rng.random() < 0.5 else animal


def mirrored(animal: Animal) -> Animal:
    """The same animal looking the other way."""
    limbs = [Limb((-limb.a[0], limb.a[1]), (-limb.b[0], limb.b[1]), limb.ra, limb.rb) for limb in animal.limbs]
    return animal._replace(limbs=limbs, head=(-animal.head[0], animal.head[1]))


def standing(rng: Rng, species: str) -> tuple[list[Limb], Point]:
    """Seen from the side, the head at the right."""
    length, thick = float(rng.uniform(0.95, 1.3)), float(rng.uniform(0.19, 0.25))
    back, chest = (-0.5 * length, 0.78), (0.5 * length, 0.8)
    head = (chest[0] + float(rng.uniform(0.1, 0.25)), float(rng.uniform(1.05, 1.25)))
    leg = float(rng.uniform(0.06, 0.09))
    limbs = [Limb(back, chest, thick, thick * 1.12), Limb(chest, head, 0.15, 0.13)]
    for x in (back[0] + 0.02, back[0] + 0.2, chest[0] - 0.16, chest[0] + 0.04):
        foot = x + float(rng.normal(0, 0.09))
        limbs += [Limb((x, 0.62), (foot, 0.07), leg * 1.5, leg), Limb((foot, 0.06), (foot + 0.07, 0.055), 0.06, 0.055)]
    tip = (back[0] - float(rng.uniform(0.2, 0.45)), float(rng.uniform(0.4, 1.5)))
    bend = (back[0] - 0.25, 0.8)
    width = 0.055 if species == "cat" else 0.07
    return [*limbs, Limb(back, bend, width * 1.4, width), Limb(bend, tip, width, width * 0.7)], head


def sitting(rng: Rng, species: str) -> tuple[list[Limb], Point]:
    """Seen from the front: a body that stands up, front legs side by side, haunches at both sides."""
    height, wide = float(rng.uniform(0.72, 0.9)), float(rng.uniform(0.24, 0.32))
    head = (float(rng.normal(0, 0.06)), height + float(rng.uniform(0.26, 0.34)))
    limbs = [
        Limb((0, 0.3), (0, height), wide, 0.17),
        Limb((0, height), head, 0.15, 0.13),
        Limb((-0.1, 0.55), (-0.11, 0.06), 0.09, 0.07),
        Limb((0.1, 0.55), (0.11, 0.06), 0.09, 0.07),
        Limb((-wide, 0.2), (-wide - 0.05, 0.08), 0.17, 0.09),
        Limb((wide, 0.2), (wide + 0.05, 0.08), 0.17, 0.09),
    ]
    tip = (wide + float(rng.uniform(0.25, 0.5)), float(rng.uniform(0.05, 0.5)))
    width = 0.05 if species == "cat" else 0.065
    return [*limbs, Limb((wide, 0.1), tip, width * 1.3, width)], head


def skull(rng: Rng, species: str, head: Point, radius: float) -> list[Limb]:
    """The head with its ears; a dog's has a snout that hangs a little lower."""
    x, y = head
    if species == "cat":
        tall, wide = radius * float(rng.uniform(1.3, 1.55)), 0.4 * radius
        ears = [
            Limb((x + s * 0.6 * radius, y + 0.6 * radius), (x + s * 0.78 * radius, y + tall), wide, 0.06 * radius)
            for s in (-1, 1)
        ]
        return [Limb((x - 0.18 * radius, y), (x + 0.18 * radius, y), radius * 0.95, radius * 0.95), *ears]
    hang = float(rng.uniform(-0.9, 0.2)) * radius
    ears = [
        Limb((x + s * 0.8 * radius, y + 0.5 * radius), (x + s * 1.2 * radius, y + hang), 0.28 * radius, 0.3 * radius)
        for s in (-1, 1)
    ]
    return [Limb((x, y + 0.1 * radius), (x, y - 0.35 * radius), radius * 0.95, radius * 0.7), *ears]


def bounds(animal: Animal) -> tuple[float, float, float, float]:
    """Left, right, bottom and top of the animal in its own coordinates."""
    ends = [(p, r) for limb in animal.limbs for p, r in ((limb.a, limb.ra), (limb.b, limb.rb))]
    left, right = min(p[0] - r for p, r in ends), max(p[0] + r for p, r in ends)
    return left, right, min(p[1] - r for p, r in ends), max(p[1] + r for p, r in ends)


def draw(animal: Animal, size: tuple[int, int], foot: Point, pixels: float, light: float = -0.6) -> Drawing:
    """Draw the animal on (height, width) pixels.

    Args:
        animal: what to draw.
        size: of the grid.
        foot: (row, column) of the pixel at which its own (0, 0) stands.
        pixels: for one unit of its own coordinates.
        light: where the light comes from, from -1 (left) to 1 (right); always from above.
    """
    x = ((np.arange(size[1], dtype=np.float32) - foot[1]) / pixels)[None, :]
    y = ((foot[0] - np.arange(size[0], dtype=np.float32)) / pixels)[:, None]
    distance = to_limb(animal.limbs[0], x, y)
    for limb in animal.limbs[1:]:
        other = to_limb(limb, x, y)
        near = limit(0.5 + (distance - other) * (0.5 / BLEND))
        distance += (other - distance) * near - BLEND * near * (1 - near)
    in_pixels = distance * np.float32(pixels)
    shade = shading(distance, pixels, light)
    color = coat(animal, x, y, 1 / pixels, distance) * shade[..., None]
    face(animal, color, x, y, 1 / pixels)
    return Drawing(np.clip(color, 0, 1), limit(0.5 - in_pixels), in_pixels)


def to_limb(limb: Limb, x: Array, y: Array) -> Array:
    """Distance of the points (x, y) to the surface of a limb."""
    dx, dy = limb.b[0] - limb.a[0], limb.b[1] - limb.a[1]
    along = limit(((x - limb.a[0]) * dx + (y - limb.a[1]) * dy) / (dx * dx + dy * dy + 1e-9))
    across, up = x - limb.a[0] - along * dx, y - limb.a[1] - along * dy
    return np.sqrt(across * across + up * up) - (limb.ra + (limb.rb - limb.ra) * along)


def shading(distance: Array, pixels: float, light: float) -> Array:
    """Brightness 0.5 to 1.1 of a body with round edges: quarters of circles of radius `ROUND`, flat farther inside."""
    inside = limit(-distance / ROUND)
    height = ROUND * np.sqrt(inside * (2 - inside))
    slope_y, slope_x = np.gradient(height, 1 / pixels)
    steep = 1 / np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
    facing = (-light * slope_x * 0.5 + slope_y * 0.6 + 0.75) * steep  # rows go down, so slope_y > 0 looks up
    return 0.5 + 0.6 * limit(facing)


def coat(animal: Animal, x: Array, y: Array, blur: float, distance: Array) -> Array:
    """The fur's colour (H, W, 3): a pattern of two colours under fine hair."""
    x, y = np.broadcast_arrays(x, y)
    width = np.full(x.shape, blur, np.float32)
    wave = noise(x * 2.5 + animal.seed, y * 2.5, width * 2.5)
    if animal.pattern == "stripes":
        second = limit(0.5 + 1.6 * np.sin(26 * x + 6 * y + 1.8 * wave) - 0.4)
    elif animal.pattern == "spots":
        second = limit(3 * noise(x * 7 + animal.seed, y * 7, width * 7) - 2.2)
    elif animal.pattern == "patches":
        second = limit(4 * wave - 1.0)
    else:
        second = limit(0.5 - 2.5 * y) * 0.6  # darker or lighter paws
    hair = 1 + 0.09 * noise(x * 60, y * 18, width * 40) + 0.05 * noise(x * 11, y * 11, width * 11)
    first, other = np.asarray(animal.fur, np.float32), np.asarray(animal.second, np.float32)
    if animal.muzzle:
        px, py = x - animal.head[0], y - animal.head[1] + 0.5 * animal.head_radius
        second = second * limit(4 * (np.sqrt(px * px + py * py) / animal.head_radius - 0.6))
    return (first + (other - first) * second[..., None]) * hair[..., None]


def face(animal: Animal, color: Array, x: Array, y: Array, blur: float) -> None:
    """Paint eyes, nose and mouth over `color`."""
    radius = animal.head_radius
    center_x, center_y = animal.head

    def dot(at_x: float, at_y: float, wide: float, high: float, paint: tuple[float, float, float]) -> None:
        dx, dy = (x - center_x - at_x * radius) / (wide * radius), (y - center_y - at_y * radius) / (high * radius)
        inside = limit(0.5 - (np.sqrt(dx * dx + dy * dy) - 1) * min(wide, high) * radius / blur)[..., None]
        color[...] += (np.asarray(paint, np.float32) - color) * inside

    if animal.muzzle:
        dot(0, -0.42, 0.5, 0.38, (0.93, 0.91, 0.87))
    iris = (0.62, 0.66, 0.22) if animal.species == "cat" else (0.30, 0.18, 0.10)
    for side in (-1, 1):
        dot(side * 0.4, 0.12, 0.2, 0.2, iris)
        dot(side * 0.4, 0.12, 0.09 if animal.species == "cat" else 0.14, 0.17, (0.03, 0.03, 0.03))
        dot(side * 0.4 - 0.05, 0.19, 0.05, 0.05, (0.98, 0.98, 0.98))
    nose = (0.80, 0.50, 0.48) if animal.species == "cat" else (0.08, 0.07, 0.07)
    dot(0, -0.25, 0.13 if animal.species == "cat" else 0.2, 0.1 if animal.species == "cat" else 0.14, nose)
    dot(0, -0.5, 0.2, 0.035, (0.20, 0.12, 0.11))


def ground_shadow(size: tuple[int, int], foot: Point, pixels: float) -> Array:
    """Less light on the ground around the feet: (H, W), 0.55 to 1."""
    across = (np.arange(size[1], dtype=np.float32) - foot[1]) / (0.8 * pixels)
    down = (np.arange(size[0], dtype=np.float32) - foot[0] + 0.03 * pixels) / (0.13 * pixels)
    return 1 - 0.45 * np.exp(-np.add.outer(down * down, across * across))

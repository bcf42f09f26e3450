"""Procedural textures of known size for `rooms`: wood, carpet, tiles, bricks, wallpaper, books, windows ...

A texture is a function of a point on a flat face, in metres: `u` to the right, `v` upwards (both 0 in the middle of
the face, walls and floors count from a corner), and of `blur`, the width of one pixel on that face in metres.
It returns the albedo (n, 3), linear light in 0..1. Sizes are real ones, since the size of a brick or a plank tells
how far away it is.
Whatever is finer than a pixel fades to its mean (noise.py).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minidepth.data.rooms.noise import Array, Colour, inside, limit, mix, noise, pick, pulse


class Material(NamedTuple):
    """A texture's name with its two colours (linear light), its size in metres, and how the surface answers light."""

    texture: str
    colour: Colour
    second: Colour = (0.0, 0.0, 0.0)
    scale: float = 1.0  # metres (tile edge, plank width, stripe period ...), where the texture has one
    seed: int = 0
    gloss: float = 0.0  # strength of the highlight; a Kinect loses glossy and dark surfaces
    glow: float = 0.0  # light that the surface sends out itself


def linear(srgb: tuple[float, float, float]) -> Colour:
    """Screen colour 0..1 to linear light (gamma 2.2)."""
    red, green, blue = srgb
    return (red**2.2, green**2.2, blue**2.2)


def albedo(material: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    """Colour (n, 3) of the points (u, v) of a face whose half width and half height are `extent` (metres)."""
    return TEXTURES[material.texture](material, u, v, blur, extent)


# ------------------------------------------------------------------------------------------- walls, floors, cloth


def _paint(m: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    shade = 1 + 0.018 * noise(u * 2 + m.seed, v * 2, blur * 2)
    return shade[:, None] * np.asarray(m.colour, np.float32)


def _carpet(m: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    shade = 1 + 0.16 * noise(u * 90, v * 90, blur * 90) + 0.05 * noise(u * 6 + m.seed, v * 6, blur * 6)
    return shade[:, None] * np.asarray(m.colour, np.float32)


def _wood(m: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    """Grain along the longer side of the face."""
    along, across = (u, v) if extent[0] >= extent[1] else (v, u)
    grain = noise(along * 5 + m.seed, across * 70, blur * 40)
    return mix(m.colour, m.second, limit(0.35 + 0.22 * grain))


def _planks(m: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    """A wooden floor: boards of width `scale`, 8 times as long, each of its own shade, with dark joints."""
    row = np.floor(u / m.scale)
    along = v / (8 * m.scale) + pick(row, 0.0, m.seed)
    shade = pick(row, np.floor(along), m.seed)
    grain = noise(u * 60 + 40 * row, v * 4 + 9 * row, blur * 40)
    colour = mix(m.colour, m.second, limit(0.8 * shade + 0.16 * grain))
    joint = np.maximum(
        pulse(u / m.scale, 0.004 / m.scale, blur / m.scale), pulse(along, 0.0005 / m.scale, blur / (8 * m.scale))
    )
    return colour * (1 - 0.6 * joint)[:, None]


def _tiles(m: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    column, row = u / m.scale, v / m.scale
    joint = 0.006 / m.scale
    grout = np.maximum(pulse(column, joint, blur / m.scale), pulse(row, joint, blur / m.scale))
    shade = 0.92 + 0.12 * pick(np.floor(column), np.floor(row), m.seed) + 0.03 * noise(u * 9, v * 9, blur * 9)
    return mix(np.asarray(m.colour, np.float32) * shade[:, None], m.second, grout)


def _checker(m: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    size = 2 * m.scale
    one, two = pulse(u / size, 0.5, blur / size), pulse(v / size, 0.5, blur / size)
    shade = 1 + 0.04 * noise(u * 7 + m.seed, v * 7, blur * 7)
    return mix(m.colour, m.second, one + two - 2 * one * two) * shade[:, None]


def _bricks(m: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    """Bricks 0.25 x 0.075 m (with joint), every second row shifted by half a brick."""
    row = np.floor(v / 0.075)
    along = u / 0.25 + 0.5 * (row % 2)
    joint = np.maximum(pulse(along, 0.04, blur / 0.25), pulse(v / 0.075, 0.13, blur / 0.075))
    shade = 0.72 + 0.5 * pick(np.floor(along), row, m.seed) + 0.07 * noise(u * 60, v * 60, blur * 60)
    return mix(np.asarray(m.colour, np.float32) * shade[:, None], m.second, joint)


def _stripes(m: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    shade = 1 + 0.02 * noise(u * 30 + m.seed, v * 30, blur * 30)
    return mix(m.colour, m.second, pulse(u / m.scale, 0.45, blur / m.scale)) * shade[:, None]


def _dots(m: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    row = np.floor(v / m.scale)
    x = u / m.scale + 0.5 * (row % 2)
    x, y = x - np.floor(x) - 0.5, v / m.scale - row - 0.5
    fade = 0.2 * limit(1.5 - 2 * blur / m.scale)  # dots smaller than a pixel leave their mean
    weight = inside(np.abs(x) + np.abs(y) - 0.32, blur / m.scale)
    return mix(m.colour, m.second, 0.2 + (weight - 0.2) * fade * 5)


def _plaid(m: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    one, two = pulse(u / m.scale, 0.4, blur / m.scale), pulse(v / m.scale, 0.4, blur / m.scale)
    shade = 1 + 0.10 * noise(u * 80, v * 80, blur * 80)
    return mix(m.colour, m.second, 0.5 * (one + two)) * shade[:, None]


def _cloth(m: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    """Plain cloth: fine weave, soft folds, a seam round the edge of the face."""
    edge = np.minimum(extent[0] - np.abs(u), extent[1] - np.abs(v))
    shade = 1 + 0.07 * noise(u * 110, v * 110, blur * 110) + 0.06 * noise(u * 9 + m.seed, v * 9, blur * 9)
    return (shade * (1 - 0.25 * inside(edge - 0.012, blur)))[:, None] * np.asarray(m.colour, np.float32)


def _curtain(m: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    fold = np.sin(u * (6.2832 / m.scale) + 1.2 * noise(u * 6 + m.seed, v * 0.7, blur))
    fade = limit(1.6 - 2 * blur / m.scale)
    return (0.8 + 0.2 * fold * fade)[:, None] * np.asarray(m.colour, np.float32)


def _leaves(m: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    weight = 0.5 + 0.45 * noise(u * 25 + m.seed, v * 25, blur * 25)
    return mix(m.colour, m.second, limit(weight))


# --------------------------------------------------------------------------------- faces with a picture of their own


def _rug(m: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    edge = np.minimum(extent[0] - np.abs(u), extent[1] - np.abs(v))
    inner = np.abs(u) / m.scale + np.abs(v) / m.scale if m.seed % 2 else (u + extent[0]) / m.scale
    weight = pulse(inner, 0.4, blur / m.scale)
    weight = np.where(edge < 0.22, inside(np.abs(edge - 0.13) - 0.035, blur), weight)
    shade = 1 + 0.13 * noise(u * 80, v * 80, blur * 80)
    return mix(m.colour, m.second, weight) * shade[:, None]


def _fronts(m: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    """The front of a cupboard or a chest: doors or drawers of about `scale` metres, with joints and knobs."""
    columns, rows = max(1, round(2 * extent[0] / m.scale)), max(1, round(2 * extent[1] / m.scale))
    if m.seed % 3:  # two kinds of three have tall doors
        rows = 1
    width, height = 2 * extent[0] / columns, 2 * extent[1] / rows
    x, y = (u + extent[0]) / width, (v + extent[1]) / height
    x, y = (x - np.floor(x) - 0.5) * width, (y - np.floor(y) - 0.5) * height
    gap = np.minimum(0.5 * width - np.abs(x), 0.5 * height - np.abs(y))
    panel = inside(np.abs(gap - 0.07) - 0.008, blur) if m.seed % 2 else 0.0
    dark = np.maximum(0.75 * inside(gap - 0.005, blur), 0.3 * panel)
    grain = noise(u * 50 + m.seed, v * 5, blur * 30)
    colour = mix(m.colour, m.second, limit(0.35 + 0.2 * grain)) * (1 - dark)[:, None]
    knob_x = x if rows > 1 else np.abs(x) - 0.5 * width + 0.05
    knob = inside(np.maximum(np.abs(knob_x) - 0.05 * (rows > 1), np.abs(y)) - 0.015, blur)
    return mix(colour, (0.25, 0.24, 0.22), 0.8 * knob)


def _books(m: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    """Spines 2 to 5 cm wide, of every colour, not all of one height; dark shelf above them."""
    x = u / 0.035 + 0.25 * np.sin(u * 40 + m.seed)
    book = np.floor(x)
    hue, shade = pick(book, 1.0, m.seed), pick(book, 2.0, m.seed)
    palette = _book_colours()
    colour = palette[(hue * 15.99).astype(np.int32)] * (0.55 + 0.6 * shade)[:, None]
    height = extent[1] * (1.0 - 0.6 * pick(book, 3.0, m.seed) * (1 - 0.4 * hue))
    label = inside(np.abs(v - 0.1 * extent[1]) - 0.02, blur) * (shade > 0.5)
    colour = mix(colour, (0.6, 0.55, 0.4), 0.5 * label)
    dark = np.maximum(0.5 * pulse(x, 0.12, blur / 0.035), 0.85 * inside(height - v, blur))
    mean = palette.mean(0) * 0.75
    return mix(colour * (1 - dark)[:, None], mean, limit(blur / 0.035 - 0.6))


COVERS = [
    (0.55, 0.16, 0.14), (0.17, 0.25, 0.42), (0.80, 0.74, 0.62), (0.22, 0.36, 0.27),
    (0.88, 0.86, 0.82), (0.16, 0.15, 0.16), (0.72, 0.50, 0.20), (0.40, 0.28, 0.20),
    (0.35, 0.50, 0.62), (0.65, 0.35, 0.22), (0.92, 0.90, 0.86), (0.45, 0.45, 0.46),
    (0.60, 0.62, 0.40), (0.30, 0.20, 0.32), (0.78, 0.62, 0.50), (0.70, 0.20, 0.18),
]  # fmt: skip


@functools.cache
def _book_colours() -> Array:
    return np.array([linear(colour) for colour in COVERS], np.float32)


def _picture(m: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    """A framed picture: a landscape (sky, hills, ground) or an abstract one of soft fields."""
    edge = np.minimum(extent[0] - np.abs(u), extent[1] - np.abs(v))
    x, y = u / extent[0], v / extent[1]
    first, second, third = (_book_colours()[(m.seed + k * 5) % 16] * 1.3 for k in range(3))
    size = blur / min(extent)
    field = noise(x * 1.5 + m.seed, y * 1.5 if m.seed % 2 else 0 * y + 0.5, size)
    if m.seed % 2:
        colour = mix(mix(first, second, inside(field, size)), third, inside(0.7 - field, size))
    else:
        hill = 0.25 * field - 0.1
        colour = mix(mix((0.75, 0.8, 0.85), (0.3, 0.5, 0.8), 0.5 + 0.5 * y), first, inside(y - hill, size))
        colour = mix(colour, second, inside(y + 0.45 + 0.1 * field, size))
    paper = inside(edge - 0.06, blur) if m.scale > 0.5 else np.zeros_like(u)
    colour = mix(colour, (0.8, 0.78, 0.74), paper)
    return mix(colour, m.colour, inside(edge - 0.02, blur))


def _window(m: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    """A white frame with a cross; behind it sky over a blurred row of trees or houses."""
    edge = np.minimum(extent[0] - np.abs(u), extent[1] - np.abs(v))
    bars = np.minimum(np.abs(u), np.abs(v + 0.25 * extent[1]) + 10 * (m.seed % 2))
    frame = np.maximum(inside(edge - 0.06, blur), inside(bars - 0.025, blur))
    trees = noise(u * 3 + m.seed, v * 3, blur * 4)
    skyline = v / extent[1] + 0.25 - 0.12 * noise(u * 1.5 + m.seed, 0 * v, blur)
    outside = mix(m.second, np.asarray(m.second, np.float32) * 0.22, limit(0.5 - 3 * skyline))
    outside = outside * (1 + 0.25 * trees * (skyline < 0.1))[:, None]
    return mix(outside, np.asarray(m.colour, np.float32) / (1 + m.glow), frame)


def _door(m: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    """A door with two sunk panels, a handle and a frame."""
    edge = np.minimum(extent[0] - np.abs(u), extent[1] - np.abs(v))
    panel = np.minimum(extent[0] - 0.2 - np.abs(u), 0.38 - np.abs(np.abs(v + 0.05) - 0.47))
    dark = 0.3 * np.maximum(inside(np.abs(panel) - 0.012, blur), inside(np.abs(edge - 0.08) - 0.008, blur))
    handle = inside(np.maximum(np.abs(u - extent[0] + 0.17) - 0.06, np.abs(v + 0.02) - 0.015), blur)
    grain = 1 + 0.03 * noise(u * 60 + m.seed, v * 6, blur * 40)
    return mix(np.asarray(m.colour, np.float32) * ((1 - dark) * grain)[:, None], (0.2, 0.19, 0.17), handle)


def _screen(m: Material, u: Array, v: Array, blur: Array, extent: tuple[float, float]) -> Array:
    """A television or monitor: dark glass in a frame; when it glows, a blurred picture."""
    edge = np.minimum(extent[0] - np.abs(u), extent[1] - np.abs(v))
    glass = limit(0.5 + 0.5 * noise(u * 4 + m.seed, v * 4, blur * 4)) if m.glow else 0.3 - 0.3 * v / extent[1]
    return mix(mix(m.colour, m.second, glass), (0.012, 0.012, 0.013), inside(edge - 0.018, blur))


Texture = Callable[[Material, Array, Array, Array, tuple[float, float]], Array]
TEXTURES: dict[str, Texture] = {
    "paint": _paint, "carpet": _carpet, "wood": _wood, "planks": _planks, "tiles": _tiles, "checker": _checker,
    "bricks": _bricks, "stripes": _stripes, "dots": _dots, "plaid": _plaid, "cloth": _cloth, "curtain": _curtain,
    "leaves": _leaves, "rug": _rug, "fronts": _fronts, "books": _books, "picture": _picture, "window": _window,
    "door": _door, "screen": _screen,
}  # fmt: skip

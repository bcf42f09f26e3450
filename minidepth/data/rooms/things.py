"""Small things that stand about on the furniture of `rooms`. Lengths in metres."""

from __future__ import annotations

from minidepth.data.rooms.parts import Part
from minidepth.data.rooms.style import Rng, Style, ball, box, random_cloth, tint
from minidepth.data.rooms.texture import Material


def table_lamp(rng: Rng, style: Style, at: tuple[float, float, float]) -> list[Part]:
    """A small lamp standing at a point."""
    x, y, z = at
    shade = Material("cloth", tint(rng, (0.93, 0.86, 0.7), 0.04), glow=float(rng.choice([0.0, 0.7, 1.0])))
    return [
        ball((x, y, z + 0.07), 0.07, random_cloth(rng)._replace(texture="paint", gloss=0.3)),
        box((x - 0.012, x + 0.012), (y - 0.012, y + 0.012), (z + 0.1, z + 0.24), style.metal),
        box((x - 0.12, x + 0.12), (y - 0.12, y + 0.12), (z + 0.22, z + 0.4), shade, casts_shadow=False),
    ]


def things(rng: Rng, style: Style, width: float, depth: float, height: float, count: int) -> list[Part]:
    """Books, boxes, a bowl, a vase, a lamp: what stands about on a surface of width x depth at `height`."""
    parts: list[Part] = []
    for k in range(count):
        x = -0.5 * width + (k + float(rng.uniform(0.3, 0.7))) * width / count
        y, yaw, kind = float(rng.uniform(0.35, 0.65)) * depth, float(rng.normal(0, 0.4)), int(rng.integers(4))
        material = random_cloth(rng)._replace(texture="paint", gloss=0.15)
        if kind == 0:  # a pile of books
            z = height
            for _ in range(2):
                cover = random_cloth(rng)._replace(texture="paint")
                parts.append(Part((x, y, z + 0.02), (0.13, 0.09, 0.02), cover, yaw=yaw))
                z, yaw = z + 0.04, yaw + float(rng.normal(0, 0.2))
        elif kind == 1:
            radius = float(rng.uniform(0.06, 0.11))
            parts.append(ball((x, y, height + radius), radius, material))
        elif kind == 2:
            half = tuple(float(h) for h in rng.uniform((0.05, 0.04, 0.05), (0.16, 0.1, 0.14)))
            parts.append(Part((x, y, height + half[2]), (half[0], half[1], half[2]), material, yaw=yaw))
        else:
            parts += table_lamp(rng, style, (x, y, height))
    return parts

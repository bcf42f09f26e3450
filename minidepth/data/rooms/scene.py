"""Random furnished rooms: a shell, furniture along its walls and in its middle, things on the walls, lamps, a camera.

Sizes follow what NYU Depth V2 shows: rooms 2.7 to 5 m wide, the camera held at 1 to 1.7 m, looking into the room and a
little down, depths of about 0.7 to 7 m with a mean near 2.7 m. A piece is kept only where it meets no other one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minidepth.data.rooms import furniture
from minidepth.data.rooms.noise import Colour
from minidepth.data.rooms.parts import Camera, Light, Piece, Room, Vector, bounds, camera_at, place
from minidepth.data.rooms.style import CLOTHS, WOODS, Rng, Style, ball, box, piece, random_style, seed_of, tint
from minidepth.data.rooms.texture import Material, linear

Maker = Callable[[Rng, Style], Piece]

KINDS: dict[str, tuple[list[Maker], list[Maker]]] = {
    "bedroom": (
        [furniture.bed, furniture.bedside, furniture.cupboard, furniture.chest, furniture.desk, furniture.bookshelf],
        [furniture.crate, furniture.chair, furniture.floor_lamp],
    ),
    "living room": (
        [
            furniture.sofa,
            furniture.tv_stand,
            furniture.bookshelf,
            furniture.chest,
            furniture.floor_lamp,
            furniture.plant,
        ],
        [furniture.coffee_table, furniture.armchair, furniture.crate],
    ),
    "study": (
        [
            furniture.desk,
            furniture.bookshelf,
            furniture.cupboard,
            furniture.sofa,
            furniture.plant,
            furniture.floor_lamp,
        ],
        [furniture.chair, furniture.chair, furniture.table, furniture.crate],
    ),
    "kitchen": (
        [furniture.kitchen_row, furniture.fridge, furniture.cupboard, furniture.chest, furniture.plant],
        [furniture.table, furniture.chair, furniture.chair],
    ),
}
"""For each kind of room: what stands along its walls (the first one always), and what stands free."""

PAINTS = [
    (0.91, 0.89, 0.84), (0.88, 0.83, 0.72), (0.80, 0.82, 0.84), (0.72, 0.79, 0.76),
    (0.78, 0.72, 0.66), (0.70, 0.76, 0.84), (0.87, 0.78, 0.68), (0.84, 0.80, 0.55),
    (0.62, 0.68, 0.60), (0.80, 0.64, 0.58), (0.50, 0.57, 0.64), (0.93, 0.92, 0.90),
]  # fmt: skip


def random_room(rng: Rng) -> tuple[Room, Camera]:
    """A room and a camera in it."""
    width, height = float(rng.uniform(2.6, 4.8)), float(rng.uniform(2.35, 2.8))
    depth = 3.0 + 5.0 * float(rng.random()) ** 2
    size = (width, depth, height)
    camera = _camera(rng, size)
    style = random_style(rng)
    along_walls, free = KINDS[str(rng.choice(list(KINDS)))]

    pieces: list[Piece] = []
    _furnish_walls(rng, style, size, along_walls, camera, pieces)
    _furnish_middle(rng, style, size, free, camera, pieces)
    window = _hang(rng, style, size, camera, pieces)
    if rng.random() < 0.45:
        pieces.append(_rug(rng, size))
    lights = _lamps(rng, style, size, window, pieces)
    strength = float(rng.uniform(0.16, 0.4))
    ambient = tuple(float(v) for v in strength * rng.uniform((0.92, 0.95, 0.9), (1.05, 1.0, 1.08)))
    return Room(size, _shell(rng, style), pieces, lights, (ambient[0], ambient[1], ambient[2])), camera


def _camera(rng: Rng, size: Vector) -> Camera:
    """Near the wall y = 0, looking into the room, a little down."""
    width, depth, _ = size
    x, y = float(rng.uniform(0.2, 0.8)) * width, float(rng.uniform(0.08, 0.30)) * depth
    z = float(rng.uniform(1.0, 1.7))
    aim_x = float(rng.uniform(0.1, 0.9)) * width  # a point of the far wall
    yaw = float(np.arctan2(x - aim_x, depth - y) + rng.normal(0, 0.12))
    pitch, roll = np.radians(float(rng.normal(12, 5))), np.radians(float(rng.normal(0, 1.5)))
    return camera_at((x, y, z), yaw, pitch + 0.08 * (z - 1.35), roll)


def _meets(piece_: Piece, others: list[Piece], camera: Camera, gap_m: float = 0.02, distance_m: float = 0.75) -> bool:
    """Whether a piece runs into another one or stands too close to the camera."""
    low, high = bounds(piece_)
    nearest = [min(max(p, a), b) for p, a, b in zip(camera.position, low, high)]
    if sum((p - q) ** 2 for p, q in zip(camera.position, nearest)) < distance_m**2:
        return True
    for other in others:
        other_low, other_high = bounds(other)
        if all(a < d - gap_m and c < b - gap_m for a, b, c, d in zip(low, high, other_low, other_high)):
            return True
    return False


def _furnish_walls(
    rng: Rng, style: Style, size: Vector, makers: list[Maker], camera: Camera, pieces: list[Piece]
) -> None:
    """Along the far wall and both side walls, from one end to the other with gaps."""
    width, depth, _ = size
    queue = [makers[0], *(makers[i] for i in rng.permutation(np.arange(1, len(makers))))]
    queue += [makers[int(i)] for i in rng.integers(1, len(makers), 5)]
    # (where the wall begins, its length, the yaw that turns a piece's front into the room)
    walls = [((0.0, depth), width, np.pi), ((0.0, 0.0), depth, -0.5 * np.pi), ((width, 0.0), depth, 0.5 * np.pi)]
    for k in [0, *(1 + rng.permutation(2))]:
        (x0, y0), length, yaw = walls[int(k)]
        at = float(rng.uniform(0.02, 0.5)) if k == 0 else float(rng.uniform(0.8, 1.4))
        while queue:
            new = queue[0](rng, style)
            wide = 2 * new.half[0]
            if at + wide > length - 0.02:
                break
            queue.pop(0)
            middle, off = at + 0.5 * wide, float(rng.uniform(0.01, 0.06))
            position = (middle, depth - off, 0.0) if k == 0 else (x0 + (off if k == 1 else -off), middle, 0.0)
            placed = place(new, position, float(yaw))
            if not _meets(placed, pieces, camera):
                pieces.append(placed)
            at += wide + float(rng.choice([0.04, rng.uniform(0.1, 0.9)]))


def _furnish_middle(
    rng: Rng, style: Style, size: Vector, makers: list[Maker], camera: Camera, pieces: list[Piece]
) -> None:
    """Free-standing pieces, turned any way."""
    width, depth, _ = size
    for maker in [makers[i] for i in rng.permutation(len(makers))][: int(rng.integers(2, 5))]:
        new = maker(rng, style)
        for _ in range(6):
            x, y = float(rng.uniform(0.18, 0.82)) * width, float(rng.uniform(0.35, 0.85)) * depth
            yaw = float(rng.choice([0, 0.5, 1, 1.5])) * np.pi + float(rng.normal(0, 0.25))
            placed = place(new, (x, y, 0.0), yaw)
            (left, back, _), (right, front, _) = bounds(placed)
            fits = left > 0.02 and back > 0.02 and right < width - 0.02 and front < depth - 0.02
            if fits and not _meets(placed, pieces, camera, distance_m=0.9):
                pieces.append(placed)
                break


def _hang(rng: Rng, style: Style, size: Vector, camera: Camera, pieces: list[Piece]) -> Vector | None:
    """Windows, doors and pictures on the walls; the middle of the first window, if there is one."""
    width, depth, height = size
    first_window = None
    kinds = ["window", "door", "picture", "picture", "picture", "window"]
    for kind in [kinds[i] for i in rng.permutation(6)][: int(rng.integers(2, 6))]:
        new, low = _wall_thing(rng, style, kind, height)
        for _ in range(4):
            k = int(rng.choice([0, 0, 1, 2]))
            length = width if k == 0 else depth
            at = float(rng.uniform(new.half[0] + 0.05, max(length - new.half[0] - 0.05, new.half[0] + 0.06)))
            x, y, yaw = [(at, depth, np.pi), (0.0, at, -0.5 * np.pi), (width, at, 0.5 * np.pi)][k]
            placed = place(new, (x, y, low), float(yaw))
            if at + new.half[0] < length and not _meets(placed, pieces, camera, gap_m=0.0):
                pieces.append(placed)
                if kind == "window" and first_window is None:
                    first_window = (placed.centre[0], placed.centre[1], placed.centre[2])
                break
    return first_window


def _wall_thing(rng: Rng, style: Style, kind: str, height: float) -> tuple[Piece, float]:
    """A flat piece for a wall, and the height of its lower edge."""
    if kind == "door":
        colour = tint(rng, WOODS[rng.integers(len(WOODS))][0], 0.04)
        frame = Material("paint", colour, gloss=0.05)
        leaf = frame._replace(texture="door", seed=seed_of(rng))
        return piece([box((-0.45, 0.45), (0, 0.03), (0, 2.03), frame, front=leaf)], 0.9, 0.04, 2.03), 0.0
    if kind == "picture":
        a, b = 0.5 * float(rng.uniform(0.25, 0.9)), 0.5 * float(rng.uniform(0.3, 0.7))
        frame = Material("paint", tint(rng, WOODS[rng.integers(len(WOODS))][1], 0.04))
        picture = frame._replace(texture="picture", scale=float(rng.random()), seed=seed_of(rng), gloss=0.1)
        made = piece([box((-a, a), (0, 0.02), (0, 2 * b), frame, front=picture)], 2 * a, 0.03, 2 * b)
        return made, min(float(rng.uniform(1.1, 1.6)), height - 2 * b - 0.15)
    a, low = 0.5 * float(rng.uniform(0.9, 1.7)), float(rng.uniform(0.75, 1.0))
    high = height - float(rng.uniform(0.2, 0.5))
    night, glow = rng.random() < 0.2, float(rng.uniform(1.2, 2.4))
    sky = linear((0.04, 0.05, 0.1)) if night else linear((0.72, 0.82, 0.94))
    frame = Material("paint", linear((0.92, 0.92, 0.9)), gloss=0.05)
    pane = frame._replace(texture="window", second=sky, seed=seed_of(rng), gloss=0.5, glow=0.0 if night else glow)
    parts = [
        box((-a, a), (0, 0.03), (0, high - low), frame, front=pane),
        box((-a - 0.05, a + 0.05), (0, 0.16), (-0.04, 0), frame),
    ]
    wide = a
    if rng.random() < 0.6:  # curtains at both sides, down to the sill or nearly to the floor
        wide, drop = a + 0.3, float(rng.choice([0.1, low - 0.05]))
        cloth = Material("curtain", tint(rng, CLOTHS[rng.integers(len(CLOTHS))], 0.08), scale=0.11, seed=seed_of(rng))
        for side in (-1, 1):
            x = sorted((side * (a + 0.3), side * (a - 0.08)))
            parts.append(box((x[0], x[1]), (0.05, 0.11), (-drop, high - low + 0.08), cloth))
    return Piece(parts, (0.0, 0.08, 0.5 * (high - low)), (wide, 0.08, 0.5 * (high - low) + 0.05)), low


def _rug(rng: Rng, size: Vector) -> Piece:
    """A rug of one centimetre under everything."""
    width, depth, _ = size
    a, b = float(rng.uniform(0.6, 1.2)), float(rng.uniform(0.5, 0.9))
    first, second = rng.choice(len(CLOTHS), 2, replace=False)
    colours = (tint(rng, CLOTHS[first], 0.08), tint(rng, CLOTHS[second], 0.08))
    cloth = Material(str(rng.choice(["rug", "rug", "carpet"])), *colours, float(rng.uniform(0.15, 0.4)), seed_of(rng))
    made = piece([box((-a, a), (0, 2 * b), (0.0, 0.01), cloth, casts_shadow=False)], 2 * a, 2 * b, 0.01)
    x = float(np.clip(rng.uniform(0.35, 0.65) * width, a + 0.03, max(width - a - 0.03, a + 0.03)))
    y = float(rng.uniform(0.35, 0.5)) * depth
    return place(made, (x, y, 0.0), float(rng.normal(0, 0.04)))


def _lamps(rng: Rng, style: Style, size: Vector, window: Vector | None, pieces: list[Piece]) -> list[Light]:
    """One light with shadows, daylight from the window or a ceiling lamp, and the small lamps' glow without."""
    width, depth, height = size
    warm = tuple(float(v) for v in rng.uniform((1.0, 0.86, 0.66), (1.06, 0.98, 0.92)))
    lights = []
    if window is not None and rng.random() < 0.5:
        x, y, z = window
        inwards = (min(max(x, 0.25), width - 0.25), min(max(y, 0.25), depth - 0.25), z + 0.2)
        lights.append(Light(inwards, (0.95, 1.0, 1.08), float(rng.uniform(1.8, 2.8)), True))
    else:
        x, y = float(rng.uniform(0.35, 0.65)) * width, float(rng.uniform(0.35, 0.65)) * depth
        drop = float(rng.choice([0.12, rng.uniform(0.3, 0.6)]))
        shade = Material("paint", (0.9, 0.86, 0.78), glow=2.2)
        cord = box((-0.01, 0.01), (-0.01, 0.01), (0.1, drop), style.metal, casts_shadow=False)
        parts = [cord, ball((0, 0, 0), 0.15, shade, casts_shadow=False)]
        pieces.append(place(Piece(parts, (0, 0, 0), (0.15, 0.15, 0.15)), (x, y, height - drop), 0.0))
        colour = (warm[0], warm[1], warm[2])
        lights.append(Light((x, y, height - drop - 0.18), colour, float(rng.uniform(2, 3.5)), True))
    for piece_ in pieces:
        for part in piece_.parts:
            if part.material.glow and part.half[0] < 0.2 and not part.casts_shadow and len(lights) < 3:
                glow: Colour = (0.5, 0.4, 0.26)
                if part.centre[2] < 1.9:  # not the ceiling lamp itself
                    lights.append(Light(part.centre, glow, 0.7, False))
    return lights


def _shell(rng: Rng, style: Style) -> tuple[Material, Material, Material, Material, Material, Material]:
    """Materials of walls (x = 0, x = width, y = 0, y = depth), floor and ceiling. Often one wall differs."""
    main = _wall(rng, plain=rng.random() < 0.6)
    walls = [main] * 4
    if rng.random() < 0.35:
        walls[int(rng.choice([0, 1, 3, 3]))] = _wall(rng, plain=False)
    white = Material("paint", tint(rng, (0.93, 0.93, 0.91), 0.02), seed=seed_of(rng))
    return walls[0], walls[1], walls[2], walls[3], _floor(rng), white


def _wall(rng: Rng, plain: bool) -> Material:
    first, second = rng.choice(len(PAINTS), 2, replace=False)
    colour, other = tint(rng, PAINTS[first], 0.04), tint(rng, PAINTS[second], 0.04)
    kind = "paint" if plain else str(rng.choice(["paint", "stripes", "dots", "bricks", "tiles"]))
    if kind == "bricks":
        colour = tint(rng, [(0.62, 0.36, 0.28), (0.80, 0.78, 0.74), (0.66, 0.50, 0.40)][rng.integers(3)], 0.04)
        other = tint(rng, (0.72, 0.70, 0.66), 0.05)
    if kind in ("stripes", "dots"):  # two shades of one colour
        share = float(rng.uniform(0.62, 0.85))
        other = (colour[0] * share, colour[1] * share, colour[2] * share)
    scale = {"stripes": rng.uniform(0.12, 0.3), "dots": rng.uniform(0.15, 0.3), "tiles": rng.choice([0.15, 0.3])}
    return Material(kind, colour, other, float(scale.get(kind, 1.0)), seed_of(rng), 0.12 if kind == "tiles" else 0.0)


def _floor(rng: Rng) -> Material:
    kind = str(rng.choice(["planks", "planks", "carpet", "tiles", "checker"], p=[0.3, 0.25, 0.23, 0.14, 0.08]))
    if kind == "planks":
        first, second = WOODS[rng.integers(len(WOODS))]
        board = float(rng.choice([0.09, 0.14, 0.19]))
        return Material(kind, tint(rng, first), tint(rng, second), board, seed_of(rng), 0.2)
    if kind == "carpet":
        return Material(kind, tint(rng, CLOTHS[rng.integers(len(CLOTHS))], 0.08), seed=seed_of(rng))
    base = [(0.80, 0.76, 0.70), (0.62, 0.60, 0.58), (0.72, 0.55, 0.42), (0.86, 0.85, 0.83)][rng.integers(4)]
    dark = tint(rng, (0.30, 0.29, 0.28), 0.06) if kind == "checker" else tint(rng, (0.55, 0.53, 0.5), 0.06)
    return Material(kind, tint(rng, base), dark, float(rng.choice([0.2, 0.3, 0.45])), seed_of(rng), 0.25)

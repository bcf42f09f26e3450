"""Drawn animals pasted on rendered rooms in the layout of MODEST (modest.py beside open.py).

The depth of a background is the renderer's. An animal stands on the floor, or on the lowest rows where no floor is
seen, as far away as what is under its feet, and is as large as an animal of its height is there. Frames come in pairs:
the same animal at the same place, the second time mirrored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minidepth.data.make.animal import Animal, Drawing, bounds, draw, ground_shadow, mirrored, random_animal
from minidepth.data.make.parts import Plan, progress, save_picture
from minidepth.data.modest import FILE_MAP, FOLDERS
from minidepth.data.rooms.parts import intrinsics
from minidepth.data.rooms.view import RoomView, render

Rng = np.random.Generator

FRAMES_OF_A_BACKGROUND = 10
FRAMES_OF_A_FOREGROUND = 6
NEAR_M, FAR_M = 1.2, 6.0
"""Between these an animal may stand."""
SHOULDER_M = (0.5, 0.85)
"""Least and greatest height of an animal at its shoulders."""
NEARER_M = 0.08
PLACES = 3
MOST, SHARE_OF_BOX = 0.6, 0.7
"""An animal's picture covers about 0.7 square units of its own coordinates; it should show this share of that."""
FOREGROUND_PIXELS = 108
"""Height of the pictures in fg/, as there."""


class Pasted(NamedTuple):
    """A composition."""

    image: np.ndarray
    """uint8 (H, W, 3)."""
    mask: np.ndarray
    """uint8 (H, W), 255 where the animal is."""
    depth: np.ndarray
    """uint8 (H, W), v / 255 * 10 m."""
    box: tuple[int, int, int, int]
    """x, y, width and height of the animal in pixels."""


class Standing(NamedTuple):
    """An animal at a place in a room."""

    drawing: Drawing
    foot: tuple[float, float]
    """Row and column."""
    pixels: float
    """For one unit of the animal's coordinates."""
    distance_m: float
    visible: float
    """About the share of it that is seen."""


def write(folder: Path, plan: Plan) -> None:
    """Write backgrounds, foregrounds, compositions, file_map.txt and bbox.txt."""
    rng = np.random.default_rng([plan.seed, 2])
    animals = [random_animal(rng) for _ in range(max(2, plan.frames // FRAMES_OF_A_FOREGROUND))]
    for number, animal in enumerate(animals, 1):
        write_foreground(folder, f"fg{number:03}", animal)
    rows, boxes = [], []
    used: Counter[str] = Counter()
    rooms = backgrounds(folder, plan)
    for i in progress(iter(range(plan.frames)), plan.frames, "modest"):
        if i % 2 == 0:
            seed = [plan.seed, 3, i]  # of both frames of the pair
            chosen = int(np.random.default_rng(seed).integers(len(animals)))
        if i % frames_of_a_background(plan) == 0:
            background, view = next(rooms)
        animal = mirrored(animals[chosen]) if i % 2 else animals[chosen]
        pasted = paste(np.random.default_rng([*seed, 1]), animal, view)
        pair = f"{background}_fg{chosen + 1:03}"
        used[pair] += 1
        name = f"{pair}_{used[pair]:02}"
        names = (background, name, f"{name}_mask", f"{name}_depth_map")
        for place, stem, picture in zip(FOLDERS[1:], names[1:], (pasted.image, pasted.mask, pasted.depth)):
            save_picture(folder / place / f"{stem}.jpeg", picture)
        rows.append("\t".join(names))
        boxes.append(f"{name}.jpeg, " + ", ".join(map(str, pasted.box)))
    (folder / FILE_MAP).write_text("\n".join(rows), encoding="utf-8")
    (folder / "bbox.txt").write_text("\n".join(boxes), encoding="utf-8")


def frames_of_a_background(plan: Plan) -> int:
    """Ten, and fewer where that would leave a single background: then nothing could be set apart for the test."""
    return FRAMES_OF_A_BACKGROUND if plan.frames >= 2 * FRAMES_OF_A_BACKGROUND else max(1, plan.frames // 4 * 2)


def backgrounds(folder: Path, plan: Plan) -> Iterator[tuple[str, RoomView]]:
    """Rooms without end, each written when it is asked for."""
    number = 0
    while True:
        number += 1
        name = f"bg{number:03}"
        view = render(np.random.default_rng([plan.seed, 4, number]), plan.size)
        save_picture(folder / FOLDERS[0] / f"{name}.jpeg", view.image)
        yield name, view


def write_foreground(folder: Path, name: str, animal: Animal) -> None:
    """The animal alone: fg/NAME.png with transparency, fg_mask/NAME_mask.png."""
    left, right, bottom, top = bounds(animal)
    pixels = (FOREGROUND_PIXELS - 2) / (top - bottom)
    size = (FOREGROUND_PIXELS, round((right - left) * pixels) + 2)
    drawing = draw(animal, size, (FOREGROUND_PIXELS - 1 + bottom * pixels, 1 - left * pixels), pixels)
    cover = to_bytes(drawing.cover)
    save_picture(folder / "fg" / f"{name}.png", np.dstack([to_bytes(drawing.color), cover]))
    save_picture(folder / "fg_mask" / f"{name}_mask.png", cover)


def paste(rng: Rng, animal: Animal, view: RoomView) -> Pasted:
    """Stand the animal somewhere in the room: the first of a few places where most of it is seen, else the best."""
    standing = stand(rng, animal, view)
    for _ in range(PLACES - 1):
        if standing.visible < MOST:
            standing = max(standing, stand(rng, animal, view), key=lambda place: place.visible)
    drawing, distance_m = standing.drawing, standing.distance_m
    row, column = (round(v) for v in standing.foot)
    around = view.image[max(0, row - 20) : row + 20, max(0, column - 20) : column + 20].mean() / 255
    light = np.float32(np.clip(around / 0.45, 0.6, 1.15))
    shadow = np.where(view.mask == 0, ground_shadow(drawing.cover.shape, standing.foot, standing.pixels), 1)
    color = view.image / np.float32(255) * shadow[..., None]
    color += (drawing.color * light - color) * drawing.cover[..., None]
    depth_m = np.where(drawing.cover >= 0.5, np.float32(distance_m), view.depth_m)
    depth = np.clip(np.round(depth_m * 25.5), 1, 255).astype(np.uint8)
    return Pasted(to_bytes(color), to_bytes(drawing.cover), depth, box_of(drawing))


def stand(rng: Rng, animal: Animal, view: RoomView) -> Standing:
    """The animal at a random place, hidden where something in the room is nearer."""
    row, column = standing_place(rng, view)
    distance_m = float(view.depth_m[row, column])
    size = (view.depth_m.shape[0], view.depth_m.shape[1])
    focal = float(np.sqrt(np.prod(intrinsics(size)[:2])))
    pixels, foot = focal * float(rng.uniform(*SHOULDER_M)) / distance_m, (float(row), float(column))
    drawing = draw(animal, size, foot, pixels, float(rng.uniform(-1, 1)))
    seen = drawing.cover * (view.depth_m > distance_m - NEARER_M)
    visible = float(seen.sum()) / (SHARE_OF_BOX * pixels * pixels)
    return Standing(drawing._replace(cover=seen), foot, pixels, distance_m, visible)


def standing_place(rng: Rng, view: RoomView) -> tuple[int, int]:
    """Row and column of a point of the floor; the camera's y axis points down, so the floor's normal has y near -1."""
    height, width = view.depth_m.shape
    floor = (view.mask == 0) & (view.normals[..., 1] < -0.8) & (view.depth_m > NEAR_M) & (view.depth_m < FAR_M)
    floor[:, : width // 10] = floor[:, -(width // 10) :] = False
    rows, columns = np.nonzero(floor)
    if rows.size == 0:
        return height - 1 - height // 20, int(rng.integers(width // 4, 3 * width // 4 + 1))
    nearness = 1 / view.depth_m[rows, columns]  # far floor is few pixels, but small animals show little
    chosen = int(rng.choice(rows.size, p=nearness / nearness.sum()))
    return int(rows[chosen]), int(columns[chosen])


def box_of(drawing: Drawing) -> tuple[int, int, int, int]:
    """x, y, width, height of what is seen of the animal."""
    rows, columns = np.nonzero(drawing.cover >= 0.5)
    if rows.size == 0:
        return 0, 0, 0, 0
    x, y = int(columns.min()), int(rows.min())
    return x, y, int(columns.max()) - x + 1, int(rows.max()) - y + 1


def to_bytes(share: np.ndarray) -> np.ndarray:
    """0..1 to 0..255."""
    return np.clip(share * 255 + 0.5, 0, 255).astype(np.uint8)

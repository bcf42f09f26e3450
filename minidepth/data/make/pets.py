"""Drawn cats and dogs in the layout of the Oxford-IIIT pets (pets.py beside open.py): pictures, trimaps, lists.

Behind them are rooms from the renderer, or meadows under a sky. The two parts share no background and no animal.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from minidepth.data.make.animal import Animal, Drawing, bounds, draw, ground_shadow, random_animal
from minidepth.data.make.parts import Part, Plan, progress, rendered_rooms, save_picture
from minidepth.data.pets import LISTS, TRIMAPS
from minidepth.data.rooms.noise import limit, noise

Rng = np.random.Generator
Size = tuple[int, int]

BREEDS = {"cat": ("Abyssinian", "Bengal", "Siamese"), "dog": ("beagle", "pug", "samoyed")}
"""As there: a cat's breed begins with a capital. Here a breed says nothing about the looks."""
FRAMES_OF_A_ROOM = 8
BORDER_SHARE = 0.03
"""Width of the border in a trimap, as a share of the picture's shorter side."""


def write(folder: Path, plan: Plan) -> None:
    """Write both splits."""
    for part in plan.parts():
        write_part(folder, part)


def write_part(folder: Path, part: Part) -> None:
    """Write pictures, trimaps and the list of one split; list.txt grows with each."""
    backgrounds = [room.image for room in rendered_rooms(part, -(-part.frames // FRAMES_OF_A_ROOM))]
    rows = []
    for i in progress(iter(range(part.frames)), part.frames, f"pets {part.split}"):
        rng = part.rng(i)
        size = random_size(rng, part.size)
        animal = random_animal(rng)
        picture, trimap = compose(rng, animal, background(rng, backgrounds, size))
        breeds = BREEDS[animal.species]
        breed = int(rng.integers(len(breeds)))
        name = f"{breeds[breed]}_{part.first + i + 1}"
        save_picture(folder / "images" / f"{name}.jpg", picture)
        save_picture(folder / TRIMAPS / f"{name}.png", trimap)
        is_dog = int(animal.species == "dog")
        rows.append(f"{name} {1 + len(breeds) * is_dog + breed} {1 + is_dog} {1 + breed}")
    lines = "\n".join(rows) + "\n"
    (folder / "annotations" / LISTS[part.split]).write_text(lines, encoding="utf-8")
    with (folder / "annotations" / "list.txt").open("a", encoding="utf-8") as everything:
        everything.write(lines)


def random_size(rng: Rng, size: Size) -> Size:
    """Height and width about those asked for, as photographs differ."""
    height, width = (max(8, round(length * float(rng.uniform(0.85, 1.2)))) for length in size)
    return height, width


def background(rng: Rng, rooms: list[np.ndarray], size: Size) -> np.ndarray:
    """float32 (H, W, 3), 0 to 1: part of a room, perhaps mirrored, or a meadow."""
    if rng.random() < 0.35:
        return meadow(rng, size)
    room = rooms[int(rng.integers(len(rooms)))]
    if rng.random() < 0.5:
        room = room[:, ::-1]
    height, width = room.shape[:2]
    share = float(rng.uniform(0.5, 1.0))
    box_height, box_width = share * height, share * width
    top, left = float(rng.uniform(0, height - box_height)), float(rng.uniform(0, width - box_width))
    box = (left, top, left + box_width, top + box_height)
    resized = Image.fromarray(room).resize((size[1], size[0]), Image.Resampling.BICUBIC, box)
    return np.asarray(resized, np.float32) / 255


def meadow(rng: Rng, size: Size) -> np.ndarray:
    """Sky, trees far away, and grass that is finer the farther away it is; float32 (H, W, 3)."""
    height, width = size
    horizon = float(rng.uniform(0.15, 0.55))
    y = (np.arange(height, dtype=np.float32) / height)[:, None] * np.ones((1, width), np.float32)
    x = (np.arange(width, dtype=np.float32) / height)[None, :] * np.ones((height, 1), np.float32)
    start, pixel = float(rng.uniform(0, 200)), np.full((height, width), 1 / height, np.float32)
    blue = rng.uniform((0.45, 0.60, 0.75), (0.65, 0.78, 0.95)).astype(np.float32)
    clouds = limit(0.3 + 0.35 * noise(x * 3 + start, y * 7, pixel * 5))[..., None]
    color = blue + (np.float32(0.95) - blue) * clouds
    trees = rng.uniform((0.10, 0.18, 0.06), (0.25, 0.33, 0.16)).astype(np.float32)
    edge = horizon - 0.06 - 0.04 * noise(x * 5 + start, 0 * y, pixel * 5) - y
    leaves = 1 + 0.3 * noise(x * 30, y * 30 + start, pixel * 30)[..., None]
    color += (trees * leaves - color) * limit(0.5 - edge * height)[..., None]
    grass = rng.uniform((0.25, 0.36, 0.10), (0.55, 0.58, 0.28)).astype(np.float32)
    near = np.maximum(y - horizon, 0.01)
    blades = 1 + 0.2 * noise(x * 6 / near + start, 2.5 / near, 6 * pixel / near)
    blades += 0.15 * noise(x * 60, y * 25, pixel * 40)
    color += (grass * blades[..., None] - color) * limit(0.5 + (y - horizon) * height)[..., None]
    return color * np.float32(rng.uniform(0.8, 1.05))


def compose(rng: Rng, animal: Animal, behind: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture uint8 (H, W, 3) with the animal in front, and its trimap uint8 (H, W)."""
    size = behind.shape[:2]
    foot, pixels = place(rng, animal, size)
    drawing = draw(animal, size, foot, pixels, float(rng.uniform(-1, 1)))
    light = rng.uniform(0.75, 1.15) * rng.uniform((0.95, 0.97, 0.9), (1.05, 1.0, 1.02))
    color = behind * ground_shadow(size, foot, pixels)[..., None]
    color = color + (drawing.color * light.astype(np.float32) - color) * drawing.cover[..., None]
    color = color + rng.standard_normal(color.shape, dtype=np.float32) * np.float32(rng.uniform(0.004, 0.012))
    return np.clip(color * 255 + 0.5, 0, 255).astype(np.uint8), trimap(drawing)


def place(rng: Rng, animal: Animal, size: Size) -> tuple[tuple[float, float], float]:
    """Where its feet stand and how many pixels a unit is: mostly the whole animal, at times its head and shoulders."""
    left, right, bottom, top = bounds(animal)
    height, width = size
    if rng.random() < 0.25:  # a portrait
        pixels = float(rng.uniform(0.9, 1.2)) * height / (4 * animal.head_radius)
        column = width * float(rng.uniform(0.4, 0.6)) - animal.head[0] * pixels
        return (height * float(rng.uniform(0.4, 0.5)) + animal.head[1] * pixels, column), pixels
    pixels = float(rng.uniform(0.6, 0.95)) * min(height / (top - bottom), width / (right - left))
    spare_down, spare_across = height - (top - bottom) * pixels, width - (right - left) * pixels
    row = height - spare_down * float(rng.uniform(0.1, 0.5)) + bottom * pixels
    return (row, spare_across * float(rng.uniform(0.1, 0.9)) - left * pixels), pixels


def trimap(drawing: Drawing) -> np.ndarray:
    """1 pet, 2 background, 3 the band along the outline."""
    half = max(1.0, 0.5 * BORDER_SHARE * min(drawing.distance.shape))
    result = np.where(drawing.distance < 0, 1, 2).astype(np.uint8)
    result[np.abs(drawing.distance) < half] = 3
    return result

"""What a room of `rooms` is made of: boxes and spheres, lamps, a camera. Lengths in metres.

World axes: x to the right, y into the room, z upwards; the room fills 0..width, 0..depth, 0..height.
Camera axes as NYU Depth V2 and OpenCV have them: x to the right, y down, z along the optical axis.
A box may be turned about the vertical only (`yaw`, radians, anticlockwise seen from above).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minidepth.data.rooms.noise import Colour
from minidepth.data.rooms.texture import Material

Vector = tuple[float, float, float]

NYU_FOCAL = (518.8579, 519.4696)
NYU_CENTRE = (325.58246, 253.73618)
NYU_SIZE = (480, 640)
"""Intrinsics of the colour camera of NYU Depth V2 in pixels, for pictures of 480 x 640 (height, width)."""


class Part(NamedTuple):
    """A box, or a sphere (then `half` holds its radius three times)."""

    centre: Vector
    half: Vector
    material: Material
    front: Material | None = None
    """Another material for the face towards +y (before turning): the front of a cupboard."""
    yaw: float = 0.0
    is_sphere: bool = False
    casts_shadow: bool = True


class Piece(NamedTuple):
    """A piece of furniture: its parts, and the box around them, which keeps pieces apart and darkens corners."""

    parts: list[Part]
    centre: Vector
    half: Vector
    yaw: float = 0.0


class Light(NamedTuple):
    """A lamp without size. Its light falls off as 1 / (1 + (distance / reach_m)^2)."""

    position: Vector
    colour: Colour
    reach_m: float
    casts_shadow: bool


class Room(NamedTuple):
    """Everything that is lit and seen."""

    size: Vector
    shell: tuple[Material, Material, Material, Material, Material, Material]
    """Walls x = 0, x = width, y = 0, y = depth, then floor and ceiling."""
    pieces: list[Piece]
    lights: list[Light]
    ambient: Colour


class Camera(NamedTuple):
    """Where the camera stands, and its axes (right, down, forward) in the world as the rows of a 3 x 3 matrix."""

    position: Vector
    axes: np.ndarray


def camera_at(position: Vector, yaw: float, pitch: float = 0.0, roll: float = 0.0) -> Camera:
    """A camera looking along +y, turned left by `yaw`, down by `pitch` and clockwise by `roll` (radians)."""
    forward = np.array([-np.sin(yaw) * np.cos(pitch), np.cos(yaw) * np.cos(pitch), -np.sin(pitch)])
    level_right = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    level_down = np.cross(forward, level_right)
    right = np.cos(roll) * level_right + np.sin(roll) * level_down
    return Camera(position, np.stack([right, np.cross(forward, right), forward]))


def intrinsics(size: tuple[int, int]) -> tuple[float, float, float, float]:
    """NYU's focal lengths and centre (fx, fy, cx, cy), in pixels, for a picture of `size` (height, width)."""
    down, across = size[0] / NYU_SIZE[0], size[1] / NYU_SIZE[1]
    centre_x = (NYU_CENTRE[0] + 0.5) * across - 0.5  # a pixel's centre, not its corner, has whole coordinates
    centre_y = (NYU_CENTRE[1] + 0.5) * down - 0.5
    return NYU_FOCAL[0] * across, NYU_FOCAL[1] * down, centre_x, centre_y


def turn(vector: Vector, yaw: float) -> Vector:
    """Rotate about the vertical by `yaw`."""
    c, s = float(np.cos(yaw)), float(np.sin(yaw))
    x, y, z = vector
    return (c * x - s * y, s * x + c * y, z)


def place(piece: Piece, position: Vector, yaw: float) -> Piece:
    """Turn a piece by `yaw` about its own origin, then move that origin to `position`."""

    def moved(centre: Vector) -> Vector:
        x, y, z = turn(centre, yaw)
        return (x + position[0], y + position[1], z + position[2])

    parts = [part._replace(centre=moved(part.centre), yaw=part.yaw + yaw) for part in piece.parts]
    return Piece(parts, moved(piece.centre), piece.half, piece.yaw + yaw)


def bounds(piece: Piece) -> tuple[Vector, Vector]:
    """Lowest and highest corner of the axis-aligned box around a piece."""
    c, s = abs(float(np.cos(piece.yaw))), abs(float(np.sin(piece.yaw)))
    (x, y, z), (a, b, h) = piece.centre, piece.half
    across, along = a * c + b * s, a * s + b * c
    return (x - across, y - along, z - h), (x + across, y + along, z + h)

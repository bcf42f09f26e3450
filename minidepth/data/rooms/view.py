"""One picture of `rooms` with everything that is known about it, and how the parts of the renderer make it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minidepth.data.rooms.cast import Hits, camera_rays, cast
from minidepth.data.rooms.kinect import kinect_depth
from minidepth.data.rooms.light import colours, light_on, surface_points
from minidepth.data.rooms.parts import Camera, Room, intrinsics
from minidepth.data.rooms.photo import antialias, photograph
from minidepth.data.rooms.scene import random_room
from minidepth.errors import InputError


class RoomView(NamedTuple):
    """A rendered room; every array (H, W) first."""

    image: np.ndarray
    """uint8 (H, W, 3), red green blue."""
    depth_m: np.ndarray
    """float32 metres along the optical axis: exact, or as a Kinect measures it with 0 at holes."""
    normals: np.ndarray
    """float32 (H, W, 3), unit, exact, in camera axes (x right, y down, z forward), towards the camera."""
    mask: np.ndarray
    """int32: 0 walls, floor and ceiling; 1, 2, ... the pieces of furniture."""
    valid: np.ndarray
    """bool: depth known. All True without `kinect`."""


def render(rng: np.random.Generator, size: tuple[int, int] = (128, 160), kinect: bool = False) -> RoomView:
    """Invent a room and look into it; `size` is (height, width). Equal generators give equal views.

    The intrinsics are NYU Depth V2's, scaled to the size (`parts.intrinsics`). With `kinect` the depth has a
    Kinect's holes and noise; picture, normals and mask stay the same.
    """
    room, camera = random_room(rng)
    return render_room(room, camera, size, rng, kinect)


def render_room(
    room: Room, camera: Camera, size: tuple[int, int], rng: np.random.Generator, kinect: bool = False
) -> RoomView:
    """Look into a given room. `rng` draws exposure, noise and the Kinect's faults."""
    check_size(size)
    parts = [part for piece in room.pieces for part in piece.parts]
    rays = camera_rays(camera, size)
    fine = cast(room, parts, camera, rays)

    centres = (slice(1, None, 2), slice(1, None, 2))
    x, y, z = (np.ascontiguousarray(d[centres]) for d in rays.direction)
    depth_m, surface = (np.ascontiguousarray(a[centres]) for a in fine)
    length, focal = rays.length[centres], float(np.mean(intrinsics(size)[:2]))
    points = surface_points(parts, camera, (x, y, z), length, Hits(depth_m, surface), focal)
    albedo, gloss, glow = colours(room, parts, points)
    diffuse, highlight = light_on(room, parts, camera, points, gloss)
    light = (albedo * (diffuse + glow[:, None]) + highlight).reshape(*size, 3)
    image = photograph(rng, antialias(light, fine.surface))

    normals = np.stack(points.normal, -1) @ camera.axes.T.astype(np.float32)
    owner = np.array([0, *(k + 1 for k, piece in enumerate(room.pieces) for _ in piece.parts)], np.int32)
    mask, valid = owner[surface >> 3], np.ones(size, bool)
    if kinect:
        facing = np.sum([n * v for n, v in zip(points.normal, points.view)], axis=0)
        bright = albedo.mean(1).reshape(size)
        reflection = (0.15 + 3 * bright) * (1 - gloss.reshape(size)) ** 2
        depth_m, valid = kinect_depth(rng, depth_m, facing, reflection)
    return RoomView(image, depth_m, normals, mask, valid)


def check_size(size: tuple[int, int]) -> None:
    if min(size) < 8:
        raise InputError(f"rooms: size is {size[0]}x{size[1]} (height x width); it must be at least 8x8")

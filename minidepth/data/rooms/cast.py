"""Ray casting for `rooms`: which surface each ray meets, and how far away.

A ray is o + t * d with d = right * (u - cx)/fx + down * (v - cy)/fy + forward. The part of d along the optical axis
is 1, so t is the depth that a Kinect gives (along the axis), not the length of the ray.

Rays go through a grid twice as fine as the picture, (2H+1) x (2W+1), with every pixel's centre at an odd row and
column: depth, normals and mask come from the centres, and the points between them say how much of a pixel each
surface covers.

What makes it fast: each part is tested only inside the rectangle of the screen that holds it (`screen_rectangles`),
and a box seen from a fixed point needs no sorting of its slabs (`meet_box`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from minidepth.data.rooms.parts import Camera, Part, Piece, Room, intrinsics

Array = np.ndarray
Rectangle = tuple[slice, slice]
Axes = tuple[Array, Array, Array]

FACES = 8
"""Surface number = 8 * (0 for the shell, 1 + index for a part) + face: -x +x -y +y -z +z are 0..5, a sphere is 6."""
NEAREST_M = 0.05


class Rays(NamedTuple):
    """The fine grid of rays, in world axes."""

    direction: Axes
    length: Array
    """Length of d, which is 1 along the optical axis."""


class Hits(NamedTuple):
    """What the rays of the fine grid met."""

    depth_m: Array
    surface: Array
    """int16, see FACES."""


def camera_rays(camera: Camera, size: tuple[int, int]) -> Rays:
    """Directions (2H+1, 2W+1) with component 1 along the optical axis."""
    fx, fy, cx, cy = intrinsics(size)
    across = ((np.arange(2 * size[1] + 1) - 1) / 2 - cx) / fx
    down = ((np.arange(2 * size[0] + 1) - 1) / 2 - cy) / fy
    right, low, forward = camera.axes
    x, y, z = (
        np.add.outer((down * low[k] + forward[k]).astype(np.float32), (across * right[k]).astype(np.float32))
        for k in range(3)
    )
    length = np.sqrt(np.add.outer((down**2).astype(np.float32), (1 + across**2).astype(np.float32)))
    return Rays((x, y, z), length)


class TurnedInverse:
    """1 / direction, in the axes of a box turned by some yaw, inside a rectangle of the grid.

    Most furniture stands square to the walls: turned by whole quarters, where the answer is the world's, swapped.
    """

    def __init__(self, direction: Axes) -> None:
        self.direction = direction
        self.inverse = (1 / direction[0], 1 / direction[1], 1 / direction[2])

    def __call__(self, yaw: float, where: Rectangle) -> Axes:
        quarters = yaw / (0.5 * math.pi)
        up = self.inverse[2][where]
        if abs(quarters - round(quarters)) < 1e-9:
            x, y = self.inverse[0][where], self.inverse[1][where]
            return [(x, y, up), (y, -x, up), (-x, -y, up), (-y, x, up)][round(quarters) % 4]
        c, s = math.cos(yaw), math.sin(yaw)
        x, y = self.direction[0][where], self.direction[1][where]
        return 1 / (c * x + s * y), 1 / (c * y - s * x), up


def meet_box(origin: Array, part: Part, inverse: Axes) -> tuple[Array, Array, list[tuple[int, Array]]] | None:
    """Where rays from one point enter and leave a box: t of both, and t of each face that looks at the point.

    Of the two planes of an axis, the one on the origin's side is the entry for every ray that can hit, so which one it
    is need not be asked ray by ray. A ray hits where enter < leave and enter > 0. None: the origin lies inside.
    """
    c, s = math.cos(part.yaw), math.sin(part.yaw)
    x, y, z = (float(o) - p for o, p in zip(origin, part.centre))
    local = (c * x + s * y, c * y - s * x, z)
    enter: Array | None = None
    leave: Array | None = None
    faces = []
    for axis in range(3):
        o, half, inv = local[axis], part.half[axis], inverse[axis]
        if abs(o) > half:
            side = 1 if o > 0 else -1
            t = (side * half - o) * inv
            out = (-side * half - o) * inv
            faces.append((2 * axis + (side > 0), t))
            enter = t if enter is None else np.maximum(enter, t)
        else:
            out = np.maximum((half - o) * inv, (-half - o) * inv)
        leave = out if leave is None else np.minimum(leave, out)
    if enter is None or leave is None:
        return None
    return enter, leave, faces


def cast(room: Room, parts: list[Part], camera: Camera, rays: Rays) -> Hits:
    """The first surface on every ray."""
    origin = np.asarray(camera.position)
    with np.errstate(divide="ignore", invalid="ignore"):
        inverse = TurnedInverse(rays.direction)
        depth_m, surface = _shell(room, origin, inverse.inverse)
        for k, where in enumerate(screen_rectangles(corners(parts), camera, depth_m.shape)):
            if where is not None:
                hit = _meet_sphere if parts[k].is_sphere else _meet_part
                hit(parts[k], (k + 1) * FACES, origin, rays, inverse, where, depth_m[where], surface[where])
    return Hits(depth_m, surface)


def _shell(room: Room, origin: Array, inverse: Axes) -> tuple[Array, Array]:
    """From inside the shell every ray meets the plane that it reaches first."""
    distances = []
    for axis in range(3):
        low, high = (0.0 - origin[axis]), room.size[axis] - origin[axis]
        distances.append(np.maximum(float(low) * inverse[axis], float(high) * inverse[axis]))
    depth_m = np.minimum(np.minimum(distances[0], distances[1]), distances[2])
    surface = np.empty(depth_m.shape, np.int16)
    for axis in range(3):
        face = (inverse[axis] > 0).view(np.int8) + np.int8(2 * axis)
        np.copyto(surface, face, where=distances[axis] == depth_m)
    return depth_m, surface


def _meet_part(
    part: Part,
    number: int,
    origin: Array,
    rays: Rays,
    inverse: TurnedInverse,
    where: Rectangle,
    depth_m: Array,
    surface: Array,
) -> None:
    met = meet_box(origin, part, inverse(part.yaw, where))
    if met is None:
        return
    enter, leave, faces = met
    hit = (enter < leave) & (enter > NEAREST_M) & (enter < depth_m)
    np.copyto(depth_m, enter, where=hit)
    for face, t in faces:
        np.copyto(surface, number + face, where=hit & (t == enter) if len(faces) > 1 else hit)


def _meet_sphere(
    part: Part,
    number: int,
    origin: Array,
    rays: Rays,
    inverse: TurnedInverse,
    where: Rectangle,
    depth_m: Array,
    surface: Array,
) -> None:
    """|o + t d - c| = r: t = (d.c' - sqrt((d.c')^2 - d.d (c'.c' - r^2))) / d.d with c' = c - o."""
    centre = np.asarray(part.centre) - origin
    x, y, z = (float(v) for v in centre)
    along = rays.direction[0][where] * x + rays.direction[1][where] * y + rays.direction[2][where] * z
    square = rays.length[where] ** 2
    root = along * along - square * (x * x + y * y + z * z - part.half[0] ** 2)
    t = (along - np.sqrt(np.maximum(root, 0))) / square
    hit = (root > 0) & (t > NEAREST_M) & (t < depth_m)
    np.copyto(depth_m, t, where=hit)
    np.copyto(surface, number + 6, where=hit)


SIGNS = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)], float)


def corners(parts: Sequence[Part | Piece], margin_m: float = 0.0) -> Array:
    """The 8 corners of each box, or of the box around each sphere, in the world (B, 8, 3)."""
    half = np.array([part.half for part in parts]).reshape(-1, 1, 3) + margin_m
    yaw = np.array([part.yaw for part in parts]).reshape(-1, 1)
    c, s, offset = np.cos(yaw), np.sin(yaw), SIGNS * half
    x, y = c * offset[..., 0] - s * offset[..., 1], s * offset[..., 0] + c * offset[..., 1]
    return np.stack([x, y, offset[..., 2]], 2) + np.array([part.centre for part in parts]).reshape(-1, 1, 3)


def screen_rectangles(hulls: Array, camera: Camera, fine_shape: tuple[int, ...]) -> list[Rectangle | None]:
    """For each set of points, hulls (B, K, 3): the part of the fine grid that holds their convex hull, None if unseen.

    A hull that reaches behind the camera is cut at the plane z = NEAREST_M: its edges' crossings count as corners.
    """
    height, width = fine_shape
    fx, fy, cx, cy = intrinsics(((height - 1) // 2, (width - 1) // 2))

    def limits(points: Array) -> Array:  # (..., K, 3) in front of the camera -> (..., 4) top, bottom, left, right
        u = 2 * (fx * points[..., 0] / points[..., 2] + cx) + 1
        v = 2 * (fy * points[..., 1] / points[..., 2] + cy) + 1
        return np.stack([v.min(-1), v.max(-1), u.min(-1), u.max(-1)], -1)

    points = (hulls - np.asarray(camera.position)) @ camera.axes.T
    behind = points[..., 2] < NEAREST_M
    edges = limits(np.where(behind[..., None], 1.0, points))
    for k in np.flatnonzero(behind.any(1) & ~behind.all(1)):
        front, back = points[k][~behind[k]], points[k][behind[k]]
        share = (front[:, None, 2] - NEAREST_M) / (front[:, None, 2] - back[None, :, 2])
        cut = front[:, None] + share[..., None] * (back[None] - front[:, None])
        edges[k] = limits(np.concatenate([front, cut.reshape(-1, 3)]))
    low = np.clip(np.floor(edges[:, [0, 2]]), 0, [height, width]).astype(int).tolist()
    high = np.clip(np.ceil(edges[:, [1, 3]]) + 1, 0, [height, width]).astype(int).tolist()
    seen = (~behind.all(1)).tolist()
    return [
        (slice(top, bottom), slice(left, right)) if shown and top < bottom and left < right else None
        for shown, (top, left), (bottom, right) in zip(seen, low, high)
    ]

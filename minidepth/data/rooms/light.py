"""Light and colour for `rooms`: albedo from the textures, lamps with shadows, dark corners.

Works at the pixels' centres: arrays (H, W), or (P, 3) with P = H * W for colours, all in linear light.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minidepth.data.rooms.cast import FACES, Array, Axes, Hits, TurnedInverse, corners, meet_box, screen_rectangles
from minidepth.data.rooms.parts import Camera, Light, Part, Room
from minidepth.data.rooms.texture import Material, albedo

PENUMBRA_M = 0.03
"""A ray that crosses less of an obstacle than this is only partly blocked: shadows get soft edges."""


class Points(NamedTuple):
    """What the pixels' centres see; every array (H, W)."""

    position: Axes
    normal: Axes
    surface: Array
    view: Axes
    """Unit vectors from the surface to the camera."""
    blur_m: Array
    """Width of a pixel on the surface."""


def surface_points(
    parts: list[Part], camera: Camera, direction: Axes, length: Array, hits: Hits, focal: float
) -> Points:
    """Positions and normals in the world of the surfaces at the pixels' centres."""
    depth_m, surface = hits
    position = [float(o) + depth_m * d for o, d in zip(camera.position, direction)]
    table = _normal_table(parts)
    normal = [np.take(table[:, k], surface) for k in range(3)]
    for k, part in enumerate(parts):
        if part.is_sphere:
            on = surface == (k + 1) * FACES + 6
            if on.any():
                outwards = np.stack([position[axis][on] - part.centre[axis] for axis in range(3)])
                outwards /= np.sqrt((outwards * outwards).sum(0))
                for axis in range(3):
                    normal[axis][on] = outwards[axis]
    view = [-d / length for d in direction]
    facing = np.maximum(view[0] * normal[0] + view[1] * normal[1] + view[2] * normal[2], 0.05)
    blur_m = depth_m / (focal * np.sqrt(facing))
    return Points(axes(position), axes(normal), surface, axes(view), blur_m)


def axes(components: list[Array]) -> Axes:
    """Three arrays as a tuple of known length."""
    x, y, z = components
    return x, y, z


def _normal_table(parts: list[Part]) -> Array:
    """World normal of every surface number (spheres excepted)."""
    table = np.zeros((len(parts) + 1, FACES, 3), np.float32)
    for axis in range(3):
        table[0, 2 * axis, axis], table[0, 2 * axis + 1, axis] = 1, -1  # the shell is seen from inside
    yaw = np.array([part.yaw for part in parts])
    c, s = np.cos(yaw), np.sin(yaw)
    for axis, (x, y, z) in enumerate([(c, s, 0), (-s, c, 0), (0, 0, 1)]):
        for side in (0, 1):
            table[1:, 2 * axis + side] = (2 * side - 1) * np.stack(np.broadcast_arrays(x, y, z, c)[:3], 1)
    return table.reshape(-1, 3)


def material_of(room: Room, parts: list[Part], surface: int) -> Material:
    """The material of a surface number."""
    index, face = divmod(surface, FACES)
    if index == 0:
        return room.shell[face]
    part = parts[index - 1]
    return part.front if part.front is not None and face == 3 else part.material


def colours(room: Room, parts: list[Part], points: Points) -> tuple[Array, Array, Array]:
    """Albedo (P, 3), gloss (P,) and glow (P,): pixels are sorted by surface, each surface textured at once."""
    surface = points.surface.ravel()
    order = np.argsort(surface, kind="stable")
    numbers, starts = np.unique(surface[order], return_index=True)
    x, y, z = (p.ravel()[order] for p in points.position)
    blur_m = points.blur_m.ravel()[order]
    sorted_albedo = np.empty((len(order), 3), np.float32)
    gloss, glow = np.zeros((len(parts) + 1) * FACES, np.float32), np.zeros((len(parts) + 1) * FACES, np.float32)
    for number, start, stop in zip(numbers, starts, [*starts[1:], len(order)]):
        material, here = material_of(room, parts, int(number)), slice(start, stop)
        u, v, extent = _on_face(room, parts, int(number), x[here], y[here], z[here])
        sorted_albedo[here] = albedo(material, u, v, blur_m[here], extent)
        gloss[number], glow[number] = material.gloss, material.glow
    result = np.empty_like(sorted_albedo)
    result[order] = sorted_albedo
    return result, gloss[surface], glow[surface]


def _on_face(
    room: Room, parts: list[Part], surface: int, x: Array, y: Array, z: Array
) -> tuple[Array, Array, tuple[float, float]]:
    """Coordinates in metres on a face, and half its width and height. The shell counts from the world's origin."""
    index, face = divmod(surface, FACES)
    half: tuple[float, float, float] = room.size
    if index:
        part = parts[index - 1]
        c, s = float(np.cos(part.yaw)), float(np.sin(part.yaw))
        x, y, z = x - part.centre[0], y - part.centre[1], z - part.centre[2]
        x, y = c * x + s * y, c * y - s * x
        half = part.half
        if part.is_sphere:
            return np.arctan2(y, x) * half[0], z, (half[0], half[0])
    axis = face // 2
    if axis == 0:
        return y, z, (half[1], half[2])
    return (x, z, (half[0], half[2])) if axis == 1 else (x, y, (half[0], half[1]))


def light_on(room: Room, parts: list[Part], camera: Camera, points: Points, gloss: Array) -> tuple[Array, Array]:
    """Diffuse light (P, 3) that arrives at the points, and the highlights (P, 3) that they send to the camera."""
    nx, ny, nz = points.normal
    shape = nz.shape
    dim = _corner_shade(room, points)
    _piece_shade(room, parts, camera, points, dim)
    ambient = dim * (0.85 + 0.15 * nz)  # a little more light from above
    diffuse = np.stack([(ambient * v).ravel() for v in room.ambient], 1)
    highlight = np.zeros_like(diffuse)
    for light in room.lights:
        dx, dy, dz = (float(o) - p for o, p in zip(light.position, points.position))
        square = dx * dx + dy * dy + dz * dz
        inverse_length = 1 / np.sqrt(square + np.float32(1e-4))
        facing = np.maximum((nx * dx + ny * dy + nz * dz) * inverse_length, 0)
        strength = 1 / (1 + square * (1 / light.reach_m**2))
        if light.casts_shadow:
            strength *= _shadow(room, parts, camera, light, (-dx, -dy, -dz), inverse_length)
        hx, hy, hz = (d * inverse_length + v for d, v in zip((dx, dy, dz), points.view))
        shine = np.maximum(nx * hx + ny * hy + nz * hz, 0) / np.sqrt(hx * hx + hy * hy + hz * hz + np.float32(1e-6))
        shine = shine * shine
        shine = (shine * shine) ** 2
        shine = (shine * shine) ** 2 * strength * gloss.reshape(shape)
        colour = np.array(light.colour, np.float32)
        diffuse += np.multiply.outer((facing * strength * (0.35 + 0.65 * dim)).ravel(), colour)
        highlight += np.multiply.outer(shine.ravel(), colour)
    return diffuse, highlight


def _corner_shade(room: Room, points: Points) -> Array:
    """Less light near the room's edges: times 1 - 0.3 / (1 + (d / 0.25 m)^2), d the distance to each other wall."""
    dim = np.ones_like(points.blur_m)
    for axis in range(3):
        distance = np.minimum(points.position[axis], room.size[axis] - points.position[axis])
        away = 1 - np.abs(points.normal[axis])  # the wall itself does not darken itself
        dim *= 1 - 0.3 * away / (1 + (distance * distance) * 16)
    return dim


def _piece_shade(room: Room, parts: list[Part], camera: Camera, points: Points, dim: Array) -> None:
    """Less light close to furniture and under it, by the distance to the box around each piece; changes `dim`."""
    reach_m = 0.3
    fine = (2 * dim.shape[0] + 1, 2 * dim.shape[1] + 1)
    rectangles = screen_rectangles(corners(room.pieces, reach_m), camera, fine)
    first = FACES
    for piece, where in zip(room.pieces, rectangles):
        last = first + FACES * len(piece.parts)
        if where is not None and piece.half[2] > 0.1:
            here = halved(where)
            c, s = float(np.cos(piece.yaw)), float(np.sin(piece.yaw))
            x, y, z = (p[here] - float(o) for p, o in zip(points.position, piece.centre))
            x, y = np.abs(c * x + s * y) - piece.half[0], np.abs(c * y - s * x) - piece.half[1]
            z = np.abs(z) - piece.half[2]
            square = np.maximum(x, 0) ** 2 + np.maximum(y, 0) ** 2 + np.maximum(z, 0) ** 2
            shade = (0.5 if piece.half[1] > 0.05 else 0.25) * np.maximum(1 - square * (1 / reach_m**2), 0) ** 3
            surface = points.surface[here]
            shade *= (surface < first) | (surface >= last)
            dim[here] *= 1 - shade
        first = last


def halved(where: tuple[slice, slice]) -> tuple[slice, slice]:
    """The pixels whose centres lie in a rectangle of the fine grid."""
    rows, columns = where
    return slice(rows.start // 2, rows.stop // 2), slice(columns.start // 2, columns.stop // 2)


def _shadow(
    room: Room, parts: list[Part], camera: Camera, light: Light, direction: Axes, inverse_length: Array
) -> Array:
    """Share of a lamp's light that arrives: one ray from the lamp to each point, against what its shadow can reach."""
    lit = np.ones_like(inverse_length)
    casting = [part for part in parts if part.casts_shadow]
    fine = (2 * lit.shape[0] + 1, 2 * lit.shape[1] + 1)
    origin = np.asarray(light.position)
    with np.errstate(divide="ignore", invalid="ignore"):
        rectangles = screen_rectangles(_shadow_hulls(room, casting, origin), camera, fine)
        inverse = TurnedInverse(direction)
        for part, where in zip(casting, rectangles):
            if where is None:
                continue
            here = halved(where)
            if part.is_sphere:
                blocked = _through_sphere(part, origin, direction, here)
            else:
                met = meet_box(origin, part, inverse(part.yaw, here))
                if met is None:
                    continue
                enter, leave, _ = met
                blocked = (np.minimum(leave, 1 - 1e-3) - enter) / inverse_length[here] * (enter > 0)
            lit[here] *= 1 - np.clip(blocked * (1 / PENUMBRA_M), 0, 1)
    return lit


def _shadow_hulls(room: Room, parts: list[Part], origin: Array) -> Array:
    """Corners of the boxes and where the lamp throws them on the shell; shadows lie in their hulls (B, 16, 3)."""
    near = corners(parts)
    direction = near - origin
    far = np.where(direction > 0, np.asarray(room.size) - origin, -origin) / direction
    return np.concatenate([near, origin + direction * np.nanmin(far, 2, keepdims=True)], 1)


def _through_sphere(part: Part, origin: Array, direction: Axes, here: tuple[slice, slice]) -> Array:
    """How deep the ray from the lamp (t in 0..1) goes into a sphere, in metres; negative where it passes by."""
    x, y, z = (d[here] for d in direction)
    a, b, c = (float(v) for v in np.asarray(part.centre) - origin)
    t = np.clip((x * a + y * b + z * c) / (x * x + y * y + z * z), 0, 1)
    return part.half[0] * 0.999 - np.sqrt((x * t - a) ** 2 + (y * t - b) ** 2 + (z * t - c) ** 2)

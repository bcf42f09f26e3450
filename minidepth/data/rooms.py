"""`rooms`: furnished rooms ray-cast in NumPy, so that training needs no download.

Public: `render`, `RoomView`, `RoomsDataset`.

Every picture is a room of its own, drawn from random numbers: rooms_scene.py invents it (with rooms_furniture.py),
rooms_cast.py finds what each ray meets, rooms_texture.py and rooms_light.py colour it, rooms_kinect.py spoils the depth
the way a Kinect does. Depth is in metres along the optical axis.

A data set is rendered once and kept in the cache folder: $XDG_CACHE_HOME/minidepth or ~/.cache/minidepth.
"""

from __future__ import annotations

import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from minidepth.data.rooms_cache import cache_folder, checksum, frame_type, read_frames, renderer_version, write_frames
from minidepth.data.rooms_cast import Hits, camera_rays, cast
from minidepth.data.rooms_kinect import kinect_depth
from minidepth.data.rooms_light import colours, light_on, surface_points
from minidepth.data.rooms_parts import Camera, Room, intrinsics
from minidepth.data.rooms_photo import antialias, photograph
from minidepth.data.rooms_scene import random_room
from minidepth.data.sample import Sample
from minidepth.errors import InputError

SPLITS = ("train", "test")
DEFAULT_COUNT = {"train": 600, "test": 64}

log = logging.getLogger("minidepth")


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

    The intrinsics are NYU Depth V2's, scaled to the size (`rooms_parts.intrinsics`). With `kinect` the depth has a
    Kinect's holes and noise; picture, normals and mask stay the same.
    """
    room, camera = random_room(rng)
    return render_room(room, camera, size, rng, kinect)


def render_room(
    room: Room, camera: Camera, size: tuple[int, int], rng: np.random.Generator, kinect: bool = False
) -> RoomView:
    """Look into a given room. `rng` draws exposure, noise and the Kinect's faults."""
    _check_size(size)
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


def _check_size(size: tuple[int, int]) -> None:
    if min(size) < 8:
        raise InputError(f"rooms: size is {size[0]}x{size[1]} (height x width); it must be at least 8x8")


class RoomsDataset:
    """Rooms rendered once and cached; frame i depends on (seed, split, i, size, kinect) only.

    Args:
        count: frames; 600 for "train" and 64 for "test" unless given.
        size: (height, width).
        seed: another seed, other rooms.
        split: "train" or "test"; they share no room.
        kinect: depth with a Kinect's holes and noise.
        cache: keep the frames on disk (rooms_cache.py). Without it they are rendered, each time anew, when asked for.

    Depth is rounded to whole millimetres, cached or not; `render` gives it exactly.
    """

    def __init__(
        self,
        count: int | None = None,
        size: tuple[int, int] = (128, 160),
        seed: int = 0,
        split: str = "train",
        kinect: bool = False,
        cache: bool = True,
    ) -> None:
        if split not in SPLITS:
            raise InputError(f"rooms: split is {split!r}; it must be one of {', '.join(SPLITS)}")
        self.count = DEFAULT_COUNT[split] if count is None else count
        if self.count < 1 or seed < 0:
            raise InputError(f"rooms: count is {self.count} and seed {seed}; they must be at least 1 and 0")
        _check_size(size)
        self.size, self.seed, self.split = (int(size[0]), int(size[1])), seed, split
        self.kinect, self.cache = kinect, cache
        self.name = "rooms"
        self._frames: np.ndarray | None = None
        self._opening = threading.Lock()

    def __len__(self) -> int:
        return self.count

    def source(self, i: int) -> str:
        """Which frame, for messages."""
        return f"rooms, split {self.split}, seed {self.seed}, frame {i}"

    def __getitem__(self, i: int) -> Sample:
        if not 0 <= i < self.count:
            raise IndexError(f"rooms: frame {i} of {self.count}")
        frame = self._opened()[i] if self.cache else self._render_frame(i)
        depth_mm = frame["depth_mm"]
        return Sample(np.array(frame["image"]), depth_mm.astype(np.float32) / 1000, depth_mm > 0)

    def _opened(self) -> np.ndarray:
        """All frames: from the file where there is a good one, else rendered and written. Several threads may ask."""
        with self._opening:
            if self._frames is None:
                self._frames = self._load_or_render()
        return self._frames

    def _load_or_render(self) -> np.ndarray:
        height, width = self.size
        settings = f"{self.split}-seed{self.seed}-{self.count}x{height}x{width}{'-kinect' if self.kinect else ''}"
        path = None
        try:
            path = cache_folder() / f"rooms-{renderer_version()}-{settings}.npy"
            frames = read_frames(path, self.count, self.size)
        except OSError as failure:
            log.warning("rooms: no cache (%s); rendering %d frames for this run only", failure, self.count)
            return self._render_all()
        if frames is not None:
            return frames
        log.info("rooms: rendering %d frames of %dx%d once, into %s", self.count, height, width, path)
        rendered = self._render_all()
        try:
            write_frames(path, rendered)
        except OSError as failure:
            log.warning("rooms: frames are not kept (%s: %s); they will be rendered again next time", path, failure)
        return rendered

    def _render_all(self) -> np.ndarray:
        frames = np.zeros(self.count, frame_type(self.size))
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:  # NumPy lets other threads run during its loops
            for i, frame in enumerate(pool.map(self._render_frame, range(self.count))):
                frames[i] = frame
        return frames

    def _render_frame(self, i: int) -> np.ndarray:
        view = render(np.random.default_rng([self.seed, SPLITS.index(self.split), i]), self.size, self.kinect)
        frame = np.zeros((), frame_type(self.size))
        frame["image"] = view.image
        frame["depth_mm"] = np.round(view.depth_m * 1000)  # 0 where invalid
        frame["crc32"] = checksum(frame)
        return frame

"""What the writers of the stand-ins share: the frames that they are asked for, and rendered rooms."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from minidepth.data.rooms.workers import Settings, render_frames

BLOCK = 200
"""Rooms rendered at a time, so that memory does not grow with the number of frames."""
JPEG_QUALITY = 92


TEST_SHARE = 5
"""One frame in so many is for the test."""


class Plan(NamedTuple):
    """What a writer is asked for."""

    frames: int
    """Training and test frames together."""
    size: tuple[int, int]
    """(height, width)."""
    seed: int

    def parts(self) -> list[Part]:
        """The frames to train on and the frames to test."""
        test = max(1, self.frames // TEST_SHARE)
        train = self.frames - test
        return [Part("train", train, 0, self.size, self.seed), Part("test", test, train, self.size, self.seed)]


class Part(NamedTuple):
    """The frames of one split."""

    split: str
    frames: int
    first: int
    """Number of its first frame in the whole data set, for names."""
    size: tuple[int, int]
    seed: int

    def rng(self, i: int) -> np.random.Generator:
        """The generator of frame i of this part."""
        return np.random.default_rng([self.seed, self.split == "test", i])


class RenderedRoom(NamedTuple):
    """A room of rooms/."""

    image: np.ndarray
    """uint8 (H, W, 3)."""
    depth_mm: np.ndarray
    """uint16 (H, W), 0 where a Kinect would see nothing."""


def rendered_rooms(part: Part, count: int, kinect: bool = False) -> Iterator[RenderedRoom]:
    """`count` rooms, rendered on all cores; training and test parts share none. See rooms/workers.py."""
    for block, start in enumerate(range(0, count, BLOCK)):
        number = 2 * block + (part.split == "test")
        frames = min(BLOCK, count - start)
        for frame in render_frames(Settings(frames, part.size, part.seed, number, kinect)):
            yield RenderedRoom(frame["image"], frame["depth_mm"])


def save_picture(path: Path, array: np.ndarray) -> None:
    """Write uint8 (H, W, 3) or grey (H, W), or uint16 (H, W), in the format of the path's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, quality=JPEG_QUALITY, compress_level=1)  # each format takes what it knows


def progress(frames: Iterator, count: int, title: str) -> Iterator:
    """The same frames, with a progress bar where somebody can see it."""
    from tqdm import tqdm  # slow to import, and only needed here

    yield from tqdm(frames, title, count, leave=False, unit="frame", disable=None)

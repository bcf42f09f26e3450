"""`RoomsDataset`: rooms rendered once, kept in the cache folder, and served as samples."""

from __future__ import annotations

import logging
import threading

import numpy as np

from minidepth.data.rooms.cache import cache_folder, read_frames, renderer_version, write_frames
from minidepth.data.rooms.view import check_size
from minidepth.data.rooms.workers import Settings, render_frames, stored_frame
from minidepth.data.sample import MAX_DEPTH_M, Sample
from minidepth.errors import InputError

SPLITS = ("train", "test")
DEFAULT_COUNT = {"train": 1200, "test": 64}

log = logging.getLogger("minidepth")


class RoomsDataset:
    """Rooms rendered once and cached; frame i depends on (seed, split, i, size, kinect) only.

    Args:
        count: frames; 1200 for "train" and 64 for "test" unless given.
        size: (height, width).
        seed: another seed, other rooms.
        split: "train" or "test"; they share no room.
        kinect: depth with a Kinect's holes and noise.
        cache: keep the frames on disk (cache.py). Without it they are rendered, each time anew, when asked for.

    Depth is rounded to whole millimetres, cached or not; `render` gives it exactly.
    """

    targets: tuple[str, ...] = ("depth",)
    max_depth_m: float = MAX_DEPTH_M

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
        check_size(size)
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
        frame = self._opened()[i] if self.cache else stored_frame(self._settings(), i)
        depth_mm = frame["depth_mm"]
        return Sample(np.array(frame["image"]), depth_mm.astype(np.float32) / 1000, depth_mm > 0)

    def _settings(self) -> Settings:
        return Settings(self.count, self.size, self.seed, SPLITS.index(self.split), self.kinect)

    def _opened(self) -> np.ndarray:
        """All frames: from the file where there is a good one, else rendered and written. Several threads may ask."""
        with self._opening:
            if self._frames is None:
                self._frames = self._load_or_render()
        return self._frames

    def _load_or_render(self) -> np.ndarray:
        height, width = self.size
        name = f"{self.split}-seed{self.seed}-{self.count}x{height}x{width}{'-kinect' if self.kinect else ''}"
        try:
            path = cache_folder() / f"rooms-{renderer_version()}-{name}.npy"
            frames = read_frames(path, self.count, self.size)
        except OSError as failure:
            log.warning("rooms: no cache (%s); rendering %d frames for this run only", failure, self.count)
            return render_frames(self._settings())
        if frames is not None:
            return frames
        log.info("rooms: rendering %d frames of %dx%d once, into %s", self.count, height, width, path)
        rendered = render_frames(self._settings())
        try:
            write_frames(path, rendered)
        except OSError as failure:
            log.warning("rooms: frames are not kept (%s: %s); they will be rendered again next time", path, failure)
        return rendered

"""Renders many frames of `rooms` on all cores.

Threads would not do: a frame is some thousand short NumPy calls, and between them only one thread at a time may run
Python. So each core gets a Python process of its own that renders a block of frames and writes them to its standard
output. They are started by `subprocess`, since `multiprocessing` would run the user's program a second time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minidepth.data.rooms.cache import checksum, frame_type
from minidepth.data.rooms.view import render

FRAMES_WORTH_A_PROCESS = 24
"""Starting Python and NumPy takes about as long as rendering this many frames of 128 x 160."""


class Settings(NamedTuple):
    """What decides the frames of a data set; frame i depends on all but `frames`."""

    frames: int
    size: tuple[int, int]
    seed: int
    split_number: int
    kinect: bool


def stored_frame(settings: Settings, i: int) -> np.ndarray:
    """Frame i as it is stored (cache.py)."""
    rng = np.random.default_rng([settings.seed, settings.split_number, i])
    view = render(rng, settings.size, settings.kinect)
    frame = np.zeros((), frame_type(settings.size))
    frame["image"] = view.image
    frame["depth_mm"] = np.round(view.depth_m * 1000)  # 0 where invalid
    frame["crc32"] = checksum(frame)
    return frame


def render_frames(settings: Settings) -> np.ndarray:
    """All frames (settings.frames,), the same whatever the number of cores."""
    frames = np.zeros(settings.frames, frame_type(settings.size))
    workers = max(1, min(cores(), settings.frames // FRAMES_WORTH_A_PROCESS))
    edges = [settings.frames * k // workers for k in range(workers + 1)]
    blocks = list(zip(edges[:-1], edges[1:]))
    with ThreadPoolExecutor(workers) as pool:  # these threads only read what the processes write
        done = list(pool.map(lambda block: workers > 1 and _read_block(settings, block, frames), blocks))
    for whole, (start, stop) in zip(done, blocks):
        if not whole:  # one block only, or a process that could not run: then here
            for i in range(start, stop):
                frames[i] = stored_frame(settings, i)
    return frames


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read_block(settings: Settings, block: tuple[int, int], frames: np.ndarray) -> bool:
    """Let another process render frames start..stop into `frames`; False where that went wrong."""
    start, stop = block
    package_root = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join([package_root, *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "minidepth.data.rooms.workers", json.dumps([settings, start, stop])]
    into = memoryview(frames[start:stop].view(np.uint8).reshape(-1).data)
    try:
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": path},
        ) as process:
            received = process.stdout.readinto(into) if process.stdout else 0  # type: ignore[attr-defined]
    except OSError:
        return False
    return process.returncode == 0 and received == into.nbytes


def main(argument: str) -> None:
    """What the process does: frames start..stop of the settings, as bytes to standard output."""
    (frames, size, seed, split_number, kinect), start, stop = json.loads(argument)
    settings = Settings(frames, (size[0], size[1]), seed, split_number, kinect)
    for i in range(start, stop):
        sys.stdout.buffer.write(stored_frame(settings, i).tobytes())


if __name__ == "__main__":
    main(sys.argv[1])

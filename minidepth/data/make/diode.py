"""Procedural rooms as DIODE has its frames (diode.py beside open.py): png, depth as .npy, and a mask with holes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from minidepth.data.diode import PARTS
from minidepth.data.make.parts import Part, Plan, progress, rendered_rooms, save_picture

FRAMES_OF_A_SCAN = 20


def write(folder: Path, plan: Plan) -> None:
    """Write both splits."""
    for part in plan.parts():
        write_part(folder, part)


def write_part(folder: Path, part: Part) -> None:
    """Write the frames of one split. The holes are where a Kinect would see nothing (rooms/kinect.py)."""
    rooms = rendered_rooms(part, part.frames, kinect=True)
    for i, room in enumerate(progress(rooms, part.frames, f"diode {part.split}")):
        scene = 0 if part.split == "train" else 19  # the real one has other scenes for validation too
        scan, view = divmod(i, FRAMES_OF_A_SCAN)
        place = folder / PARTS[part.split] / "indoors" / f"scene_{scene:05}" / f"scan_{scan:05}"
        name = f"{scene:05}_{scan:05}_indoors_{view // 10:03}_{view % 10:03}"
        save_picture(place / f"{name}.png", room.image)
        np.save(place / f"{name}_depth.npy", (room.depth_mm / np.float32(1000))[..., None].astype(np.float32))
        np.save(place / f"{name}_depth_mask.npy", (room.depth_mm > 0).astype(np.float64))

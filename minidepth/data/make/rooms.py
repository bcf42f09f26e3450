"""Procedural rooms as a CSV folder of NYU Depth V2 (csv_pairs.py): jpg and 8-bit png to train, 16-bit png to test."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from minidepth.data.csv_pairs import CSV_NAMES
from minidepth.data.make.parts import Part, Plan, progress, rendered_rooms, save_picture

FRAMES_OF_A_SCENE = 20


def write(folder: Path, plan: Plan) -> None:
    """Write both splits."""
    for part in plan.parts():
        write_part(folder, part)


def write_part(folder: Path, part: Part) -> None:
    """Write the frames of one split and its CSV file."""
    rows = []
    for i, room in enumerate(progress(rendered_rooms(part, part.frames), part.frames, f"rooms {part.split}")):
        if part.split == "train":
            stem = f"data/nyu2_train/room_{i // FRAMES_OF_A_SCENE + 1:04}_out/{i % FRAMES_OF_A_SCENE + 1}"
            names = (f"{stem}.jpg", f"{stem}.png")
            depth = np.minimum(np.round(room.depth_mm / 10000 * 255), 255).astype(np.uint8)  # 255 is 10 m
        else:
            stem = f"data/nyu2_test/{i:05}"
            names = (f"{stem}_colors.png", f"{stem}_depth.png")
            depth = np.ascontiguousarray(room.depth_mm, np.uint16)
        save_picture(folder / names[0], room.image)
        save_picture(folder / names[1], depth)
        rows.append(",".join(names))
    (folder / "data" / CSV_NAMES[part.split]).write_text("\n".join(rows) + "\n", encoding="utf-8")

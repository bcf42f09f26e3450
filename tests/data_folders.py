"""Tiny data sets in every layout, written with h5py, Pillow and struct only: nothing here comes from the package."""

import struct
import zlib
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from PIL import Image

SIZE = (12, 16)


class Frame(NamedTuple):
    image: np.ndarray
    depth_mm: np.ndarray


def make_frames(count, size=SIZE, seed=0):
    """Pictures of noise; depths of whole millimetres from 0.5 to 9.9 m."""
    rng = np.random.default_rng(seed)
    return [
        Frame(rng.integers(0, 256, (*size, 3), np.uint8), rng.integers(500, 9900, size).astype(np.uint16))
        for _ in range(count)
    ]


def write_csv_folder(root, train=(), test=()):
    """The layout of the Kaggle download. Train depth becomes 8-bit, test depth 16-bit, as there."""
    (root / "data").mkdir(parents=True, exist_ok=True)
    for split, frames in (("train", train), ("test", test)):
        rows = []
        for i, frame in enumerate(frames):
            image, depth = f"data/nyu2_{split}/{i:05}_colors.png", f"data/nyu2_{split}/{i:05}_depth.png"
            (root / image).parent.mkdir(exist_ok=True)
            Image.fromarray(frame.image).save(root / image)
            eight_bit = np.round(frame.depth_mm / 10000 * 255).astype(np.uint8)
            Image.fromarray(eight_bit if split == "train" else frame.depth_mm).save(root / depth)
            rows.append(f"{image},{depth}\n")
        if rows:
            (root / "data" / f"nyu2_{split}.csv").write_text("".join(rows))
    return root


def write_fastdepth(root, train=(), test=()):
    for folder, frames in (("train/scene_0001", train), ("val/official", test)):
        for i, frame in enumerate(frames):
            write_h5(Path(root) / folder / f"{i:05}.h5", rgb=frame.image.transpose(2, 0, 1), depth=metres(frame))
    return root


def write_mat(path, frames):
    """As MATLAB v7.3 writes 480x640x3xN and 480x640xN arrays: HDF5 with reversed axes, behind a 512-byte user block."""
    with h5py.File(path, "w", userblock_size=512) as file:
        file["images"] = np.stack([frame.image.T for frame in frames])  # (H, W, 3) -> (3, W, H)
        file["depths"] = np.stack([metres(frame).T for frame in frames])
    return path


def write_h5(path, **arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


def metres(frame):
    return (frame.depth_mm / 1000).astype(np.float32)


def write_splits_mat(path, train, test, byte_order="<"):
    """MATLAB 5: a header of 128 bytes, then two zlib-compressed matrices. Frame numbers from 1, stored as uint16."""

    def element(kind, data):
        return struct.pack(byte_order + "II", kind, len(data)) + data + bytes(-len(data) % 8)

    def matrix(name, numbers):
        flags = element(6, struct.pack(byte_order + "II", 6, 0))
        dimensions = element(5, struct.pack(byte_order + "ii", len(numbers), 1))
        data = np.array(numbers, byte_order + "u2").tobytes()
        if len(data) <= 4:  # the short form
            values = struct.pack(byte_order + "I", len(data) << 16 | 4) + data.ljust(4, b"\0")
        else:
            values = element(4, data)
        packed = zlib.compress(element(14, flags + dimensions + element(1, name) + values))
        return struct.pack(byte_order + "II", 15, len(packed)) + packed  # compressed elements are not padded

    mark = struct.pack(byte_order + "HH", 0x0100, ord("M") << 8 | ord("I"))
    header = b"MATLAB 5.0 MAT-file".ljust(124) + mark
    path.write_bytes(header + matrix(b"trainNdxs", train) + matrix(b"testNdxs", test))
    return path


def cut_short(path, share=0.5):
    """Truncate a file, as an interrupted download leaves it."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])

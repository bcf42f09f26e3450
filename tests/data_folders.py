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


def write_pets(root, train=(), test=(), trimap=None):
    """Oxford-IIIT pets. A trimap of 1, 2 and 3 in columns, unless given; lists as there, one picture a line."""
    (root / "images").mkdir(parents=True, exist_ok=True)
    (root / "annotations/trimaps").mkdir(parents=True, exist_ok=True)
    for listed, frames in (("trainval", train), ("test", test)):
        names = [f"{listed}_{i}" for i in range(len(frames))]
        for name, frame in zip(names, frames):
            Image.fromarray(frame.image).save(root / f"images/{name}.jpg", format="PNG")  # as some are there, too
            columns = np.broadcast_to(1 + np.arange(frame.image.shape[1]) % 3, frame.image.shape[:2])
            stored = columns.astype(np.uint8) if trimap is None else trimap
            Image.fromarray(stored).save(root / f"annotations/trimaps/{name}.png")
        if names:
            lines = "".join(f"{name} {1 + i} 1 1\n" for i, name in enumerate(names))
            (root / f"annotations/{listed}.txt").write_text(lines)
    return root


MODEST_FOLDERS = ("bg", "bg_fg", "bg_fg_mask", "bg_fg_depth_map")


def write_modest(root, frames, frames_of_a_background=1):
    """MODEST, its pictures flat in each block of 8 x 8 pixels, which JPEG keeps to a step or two.

    Frame i: picture 10 + i, background 200 + the background's number, mask 255 in the left half, depth 20 + i.
    """
    rows = []
    for i in range(frames):
        background = f"bg{i // frames_of_a_background + 1:03}"
        names = (background, f"{background}_fg001_{i:02}", f"{background}_m{i}_mask", f"{background}_d{i}_depth_map")
        mask = np.zeros((16, 32), np.uint8)
        mask[:, :16] = 255
        values = (
            np.full((16, 32, 3), 200 + i // frames_of_a_background, np.uint8),
            np.full((16, 32, 3), 10 + i, np.uint8),
        )
        for folder, name, array in zip(MODEST_FOLDERS, names, (*values, mask, np.full((16, 32), 20 + i, np.uint8))):
            (root / folder).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(root / folder / f"{name}.jpeg", quality=95)
        rows.append("\t".join(names))
    (root / "file_map.txt").write_text("\n".join(rows))  # the last line has no line break
    return root


def write_diode(root, train=(), val=(), place="indoors", hole=np.s_[:2]):
    """DIODE: picture, depth (H, W, 1) and mask for each frame; no depth in `hole`, where the file holds nonsense."""
    for part, frames in (("train", train), ("val", val)):
        for i, frame in enumerate(frames):
            folder = root / part / place / "scene_00000" / f"scan_{i:05}"
            folder.mkdir(parents=True, exist_ok=True)
            name = f"00000_{i:05}_{place}_000_010"
            depth_m, mask = metres(frame)[..., None], np.ones(frame.depth_mm.shape)
            depth_m[hole], mask[hole] = np.nan, 0
            Image.fromarray(frame.image).save(folder / f"{name}.png")
            np.save(folder / f"{name}_depth.npy", depth_m)
            np.save(folder / f"{name}_depth_mask.npy", mask)
    return root


def write_kitti(folder, frames, depth="depth", names="{:010}"):
    """A folder with image/ and depth/; 256 steps a metre, so that a depth of m millimetres is m * 256 / 1000 steps."""
    for i, frame in enumerate(frames):
        for part, array in (("image", frame.image), (depth, np.round(frame.depth_mm * 0.256).astype(np.uint16))):
            (folder / part).mkdir(parents=True, exist_ok=True)
            name = names.format(i) if part == "image" else names.format(i).replace("image", "groundtruth_depth")
            Image.fromarray(array).save(folder / part / f"{name}.png")
    return folder


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

"""Where `rooms` keeps rendered frames: one memory-mapped .npy file for each setting.

The folder is $XDG_CACHE_HOME/minidepth or ~/.cache/minidepth, or one in the system's temporary folder where that cannot
be written. A frame is stored as the 8-bit picture and whole millimetres of depth in 16 bits (0: no depth), so depth is
rounded by at most 0.5 mm; a checksum for each frame finds damage. The file's name holds a checksum of the renderer's
source: a changed renderer never reads pictures of an older one.
"""

from __future__ import annotations

import functools
import os
import tempfile
import zlib
from pathlib import Path

import numpy as np


def frame_type(size: tuple[int, int]) -> np.dtype:
    """One stored frame of `size` (height, width)."""
    return np.dtype([("image", "u1", (*size, 3)), ("depth_mm", "<u2", size), ("crc32", "<u4")])


@functools.cache
def renderer_version() -> str:
    """Eight hexadecimal digits that change with any change of the renderer's source."""
    checksum = 0
    for source in sorted(Path(__file__).parent.glob("*.py")):
        checksum = zlib.crc32(source.read_bytes(), checksum)
    return f"{checksum:08x}"


def cache_folder() -> Path:
    """The first folder of the list above that exists or can be made, and can be written.

    Raises:
        OSError: not even the temporary folder can be written.
    """
    error: OSError | None = None
    for folder in _candidates():
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as failure:
            error = failure
            continue
        if os.access(folder, os.W_OK):
            return folder
        error = PermissionError(f"{folder} cannot be written")
    raise error or PermissionError("no folder to write to")


def _candidates() -> list[Path]:
    given = os.environ.get("XDG_CACHE_HOME", "")
    folders = [Path(given) / "minidepth"] if given and Path(given).is_absolute() else []  # as the XDG standard asks
    home = os.path.expanduser("~")
    if not folders and home != "~":
        folders.append(Path(home) / ".cache" / "minidepth")
    owner = f"-{os.getuid()}" if hasattr(os, "getuid") else ""  # one each: others could not write it
    return [*folders, Path(tempfile.gettempdir()) / f"minidepth{owner}"]


def checksum(frame: np.ndarray) -> int:
    """Checksum of a frame's picture and depth."""
    return zlib.crc32(frame["depth_mm"].tobytes(), zlib.crc32(frame["image"].tobytes()))


def read_frames(path: Path, count: int, size: tuple[int, int]) -> np.ndarray | None:
    """The memory-mapped frames (count,) of a file, or None where it is missing, cut short or damaged."""
    try:
        frames = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):  # not there; not a whole .npy file
        return None
    if frames.shape != (count,) or frames.dtype != frame_type(size):
        return None
    return frames if all(int(frame["crc32"]) == checksum(frame) for frame in frames) else None


def write_frames(path: Path, frames: np.ndarray) -> None:
    """Write under another name, then rename: a reader never sees half a file, and a failure leaves none behind.

    Raises:
        OSError: disk full, or no permission.
    """
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            np.save(file, frames)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise

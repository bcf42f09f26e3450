"""Reading picture files with Pillow. The mode of a file decides its bit depth, never its values."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from minidepth.errors import DataError

BYTE_TO_M = 10 / 255
"""8-bit depth maps: 255 is 10 m, a step is 3.9 cm."""
MM_PER_M = 1000
"""16-bit depth maps hold millimetres."""
MODES_16_BIT = ("I;16", "I;16L", "I;16B", "I")  # the last is what older Pillow calls 16-bit grey


def read_picture(path: Path) -> np.ndarray:
    """A picture file of any kind and mode as uint8 (H, W, 3), whatever its name ends in; transparency is ignored.

    Raises:
        DataError: missing, truncated, or no picture.
    """
    with opened(path) as picture:
        if "transparency" in picture.info:  # Pillow warns about going from some of these to RGB at once
            picture = picture.convert("RGBA")
        return np.asarray(picture.convert("RGB"))


def read_bytes(path: Path, what: str) -> np.ndarray:
    """A picture file of one byte a pixel as uint8 (H, W): grey values, or the numbers of a palette's colours.

    Raises:
        DataError: missing, truncated, no picture, or of another mode; `what` says in the error what it should be.
    """
    with opened(path) as picture:
        if picture.mode in ("L", "P"):
            return np.asarray(picture)
        raise DataError(
            f"{path}: {what} must be 8-bit with one channel (mode L or P), but this has mode {picture.mode}"
        )


def read_depth_16_bit(path: Path, steps_per_m: float) -> np.ndarray:
    """A 16-bit grey depth map as float32 (H, W) in metres, v / steps_per_m.

    Raises:
        DataError: missing, truncated, no picture, or not 16-bit grey.
    """
    with opened(path) as picture:
        if picture.mode in MODES_16_BIT:
            return np.asarray(picture).astype(np.float32) / np.float32(steps_per_m)
        raise DataError(
            f"{path}: a depth map must be 16-bit grey here (mode I;16, v/{steps_per_m:g} m), but this file has mode"
            f" {picture.mode}"
        )


def read_depth_png(path: Path) -> np.ndarray:
    """A grey depth map as float32 (H, W) in metres: 8-bit is v / 255 * 10, 16-bit is v / 1000.

    Raises:
        DataError: missing, truncated, no picture, or neither 8-bit nor 16-bit grey.
    """
    with opened(path) as picture:
        if picture.mode == "L":
            return np.asarray(picture, np.float32) * np.float32(BYTE_TO_M)
        if picture.mode in MODES_16_BIT:
            return np.asarray(picture).astype(np.float32) / np.float32(MM_PER_M)
        raise DataError(
            f"{path}: a depth map must be 8-bit grey (mode L, v/255*10 m) or 16-bit grey (mode I;16, v/1000 m),"
            f" but this file has mode {picture.mode}"
        )


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """The picture behind a path; what goes wrong while opening or decoding it becomes a `DataError` that names it."""
    try:
        with Image.open(path) as picture:
            yield picture
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"{path}: the file is missing") from None
    # Pillow's decoders raise all of these for damaged files.
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: cannot be read, truncated or not a picture ({one_line(error)})") from error


def one_line(error: Exception) -> str:
    """The text of an exception without line breaks."""
    return " ".join(str(error).split()) or type(error).__name__

"""What a data set gives, a `Sample`, and what the network takes, a `Batch`; here valid and normalised are defined.

A pixel of a depth map is valid where its depth is above 0 and at most `MAX_DEPTH_M` (10 m, where NYU Depth V2 ends: the
8-bit files write 10 m as 255). The sensor saw nothing at 0. Depth is 0 at every invalid pixel of a sample. A NaN, an
infinite or a negative depth means nothing in any of these formats: the file is damaged, and reading it is an error.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from minidepth.errors import DataError

MAX_DEPTH_M = 10.0
DEPTH_TOLERANCE_M = 5e-4
"""Half a millimetre, the step of the 16-bit files: 10 m may arrive as 10.0001 m after rounding."""

RGB_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
RGB_STD = np.array([0.229, 0.224, 0.225], np.float32)
"""Mean and deviation of the ImageNet pictures on a scale of 0 to 1: what published encoders were trained with."""


class Sample(NamedTuple):
    """One picture with its depth map, or with whatever else there is to learn from it."""

    image: np.ndarray
    """uint8 (H, W, 3), red green blue."""
    depth_m: np.ndarray
    """float32 (H, W), metres along the optical axis; 0 where invalid, and everywhere if the data set has no depth."""
    valid: np.ndarray
    """bool (H, W): the pixels whose depth, label or mask counts."""
    labels: np.ndarray | None = None
    """uint8 (H, W), the number of each pixel's class, from 0."""
    mask: np.ndarray | None = None
    """float32 (H, W) from 0 to 1: how much of the pixel belongs to the thing in front."""
    background: np.ndarray | None = None
    """uint8 (H, W, 3): the same view without the thing in front."""


class Batch(NamedTuple):
    """What a training step takes: the fields of a sample, stacked, channels first."""

    image: np.ndarray
    """float32 (N, 3, H, W), normalised by `network_input`."""
    depth_m: np.ndarray
    """float32 (N, 1, H, W), metres; 0 where invalid."""
    valid: np.ndarray
    """bool (N, 1, H, W)."""
    labels: np.ndarray | None = None
    """uint8 (N, 1, H, W)."""
    mask: np.ndarray | None = None
    """float32 (N, 1, H, W)."""
    background: np.ndarray | None = None
    """float32 (N, 3, H, W), normalised as `image`."""


class Dataset(Protocol):
    """Anything with a length that gives samples by number and can say where each one comes from."""

    name: str
    """Short, for headings, messages and the names of run folders: no slashes."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int) -> Sample: ...

    def source(self, i: int) -> str:
        """The file, and the row or frame in it, for messages."""
        ...


class StoredFrames:
    """Base of the data sets on disk: a reader gives the numbers as stored, `__getitem__` checks and masks them."""

    name: str
    units: str
    """How the stored numbers become metres."""
    note: str = ""
    """What the user should know about these frames, or nothing."""

    def __len__(self) -> int:
        raise NotImplementedError

    def source(self, i: int) -> str:
        """The file, and the row or frame in it, for messages."""
        raise NotImplementedError

    def read(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Frame i as stored: picture uint8 (H, W, 3), depth float32 (H, W) in metres, faults and all."""
        raise NotImplementedError

    def __getitem__(self, i: int) -> Sample:
        if not 0 <= i < len(self):
            raise IndexError(f"{self.name}: frame {i} of {len(self)}")
        image, depth_m = self.read(i)
        return make_sample(image, depth_m, self.source(i))


def valid_depth(depth_m: np.ndarray) -> np.ndarray:
    """Where a depth map in metres holds a measurement: bool, the shape of `depth_m`."""
    return (depth_m > 0) & (depth_m <= MAX_DEPTH_M + DEPTH_TOLERANCE_M)  # both are False for NaN


def make_sample(image: np.ndarray, depth_m: np.ndarray, source: str) -> Sample:
    """The sample of a picture and a depth map in metres; `source` begins the errors.

    Raises:
        DataError: sizes differ, a depth is NaN, infinite or negative, or no pixel is valid.
    """
    if image.shape[:2] != depth_m.shape:
        (height, width), (depth_height, depth_width) = image.shape[:2], depth_m.shape
        raise DataError(
            f"{source}: the picture is {height}x{width}, but the depth map is {depth_height}x{depth_width}"
            " (height x width); they must be of one size"
        )
    nearest_m, farthest_m = float(depth_m.min()), float(depth_m.max())  # a NaN anywhere makes both NaN
    if not (nearest_m >= 0 and farthest_m < np.inf):
        faults = {"NaN": np.isnan(depth_m), "infinite": np.isinf(depth_m), "negative": depth_m < 0}
        counts = ", ".join(f"{what} at {where.sum()} pixels" for what, where in faults.items() if where.any())
        raise DataError(f"{source}: depth is {counts}; the file is damaged, for where depth is missing it is 0")
    valid = valid_depth(depth_m)
    if not valid.any():
        raise DataError(
            f"{source}: the depth map has no valid pixel (found {nearest_m:g} to {farthest_m:g} m;"
            f" valid is above 0 and at most {MAX_DEPTH_M:g} m)"
        )
    return Sample(image, np.where(valid, depth_m, np.float32(0)), valid)


def network_input(image: np.ndarray) -> np.ndarray:
    """The picture as networks take it, uint8 (H, W, 3) -> float32 (3, H, W): (v / 255 - mean) / std of each channel."""
    scale = 1 / (255 * RGB_STD)
    offset = -RGB_MEAN / RGB_STD
    channels_first = image.transpose(2, 0, 1).astype(np.float32)  # (H, W, 3) -> (3, H, W)
    channels_first *= scale[:, None, None]
    channels_first += offset[:, None, None]
    return np.ascontiguousarray(channels_first)

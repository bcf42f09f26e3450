"""What a data set gives, a `Sample`, and what a training step takes, a `Batch`; here it is defined what valid means.

A pixel of a depth map is valid where its depth is above 0 and at most the data set's `max_depth_m` (10 m, where NYU
Depth V2 ends: the 8-bit files write 10 m as 255). The sensor saw nothing at 0. Depth is 0 at every invalid pixel of a
sample. A NaN, an infinite or a negative depth means nothing in any of these formats: the file is damaged, and reading
it is an error.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from minidepth.errors import DataError

MAX_DEPTH_M = 10.0
DEPTH_TOLERANCE_M = 5e-4
"""Half a millimetre, the step of the 16-bit files: 10 m may arrive as 10.0001 m after rounding."""

Array = np.ndarray


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


def change_fields(
    sample: Sample,
    pictures: Callable[[Array], Array],
    numbers: Callable[[Array], Array],
    mask: Callable[[Array], Array] | None = None,
) -> Sample:
    """One change of geometry for every field that is there.

    Args:
        sample: what to change; it stays as it is.
        pictures: for `image` and `background`, which may be filtered.
        numbers: for `depth_m`, `valid` and `labels`, which may not: half-way from class 0 to class 2 is not class 1.
        mask: for `mask`, which may be filtered as it is a share; as `numbers` unless given.
    """
    return Sample(
        pictures(sample.image),
        numbers(sample.depth_m),
        numbers(sample.valid),
        None if sample.labels is None else numbers(sample.labels),
        None if sample.mask is None else (mask or numbers)(sample.mask),
        None if sample.background is None else pictures(sample.background),
    )


class Batch(NamedTuple):
    """What a training step takes: the fields of a sample, stacked, channels first."""

    image: np.ndarray
    """float32 (N, 3, H, W), scaled by `network_input`."""
    depth_m: np.ndarray
    """float32 (N, 1, H, W), metres; 0 where invalid."""
    valid: np.ndarray
    """bool (N, 1, H, W)."""
    labels: np.ndarray | None = None
    """uint8 (N, 1, H, W)."""
    mask: np.ndarray | None = None
    """float32 (N, 1, H, W)."""
    background: np.ndarray | None = None
    """float32 (N, 3, H, W), scaled by `network_input`."""


class Dataset(Protocol):
    """Anything with a length that gives samples by number and can say where each one comes from."""

    name: str
    """Short, for headings, messages and the names of run folders: no slashes."""
    targets: tuple[str, ...]
    """What there is to learn: ("depth",), ("labels",) or ("mask", "depth")."""
    max_depth_m: float
    """The farthest depth that counts; the scale of the targets that are shares of it."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int) -> Sample: ...

    def source(self, i: int) -> str:
        """The file, and the row or frame in it, for messages."""
        ...


class StoredFrames:
    """Base of the data sets on disk: a reader gives the numbers as stored, `load` checks and masks them."""

    name: str
    units: str
    """How the stored numbers become metres, or classes."""
    note: str = ""
    """What the user should know about these frames, or nothing."""
    targets: tuple[str, ...] = ("depth",)
    max_depth_m: float = MAX_DEPTH_M
    classes: tuple[str, ...] = ()
    """Names of the classes of `labels`, in the order of their numbers."""

    def __len__(self) -> int:
        raise NotImplementedError

    def source(self, i: int) -> str:
        """The file, and the row or frame in it, for messages."""
        raise NotImplementedError

    def read(self, i: int) -> tuple[np.ndarray, np.ndarray]:
        """Frame i as stored: picture uint8 (H, W, 3), depth float32 (H, W) in metres, faults and all."""
        raise NotImplementedError

    def load(self, i: int) -> Sample:
        """Frame i checked and masked; a reader of more than depth writes its own."""
        image, depth_m = self.read(i)
        return make_sample(image, depth_m, self.source(i), self.max_depth_m)

    def __getitem__(self, i: int) -> Sample:
        if not 0 <= i < len(self):
            raise IndexError(f"{self.name}: frame {i} of {len(self)}")
        return self.load(i)


def valid_depth(depth_m: np.ndarray, max_depth_m: float = MAX_DEPTH_M) -> np.ndarray:
    """Where a depth map in metres holds a measurement: bool, the shape of `depth_m`."""
    return (depth_m > 0) & (depth_m <= max_depth_m + DEPTH_TOLERANCE_M)  # both are False for NaN


def check_size(image: np.ndarray, other: np.ndarray, name: str, source: str) -> None:
    """Refuse a picture and another map of the same view that differ in size; `source` begins the error.

    Raises:
        DataError: they differ.
    """
    if image.shape[:2] != other.shape[:2]:
        (height, width), (other_height, other_width) = image.shape[:2], other.shape[:2]
        raise DataError(
            f"{source}: the picture is {height}x{width}, but the {name} is {other_height}x{other_width}"
            " (height x width); they must be of one size"
        )


def make_sample(image: np.ndarray, depth_m: np.ndarray, source: str, max_depth_m: float = MAX_DEPTH_M) -> Sample:
    """The sample of a picture and a depth map in metres; `source` begins the errors.

    Raises:
        DataError: sizes differ, a depth is NaN, infinite or negative, or no pixel is valid.
    """
    check_size(image, depth_m, "depth map", source)
    nearest_m, farthest_m = float(depth_m.min()), float(depth_m.max())  # a NaN anywhere makes both NaN
    if not (nearest_m >= 0 and farthest_m < np.inf):
        faults = {"NaN": np.isnan(depth_m), "infinite": np.isinf(depth_m), "negative": depth_m < 0}
        counts = ", ".join(f"{what} at {where.sum()} pixels" for what, where in faults.items() if where.any())
        raise DataError(f"{source}: depth is {counts}; the file is damaged, for where depth is missing it is 0")
    valid = valid_depth(depth_m, max_depth_m)
    if not valid.any():
        raise DataError(
            f"{source}: the depth map has no valid pixel (found {nearest_m:g} to {farthest_m:g} m;"
            f" valid is above 0 and at most {max_depth_m:g} m)"
        )
    return Sample(image, np.where(valid, depth_m, np.float32(0)), valid)

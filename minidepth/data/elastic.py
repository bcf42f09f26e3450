"""Elastic deformation: the picture on a rubber sheet, pulled at a few points (the U-Net paper, section 3.1).

Displacements are drawn at a 3 x 3 grid of points from N(0, strength^2) pixels and interpolated smoothly to every pixel.
What a pixel shows comes from its place plus its displacement: bilinear for pictures, nearest for numbers. Places beyond
the edge mirror, as the paper mirrors its tiles.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from minidepth.data.sample import Sample, change_fields

GRID = 3


def elastic(sample: Sample, rng: np.random.Generator, strength: float = 10.0) -> Sample:
    """The sample deformed by displacements of about `strength` pixels; depth, labels and mask with the picture."""
    size = sample.valid.shape
    rows, columns = (
        mirrored(np.arange(length).reshape(shape) + field(rng, strength, size), length)
        for length, shape in zip(size, ((-1, 1), (1, -1)))
    )
    nearest = (np.rint(rows).astype(np.int64), np.rint(columns).astype(np.int64))
    return change_fields(
        sample,
        pictures=lambda image: np.rint(bilinear(image, rows, columns)).astype(np.uint8),
        numbers=lambda array: array[nearest],
        mask=lambda mask: bilinear(mask, rows, columns),
    )


def field(rng: np.random.Generator, strength: float, size: tuple[int, ...]) -> np.ndarray:
    """Displacements (H, W) in pixels along one axis: a small grid of random numbers, made large by bicubic curves."""
    points = rng.normal(0, strength, (GRID, GRID)).astype(np.float32)
    return np.asarray(Image.fromarray(points).resize((size[1], size[0]), Image.Resampling.BICUBIC))


def mirrored(places: np.ndarray, length: int) -> np.ndarray:
    """Places beyond 0 or length - 1 mirrored back, the edge itself not repeated."""
    if length == 1:
        return np.zeros_like(places)
    period = 2 * (length - 1)
    places = np.mod(places, period)
    return np.minimum(places, period - places)


def bilinear(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """`image` (H, W) or (H, W, C) between its pixels, at places (H', W') inside it; float32."""
    top, left = np.floor(rows).astype(np.int64), np.floor(columns).astype(np.int64)
    down, right = (rows - top).astype(np.float32), (columns - left).astype(np.float32)
    if image.ndim == 3:
        down, right = down[..., None], right[..., None]
    bottom, far = np.minimum(top + 1, image.shape[0] - 1), np.minimum(left + 1, image.shape[1] - 1)
    above = image[top, left] * (1 - right) + image[top, far] * right
    below = image[bottom, left] * (1 - right) + image[bottom, far] * right
    return above * (1 - down) + below * down

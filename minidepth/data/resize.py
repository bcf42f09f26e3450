"""Changing the size of pictures and depth maps. Sizes are (height, width).

Pictures are filtered: bilinear with antialiasing, as a camera with fewer pixels would see it. Depth is not: each new
pixel takes the value of the old pixel under its centre. Averaging over the edge of a table gives a distance at which
there is nothing, and averaging over a hole gives a distance too short; nearest keeps every number one that was
measured, and needs no special case for what is valid. The price is a little aliasing, which a loss over thousands of
pixels does not see. Labels are treated as depth is, since class numbers have no mean; a mask is a share of the pixel
and is filtered as pictures are.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from minidepth.data.sample import Sample, change_fields

Size = tuple[int, int]


def resize_sample(sample: Sample, size: Size) -> Sample:
    """The sample at another (height, width); unchanged where it already has it."""
    if sample.valid.shape == tuple(size):
        return sample
    rows, columns = nearest_pixels(sample.valid.shape, size)
    return change_fields(
        sample,
        pictures=lambda image: resize_image(image, size),
        numbers=lambda array: array[rows[:, None], columns],
        mask=lambda mask: resize_mask(mask, size),
    )


def resize_image(image: np.ndarray, size: Size) -> np.ndarray:
    """uint8 (H, W, 3) -> uint8 (height, width, 3), bilinear, antialiased when it shrinks."""
    height, width = size
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))


def resize_mask(mask: np.ndarray, size: Size) -> np.ndarray:
    """float32 (H, W) from 0 to 1 -> float32 (height, width), bilinear, antialiased when it shrinks."""
    height, width = size
    small = np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.BILINEAR))
    return np.clip(small, 0, 1)  # sums of weights may miss 1 by a rounding error


def nearest_pixels(old_size: Size, new_size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Row and column numbers of the old pixels under the centres of the new ones: floor((i + 1/2) old / new)."""
    rows, columns = (((np.arange(new) * 2 + 1) * old) // (2 * new) for old, new in zip(old_size, new_size))
    return rows, columns

"""Changes of colour and light that a camera or a lamp could have made: pure functions of (sample, rng).

They see the picture before it is scaled for the network, as bytes, and leave everything else alone. A background is
the same view in the same light, so it goes through the same change with the same draw.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from minidepth.data.sample import Sample

Rng = np.random.Generator

LUMINANCE = np.array([0.299, 0.587, 0.114])
ORDERS = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]

RGB_VALUES = np.array([0.2175, 0.0188, 0.0045])
RGB_VECTORS = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
"""Principal components of the colours of ImageNet on a scale of 0 to 1, as fb.resnet.torch gives them: variances, and
directions in red, green, blue as columns."""


def on_pictures(sample: Sample, change: Callable[[np.ndarray], np.ndarray]) -> Sample:
    """The same change for the picture and, if there is one, for the background."""
    background = None if sample.background is None else change(sample.background)
    return sample._replace(image=change(sample.image), background=background)


def linear(image: np.ndarray, matrix: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """``matrix @ (r, g, b) + offset`` at every pixel, rounded and cut to 0..255."""
    rows = np.column_stack([matrix, offset]).ravel().tolist()
    return np.asarray(Image.fromarray(image).convert("RGB", rows))


def mean_luminance(image: np.ndarray) -> float:
    """Of the whole picture; every 16th pixel is enough for a mean."""
    return float(LUMINANCE @ image[::4, ::4].mean((0, 1)))


def color(sample: Sample, rng: Rng, strength: float = 0.2) -> Sample:
    """Brightness, contrast and saturation each times 1 - strength to 1 + strength, each channel by half as much.

    All of these are affine in (r, g, b), so they make one matrix and one offset, and one pass over the picture:

        saturation    x <- s x + (1 - s) luminance(x)
        contrast      x <- c x + (1 - c) mean luminance of the picture
        brightness    x <- b x, with one b for each channel
    """
    brightness, contrast, saturation = rng.uniform(1 - strength, 1 + strength, 3)
    gains = brightness * rng.uniform(1 - strength / 2, 1 + strength / 2, 3)
    matrix = saturation * np.eye(3) + (1 - saturation) * LUMINANCE  # every row of the second part is LUMINANCE
    matrix = gains[:, None] * contrast * matrix
    mean = mean_luminance(sample.image)  # of the picture, for the background too: one change for both
    return on_pictures(sample, lambda image: linear(image, matrix, gains * (1 - contrast) * mean))


def jitter(sample: Sample, rng: Rng, strength: float = 0.4) -> Sample:
    """Brightness, contrast and saturation as in `color`, in random order, and no single channels.

    The published form (sparse-to-dense, FastDepth, Hu et al. with 0.4). Each step is cut to 0..255, so order matters.
    """
    factors = rng.uniform(1 - strength, 1 + strength, 3)
    order = rng.permutation(3)

    def change(image: np.ndarray) -> np.ndarray:
        for step in order:
            factor = float(factors[step])
            if step == 0:  # brightness
                image = linear(image, factor * np.eye(3), np.zeros(3))
            elif step == 1:  # contrast
                image = linear(image, factor * np.eye(3), np.full(3, (1 - factor) * mean_luminance(image)))
            else:  # saturation
                image = linear(image, factor * np.eye(3) + (1 - factor) * LUMINANCE, np.zeros(3))
        return image

    return on_pictures(sample, change)


def brightness_contrast(sample: Sample, rng: Rng, brightness: float = 0.2, contrast: float = 0.2) -> Sample:
    """``a v + 255 b`` one time in two, a from 1 - contrast to 1 + contrast, b from -brightness to brightness.

    RandomBrightnessContrast of albumentations, which source 004 used: contrast turns about black, not about the mean.
    """
    factor, shift = 1 + rng.uniform(-contrast, contrast), 255 * rng.uniform(-brightness, brightness)
    if rng.random() < 0.5:
        return sample
    return on_pictures(sample, lambda image: linear(image, factor * np.eye(3), np.full(3, shift)))


def hsv(sample: Sample, rng: Rng, hue: float = 20, saturation: float = 30, value: float = 20) -> Sample:
    """Hue, saturation and value each shifted by a whole number up to the limit, one time in two.

    HueSaturationValue of albumentations, which source 004 used. Units are OpenCV's for bytes: hue counts half degrees
    of the colour circle (20 is 40 degrees), saturation and value go from 0 to 255 and are cut there.
    """
    limits = np.floor([hue, saturation, value]).astype(int)
    shifts = rng.integers(-limits, limits + 1)
    if rng.random() < 0.5:
        return sample
    table = np.arange(256)
    turned = (table + round(shifts[0] * 256 / 180)) % 256  # Pillow counts 256 steps around the circle
    tables = np.concatenate([turned, np.clip(table + shifts[1], 0, 255), np.clip(table + shifts[2], 0, 255)])

    def change(image: np.ndarray) -> np.ndarray:
        return np.asarray(Image.fromarray(image).convert("HSV").point(tables.tolist()).convert("RGB"))

    return on_pictures(sample, change)


def lighting(sample: Sample, rng: Rng, strength: float = 0.1) -> Sample:
    """One colour added to all pixels: ``vectors @ (variances * a) * 255`` with three a drawn from N(0, strength^2).

    A change of the light's colour along the directions in which photographs differ (Krizhevsky et al. 2012; Hu et al.).
    """
    shift = 255 * RGB_VECTORS @ (RGB_VALUES * rng.normal(0, strength, 3))
    return on_pictures(sample, lambda image: linear(image, np.eye(3), shift))


def permute(sample: Sample, rng: Rng) -> Sample:
    """Red, green and blue in one of their six orders, one time in two (DenseDepth)."""
    order = list(ORDERS[int(rng.integers(6))])
    if rng.random() < 0.5:
        return sample
    return on_pictures(sample, lambda image: np.ascontiguousarray(image[..., order]))

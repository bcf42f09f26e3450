"""Changes to a sample that a camera in a room could have made: pure functions of (sample, rng).

Picture, depth and mask go through one geometry, drawn once. Only `color` leaves the depth alone, and it sees the
picture before normalisation, as bytes. There is no vertical flip: rooms do not stand on their heads.

`crop` and `zoom` return a smaller sample. The loader resizes once, at the end, from the pixels that were stored.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from PIL import Image

from minidepth.data.sample import RGB_MEAN, Sample
from minidepth.errors import InputError

Rng = np.random.Generator
Augment = Callable[[Sample, Rng], Sample]

LUMINANCE = np.array([0.299, 0.587, 0.114])
FORMS = "flip, crop:SHARE, zoom:LOW-HIGH, rotate:DEGREES, color[:STRENGTH], or none"


def flip(sample: Sample, rng: Rng) -> Sample:
    """Left and right exchanged, one time in two."""
    if rng.random() < 0.5:
        return sample
    return Sample(sample.image[:, ::-1], sample.depth_m[:, ::-1], sample.valid[:, ::-1])


def crop(sample: Sample, rng: Rng, share: float = 0.9) -> Sample:
    """A window of `share` of the height and of the width at a random place; the depth stays as it is.

    Resized to the old size it is a photograph with a longer lens, and how far things look then depends on the lens. To
    keep the camera and move it closer instead, use `zoom`.
    """
    height, width = sample.valid.shape
    window_height, window_width = max(1, round(height * share)), max(1, round(width * share))
    top = int(rng.integers(height - window_height + 1))
    left = int(rng.integers(width - window_width + 1))
    window = (slice(top, top + window_height), slice(left, left + window_width))
    return Sample(sample.image[window], sample.depth_m[window], sample.valid[window])


def zoom(sample: Sample, rng: Rng, low: float = 1.0, high: float = 1.4) -> Sample:
    """A window of 1/s of the height and of the width, its depth divided by s, with s drawn from low to high.

    With u = f X / Z, a picture s times as large is what the same camera sees of the same things at Z / s.
    """
    scale = rng.uniform(low, high)
    window = crop(sample, rng, 1 / scale)
    return window._replace(depth_m=window.depth_m / np.float32(scale))


def rotate(sample: Sample, rng: Rng, degrees: float = 5.0) -> Sample:
    """Turned about the centre by an angle from -degrees to +degrees; depth by nearest pixel, the empty corners invalid.

    Turning a camera about its optical axis changes no depth. The corners of the picture get the mean colour, which
    becomes 0 when normalised, as the padding of a convolution is.
    """
    angle = rng.uniform(-degrees, degrees)
    mean_color = tuple(int(round(255 * float(mean))) for mean in RGB_MEAN)
    image = Image.fromarray(sample.image).rotate(angle, Image.Resampling.BILINEAR, fillcolor=mean_color)
    depth = Image.fromarray(sample.depth_m).rotate(angle, Image.Resampling.NEAREST, fillcolor=0)
    depth_m = np.asarray(depth)
    return Sample(np.asarray(image), depth_m, depth_m > 0)  # depth is 0 where a sample is invalid, and in the corners


def color(sample: Sample, rng: Rng, strength: float = 0.2) -> Sample:
    """Brightness, contrast and saturation each times 1 - strength to 1 + strength, each channel by half as much.

    All of these are affine in (r, g, b), so they make one matrix and one offset, and one pass over the picture:

        saturation    x <- s x + (1 - s) luminance(x)
        contrast      x <- c x + (1 - c) mean luminance of the picture
        brightness    x <- b x, with one b for each channel
    """
    brightness, contrast, saturation = rng.uniform(1 - strength, 1 + strength, 3)
    gains = brightness * rng.uniform(1 - strength / 2, 1 + strength / 2, 3)
    mean = float(LUMINANCE @ sample.image[::4, ::4].mean((0, 1)))  # every 16th pixel is enough for a mean
    matrix = saturation * np.eye(3) + (1 - saturation) * LUMINANCE  # every row of the second part is LUMINANCE
    matrix = gains[:, None] * contrast * matrix
    offset = gains * (1 - contrast) * mean
    rows = np.column_stack([matrix, offset]).ravel().tolist()
    image = Image.fromarray(sample.image).convert("RGB", rows)  # rounds, and clips to 0..255
    return sample._replace(image=np.asarray(image))


def build(text: str) -> Augment:
    """The function that a text such as ``"flip,zoom:1-1.4,color,rotate:5"`` names, applied from left to right.

    Raises:
        InputError: an unknown name or a value out of range.
    """
    if text.strip() in ("", "none"):
        return apply_all(())
    return apply_all(tuple(parse(part.strip(), text) for part in text.split(",")))


def apply_all(steps: tuple[Augment, ...]) -> Augment:
    """One augmentation that does several in turn."""

    def augment(sample: Sample, rng: Rng) -> Sample:
        for step in steps:
            sample = step(sample, rng)
        return sample

    return augment


def parse(part: str, text: str) -> Augment:
    """The function behind one part of an augmentation text."""
    name, _, value = part.partition(":")
    if name == "flip" and not value:
        return flip
    if name == "crop" and value:
        return functools.partial(crop, share=number(value, 0.1, 1, part))
    if name == "zoom" and value:
        low, _, high = value.rpartition("-")
        least = number(low, 1, 10, part) if low else 1.0
        return functools.partial(zoom, low=least, high=number(high, least, 10, part))
    if name == "rotate" and value:
        return functools.partial(rotate, degrees=number(value, 0, 45, part))
    if name == "color":
        return functools.partial(color, strength=number(value, 0, 1, part)) if value else color
    raise InputError(f"augment {text!r}: cannot use {part!r}; known: {FORMS}, separated by commas")


def number(text: str, low: float, high: float, part: str) -> float:
    """A number that must lie in a range."""
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"augment {part!r}: {text!r} is not a number; known: {FORMS}") from None
    if not low <= value <= high:
        raise InputError(f"augment {part!r}: {text} must be from {low:g} to {high:g}")
    return value

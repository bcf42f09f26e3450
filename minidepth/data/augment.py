"""Changes to a sample that a camera in a room could have made: pure functions of (sample, rng), and their names.

Here are the changes of geometry. Picture, background, depth, labels and mask go through one geometry, drawn once. The
changes of colour (colors.py) leave all but the pictures alone. `build` makes one function of a text that names several.

`crop`, `zoom`, `center` and `aspect` return a smaller sample. The loader resizes once, at the end, from the pixels that
were stored. `center` and `aspect` draw nothing: they are how some systems prepare every picture, those of the
validation too.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

from minidepth.data import colors
from minidepth.data.colors import color
from minidepth.data.elastic import elastic
from minidepth.data.input_form import RGB_MEAN
from minidepth.data.sample import Sample, change_fields
from minidepth.errors import InputError

__all__ = ["apply_all", "aspect", "build", "center", "color", "crop", "elastic", "flip", "rotate", "vflip", "zoom"]

Rng = np.random.Generator
Augment = Callable[[Sample, Rng], Sample]


def flip(sample: Sample, rng: Rng) -> Sample:
    """Left and right exchanged, one time in two."""
    if rng.random() < 0.5:
        return sample
    return change_fields(sample, lambda a: a[:, ::-1], lambda a: a[:, ::-1])


def vflip(sample: Sample, rng: Rng) -> Sample:
    """Top and bottom exchanged, one time in two. Rooms do not stand on their heads, but source 003 trained so."""
    if rng.random() < 0.5:
        return sample
    return change_fields(sample, lambda a: a[::-1], lambda a: a[::-1])


def crop(sample: Sample, rng: Rng, share: float = 0.9) -> Sample:
    """A window of `share` of the height and of the width at a random place; the depth stays as it is.

    Resized to the old size it is a photograph with a longer lens, and how far things look then depends on the lens. To
    keep the camera and move it closer instead, use `zoom`.
    """
    height, width = sample.valid.shape
    window_height, window_width = max(1, round(height * share)), max(1, round(width * share))
    top = int(rng.integers(height - window_height + 1))
    left = int(rng.integers(width - window_width + 1))
    return window(sample, top, left, window_height, window_width)


def zoom(sample: Sample, rng: Rng, low: float = 1.0, high: float = 1.4) -> Sample:
    """A window of 1/s of the height and of the width, its depth divided by s, with s drawn from low to high.

    With u = f X / Z, a picture s times as large is what the same camera sees of the same things at Z / s.
    """
    scale = rng.uniform(low, high)
    closer = crop(sample, rng, 1 / scale)
    return closer._replace(depth_m=closer.depth_m / np.float32(scale))


def center(sample: Sample, rng: Rng, share: float = 0.9) -> Sample:
    """The window of `share` of the height and of the width in the middle; nothing is drawn."""
    height, width = sample.valid.shape
    return middle(sample, max(1, round(height * share)), max(1, round(width * share)))


def aspect(sample: Sample, rng: Rng, height: float = 1, width: float = 1) -> Sample:
    """The largest window in the middle whose height and width are as `height` to `width`; nothing is drawn."""
    here_height, here_width = sample.valid.shape
    scale = min(here_height / height, here_width / width)
    return middle(sample, max(1, round(height * scale)), max(1, round(width * scale)))


def middle(sample: Sample, height: int, width: int) -> Sample:
    """The window of this size in the middle."""
    whole_height, whole_width = sample.valid.shape
    return window(sample, (whole_height - height) // 2, (whole_width - width) // 2, height, width)


def window(sample: Sample, top: int, left: int, height: int, width: int) -> Sample:
    """A part of the sample."""
    part = (slice(top, top + height), slice(left, left + width))
    return change_fields(sample, lambda a: a[part], lambda a: a[part])


def rotate(sample: Sample, rng: Rng, degrees: float = 5.0) -> Sample:
    """Turned about the centre by an angle from -degrees to +degrees; numbers by nearest pixel, empty corners invalid.

    Turning a camera about its optical axis changes no depth. The corners of the picture get the mean colour, which
    becomes 0 when normalised, as the padding of a convolution is.
    """
    angle = rng.uniform(-degrees, degrees)
    mean_color = tuple(int(round(255 * float(mean))) for mean in RGB_MEAN)

    def turned(array: np.ndarray, resampling: Image.Resampling, fill: float | tuple[int, ...] = 0) -> np.ndarray:
        return np.asarray(Image.fromarray(array).rotate(angle, resampling, fillcolor=fill))

    def numbers(array: np.ndarray) -> np.ndarray:
        as_bytes = array.view(np.uint8) if array.dtype == bool else array
        return turned(as_bytes, Image.Resampling.NEAREST).view(array.dtype)

    return change_fields(
        sample,
        pictures=lambda image: turned(image, Image.Resampling.BILINEAR, mean_color),
        numbers=numbers,
        mask=lambda mask: np.clip(turned(mask, Image.Resampling.BILINEAR), 0, 1),
    )


class Limit(NamedTuple):
    """An argument of a step: its name, and the least and greatest value that it may have."""

    name: str
    least: float
    greatest: float


class Step(NamedTuple):
    """What a name in an augmentation text stands for."""

    change: Callable[..., Sample]
    form: str
    """How it is written, for the help."""
    limits: tuple[Limit, ...] = ()
    needs_value: bool = False


STEPS = {
    "flip": Step(flip, "flip"),
    "vflip": Step(vflip, "vflip"),
    "crop": Step(crop, "crop:SHARE", (Limit("share", 0.1, 1),), True),
    "zoom": Step(zoom, "zoom:LOW-HIGH", (Limit("low", 1, 10), Limit("high", 1, 10)), True),
    "rotate": Step(rotate, "rotate:DEGREES", (Limit("degrees", 0, 45),), True),
    "elastic": Step(elastic, "elastic:PIXELS", (Limit("strength", 0, 100),), True),
    "center": Step(center, "center:SHARE", (Limit("share", 0.1, 1),), True),
    "aspect": Step(aspect, "aspect:HEIGHT-WIDTH", (Limit("height", 1, 1e4), Limit("width", 1, 1e4)), True),
    "color": Step(color, "color[:STRENGTH]", (Limit("strength", 0, 1),)),
    "jitter": Step(colors.jitter, "jitter[:STRENGTH]", (Limit("strength", 0, 1),)),
    "brightness": Step(
        colors.brightness_contrast,
        "brightness[:BRIGHTNESS-CONTRAST]",
        (Limit("brightness", 0, 1), Limit("contrast", 0, 1)),
    ),
    "hsv": Step(
        colors.hsv,
        "hsv[:HUE-SATURATION-VALUE]",
        (Limit("hue", 0, 90), Limit("saturation", 0, 255), Limit("value", 0, 255)),
    ),
    "lighting": Step(colors.lighting, "lighting[:STRENGTH]", (Limit("strength", 0, 1),)),
    "permute": Step(colors.permute, "permute"),
}
FORMS = ", ".join(step.form for step in STEPS.values()) + ", or none"


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
    step = STEPS.get(name)
    values = value.split("-") if value else []
    if name == "zoom" and len(values) == 1:
        values = ["1", *values]  # zoom:1.4 is zoom:1-1.4
    wanted = (len(step.limits),) if step and step.needs_value else (0, len(step.limits)) if step else ()
    if step is None or len(values) not in wanted:
        raise InputError(f"augment {text!r}: cannot use {part!r}; known: {FORMS}, separated by commas")
    given = {limit.name: number(v, limit.least, limit.greatest, part) for limit, v in zip(step.limits, values)}
    if name == "zoom":
        number(values[1], given["low"], 10, part)
    return functools.partial(step.change, **given) if given else step.change


def number(text: str, low: float, high: float, part: str) -> float:
    """A number that must lie in a range."""
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"augment {part!r}: {text!r} is not a number; known: {FORMS}") from None
    if not low <= value <= high:
        raise InputError(f"augment {part!r}: {text} must be from {low:g} to {high:g}")
    return value

"""How a picture becomes numbers for a network: pictures of bytes in, float32 channels first out.

Each published network was trained with one of these forms, and its weights are worth little with another:

    imagenet   (v / 255 - mean) / std of each channel, mean and std those of ImageNet: torchvision's encoders
    unit       v / 255, from 0 to 1: FastDepth, DenseDepth
    bytes      v as it is, from 0 to 255: Keras examples, the pre-activation ResNet34
    minmax     (v - least) / (greatest - least) of the picture: the networks of source 002; a constant picture becomes 0
    modest     (v / 255 - mean) / std with the statistics of MODEST, which has others for backgrounds
"""

from __future__ import annotations

import difflib

import numpy as np

from minidepth.errors import InputError

RGB_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
RGB_STD = np.array([0.229, 0.224, 0.225], np.float32)
"""Mean and deviation of the ImageNet pictures on a scale of 0 to 1: what published encoders were trained with."""

MODEST_MEAN = np.array([0.41221, 0.47368, 0.53431], np.float32)
MODEST_STD = np.array([0.25699, 0.24577, 0.24217], np.float32)
MODEST_BACKGROUND_MEAN = np.array([0.40086, 0.46599, 0.53281], np.float32)
MODEST_BACKGROUND_STD = np.array([0.25451, 0.24249, 0.23615], np.float32)
"""The same of the 400,000 compositions and of the 100 backgrounds of MODEST, as its authors give them."""

FORMS = ("imagenet", "unit", "bytes", "minmax", "modest")


def network_input(image: np.ndarray, form: str = "imagenet", background: bool = False) -> np.ndarray:
    """The picture as networks take it, uint8 (H, W, 3) -> float32 (3, H, W).

    Args:
        image: red, green, blue.
        form: one of `FORMS`, see above.
        background: whether this is the background of a pair; only ``modest`` treats it in another way.

    Raises:
        InputError: an unknown form.
    """
    check_form(form)
    scale, offset = affine(image, form, background)
    channels_first = image.transpose(2, 0, 1).astype(np.float32)  # (H, W, 3) -> (3, H, W)
    channels_first *= scale[:, None, None]
    channels_first += offset[:, None, None]
    return np.ascontiguousarray(channels_first)


def affine(image: np.ndarray, form: str, background: bool) -> tuple[np.ndarray, np.ndarray]:
    """Factor and offset of each channel, float32 (3,): every form is v * factor + offset."""
    if form == "imagenet":
        return 1 / (255 * RGB_STD), -RGB_MEAN / RGB_STD
    if form == "modest":
        mean, std = (MODEST_BACKGROUND_MEAN, MODEST_BACKGROUND_STD) if background else (MODEST_MEAN, MODEST_STD)
        return 1 / (255 * std), -mean / std
    factor, offset = 1.0, 0.0
    if form == "unit":
        factor = 1 / 255
    if form == "minmax":
        least, greatest = int(image.min()), int(image.max())
        factor = 1 / max(1, greatest - least)
        offset = -least * factor
    return np.full(3, factor, np.float32), np.full(3, offset, np.float32)


def check_form(form: str) -> None:
    """Refuse a form that is not known.

    Raises:
        InputError: the text lists the forms, and the nearest one.
    """
    if form not in FORMS:
        near = difflib.get_close_matches(form, FORMS, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InputError(f"input {form!r}: unknown; use {', '.join(FORMS[:-1])} or {FORMS[-1]}{hint}")

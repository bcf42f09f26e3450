"""The check that a network makes of its input before it computes anything."""

from __future__ import annotations

from minidepth.engine import Tensor
from minidepth.errors import InputError


def check_picture(
    network: str, x: Tensor, channels: int, multiple: int = 1, name: str = "input", at_least: int = 1
) -> None:
    """Raise InputError unless `x` is (N, channels, H, W) with H and W multiples of `multiple`, and not too small.

    Args:
        network: who asks, for the text of the error.
        x: the picture.
        channels, multiple, at_least: what the network can take.
        name: what `x` is to the network, where it has several inputs.
    """
    if x.ndim != 4 or x.shape[1] != channels:
        raise InputError(f"{network}: the {name} has shape {x.shape}; it must be (N, {channels}, H, W)")
    height, width = x.shape[2:]
    if height % multiple or width % multiple or not height * width:
        fits = [max(1, round(side / multiple)) * multiple for side in (height, width)]
        wanted = f"multiples of {multiple}, such as {fits[0]}x{fits[1]}" if multiple > 1 else "at least 1"
        raise InputError(
            f"{network}: a picture of {height}x{width} (height x width) does not fit; both must be {wanted}"
        )
    if min(height, width) < at_least:
        raise InputError(
            f"{network}: a picture of {height}x{width} (height x width) is too small; both must be at least {at_least}"
        )


def check_pair(network: str, background: Tensor, image: Tensor, channels: int, multiple: int = 1) -> None:
    """`check_picture` for the two inputs of a network that compares a picture with its empty background."""
    check_picture(network, background, channels, multiple, "background")
    check_picture(network, image, channels, multiple, "image")
    if background.shape != image.shape:
        raise InputError(
            f"{network}: the background has shape {background.shape}, but the image has {image.shape}; "
            f"they must be of one size"
        )


def check_at_least_one(network: str, **numbers: int) -> None:
    """Raise InputError for an option, such as a width, that is below 1."""
    for name, number in numbers.items():
        if number < 1:
            raise InputError(f"{network}: {name} is {number}; it must be at least 1")


def check_choice(network: str, name: str, choice: object, known: tuple[object, ...]) -> None:
    """Raise InputError for an option that is none of those there are."""
    if choice not in known:
        raise InputError(f"{network}: {name} is {choice!r}; use {' or '.join(repr(each) for each in known)}")

"""Networks by name: ``build("unet", base_channels=16)``; ``minidepth models`` lists them."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from minidepth.errors import InputError
from minidepth.models.unet import UNet as UNet
from minidepth.nn import Module


class Entry(NamedTuple):
    """A network that `build` knows."""

    make: Callable[..., Module]
    """The class, or a function that makes one; its keyword arguments are the options, with the published values."""
    size: tuple[int, int]
    """Height and width in pixels at which it was published, and at which its multiply-adds are counted."""
    source: str
    """Who made it, and when."""
    purpose: str
    """What it is for, in half a line."""


MODELS: dict[str, Entry] = {
    "unet": Entry(UNet, (240, 320), "Ronneberger, Fischer and Brox 2015", "any map from a picture: the network to learn"),
}


def build(name: str, **options: Any) -> Module:
    """Make the network called `name`; the options are the arguments of its class.

    Raises:
        InputError: no network has that name, or it has no such option; the text lists those there are.
    """
    if name not in MODELS:
        near = difflib.get_close_matches(name.lower(), MODELS, n=1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise InputError(f"model {name!r} is unknown{hint}; there is: {', '.join(MODELS)}")
    known = inspect.signature(MODELS[name].make).parameters
    unknown = [option for option in options if option not in known]
    if unknown:
        raise InputError(f"model {name} has no option {', '.join(unknown)}; it has: {', '.join(known)}")
    return MODELS[name].make(**options)

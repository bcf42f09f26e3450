"""Networks by name: ``build("unet", base_channels=16)``."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from minidepth.errors import InputError
from minidepth.models.unet import UNet as UNet
from minidepth.nn import Module

MODELS: dict[str, Callable[..., Module]] = {"unet": UNet}


def build(name: str, **options: Any) -> Module:
    """Make the network called `name`; the options are the arguments of its class.

    Raises:
        InputError: no network has that name, or it has no such option; the text lists those there are.
    """
    if name not in MODELS:
        raise InputError(f"model {name!r} is unknown; there is: {', '.join(MODELS)}")
    known = inspect.signature(MODELS[name]).parameters
    unknown = [option for option in options if option not in known]
    if unknown:
        raise InputError(f"model {name} has no option {', '.join(unknown)}; it has: {', '.join(known)}")
    return MODELS[name](**options)

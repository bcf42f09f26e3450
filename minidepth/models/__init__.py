"""Networks by name: ``build("unet", base_channels=16)``; ``minidepth models`` lists them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from minidepth import named_options
from minidepth.errors import InputError
from minidepth.models.custom_unet import CustomUNet as CustomUNet
from minidepth.models.depthmasknet8 import DepthMaskNet8 as DepthMaskNet8
from minidepth.models.keras_depth_unet import KerasDepthUNet as KerasDepthUNet
from minidepth.models.masknet3 import MaskNet3 as MaskNet3
from minidepth.models.pets_unet import PetsUNet as PetsUNet
from minidepth.models.scratch_unet import ScratchUNet as ScratchUNet
from minidepth.models.unet import UNet as UNet
from minidepth.models.xception_unet import XceptionUNet as XceptionUNet
from minidepth.nn import Module


class Variant(NamedTuple):
    """Another published form of a network."""

    options: str
    """As typed behind the colon of ``"scratch_unet:up=bilinear"``."""
    purpose: str
    system: str = ""


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
    system: str = ""
    """The number of the reference system that it is, such as ``"003-A"``."""
    variants: tuple[Variant, ...] = ()
    """Other published forms, each worth a line of its own."""


MODELS: dict[str, Entry] = {
    "unet": Entry(
        UNet, (240, 320), "Ronneberger, Fischer and Brox 2015", "any map from a picture: the network to learn"
    ),
    "pets_unet": Entry(
        PetsUNet,
        (160, 160),
        "a U-Net for the Oxford pets, after Ronneberger 2015",
        "labels: pet, background, border",
        "000-A",
        (Variant("up=transposed", "the same with the paper's way up", "000-A"),),
    ),
    "xception_unet": Entry(
        XceptionUNet, (160, 160), "Chollet 2019, keras.io", "labels, with separable convolutions", "000-A'"
    ),
    "keras_depth_unet": Entry(KerasDepthUNet, (256, 256), "Basu 2021, keras.io", "depth, small and residual", "000-B"),
    "custom_unet": Entry(
        CustomUNet, (240, 320), "siddinc and kyovchev 2020", "depth, leaky ReLU before batch-norm", "002-B"
    ),
    "scratch_unet": Entry(
        ScratchUNet,
        (480, 640),
        "PSIML 2019, milesial 2017",
        "depth, the paper's plan with batch-norm",
        "003-A",
        (
            Variant("up=bilinear-1x1", "no stripes: enlargement, 1x1 convolution", "003-D"),
            Variant("up=bilinear-3x3", "no stripes: enlargement, 3x3 convolution", "003-D"),
            Variant("up=bilinear,any_size", "no stripes, no convolution on the way up; any size", "003-D"),
        ),
    ),
    "masknet3": Entry(MaskNet3, (224, 224), "MODEST project 2020", "what is in front of the background", "004-A"),
    "depthmasknet8": Entry(DepthMaskNet8, (224, 224), "MODEST project 2020", "foreground and depth at once", "004-B"),
}


def build(text: str, **given: Any) -> Module:
    """Make the network called `text`, which may hold options, as in ``"unet:depth=3,up=nearest"``.

    Args:
        text: a name of `MODELS`, with options where wanted.
        given: more arguments of its class.

    Raises:
        InputError: no network has that name, or it has no such option; the text lists those there are.
    """
    name, typed = named_options.parse("model", text, {name: kinds(entry) for name, entry in MODELS.items()})
    known = options(name)
    unknown = [option for option in given if option not in known]
    if unknown:
        raise InputError(f"model {name} has no option {', '.join(unknown)}; it has: {', '.join(known)}")
    twice = [option for option in given if option in typed]
    if twice:
        raise InputError(f"model {text!r}: {', '.join(twice)} is given twice")
    return MODELS[name].make(**given, **typed)


def options(text: str) -> list[str]:
    """The names of all options of the network called `text`; none if there is no such network."""
    entry = MODELS.get(text.partition(":")[0])
    return list(inspect.signature(entry.make).parameters) if entry else []


def kinds(entry: Entry) -> dict[str, type]:
    """The options of a network that can be typed, and of which kind each is."""
    defaults = {name: parameter.default for name, parameter in inspect.signature(entry.make).parameters.items()}
    simple = {name: type(value) for name, value in defaults.items() if type(value) in (bool, int, float, str)}
    return {**simple, **({"norm": str} if "norm" in defaults else {})}

"""Networks by name: ``build("unet", base_channels=16)``; ``minidepth models`` lists them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

from minidepth import named_options
from minidepth.errors import InputError
from minidepth.models.custom_unet import CustomUNet as CustomUNet
from minidepth.models.densedepth import DenseDepth as DenseDepth
from minidepth.models.depthmasknet8 import DepthMaskNet8 as DepthMaskNet8
from minidepth.models.fcrn import FCRN as FCRN
from minidepth.models.keras_depth_unet import KerasDepthUNet as KerasDepthUNet
from minidepth.models.masknet3 import MaskNet3 as MaskNet3
from minidepth.models.mobilenet import MobileNet as MobileNet
from minidepth.models.mobilenet import mobilenet_pruned as mobilenet_pruned
from minidepth.models.multi_scale import MultiScale as MultiScale
from minidepth.models.pets_unet import PetsUNet as PetsUNet
from minidepth.models.resnet34_unet import ResNet34UNet as ResNet34UNet
from minidepth.models.resnet34_unet import resnet34_unet as resnet34_unet
from minidepth.models.resnet34_unet_preact import resnet34_unet_preact as resnet34_unet_preact
from minidepth.models.resnet50_unet import ResNet50UNet as ResNet50UNet
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
    size: tuple[int, int] | None = None
    """Height and width at which it was published, where those differ from the network's."""


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
        UNet,
        (240, 320),
        "Ronneberger, Fischer and Brox 2015",
        "any map from a picture: the network to learn",
        variants=(
            Variant("padding=valid,in_channels=1,out_channels=2", "cells, as in the paper", "P0", (572, 572)),
            Variant(
                "norm=batch,up=bilinear,activation=leaky_relu,base_channels=8", "rooms in a few minutes: the default"
            ),
        ),
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
            Variant("up=bilinear,any_size", "no stripes, no convolution on the way up; any size", "003-D, R5"),
            Variant("any_size,out_channels=2", "foreground and background of a picture of any size", "R5"),
        ),
    ),
    "resnet34_unet_preact": Entry(
        resnet34_unet_preact,
        (128, 128),
        "Yakubovskiy 2018, kyovchev 2020",
        "depth, on Keras' pretrained ResNet-34",
        "002-A",
    ),
    "resnet34_unet": Entry(
        resnet34_unet, (128, 128), "Yakubovskiy 2018", "depth, on torchvision's pretrained ResNet-34"
    ),
    "resnet50_unet": Entry(
        ResNet50UNet,
        (480, 640),
        "PSIML 2019, kevinlu1211 2018",
        "depth, on torchvision's pretrained ResNet-50",
        "003-C",
        (Variant("up=bilinear", "no stripes: 1x1 convolution, enlargement", "003-D"),),
    ),
    "densedepth": Entry(
        DenseDepth,
        (480, 640),
        "Alhashim and Wonka 2018",
        "depth at half size, on a pretrained DenseNet-169",
        "R1",
        (Variant("half_features", "half as wide on the way up, as the released code", "R1"),),
    ),
    "fcrn": Entry(FCRN, (228, 304), "Laina et al. 2016", "depth at half size, no skip connections", "R2"),
    "multi_scale": Entry(MultiScale, (228, 304), "Hu et al. 2018", "depth at half size, all scales fused", "R3"),
    "mobilenet": Entry(
        MobileNet,
        (224, 224),
        "Howard et al. 2017, Wofk et al. 2019",
        "depth in real time",
        "001-A",
        (
            Variant("skip=concat", "skip connections as more channels", "001-B..E"),
            Variant("decoder=nnconv5", "plain 5x5 convolutions on the way up", "001-B..E"),
            Variant("decoder=blconv5dw", "bilinear enlargement", "001-B..E"),
            Variant("decoder=deconv5dw", "transposed convolutions", "001-B..E"),
            Variant("decoder=shuffle5dw,skip=none", "pixel shuffle", "001-B..E"),
            Variant("decoder=upconv", "zeros between the pixels", "001-B..E"),
            Variant("decoder=upproj", "up-projections", "001-B..E"),
        ),
    ),
    "mobilenet_pruned": Entry(
        mobilenet_pruned, (224, 224), "Wofk et al. 2019", "depth in real time, half of the work", "001-B..E"
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

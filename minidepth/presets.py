"""The published systems as settings of a training run: ``minidepth train --preset 003-b --data nyu_csv``.

Numbers 000 to 004 are five projects that reproduced, and p0, r1, r2 and r3 are the papers they built on. A preset sets
network, loss, optimiser, schedule, augmentation and preprocessing as published; any option typed beside it wins. Where
the source contradicts itself, or cannot be followed to the letter, the preset's note says what was chosen.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from minidepth.errors import InputError
from minidepth.losses.table import PUBLISHED
from minidepth.named_options import closest


class Preset(NamedTuple):
    """The settings of one system."""

    title: str
    data: str
    """What it was trained on, and what stands in for that: the word for ``minidepth data make``."""
    settings: dict[str, Any]
    """Fields of `TrainConfig`."""
    note: str = ""
    """What was decided, or cannot be as published."""


PETS = {"task": "labels", "input_form": "bytes", "augment": "none", "schedule": "constant", "val_split": 0.135}
P0 = Preset(
    "U-Net of Ronneberger, Fischer and Brox 2015",
    "pets",
    {
        "task": "labels", "model": "unet:padding=mirror", "base_channels": 64, "norm": "none", "activation": "relu",
        "up": "transposed", "init": "he", "size": (388, 388), "loss": PUBLISHED["p0"], "optimizer": "sgd:momentum=0.99",
        "lr": 1e-3, "schedule": "constant", "batch": 1, "epochs": 10, "augment": "flip,vflip,rotate:45,elastic:10",
        "input_form": "unit",
    },
    "cell pictures are not at hand, so it labels pets; learning rate and epochs are not in the paper",
)  # fmt: skip
PETS_UNET = Preset(
    "scratch U-Net on pets",
    "pets",
    {
        **PETS, "model": "pets_unet", "size": (160, 160), "batch": 32, "epochs": 100, "loss": PUBLISHED["000-a"],
        "optimizer": "adam:keras", "lr": 1e-3,
    },
    "padding, size and width are not stated: same padding, 160x160, 64 channels",
)  # fmt: skip
XCEPTION = PETS_UNET._replace(
    title="the tutorial's Xception-like network on pets",
    settings={**PETS_UNET.settings, "model": "xception_unet", "optimizer": "rmsprop:keras", "epochs": 15},
    note="pictures go in as bytes from 0 to 255, as in the tutorial",
)
KERAS_DEPTH = Preset(
    "depth network of the Keras examples, retrained on NYU",
    "diode",
    {
        "model": "keras_depth_unet", "size": (256, 256), "scale": "unit", "loss": PUBLISHED["000-b"], "batch": 32,
        "epochs": 30, "optimizer": "adam:keras", "lr": 2e-4, "schedule": "constant", "augment": "none",
        "input_form": "unit", "val_split": 0.2,
    },
    "taught depth / largest depth: the example's log depth goes to 5.7, which its tanh cannot say",
)  # fmt: skip
MOBILENET = Preset(
    "MobileNet with a nearest-neighbour decoder and added skips (FastDepth)",
    "rooms",
    {
        "model": "mobilenet", "size": (224, 224), "loss": PUBLISHED["001"], "batch": 32, "epochs": 70,
        "optimizer": "sgd", "weight_decay": 1e-4, "lr": 1e-2, "schedule": "step:every=5", "input_form": "unit",
        "augment": "rotate:5,zoom:1-1.5,aspect:228-304,flip,jitter:0.4",
    },
    "reads encoder weights of FastDepth with --weights; the source names L1 and L2, and batches from 32 to 256",
)  # fmt: skip
RESNET34 = Preset(
    "U-Net on a pre-activation ResNet34",
    "rooms",
    {
        "model": "resnet34_unet_preact", "size": (128, 128), "scale": "unit", "loss": PUBLISHED["002-a"], "batch": 16,
        "epochs": 10, "optimizer": "adam:amsgrad,keras", "lr": 1e-4, "schedule": "constant", "augment": "flip",
        "input_form": "minmax", "val_split": 0.2,
    },
    "taught depth / 10 m; the source stretched every depth map to 0..1 by itself, which loses the metres",
)  # fmt: skip
CUSTOM = RESNET34._replace(
    title="custom U-Net with leaky ReLU before batch-norm",
    settings={
        **RESNET34.settings, "model": "custom_unet", "size": (240, 320), "loss": PUBLISHED["002-b"], "batch": 4,
        "schedule": "linear:epochs",
    },
)  # fmt: skip
SCRATCH = Preset(
    "scratch U-Net, squared error alone",
    "rooms",
    {
        "model": "scratch_unet", "size": (480, 640), "scale": "unit", "loss": PUBLISHED["003-a"], "batch": 2,
        "epochs": 10, "optimizer": "adam", "lr": 1e-4, "schedule": "constant", "augment": "flip,vflip",
        "val_split": 0.2,
    },
    "validation pictures are normalised as well, which the source forgot",
)  # fmt: skip
THREE_LOSSES = SCRATCH._replace(
    title="scratch U-Net, squared error, gradients and normals",
    settings={**SCRATCH.settings, "loss": PUBLISHED["003-b"], "epochs": 11},
    note="the source trained 10 epochs as 003-a, then 1 so: --preset 003-b --epochs 1 --weights RUN/best.safetensors",
)
MODEST = {
    "task": "mask", "model": "masknet3", "size": (224, 224), "loss": "bce", "scale": "unit", "optimizer": "sgd",
    "weight_decay": 1e-8, "lr": 0.1, "schedule": "plateau:factor=0.1,patience=2", "batch": 32, "epochs": 12,
    "augment": "hsv:20-30-20,brightness:0.2-0.2", "input_form": "modest", "val_split": 0.3,
}  # fmt: skip
DEPTH_MASK = Preset(
    "mask and depth from a picture and its background",
    "modest",
    {**MODEST, "task": "mask+depth", "model": "depthmasknet8", "loss": PUBLISHED["004"]},
    "batch 128 and lr 0.01 in one of its notebooks; that one also grew the pictures: --sizes 64x64:3,128x128:3",
)
DENSEDEPTH = Preset(
    "DenseDepth on DenseNet-169",
    "rooms",
    {
        "model": "densedepth", "size": (480, 640), "scale": "inverse", "loss": PUBLISHED["densedepth"], "batch": 8,
        "epochs": 20, "optimizer": "adam:amsgrad", "lr": 1e-4, "schedule": "constant", "augment": "flip,permute",
        "input_form": "unit",
    },
    "answers at half the size; reads torchvision's densenet169 with --weights, best with --input-form imagenet",
)  # fmt: skip
FCRN = Preset(
    "FCRN of Laina et al. on ResNet50",
    "rooms",
    {
        "model": "fcrn", "size": (228, 304), "loss": PUBLISHED["fcrn"], "batch": 16, "epochs": 20, "optimizer": "sgd",
        "lr": 1e-2, "schedule": "step:every=6,factor=0.5", "augment": "rotate:5,zoom:1-1.5,flip,jitter:0.4",
    },
    "the rate is halved every 6 to 8 epochs; reads torchvision's resnet50 with --weights",
)  # fmt: skip
HU = Preset(
    "multi-scale network of Hu et al. on ResNet50, three losses",
    "rooms",
    {
        "model": "multi_scale", "size": (228, 304), "loss": PUBLISHED["hu"], "batch": 8, "epochs": 20,
        "optimizer": "adam", "weight_decay": 1e-4, "lr": 1e-4, "schedule": "step:every=5",
        "augment": "flip,rotate:5,aspect:228-304,lighting:0.1,jitter:0.4",
    },
    "its loss is below 0 at best: ln 0.5 for each of three terms; reads torchvision's resnet50 with --weights",
)  # fmt: skip


def changed(preset: Preset, title: str, **settings: Any) -> Preset:
    """A preset with another title and some other settings; its note stays."""
    return preset._replace(title=title, settings={**preset.settings, **settings})


COMBINATIONS = [name for name in PUBLISHED if name.startswith("004 ")]
PRESETS: dict[str, Preset] = {
    "p0": P0,
    "000-a": PETS_UNET,
    "000-a-tutorial": XCEPTION,
    "000-b": KERAS_DEPTH,
    "001-a": MOBILENET,
    "001-a-l2": changed(MOBILENET, "the same with squared error", loss="mse"),
    "001-b": changed(MOBILENET, "plain 5x5 convolutions on the way up", model="mobilenet:decoder=nnconv5"),
    "001-c": changed(MOBILENET, "bilinear way up", model="mobilenet:decoder=blconv5dw"),
    "001-d": changed(MOBILENET, "transposed convolutions on the way up", model="mobilenet:decoder=deconv5dw"),
    "001-e": changed(MOBILENET, "pixel shuffle, no skips", model="mobilenet:decoder=shuffle5dw,skip=none"),
    "001-upproj": changed(MOBILENET, "up-projections", model="mobilenet:decoder=upproj"),
    "001-concat": changed(MOBILENET, "skips as more channels", model="mobilenet:skip=concat"),
    "001-pruned": changed(MOBILENET, "pruned by NetAdapt", model="mobilenet_pruned"),
    "002-a": RESNET34,
    "002-a-torch": changed(RESNET34, "U-Net on torchvision's ResNet34", model="resnet34_unet", input_form="imagenet"),
    "002-b": CUSTOM,
    "003-a": SCRATCH,
    "003-b": THREE_LOSSES,
    "003-c": changed(
        SCRATCH, "U-Net on ResNet50, three losses", model="resnet50_unet", batch=4, loss=PUBLISHED["003-b"]
    ),
    "003-d": changed(
        THREE_LOSSES, "scratch U-Net with bilinear enlargement", model="scratch_unet:up=bilinear-1x1", epochs=10
    ),
    "003-e": changed(THREE_LOSSES, "BerHu in place of the squared error", loss=PUBLISHED["003-e"], epochs=10),
    "004-a": Preset("MaskNet3: what is in front of a background", "modest", MODEST),
    "004-b": DEPTH_MASK,
    **{
        f"004-c{number}": changed(DEPTH_MASK, f"the same with {name[4:]}", loss=PUBLISHED[name])
        for number, name in enumerate(COMBINATIONS, 1)
    },
    "004-d": changed(
        DEPTH_MASK, "four times the parameters", model="depthmasknet8:base_channels=32", loss=PUBLISHED["004 bce ssim"]
    )._replace(note="the experiment is described by its size and losses alone; here it is 004-b, twice as wide"),
    "r1": DENSEDEPTH,
    "r1-half": changed(DENSEDEPTH, "DenseDepth, half as wide on the way up", model="densedepth:half_features"),
    "r2": FCRN,
    "r3": HU,
}  # fmt: skip


def settings_of(name: str) -> dict[str, Any]:
    """The settings of the preset called `name`.

    Raises:
        InputError: there is no such preset; the text lists the near names.
    """
    if name not in PRESETS:
        raise InputError(f"--preset {name} is unknown{closest(name, PRESETS)}; see them with: minidepth presets")
    return PRESETS[name].settings


def listing() -> str:
    """All presets as a table, each with its note below."""
    lines = []
    for name, preset in PRESETS.items():
        s = preset.settings
        height, width = s["size"]
        lines += [
            f"{name:15} {preset.title}",
            f"{'':15} {s['model']}, {height}x{width}, {s.get('scale', s['task'] if 'task' in s else 'metres')}, "
            f"data like {preset.data}",
            f"{'':15} loss {s['loss']}",
            f"{'':15} {s['optimizer']} lr {s['lr']:g} {s['schedule']}, batch {s['batch']}, {s['epochs']} epochs, "
            f"augment {s['augment']}",
        ]
        if preset.note:
            lines.append(f"{'':15} note: {preset.note}")
    return "\n".join(lines)

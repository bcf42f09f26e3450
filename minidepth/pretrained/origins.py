"""Who published a file of weights, told from the names in it, and what those names are called here.

Our encoders keep the published names, so that mostly there is nothing to do but to put ``encoder.`` in front:

    torchvision's ResNets      conv1.weight, layer1.0.bn1.weight, ...                      the same
    torchvision's DenseNets    features.denseblock1.denselayer1.norm1.weight, ...          the same; old files: norm.1
    FastDepth's MobileNet      model.3.1.weight, often with module. in front of all        3.1.weight
    Keras' ResNet-34           stage1_unit1_bn1.weight, ... (see keras_h5.py)              the same
    Keras' MobileNet           conv_dw_3.weight, conv_dw_3_bn.weight, conv_pw_3.weight     3.0.weight, 3.1., 3.3.

Left aside are classifiers, which a network for depth has no place for, and num_batches_tracked, a counter of training
steps that nothing here computes with. Every other name must fit.
Sources: the names as their authors' code makes them: torchvision (models/resnet.py, models/densenet.py),
dwofk/fast-depth (models.py), qubvel/classification_models and keras.applications.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

COUNTER = "num_batches_tracked"


class Origin(NamedTuple):
    """One publisher's way to name the weights of an encoder."""

    title: str
    mark: str
    """A name that only these files have."""
    rename: Callable[[str], str]
    """The name in the file -> the name in our encoder."""
    aside: tuple[str, ...]
    """How the names of its classifier begin."""
    input: str
    """The form of pictures that it was trained with; one of `minidepth.data.input_form.FORMS`, or "" for another."""
    note: str
    """What whoever uses it should know, one line."""


def _same(name: str) -> str:
    return name


def _densenet(name: str) -> str:
    """Layers were called norm.1 and conv.2 before names with dots in them were forbidden."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", name)


def _fastdepth(name: str) -> str:
    return name.removeprefix("model.")


def _keras_mobilenet(name: str) -> str:
    """``conv_pw_3_bn.bias`` -> ``3.4.bias``: convolution and batch-norm of both halves are 0, 1 and 3, 4 of a layer."""
    match = re.fullmatch(r"conv(_dw_|_pw_)?(\d+)(_bn)?\.(\w+)", name)
    if match is None or (match[1] is None and match[2] != "1"):
        return name
    half, layer, norm, last = match.groups()
    index = (3 if half == "_pw_" else 0) + (norm is not None)
    return f"{layer if half else 0}.{index}.{last}"


IMAGENET = (
    "trained on red, green, blue, (v / 255 - mean) / std with the mean and std of ImageNet: the input form imagenet"
)

ORIGINS = (
    Origin("torchvision's ResNet", "layer1.0.conv1.weight", _same, ("fc.",), "imagenet", IMAGENET),
    Origin("torchvision's DenseNet", "features.conv0.weight", _densenet, ("classifier.",), "imagenet", IMAGENET),
    Origin(
        "FastDepth's MobileNet",
        "model.0.0.weight",
        _fastdepth,
        ("fc.",),
        "unit",
        "FastDepth goes on from these with pictures of v / 255, from 0 to 1: the input form unit",
    ),
    Origin(
        "Keras' ResNet-34",
        "stage1_unit1_conv1.weight",
        _same,
        ("fc",),
        "bytes",
        "trained on red, green, blue from 0 to 255, unscaled (the input form bytes): other scales, or BGR as in the "
        "source of 002, fit only after bn_data has adapted in training",
    ),
    Origin(
        "Keras' MobileNet",
        "conv_dw_1.weight",
        _keras_mobilenet,
        ("conv_preds.",),
        "",
        "trained on v / 127.5 - 1, with batch-norm's eps of 1e-3 (here 1e-5), and with layers of stride 2 padded on "
        "the right and below only (here on all sides, so its maps shift by a pixel): train on before you trust it",
    ),
)


def origin_of(names: set[str]) -> Origin | None:
    """Who published a file with these names (without ``module.`` in front); None where nobody known did."""
    return next((origin for origin in ORIGINS if origin.mark in names), None)


def without_module(names: list[str]) -> dict[str, str]:
    """Name in the file -> the same without the ``module.`` that torch's DataParallel puts in front of all."""
    wrapped = all(name.startswith("module.") for name in names)
    return {name: name.removeprefix("module.") if wrapped else name for name in names}


def is_aside(name: str, origin: Origin) -> bool:
    """Whether `name` belongs to the classifier or is a counter."""
    return name.startswith(origin.aside) or name.endswith(COUNTER)

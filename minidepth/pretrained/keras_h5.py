"""Weights that Keras has saved as HDF5. There are two forms; the names become ``<layer>.weight`` and so on.

The first, of Keras 1 and 2, and of Keras 3 for whole models in files .h5, lists its arrays in attributes:

    layer_names                   of the root (or of the group model_weights, in a file of a whole model)
    <layer>/weight_names          of a layer's group: the paths of its arrays, in the order of loading
    <layer>/<layer>/kernel:0      an array

The second, of Keras 3 for files .weights.h5 and inside .keras archives, numbers them:

    layers/conv2d_3/vars          attribute name: what the author called the fourth Conv2D
    layers/conv2d_3/vars/0        an array, in the order in which layers of this class make theirs

Source: keras.saving (legacy_h5_format and saving_lib).
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from minidepth.pretrained import hdf5
from minidepth.pretrained.keras_layout import VARIABLES, our_name, turned
from minidepth.pretrained.refused import RefusedError, shown
from minidepth.pretrained.tensors import MOST_NUMBERS


def read(file: str | os.PathLike[str] | io.BytesIO) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The weights by name, in our layouts, and the names of what was left aside.

    Raises:
        RefusedError: damaged, hostile, or no file of weights.
        OSError: the disk.
    """
    import h5py

    hdf5.check_heaps(file)
    try:
        with h5py.File(file, "r") as root:
            return _read(root)
    except RefusedError:
        raise
    except Exception as error:  # h5py has no error of its own: a damaged file raises nearly anything
        raise RefusedError(f"the HDF5 file is damaged ({shown(str(error))}); get it again") from None


def _read(root: Any) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The weights of an open file."""
    group, name = (hdf5.child(root, "model_weights"), "model_weights") if "model_weights" in root else (root, "")
    if "layer_names" in group.attrs or "layer_names0" in group.attrs:
        arrays = _listed(root, group)
    elif "layers" in root:
        arrays, name = _numbered(root, set()), "layers"
    else:
        there = ", ".join(shown(name, 30) for name in list(root)[:6]) or "nothing"
        raise RefusedError(f"an HDF5 file, but none of Keras weights: it has no layer_names (it has: {there})")
    weights: dict[str, np.ndarray] = {}
    n_numbers = 0
    for ours, array in arrays:
        n_numbers += array.size
        if n_numbers > MOST_NUMBERS or len(weights) > hdf5.MOST_NAMES:
            raise RefusedError(f"it has more than {MOST_NUMBERS} numbers in all, or {hdf5.MOST_NAMES} arrays")
        if ours in weights:
            raise RefusedError(f"it has two arrays {shown(ours)!r}")
        weights[ours] = array
        array.flags.writeable = False
    if not weights:
        raise RefusedError("a Keras file without weights")
    return weights, tuple(other for other in root if name and other not in (name, "vars"))


def _listed(root: Any, group: Any) -> Iterator[tuple[str, np.ndarray]]:
    """(our name, array in our layout) of the form with lists of names."""
    depthwise = _depthwise_layers(root.attrs.get("model_config"))
    for layer in hdf5.names(group, "layer_names"):
        layer_group = hdf5.child(group, layer)
        for path in hdf5.names(layer_group, "weight_names"):
            *folders, variable = path.split(":")[0].split("/")  # conv0/kernel:0; in a nested model inner/conv0/kernel:0
            owner = folders[-1] if folders else layer
            variable = variable.removeprefix(f"{owner}_")  # Keras 1 wrote conv0_kernel
            array = turned(variable, hdf5.array(layer_group, path), owner in depthwise)
            yield our_name(owner, variable), array


def _depthwise_layers(model_config: Any) -> set[str]:
    """Names of the depthwise convolutions, whose kernels Keras 3 no longer calls so."""
    found: set[str] = set()
    waiting = [json.loads(model_config)] if isinstance(model_config, (str, bytes)) else []
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            config = value.get("config")
            if value.get("class_name") == "DepthwiseConv2D" and isinstance(config, dict):
                found.add(str(config.get("name")))
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)
    return found


def _numbered(group: Any, seen: set[int]) -> Iterator[tuple[str, np.ndarray]]:
    """(our name, array in our layout) of the form with numbers, in this group and in those below it."""
    import h5py

    for key in group:
        if key == "optimizer" or not isinstance(group.get(key, getlink=True), h5py.HardLink):
            continue
        below = group[key]
        address = h5py.h5o.get_info(below.id).addr
        if not isinstance(below, h5py.Group) or address in seen:  # a group may contain itself
            continue
        seen.add(address)
        if "vars" in below and len(hdf5.child(below, "vars")):
            yield from _layer(re.sub(r"_\d+$", "", key), hdf5.child(below, "vars"))
        if key != "vars":
            yield from _numbered(below, seen)


def _layer(kind: str, group: Any) -> Iterator[tuple[str, np.ndarray]]:
    """(our name, array in our layout) of one layer of the class `kind`, from its group of numbered arrays."""
    layer = group.attrs.get("name")
    if not isinstance(layer, str):
        raise RefusedError(
            "a file of an early Keras 3, which does not tell the names of its layers; load it in Keras and save the "
            "whole model again with model.save('weights.h5')"
        )
    variables = VARIABLES.get((kind, len(group))) or [str(number) for number in range(len(group))]
    for number, variable in enumerate(variables):
        yield our_name(layer, variable), turned(variable, hdf5.array(group, str(number)), kind == "depthwise_conv2d")

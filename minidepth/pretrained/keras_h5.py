"""Weights that Keras has saved as HDF5, with the layouts turned to those of this package.

    layer_names                   attribute of the root (or of the group model_weights, in a file of a whole model)
    <layer>/weight_names          attribute of a layer's group: the paths of its arrays, in the order of loading
    <layer>/<layer>/kernel:0      an array

A list of names that is too long for one attribute is cut into ``layer_names0``, ``layer_names1``, ... The names become
``<layer>.weight`` and so on, as this package has them:

    kernel            (kh, kw, in, out)    weight  (out, in, kh, kw)
                      (kh, kw, out, in)            (in, out, kh, kw)      of Conv2DTranspose: nothing is flipped
    kernel of Dense   (in, out)            weight  (out, in)
    depthwise_kernel  (kh, kw, C, m)       weight  (C m, 1, kh, kw)
    gamma, beta                            weight, bias
    moving_mean, moving_variance           running_mean, running_var

Only arrays that lie in the file itself are read.
Source: keras.saving's legacy HDF5 form; the same in Keras 1.0 to 2.15 and in Keras 3 for names that end in .h5.
"""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np

from minidepth.pretrained.refused import RefusedError, shown
from minidepth.pretrained.tensors import MOST_NUMBERS

NAMES = {
    "kernel": "weight",
    "depthwise_kernel": "weight",
    "pointwise_kernel": "pointwise_weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
MOST_NAMES = 100_000
LEAST_COMPRESSED = 1 / 100
"""A file that claims to hold more than a hundred times its own size is a trap."""


def read(file: str | os.PathLike[str] | io.BytesIO) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The weights by name, in our layouts, and the names of what was left aside.

    Raises:
        RefusedError: damaged, or no file of weights.
    """
    import h5py

    try:
        with h5py.File(file, "r") as root:
            return _read(root)
    except RefusedError:
        raise
    except Exception as error:  # h5py has no error of its own: a damaged file raises nearly anything
        raise RefusedError(f"the HDF5 file is damaged ({shown(str(error))}); get it again") from None


def _read(root: Any) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The weights of an open file."""
    group = _child(root, "model_weights") if "model_weights" in root else root
    if "layer_names" not in group.attrs and "layer_names0" not in group.attrs:
        names = ", ".join(shown(name, 30) for name in list(root)[:6]) or "nothing"
        raise RefusedError(f"an HDF5 file, but not of Keras weights: it has no layer_names (it has: {names})")
    weights: dict[str, np.ndarray] = {}
    n_numbers = 0
    for layer in _names(group, "layer_names"):
        layer_group = _child(group, layer)
        for path in _names(layer_group, "weight_names"):
            array = _array(layer_group, path)
            n_numbers += array.size
            if n_numbers > MOST_NUMBERS:
                raise RefusedError(f"its arrays have more than {MOST_NUMBERS} numbers in all")
            name = name_of(path, layer)
            if name in weights:
                raise RefusedError(f"it has two arrays {shown(name)!r}")
            weights[name] = turned(path, array)
    if not weights:
        raise RefusedError("a Keras file without weights")
    return weights, tuple(name for name in root if group is not root and name != "model_weights")


def name_of(path: str, layer: str) -> str:
    """Our name of an array: ``conv0/conv0/kernel:0`` is ``conv0.weight``; the layer before the last ``/`` counts."""
    *folders, last = path.split(":")[0].split("/")
    last = last.removeprefix(f"{layer}_")  # Keras 1 wrote conv0_kernel
    return f"{folders[-1] if folders else layer}.{NAMES.get(last, last)}"


def turned(path: str, array: np.ndarray) -> np.ndarray:
    """An array in our layout; see above."""
    if path.split(":")[0].endswith("depthwise_kernel") and array.ndim == 4:
        kh, kw, channels, multiplier = array.shape
        return array.transpose(2, 3, 0, 1).reshape(channels * multiplier, 1, kh, kw)
    return array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T


def _names(group: Any, name: str) -> list[str]:
    """The list of names in an attribute, or in several numbered ones."""
    pieces = [group.attrs[name]] if name in group.attrs else []
    while f"{name}{len(pieces)}" in group.attrs and name not in group.attrs:
        pieces.append(group.attrs[f"{name}{len(pieces)}"])
    names = [item for piece in pieces for item in np.asarray(piece).ravel().tolist()]
    if len(names) > MOST_NAMES:
        raise RefusedError(f"its {name} has {len(names)} entries; at most {MOST_NAMES} are read")
    return [item.decode("utf-8") if isinstance(item, bytes) else str(item) for item in names]


def _child(group: Any, path: str) -> Any:
    """What lies at `path` in the file itself: links into other files are refused, step by step."""
    import h5py

    for step in path.split("/"):
        if step in ("", ".", "..") or step not in group:
            raise RefusedError(f"the array or group {shown(path)!r} that it names is not there")
        if not isinstance(group.get(step, getlink=True), h5py.HardLink):
            raise RefusedError(f"{shown(path)!r} is a link to somewhere else, which is not followed")
        group = group[step]
    return group


def _array(group: Any, path: str) -> np.ndarray:
    """The numbers of one array."""
    import h5py

    dataset = _child(group, path)
    if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
        raise RefusedError(f"{shown(path)!r} is no array, or its numbers lie in another file")
    if dataset.shape is None or dataset.dtype.kind not in "fiub":
        raise RefusedError(f"{shown(path)!r} holds no numbers")
    there = dataset.id.get_storage_size()
    if dataset.size > MOST_NUMBERS or dataset.nbytes * LEAST_COMPRESSED > there:
        raise RefusedError(f"{shown(path)!r} claims {dataset.size} numbers, but has {there} bytes")
    return np.asarray(dataset[()])

"""Weights in a .keras archive of Keras 3: a ZIP of config.json, metadata.json and model.weights.h5.

The HDF5 file in it numbers the arrays of each layer, and names the layers by their class and how many of it came
before: ``layers/conv2d_3/vars/0`` is the first array of the fourth Conv2D. What the author called that layer, only
config.json tells.
"""

from __future__ import annotations

import os

import numpy as np

from minidepth.pretrained.refused import RefusedError


def read(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """Not read yet.

    Raises:
        RefusedError: always.
    """
    raise RefusedError("an archive of Keras 3; load it there and save its weights with model.save('weights.h5')")

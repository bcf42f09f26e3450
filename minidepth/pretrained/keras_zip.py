"""Weights in a .keras archive of Keras 3: a ZIP of config.json, metadata.json and model.weights.h5."""

from __future__ import annotations

import io
import os
import zipfile

import numpy as np

from minidepth.pretrained import keras_h5
from minidepth.pretrained.refused import RefusedError, shown
from minidepth.pretrained.torch_zip import DAMAGED, entries_of

WEIGHTS = "model.weights.h5"


def read(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The weights by name, in our layouts, and the names of what was left aside.

    Raises:
        RefusedError: damaged, hostile, or no file of weights.
        OSError: the disk.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = entries_of(archive)
            if WEIGHTS not in entries:
                raise RefusedError(f"an archive of Keras without {WEIGHTS}")
            data = archive.read(WEIGHTS)
    except DAMAGED as error:
        raise RefusedError(f"the archive is damaged ({shown(str(error))}); get it again") from None
    weights, aside = keras_h5.read(io.BytesIO(data))
    return weights, (*aside, *(name for name in entries if name != WEIGHTS))

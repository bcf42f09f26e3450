"""Weights in the safetensors format, from minidepth or from anybody else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from minidepth.checkpoint import META_KEY
from minidepth.pretrained.refused import RefusedError, shown
from minidepth.pretrained.tensors import from_bfloat16

DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "<u2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}


def read(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The weights by name. What minidepth saved for resuming gives its ``model.*`` only.

    Raises:
        RefusedError: damaged, or numbers of a kind that is not read.
        OSError: the disk.
    """
    from safetensors import SafetensorError, deserialize

    try:
        data = Path(path).read_bytes()
        entries = deserialize(data)
    except SafetensorError as error:
        raise RefusedError(f"damaged, or no safetensors file ({shown(str(error))}); get it again") from None
    weights: dict[str, np.ndarray] = {}
    for name, entry in entries:
        if entry["dtype"] not in DTYPES:
            raise RefusedError(f"{shown(name)} has numbers of the kind {shown(entry['dtype'])}, which is not read")
        numbers = np.frombuffer(entry["data"], DTYPES[entry["dtype"]])
        weights[name] = (from_bfloat16(numbers) if entry["dtype"] == "BF16" else numbers).reshape(entry["shape"])
        weights[name].flags.writeable = False
    if _is_for_resuming(data):
        aside = tuple(name for name in weights if not name.startswith("model."))
        return {name.removeprefix("model."): array for name, array in weights.items() if name not in aside}, aside
    return weights, ()


def _is_for_resuming(data: bytes) -> bool:
    """Whether minidepth saved these bytes, as the state of a training and not as weights alone."""
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])  # deserialize has found it to be whole
    names = [name for name in header if name != "__metadata__"]
    ours = META_KEY in header.get("__metadata__", {})
    return ours and bool(names) and all(name.startswith(("model.", "optimizer.")) for name in names)

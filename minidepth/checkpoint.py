"""Checkpoints: named arrays and a little JSON in one safetensors file, which holds no code and is never half written.

Writing goes to a temporary name in the same folder, is pushed to the disk, and is then renamed: at every moment the
file is the whole old checkpoint or the whole new one. Format: https://github.com/huggingface/safetensors.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from minidepth.backend import Array, to_device
from minidepth.errors import CheckpointError, InputError

META_KEY = "minidepth"
"""Where the JSON lies in the file's own metadata."""


def save(path: str | os.PathLike[str], arrays: dict[str, Array], meta: dict[str, Any]) -> None:
    """Write `arrays`, wherever they lie, and `meta` (JSON values) to `path`, replacing what was there in one move.

    Raises:
        InputError: the file cannot be written (disk full, no such folder, ...); an earlier file at `path` is unharmed.
    """
    from safetensors.numpy import save as to_bytes  # costs 30 ms, which `import minidepth` need not pay

    path = Path(path)
    temporary = path.with_name(path.name + ".part")
    # safetensors reads the memory as it lies, so the arrays must be contiguous; asarray keeps the shape () of numbers
    contiguous = {name: np.asarray(to_device(array, "cpu"), order="C") for name, array in arrays.items()}
    data = to_bytes(contiguous, metadata={META_KEY: json.dumps(meta)})
    try:
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        kept = "; the checkpoint that was there before is unharmed" if path.exists() else ""
        raise InputError(f"{path}: cannot write the checkpoint ({error.strerror or error}){kept}") from error
    finally:
        temporary.unlink(missing_ok=True)


def load(path: str | os.PathLike[str]) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and the JSON of a checkpoint written by `save`.

    Raises:
        CheckpointError: the file is missing, damaged, or no checkpoint of minidepth.
    """
    from safetensors import SafetensorError, safe_open  # as above

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except FileNotFoundError:
        raise CheckpointError(f"{path}: there is no such checkpoint file") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot read the checkpoint ({error.strerror or error})") from None
    except SafetensorError as error:
        raise CheckpointError(f"{path}: damaged, or no safetensors file ({error}); use another checkpoint") from None
    try:
        return arrays, json.loads(metadata[META_KEY])
    except (KeyError, json.JSONDecodeError):
        raise CheckpointError(f"{path}: a safetensors file, but not one that minidepth wrote") from None

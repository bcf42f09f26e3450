"""One function for every kind of weight file: the first bytes tell which it is, whatever the file is called.

Files of torchvision carry the beginning of their SHA-256 in their name (resnet34-b627a593.pth); it is checked first.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from minidepth.errors import DataError
from minidepth.pretrained import keras_h5, keras_zip, safetensors_file, torch_legacy, torch_zip
from minidepth.pretrained.refused import HOW_TO_SAVE, RefusedError

LARGEST = 2**32
"""Bytes of a file: with its optimiser's state, the largest network of this package takes 1.8 GB."""

HASH_IN_NAME = re.compile(r"-([0-9a-f]{8,64})\.pth$")


class WeightFile(NamedTuple):
    """What a file holds."""

    path: Path
    kind: str
    """Its container, in words."""
    arrays: dict[str, np.ndarray]
    """The weights under the names they have in the file (Keras: ``layer.weight``), in our layouts; read-only."""
    aside: tuple[str, ...]
    """Names of what lies beside the weights and was not read: the optimiser, the epoch, ..."""


def read_weights(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The weights in a .pth, .h5, .keras or .safetensors file, by name; nothing in the file is ever executed.

    Layouts, and the last part of names, are those of this package and of torch: weight (out, in, kh, kw), running_mean.
    The arrays are read-only, and may be views of each other where the file says so. A file of 100 MB takes about a
    fifth of a second, and up to three times its size in memory.

    Raises:
        DataError: no such file, damaged, cut off, hostile, or of a kind that is not read; the text says which.
    """
    return open_weights(path).arrays


def open_weights(path: str | os.PathLike[str]) -> WeightFile:
    """`read_weights`, and what else there is to tell about the file."""
    path = Path(path)
    try:
        with open(path, "rb") as file:
            start, n_bytes = file.read(512), os.fstat(file.fileno()).st_size
        if n_bytes > LARGEST:
            raise RefusedError(f"it has {n_bytes} bytes; files of weights of up to {LARGEST} are read")
        _check_name(path)
        kind, read = _kind(start)
        arrays, aside = read(path)
    except RefusedError as error:
        raise DataError(f"{path}: {error}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot read these weights ({error.strerror or error})") from None
    except MemoryError:
        raise DataError(f"{path}: there is not enough memory to read these weights") from None
    return WeightFile(path, kind, arrays, aside)


Reader = Callable[[Path], tuple[dict[str, np.ndarray], tuple[str, ...]]]


def _kind(start: bytes) -> tuple[str, Reader]:
    """Which kind of file begins so, in words, and what reads it."""
    if start.startswith(b"PK\x03\x04"):
        if b"metadata.json" in start or b"config.json" in start:
            return "Keras 3 archive", keras_zip.read
        return "torch file (ZIP)", torch_zip.read
    if start.startswith(b"\x80") and torch_legacy.MAGIC_BYTES in start[:32]:
        return "torch file (before 1.6)", torch_legacy.read
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return "Keras HDF5 file", keras_h5.read
    if start[8:9] == b"{":
        return "safetensors file", safetensors_file.read
    raise RefusedError(_what_else(start))


def _what_else(start: bytes) -> str:
    """What is wrong with a file that begins so."""
    if not start:
        return "the file is empty; get it again"
    if start[257:262] == b"ustar":
        return f"a tar archive, torch's form before version 0.1.10, which is not read: load it there, and {HOW_TO_SAVE}"
    if start[:2] == b"\x1f\x8b" or start[:3] == b"BZh" or start[:6] == b"\xfd7zXZ\x00":
        return "a compressed file: unpack it first"
    if start.lstrip()[:1] == b"<":
        return "a web page and no file of weights: the download went wrong; get it again"
    if start.startswith(b"version https://git-lfs"):
        return "a pointer to a large file in a git repository, not the file itself: fetch it with `git lfs pull`"
    if start.startswith(b"\x80"):
        return f"a pickle, but not one of torch; {HOW_TO_SAVE}"
    return "no kind of weights that is read here: .pth of torch, .h5 or .keras of Keras, .safetensors; or it is damaged"


def _check_name(path: Path) -> None:
    """Compare the SHA-256 in the name, if there is one, with the file's; decimal digits only are taken for a date."""
    match = HASH_IN_NAME.search(path.name)
    if match is None or match[1].isdigit():
        return
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(2**20):
            digest.update(piece)
    found = digest.hexdigest()[: len(match[1])]
    if found != match[1]:
        raise RefusedError(
            f"the download is damaged: its SHA-256 begins with {found}, and should with {match[1]}, as its name says; "
            "get it again (a file of your own needs another name)"
        )

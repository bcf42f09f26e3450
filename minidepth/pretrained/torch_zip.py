"""Weights as torch has saved them since version 1.6: a ZIP archive with one pickle and one entry per storage.

    NAME/data.pkl      the pickle: names, sizes, and which storage each tensor is a view of
    NAME/data/<key>    the numbers of a storage, as they lie in memory, not compressed
    NAME/byteorder     "little" (newer files)
    NAME/version, NAME/.data/..., and other records that say nothing about the weights

Nothing is unpacked to the disk, and only what the pickle names is read, each entry with its checksum.
"""

from __future__ import annotations

import io
import os
import struct
import zipfile

import numpy as np

from minidepth.pretrained import pickle_machine, tensors
from minidepth.pretrained.refused import HOW_TO_SAVE, RefusedError, shown
from minidepth.pretrained.state_dict import find_weights

DAMAGED = (zipfile.BadZipFile, NotImplementedError, struct.error, EOFError, OverflowError, RuntimeError, ValueError)
"""What zipfile raises for archives that are not whole."""


def read(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The weights by name, read-only, and the names of what was left aside.

    Raises:
        RefusedError: damaged, hostile, or no file of weights.
        OSError: the disk.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = entries_of(archive)
            top = _top_folder(entries)
            return _read(archive, entries, top)
    except DAMAGED as error:
        raise RefusedError(
            f"the archive is damaged ({shown(str(error))}); get it again. (An archive saved under "
            "torch.serialization.set_crc32_options(False) looks damaged too; save it without that)"
        ) from None


def entries_of(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """The entries by name, each once, none compressed or encrypted, none larger than the file.

    Raises:
        RefusedError: any of these does not hold.
    """
    entries: dict[str, zipfile.ZipInfo] = {}
    for entry in archive.infolist():
        name = entry.filename
        if name in entries:
            raise RefusedError(f"the archive has two entries {shown(name)!r}")
        if name.startswith("/") or "\\" in name or ".." in name.split("/"):
            raise RefusedError(f"the archive has an entry {shown(name)!r}, a path that leads out of it")
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise RefusedError(f"the archive's entry {shown(name)!r} is compressed, which torch never does")
        if entry.flag_bits & 1:
            raise RefusedError(f"the archive's entry {shown(name)!r} is encrypted")
        entries[name] = entry
    there = os.fstat(archive.fp.fileno()).st_size if archive.fp is not None else 0
    if sum(entry.file_size for entry in entries.values()) > there:
        raise RefusedError("the archive's entries are larger than the file: they overlap, or it is cut off")
    return entries


def _top_folder(entries: dict[str, zipfile.ZipInfo]) -> str:
    """The folder that everything lies in, of which the pickle tells the name."""
    tops = [name.removesuffix("/data.pkl") for name in entries if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(tops) != 1:
        names = ", ".join(shown(name, 30) for name in list(entries)[:4]) or "nothing"
        raise RefusedError(f"a ZIP archive, but not of torch: it has no data.pkl (it has: {names})")
    top = tops[0]
    if f"{top}/constants.pkl" in entries or any(name.startswith(f"{top}/code/") for name in entries):
        raise RefusedError(f"a TorchScript archive, a program with weights in it; {HOW_TO_SAVE}")
    return top


def _read(
    archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], top: str
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The weights in the archive."""
    if f"{top}/byteorder" in entries:
        _check_size(entries[f"{top}/byteorder"], 16)
        if archive.read(f"{top}/byteorder").strip() != b"little":
            raise RefusedError("its numbers are in big-endian byte order, which is not read")
    _check_size(entries[f"{top}/data.pkl"], pickle_machine.LONGEST)
    content = pickle_machine.run(io.BytesIO(archive.read(f"{top}/data.pkl")))
    weights, aside = find_weights(content)

    def read_storage(storage: tensors.Storage) -> np.ndarray:
        entry = entries.get(f"{top}/data/{storage.key}")
        if entry is None:
            raise RefusedError(f"the archive has no entry {shown(top)}/data/{storage.key}, which its pickle names")
        if entry.file_size != storage.n_bytes:
            raise RefusedError(f"storage {storage.key} has {entry.file_size} bytes; its pickle says {storage.n_bytes}")
        return np.frombuffer(archive.read(entry), np.uint8)

    return tensors.arrays(weights, read_storage), aside


def _check_size(entry: zipfile.ZipInfo, most: int) -> None:
    if entry.file_size > most:
        raise RefusedError(f"its entry {shown(entry.filename)!r} has {entry.file_size} bytes; at most {most} are read")

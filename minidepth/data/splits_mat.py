"""splits.mat of NYU Depth V2: the official division into 795 training and 654 test frames. MATLAB 5 format, not HDF5.

A file is a header of 128 bytes and then elements: a type, a size in bytes, the data, padded to 8 bytes. Here each
element is a zlib-compressed matrix (type 15 around type 14), made of flags, dimensions, name and numbers, which are
stored in the smallest type that holds them. A size of up to 4 bytes shares the first word with the type, and the data
is the second word. MATLAB counts frames from 1, we count from 0. Source: MAT-File Format, The MathWorks, version 5.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from minidepth.data.pictures import one_line
from minidepth.errors import DataError

NUMBER_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
MATRIX, COMPRESSED = 14, 15
HEADER_BYTES = 128
VARIABLES = {"train": "trainNdxs", "test": "testNdxs"}


def read_splits(path: Path) -> dict[str, np.ndarray]:
    """``{"train": frames, "test": frames}``, numbers from 0.

    Raises:
        DataError: damaged, not MATLAB 5, or without the two variables.
    """
    try:
        content = path.read_bytes()
        byte_order = {b"IM": "<", b"MI": ">"}[content[126:128]]
        variables = dict(read_variables(content[HEADER_BYTES:], byte_order))
        return {split: variables[name].astype(np.int64) - 1 for split, name in VARIABLES.items()}
    except (OSError, KeyError, ValueError, struct.error, zlib.error) as error:
        raise DataError(
            f"{path}: is not the NYU splits.mat (MATLAB 5 with trainNdxs and testNdxs): {one_line(error)};"
            " move it away to use all frames"
        ) from error


def read_variables(content: bytes, byte_order: str) -> Iterator[tuple[str, np.ndarray]]:
    """(name, numbers) for each matrix in a run of elements."""
    for kind, data in elements(content, byte_order):
        if kind == COMPRESSED:
            yield from read_variables(zlib.decompress(data), byte_order)
        elif kind == MATRIX:
            _flags, _dimensions, (_, name), (number_type, numbers) = list(elements(data, byte_order))[:4]
            yield name.decode("ascii"), np.frombuffer(numbers, byte_order + NUMBER_TYPES[number_type])


def elements(content: bytes, byte_order: str) -> Iterator[tuple[int, bytes]]:
    """(type, data) for each element in a run of bytes."""
    at = 0
    while at < len(content):
        kind, size = struct.unpack_from(byte_order + "II", content, at)
        if kind > 0xFFFF:  # the short form: size and type share the first word
            yield kind & 0xFFFF, content[at + 4 : at + 4 + (kind >> 16)]
            at += 8
            continue
        yield kind, content[at + 8 : at + 8 + size]
        at += 8 + size
        if kind != COMPRESSED:
            at += -size % 8

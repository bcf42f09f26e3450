"""A small writer of torch's two file formats that needs no torch, and that can write what torch never would.

Shares no code with the readers in minidepth/pretrained: it puts together the bytes by hand.
"""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

KINDS = {"f8": "Double", "f4": "Float", "f2": "Half", "i8": "Long", "i4": "Int", "i2": "Short", "i1": "Char"}
KINDS |= {"u1": "Byte", "b1": "Bool"}
MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
FACTS = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}


class Global(NamedTuple):
    module: str
    name: str


class Call(NamedTuple):
    function: Any
    arguments: Any
    opcode: bytes = b"R"


class Persistent(NamedTuple):
    identity: Any


class Build(NamedTuple):
    target: Any
    state: Any


class Raw(NamedTuple):
    """Bytes that go into the pickle as they are."""

    data: bytes


def encode(value: Any) -> bytes:
    """The pickle program, in protocol 2, that makes `value`."""
    if isinstance(value, Raw):
        return value.data
    if isinstance(value, Global):
        return f"c{value.module}\n{value.name}\n".encode()
    if isinstance(value, Call):
        return encode(value.function) + encode(value.arguments) + value.opcode
    if isinstance(value, Persistent):
        return encode(value.identity) + b"Q"
    if isinstance(value, Build):
        return encode(value.target) + encode(value.state) + b"b"
    if value is None or isinstance(value, bool):
        return {None: b"N", True: b"\x88", False: b"\x89"}[value]
    if isinstance(value, int) and -(2**31) <= value < 2**31:
        return b"J" + struct.pack("<i", value)
    if isinstance(value, int):
        data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
        return b"\x8a" + bytes([len(data)]) + data
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, str):
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
    if isinstance(value, bytes):  # text of Python 2
        return b"U" + bytes([len(value)]) + value
    if isinstance(value, tuple):
        return b"(" + b"".join(map(encode, value)) + b"t"
    if isinstance(value, list):
        return b"](" + b"".join(map(encode, value)) + b"e"
    items = [encode(part) for item in value.items() for part in item]
    return b"}(" + b"".join(items) + b"u"


def pickled(value: Any) -> bytes:
    return b"\x80\x02" + encode(value) + b"."


ORDERED_DICT = Global("collections", "OrderedDict")
REBUILD = Global("torch._utils", "_rebuild_tensor_v2")


def storage(kind: str, key: Any, count: Any, *view: Any) -> Persistent:
    """A storage's persistent id; old files have a sixth part, the view."""
    return Persistent(("storage", Global("torch", f"{kind}Storage"), key, "cpu", count, *view))


def tensor(kind: str, key: Any, count: Any, size: Any, stride: Any, offset: Any = 0) -> Call:
    return Call(REBUILD, (storage(kind, key, count), offset, size, stride, False, Call(ORDERED_DICT, ())))


def whole(array: np.ndarray, key: str) -> Call:
    """The tensor that is all of its own storage, in C order."""
    strides = tuple(step // array.itemsize for step in array.strides)
    return tensor(KINDS[array.dtype.str[1:]], key, array.size, array.shape, strides)


def state_dict(arrays: dict[str, np.ndarray]) -> tuple[Any, dict[str, bytes]]:
    """What torch.save makes of an OrderedDict of tensors: the object to pickle, and the storages by key."""
    items = {name: whole(np.asarray(array, order="C"), str(key)) for key, (name, array) in enumerate(arrays.items())}
    content = Raw(encode(Call(ORDERED_DICT, ())) + b"(" + encode(items)[2:])  # SETITEMS into the OrderedDict
    metadata = {"_metadata": Call(ORDERED_DICT, ())}
    return Build(content, metadata), {str(key): array.tobytes() for key, array in enumerate(arrays.values())}


def write_zip(path: Path, content: Any, storages: dict[str, bytes], top: str = "archive", **more: bytes) -> Path:
    """A file as torch has written since 1.6; `content` may be the finished pickle. `more`: further entries."""
    data = content if isinstance(content, bytes) else pickled(content)
    entries = {"data.pkl": data, "byteorder": b"little", **{f"data/{key}": raw for key, raw in storages.items()}}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, raw in {**entries, "version": b"3\n", ".data/serialization_id": b"1" * 40, **more}.items():
            archive.writestr(f"{top}/{name}", raw)
    return path


def legacy_bytes(content: Any, storages: dict[str, tuple[int, bytes]], facts: Any = FACTS) -> bytes:
    """The bytes of a file from before 1.6; storages are key -> (count, bytes)."""
    pickles = [content if isinstance(content, bytes) else pickled(content), pickled(list(storages))]
    data = b"".join([pickled(MAGIC), pickled(VERSION), pickled(facts), *pickles])
    return data + b"".join(struct.pack("<q", count) + raw for count, raw in storages.values())


def write_legacy(path: Path, content: Any, storages: dict[str, tuple[int, bytes]], facts: Any = FACTS) -> Path:
    path.write_bytes(legacy_bytes(content, storages, facts))
    return path


def save(path: Path, arrays: dict[str, np.ndarray], container: str = "zip", wrap: Any = None) -> Path:
    """A state dict as a file; `wrap` puts it into something: ``lambda state: {"epoch": 3, "state_dict": state}``."""
    content, storages = state_dict(arrays)
    content = content if wrap is None else wrap(content)
    if container == "zip":
        return write_zip(path, content, storages)
    counts = {key: array.size for key, array in zip(storages, arrays.values())}
    old = pickled(content).replace(b"t" + b"Q", b"N" + b"tQ")  # the sixth part of a storage's id: no view
    return write_legacy(path, old, {key: (counts[key], raw) for key, raw in storages.items()})

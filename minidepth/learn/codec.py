"""Values on their way between two processes: numbers, texts, lists, dicts and arrays, and nothing that could run.

A message is a header in JSON, with the numbers of the arrays behind it. It is not pickle, which would let the sender
run what it likes: what comes back from a learner's code is read here, and whoever wrote that code is not to be trusted.
"""

from __future__ import annotations

import json
import math
import struct
from typing import Any, BinaryIO

import numpy as np

MOST_BYTES = 1 << 28
"""A longer message is refused: 256 MiB."""

MOST_TEXT = 2000
"""A longer text in an answer is cut."""


class Opaque:
    """Stands for a value that has no place in a message; `text` says what it was."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


def send(stream: BinaryIO, message: Any) -> None:
    """Write one message."""
    arrays: list[np.ndarray] = []
    tree = _pack(message, arrays)
    rows = [(array.dtype.str, array.shape) for array in arrays]
    header = json.dumps({"tree": tree, "arrays": rows}).encode()
    size = len(header) + sum(array.nbytes for array in arrays)
    if size > MOST_BYTES:
        raise ValueError(f"a message of {size:,} bytes; at most {MOST_BYTES:,} can be sent")
    body = b"".join(array.tobytes() for array in arrays)
    stream.write(struct.pack("<QQ", len(header), len(body)) + header + body)
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    """Read one message.

    Raises:
        EOFError: the other side is gone. ValueError: this is no message.
    """
    lengths = struct.unpack("<QQ", _exactly(stream, 16))
    if sum(lengths) > MOST_BYTES:
        raise ValueError("the message is too long")
    header, body = _exactly(stream, lengths[0]), _exactly(stream, lengths[1])
    try:
        return _understood(json.loads(header), body)
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"no message: {error}") from None


def clean(text: Any) -> str:
    """A text of a learner's code, fit for a terminal, a table and a JSON file: no control characters, no novel."""
    if not isinstance(text, str):
        raise ValueError(f"a text was expected, not {type(text).__name__}")
    return "".join(sign if sign.isprintable() or sign == "\n" else "?" for sign in text[:MOST_TEXT])


def _understood(header: Any, body: bytes) -> Any:
    arrays, place = [], 0
    for kind, shape in header["arrays"]:
        dtype = np.dtype(str(kind))
        if dtype.kind not in "biuf":
            raise ValueError(f"arrays of {kind} are not sent")
        if len(shape) > 32 or any(type(side) is not int or side < 0 for side in shape):
            raise ValueError(f"{shape} is no shape")
        count = math.prod(shape)
        arrays.append(np.frombuffer(body, dtype, count, place).reshape(shape).copy())
        place += count * dtype.itemsize
    return _unpack(header["tree"], arrays)


def _exactly(stream: BinaryIO, count: int) -> bytes:
    parts = []
    while count:
        part = stream.read(count)
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _pack(value: Any, arrays: list[np.ndarray]) -> Any:
    """`value` in JSON: numbers, texts and None as they are, all else as a list that begins with its kind."""
    if value is None or type(value) in (bool, str, int):
        return value
    if isinstance(value, float):
        return ["float", float(value).hex()]  # JSON has no infinity, and would not keep every bit
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biuf":
        arrays.append(np.ascontiguousarray(value).reshape(np.shape(value)))
        return ["array" if isinstance(value, np.ndarray) else "number", len(arrays) - 1]
    if type(value) in (list, tuple):
        return [type(value).__name__, [_pack(item, arrays) for item in value]]
    if type(value) is dict and all(type(key) is str for key in value):
        return ["dict", {key: _pack(item, arrays) for key, item in value.items()}]
    if isinstance(value, Opaque):
        return ["opaque", value.text]
    return ["opaque", describe(value)]


def describe(value: Any) -> str:
    """What a value that cannot be sent is, in a few words."""
    kind = type(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return f"an array of {value.dtype}"
    return (
        f"a {kind.__name__}" if kind.__module__ in ("builtins", "learner") else f"a {kind.__module__}.{kind.__name__}"
    )


def _unpack(tree: Any, arrays: list[np.ndarray]) -> Any:
    if not isinstance(tree, list):
        return tree
    kind, inside = tree
    if kind == "float":
        return float.fromhex(inside)
    if kind in ("array", "number"):
        return arrays[inside] if kind == "array" else arrays[inside][()]
    if kind in ("list", "tuple"):
        items = [_unpack(item, arrays) for item in inside]
        return tuple(items) if kind == "tuple" else items
    if kind == "dict":
        return {key: _unpack(item, arrays) for key, item in inside.items()}
    if kind == "opaque":
        return Opaque(clean(inside))
    raise ValueError(f"{kind!r} is no kind of value")

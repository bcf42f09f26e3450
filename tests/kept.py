"""What a graph keeps in memory for backward: the arrays that its pullbacks captured."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minidepth import Tensor
from minidepth.engine import Node


def kept_by(pullback: Callable[..., Any]) -> list[np.ndarray]:
    """Every array in the closure of `pullback`, and in the functions and tuples that it holds."""
    return list(_arrays(pullback, set()))


def kept_bytes(result: Tensor) -> int:
    """Bytes of all arrays that backward from `result` will find, each counted once. Parameters are among them."""
    arrays: dict[int, int] = {}
    nodes, seen = [result._node], set()
    while nodes:
        node = nodes.pop()
        if not isinstance(node, Node) or node.order in seen:
            continue
        seen.add(node.order)
        arrays.update((array.ctypes.data, array.nbytes) for array in kept_by(node.pullback))
        nodes += node.sources
    return sum(arrays.values())


def _arrays(value: Any, seen: set[int]) -> Iterator[np.ndarray]:
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, np.ndarray):
        yield value
        return
    if isinstance(value, Tensor):
        raise AssertionError("a pullback holds a Tensor, and with it the Tensor's value and history")
    parts: tuple[Any, ...] = ()
    if isinstance(value, types.FunctionType):
        parts = tuple(cell.cell_contents for cell in value.__closure__ or ())
    elif isinstance(value, functools.partial):
        parts = (value.func, value.args, value.keywords)
    elif isinstance(value, dict):
        parts = tuple(value.values())
    elif isinstance(value, (tuple, list)):
        parts = tuple(value)
    for part in parts:
        yield from _arrays(part, seen)

"""Arrays "on a GPU" that hold no numbers: a program runs with them at full size to see how much memory it would take.

A `DryArray` has a shape, a dtype and strides, and as long as it or a view of it lives, it takes its bytes in a pool.
Kernels are checked as always and then not run; what NumPy's functions do between them gives arrays of the right
shapes. All lie at the same place, a piece of memory that nobody writes to, so that they cost nothing:

    with dry_run(PoolReplay()) as pool:
        x = DryArray.module.empty((8, 64, 480, 640), np.float32)
        y = relu(Tensor(x))
    pool.peak_used_bytes       # 1_258_291_200

So the operations themselves say what they need, and no table of layers has to know it.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import numpy as np

from minidepth.cuda.launch import RUNNERS
from minidepth.cuda.pool_replay import PoolReplay

_pools: list[PoolReplay] = []
_numbers = itertools.count(1)
_number = 0


@contextmanager
def dry_run(pool: PoolReplay) -> Iterator[PoolReplay]:
    """In this block, dry arrays take their bytes in `pool`; they must not be used after it."""
    global _number
    _number = next(_numbers)  # a device of its own, so that what is kept for one run is not found by the next
    _pools.append(pool)
    try:
        yield pool
    finally:
        _pools.pop()


class _Memory:
    """The bytes of an array, taken as long as this lives."""

    def __init__(self, n_bytes: int) -> None:
        self.pool = _pools[-1]
        self.chunk = self.pool.take(n_bytes)

    def __del__(self) -> None:
        if hasattr(self, "chunk"):  # not where there was no room
            self.pool.give(self.chunk)


class _Module:
    """What computes with dry arrays: NumPy's functions, which ask the arrays, and those that make arrays of nothing."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def empty(self, shape: Any, dtype: Any = float) -> DryArray:
        return _new(shape, dtype)

    zeros = ones = empty

    def full(self, shape: Any, value: Any, dtype: Any = None) -> DryArray:
        return _new(shape, dtype or np.asarray(value).dtype)

    def asarray(self, data: Any, dtype: Any = None) -> DryArray:
        if isinstance(data, DryArray):
            return data.astype(dtype or data.dtype, copy=False)
        array = np.asarray(data, dtype)
        return _new(array.shape, array.dtype)

    array = asarray

    def ascontiguousarray(self, array: DryArray, dtype: Any = None) -> DryArray:
        kept = array.flags.c_contiguous and dtype in (None, array.dtype)
        return array if kept else _new(array.shape, dtype or array.dtype)


class DryArray(np.lib.mixins.NDArrayOperatorsMixin):
    """See the module. `shadow` is a NumPy array of the same shape, dtype and strides whose numbers mean nothing."""

    module = _Module()
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, shadow: np.ndarray, memory: _Memory) -> None:
        self.shadow, self.memory, self.device = shadow, memory, _number

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return self.shadow.__array_interface__

    @property
    def data(self) -> Any:
        """Where it begins, in the attribute that CuPy has for it."""
        return SimpleNamespace(ptr=self.shadow.ctypes.data)

    def __getattr__(self, name: str) -> Any:
        """Sizes, views and sums are those of NumPy's array."""
        if name.startswith("_") or name in ("shadow", "memory"):
            raise AttributeError(f"a dry array has no {name}")
        value = getattr(self.shadow, name)
        return functools.partial(_compute, value, self) if callable(value) else _wrap(value, [self])

    def __array_ufunc__(self, function: np.ufunc, method: str, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """Element by element, nothing is computed: the shape is that of broadcasting, the dtype that of two numbers."""
        if out is not None:
            return out[0] if len(out) == 1 else out
        if method != "__call__" or function.signature is not None or function.nout > 1:
            return _compute(getattr(function, method), *args, **kwargs)
        shape = np.broadcast_shapes(*(getattr(arg, "shape", ()) for arg in args))
        single = [np.ones((1,) * max(1, arg.ndim), arg.dtype) if isinstance(arg, DryArray) else arg for arg in args]
        return _new(shape, function(*single).dtype)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        if function in (np.zeros_like, np.ones_like, np.empty_like, np.full_like):
            like = args[0]
            return _new(kwargs.get("shape", like.shape), kwargs.get("dtype", like.dtype))
        if kwargs.get("out") is not None:
            return kwargs["out"]
        return _compute(function, *args, **kwargs)

    def __getitem__(self, index: Any) -> Any:
        part = self.shadow[_unwrapped(index)]
        return _wrap(part, [self]) if isinstance(part, np.ndarray) else DryArray(_place((), self.dtype), self.memory)

    def __setitem__(self, index: Any, value: Any) -> None:
        pass

    def __len__(self) -> int:
        return len(self.shadow)

    def astype(self, dtype: Any, copy: bool = True) -> DryArray:
        return _new(self.shape, dtype) if copy or dtype != self.dtype else self

    def copy(self) -> DryArray:
        return _new(self.shape, self.dtype)

    def fill(self, value: Any) -> None:
        pass

    def get(self) -> np.ndarray:
        return np.zeros(self.shape, self.dtype)

    def __float__(self) -> float:
        return 0.0

    def __int__(self) -> int:
        return 0


RUNNERS[DryArray] = lambda kernel, real, grid, arguments: None


def _new(shape: Any, dtype: Any, strides: Any = None) -> DryArray:
    shadow = _place(shape, dtype, strides)
    return DryArray(shadow, _Memory(shadow.nbytes))


_nothing = np.zeros(1 << 20, np.uint8)


def _place(shape: Any, dtype: Any, strides: Any = None) -> np.ndarray:
    """An array at the common place. The system hands out that memory only where somebody writes to it."""
    global _nothing
    n_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if n_bytes > _nothing.nbytes:
        _nothing = np.zeros(n_bytes, np.uint8)
    return np.ndarray(shape, dtype, _nothing, 0, strides)


def _compute(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`function` of NumPy, run with whatever stands there, for the shapes of what it gives."""
    parents = [arg for arg in args if isinstance(arg, DryArray)]
    if parents and getattr(function, "__self__", None) is parents[0].shadow:  # a method, which knows its array
        args = args[1:]
    named = {name: _unwrapped(value) for name, value in kwargs.items()}
    with np.errstate(all="ignore"):
        return _wrap(function(*(_unwrapped(arg) for arg in args), **named), parents)


def _wrap(value: Any, parents: list[DryArray]) -> Any:
    """What NumPy gave back as dry arrays: a view holds the memory of its parent, anything else has its own."""
    if isinstance(value, np.ndarray) and value.size:
        for parent in parents:
            if np.may_share_memory(value, parent.shadow):
                return DryArray(value, parent.memory)
    if isinstance(value, (np.ndarray, np.generic)):
        return _new(value.shape, value.dtype, value.strides or None)
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(_wrap(item, parents) for item in value)
    return value


def _unwrapped(value: Any) -> Any:
    if isinstance(value, DryArray):
        return value.shadow
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(_unwrapped(item) for item in value)
    return value

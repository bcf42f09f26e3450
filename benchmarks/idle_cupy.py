"""CuPy's own arrays without a GPU: their memory is nobody's, kernels return at once, and all of Python's work is done.

For benchmarks/launches.py alone. What CuPy would compute by itself, `copy` or `add`, needs a driver: here it is counted
and gives an array of the right shape.
"""

from __future__ import annotations

import itertools
from collections import Counter
from types import ModuleType
from typing import Any

import cupy
import numpy as np
from cupy.cuda.memory import MemoryPointer, UnownedMemory

from minidepth.cuda.launch import ADDRESSES, LAYOUTS

functions: Counter[str] = Counter()
"""What was asked of CuPy by itself, each a launch or more on a GPU."""

_place = itertools.count(1 << 20, 1 << 30)


def empty(shape: Any, dtype: Any = np.float32) -> IdleArray:
    return IdleArray(shape, dtype, MemoryPointer(UnownedMemory(next(_place), 1 << 30, None, 0), 0))


def _like(name: str) -> Any:
    """A function of CuPy that gives an array as its arguments have it together, or in place of `out`."""

    def call(*args: Any, out: Any = None, dtype: Any = None, **settings: Any) -> Any:
        functions[name] += 1
        arrays = [arg for arg in args if isinstance(arg, cupy.ndarray)]
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
        return empty(shape, dtype or arrays[0].dtype) if out is None else out

    return call


def _filled(name: str) -> Any:
    def call(shape: Any, *value_and_type: Any) -> IdleArray:
        functions[name] += 1
        return empty(shape, value_and_type[-1])

    return call


class _Module(ModuleType):
    """In place of CuPy, for these arrays."""

    add, multiply, positive, zeros_like, ones_like = map(_like, ("add", "multiply", "positive", "zeros", "ones"))
    zeros, ones, full = (staticmethod(_filled(name)) for name in ("zeros", "ones", "full"))
    empty, result_type = staticmethod(empty), staticmethod(cupy.result_type)

    def asarray(self, data: Any, dtype: Any = None) -> IdleArray:
        if isinstance(data, IdleArray):
            return data
        functions["copy from the CPU"] += 1
        return empty(np.shape(data), dtype or np.asarray(data).dtype)

    def ascontiguousarray(self, array: Any, dtype: Any = None) -> Any:
        if array._c_contiguous and dtype in (None, array.dtype):
            return array
        functions["ascontiguousarray"] += 1
        return empty(array.shape, dtype or array.dtype)


class IdleArray(cupy.ndarray):
    """An array of CuPy, with as much as a training step asks of it."""

    module = _Module("idle")

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        return self if not copy and dtype == self.dtype else _like("astype")(self, dtype=dtype)

    def sum(self, axis: int | None = None, **settings: Any) -> Any:
        functions["sum"] += 1
        return empty(() if axis is None else (*self.shape[:axis], *self.shape[axis + 1 :]), self.dtype)

    def __setitem__(self, index: Any, value: Any) -> None:
        functions["[...] ="] += 1

    def __array_ufunc__(self, function: Any, method: str, *args: Any, out: Any = None, **settings: Any) -> Any:
        return _like(function.__name__)(*args, out=out[0] if out else None)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function is np.zeros_like:
            return _like("zeros")(*args)
        if function is not np.split:
            raise TypeError(f"idle arrays know no {function.__name__}")
        array, ends, axis = args[0], [*args[1], args[0].shape[kwargs["axis"]]], kwargs["axis"]
        begins = [0, *ends[:-1]]
        return [array[(slice(None),) * axis + (slice(a, b),)] for a, b in zip(begins, ends)]


for _name in ("add", "mul", "truediv", "iadd", "imul"):
    setattr(IdleArray, f"__{_name}__", lambda self, other, n=_name: self if n[0] == "i" else _like(n)(self, other))

LAYOUTS[IdleArray], ADDRESSES[IdleArray] = (
    lambda array: (array._c_contiguous, array.data.device_id),
    lambda array: array.data.ptr,
)

"""An array that behaves as CuPy's do, without a GPU: its numbers lie in NumPy's memory, but nobody may just take them.

As on a GPU, it does not mix with NumPy arrays, NumPy functions give such arrays back, and a result of shape () is an
array too. ``get()``, ``float(x)`` and a truth test bring numbers back to the CPU and make a GPU's queue run empty;
`synchronisations` counts them. Memory that is not yet written holds NaN, so that no result can depend on it by luck.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from minidepth.testing.device_memory import POOL, MemoryHook, OutOfMemoryError, Pool, card_memory
from minidepth.testing.device_streams import COMPUTING, PinnedMemory, Stream, now

synchronisations = 0
"""How often numbers were brought back to the CPU."""

addressed: WeakValueDictionary[int, np.ndarray] = WeakValueDictionary()
"""The living arrays that were asked for their address: a kernel may make a pointer of it."""


class _Module:
    """The functions of NumPy by their names, for emulated arrays: what CuPy is for its arrays."""

    cuda = SimpleNamespace(
        Stream=Stream,
        get_current_stream=lambda: COMPUTING,
        alloc_pinned_memory=PinnedMemory,
        MemoryHook=MemoryHook,
        memory=SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
        runtime=SimpleNamespace(
            memGetInfo=card_memory,
            getDevice=lambda: 0,
            getDeviceProperties=lambda number: {"name": b"emulated GPU", "major": 9, "minor": 0},
        ),
    )

    def get_default_memory_pool(self) -> Pool:
        return POOL

    def __getattr__(self, name: str) -> Any:
        value = getattr(np, name)
        if not callable(value) or isinstance(value, type):
            return value
        if isinstance(value, np.ufunc):
            return _Ufunc(value)
        return _wrapped(value)

    def asarray(self, data: Any, dtype: Any = None) -> DeviceArray:
        return data if isinstance(data, DeviceArray) and dtype in (None, data.dtype) else self.array(data, dtype)

    def array(self, data: Any, dtype: Any = None) -> DeviceArray:
        return DeviceArray(np.array(_host(data, move=True), dtype))

    def empty(self, shape: Any, dtype: Any = float) -> DeviceArray:
        host = np.empty(shape, dtype)
        host.fill(np.nan if host.dtype.kind == "f" else np.iinfo(host.dtype).max if host.dtype.kind in "iu" else True)
        return DeviceArray(host)

    def empty_like(self, array: DeviceArray, dtype: Any = None) -> DeviceArray:
        return self.empty(array.shape, dtype or array.dtype)


class _Ufunc:
    def __init__(self, function: np.ufunc) -> None:
        self.function, self.at = function, _wrapped(function.at)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return _wrapped(self.function)(*args, **kwargs)


class _Memory:
    """Where the numbers of an array begin: `ptr`, as CuPy's arrays have it in ``array.data``."""

    def __init__(self, host: np.ndarray) -> None:
        self.ptr = host.ctypes.data
        addressed[self.ptr] = host


class DeviceArray:
    """See the module; make one with `emulated`."""

    module = _Module()
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, host: np.ndarray, device: int = 0) -> None:
        POOL.add(host)
        self.host, self.device, self.born = host, device, now()

    # --- what CuPy's arrays have, and say of themselves -------------------------------------------------------------

    __cuda_array_interface__ = property(lambda self: self.host.__array_interface__)
    shape, dtype, ndim, size, itemsize, nbytes, strides, flags = (
        property(operator.attrgetter(f"host.{name}"))
        for name in ("shape", "dtype", "ndim", "size", "itemsize", "nbytes", "strides", "flags")
    )
    T = property(lambda self: DeviceArray(self.host.T))
    data = property(lambda self: _Memory(self.host))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in ("host", "ctypes", "tolist", "item"):
            raise AttributeError(f"an array on the emulated GPU has no {name}")
        return _wrapped(getattr(self.host, name))

    def __array_ufunc__(self, function: np.ufunc, method: str, *args: Any, **kwargs: Any) -> Any:
        return _wrapped(getattr(function, method))(*args, **kwargs)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> Any:
        return _wrapped(function)(*args, **kwargs)

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        raise TypeError("an array on the emulated GPU does not turn into a NumPy array by itself; call .get()")

    def __getitem__(self, index: Any) -> Any:
        return _wrapped(self.host.__getitem__)(index)

    def __setitem__(self, index: Any, value: Any) -> None:
        self.host[_host(index)] = _host(value)

    def __len__(self) -> int:
        return len(self.host)

    def __repr__(self) -> str:
        return f"DeviceArray({self.host!r})"

    # --- numbers that come back -------------------------------------------------------------------------------------

    def get(self) -> np.ndarray:
        global synchronisations
        synchronisations += 1
        return self.host.copy()

    def set(self, array: np.ndarray, stream: Stream | None = None) -> None:
        if (array.shape, array.dtype) != (self.shape, self.dtype):
            raise ValueError(f"set: {array.dtype} {array.shape} does not fit into {self.dtype} {self.shape}")
        if stream is None:
            self.host[...] = array
        else:
            stream.copy(array, self.host, self.born)

    def item(self) -> Any:
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def __float__(self) -> float:
        return float(self.get())

    def __int__(self) -> int:
        return int(self.get())

    __index__ = __int__

    def __bool__(self) -> bool:
        return bool(self.get())


def _operator(name: str) -> Callable[..., Any]:
    def method(self: DeviceArray, *others: Any) -> Any:
        with np.errstate(all="ignore"):
            result = getattr(self.host, name)(*(_host(other) for other in others))
        if name.startswith("__i") and name != "__invert__":
            return self
        return _device(result)

    return method


for _name in "add sub mul truediv floordiv mod pow matmul and or xor".split():
    for _form in (f"__{_name}__", f"__r{_name}__", f"__i{_name}__"):
        setattr(DeviceArray, _form, _operator(_form))
for _name in "neg pos abs invert lt le eq ne gt ge".split():
    setattr(DeviceArray, f"__{_name}__", _operator(f"__{_name}__"))


def emulated(array: Any, device: int = 0) -> DeviceArray:
    """A copy of `array` on the emulated GPU."""
    return DeviceArray(np.array(array), device)


def _wrapped(function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of NumPy, for emulated arrays."""

    def call(*args: Any, **kwargs: Any) -> Any:
        with np.errstate(all="ignore"):  # a GPU does not tell
            return _device(function(*(_host(arg) for arg in args), **{key: _host(arg) for key, arg in kwargs.items()}))

    return call


def _host(value: Any, move: bool = False) -> Any:
    """The NumPy array behind an emulated one, also inside lists; a NumPy array is refused, as CuPy refuses it."""
    if isinstance(value, DeviceArray):
        return value.host
    if isinstance(value, np.ndarray) and not move:
        raise TypeError("a NumPy array meets one on the emulated GPU; move one of them with xp.asarray or .get()")
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(_host(item, move) for item in value)
    return value


def _device(value: Any) -> Any:
    """What NumPy gave back as CuPy would give it."""
    if isinstance(value, (np.ndarray, np.generic)):
        return DeviceArray(np.asarray(value))
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(_device(item) for item in value)
    return value

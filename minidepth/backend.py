"""Where an array lives decides where it is computed.

There is no global device. A *kernel* is a function on arrays that looks at the type of its first argument: for a NumPy
array it runs the NumPy code written in ``ops/<op>.py``, for an array on a GPU its twin, registered further down with
`cuda`, which launches what ``ops/<op>.cu`` holds. Code that is the same for both asks `xp` for the array's own module.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any, TypeVar

import numpy as np

from minidepth.cuda.device import working_cupy
from minidepth.cuda.launch import LAYOUTS, is_contiguous
from minidepth.errors import InputError

Array = np.ndarray

KERNELS: dict[str, Callable[..., Any]] = {}
"""Every registered kernel by its full name, such as ``minidepth.ops.conv2d.forward``."""

CUDA_TWINS: dict[str, Callable[..., Any]] = {}
"""What runs in place of the NumPy kernel of that name where the first argument is an array on a GPU."""

HALF_TWINS: set[str] = set()
"""Those of them whose CUDA kernels read and write float16 themselves; the others are handed float32, see `cuda`."""

APART = "some of its arrays are on the CPU and some on a GPU; move them with Module.to or backend.to_device"

_HALF = np.dtype(np.float16)
_NO_ARRAYS: set[type] = set()
"""Types of arguments that were met and are no arrays: the settings of operations."""
_Function = TypeVar("_Function", bound=Callable[..., Any])


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make `function` the NumPy kernel of its name. `cuda` adds its twin for arrays on a GPU.

    >>> @kernel
    ... def forward(x): return 2 * x
    >>> forward(np.float32(3) * np.ones(2))
    array([6., 6.])
    """
    name = f"{function.__module__}.{function.__qualname__}"

    @functools.singledispatch
    @functools.wraps(function)
    def dispatch(first: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_on_gpu(first):
            kind = f"{type(first).__module__}.{type(first).__name__}"
            raise TypeError(f"{name} has no kernel for {kind}; pass a NumPy array or one on a GPU")
        if name not in CUDA_TWINS:
            raise TypeError(f"{name} has no CUDA kernel; move the arrays to the CPU for it")
        dispatch.register(type(first), CUDA_TWINS[name])  # from now on, singledispatch finds it itself
        return CUDA_TWINS[name](first, *args, **kwargs)

    @functools.wraps(function)
    def on_cpu(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TypeError as error:
            if any(map(is_on_gpu, args)):
                raise TypeError(f"{name}: {APART}") from error
            raise

    dispatch.register(np.ndarray, on_cpu)
    dispatch.register(np.generic, on_cpu)  # what NumPy's arithmetic makes of an array of shape ()
    KERNELS[name] = dispatch
    return dispatch


def cuda(numpy_kernel: Callable[..., Any], half: bool = False) -> Callable[[_Function], _Function]:
    """Decorator: the function is what `numpy_kernel` does on a GPU. It gets C-contiguous arrays, whatever came in.

    `half` says that its CUDA kernels take float16 as it is (``stored`` in the .cu file). Else it is handed float32 in
    place of float16, and the floats that it gives back are rounded to float16: right, but several times the bytes.

    >>> @cuda(forward)                                  # doctest: +SKIP
    ... def forward_cuda(x):
    ...     y = empty_like(x)
    ...     launch("double_forward", flat(x.size), x, y, x.size)
    ...     return y
    """

    def register(twin: _Function) -> _Function:
        @functools.wraps(twin)
        def prepared(*args: Any, **kwargs: Any) -> Any:
            for arg in args:  # as a rule nothing is to be done, and this finds it out in each call
                kind = type(arg)
                if kind in LAYOUTS:
                    if not LAYOUTS[kind](arg)[0] or (not half and arg.dtype == _HALF):
                        break
                elif kind not in _NO_ARRAYS:
                    if is_on_gpu(arg) or isinstance(arg, np.ndarray):
                        break
                    _NO_ARRAYS.add(kind)
            else:
                if not kwargs:
                    return twin(*args)
            if not half and any(getattr(arg, "dtype", None) == _HALF for arg in args):
                return _to_half(prepared(*(_from_half(arg) for arg in args), **kwargs))
            if any(isinstance(arg, np.ndarray) for arg in args):
                raise TypeError(f"{name}: {APART}")
            return twin(*(contiguous(arg) for arg in args), **{key: contiguous(arg) for key, arg in kwargs.items()})

        name = f"{numpy_kernel.__module__}.{numpy_kernel.__qualname__}"
        CUDA_TWINS[name] = prepared
        if half:
            HALF_TWINS.add(name)
        return twin

    return register


def contiguous(arg: Any) -> Any:
    """An array on a GPU as kernels take it, where several of them would else copy a view each; all else as it is."""
    if is_on_gpu(arg) and not is_contiguous(arg):
        return xp(arg).ascontiguousarray(arg)
    return arg


def _from_half(arg: Any) -> Any:
    return arg.astype(np.float32) if getattr(arg, "dtype", None) == _HALF else arg


def _to_half(result: Any) -> Any:
    """What a twin gives back for float16: an array, None, or a tuple of them."""
    if isinstance(result, tuple):
        return tuple(_to_half(part) for part in result)
    return result.astype(_HALF) if getattr(result, "dtype", None) == np.float32 else result


def is_on_gpu(array: Any) -> bool:
    """Whether `array` is CuPy's, or of another type that says where on a GPU its numbers lie."""
    return hasattr(type(array), "__cuda_array_interface__")


def xp(array: Array) -> ModuleType:
    """The module that computes with `array`: ``numpy``, or ``cupy`` for an array on a GPU."""
    return _module_of(type(array))  # type: ignore[arg-type]


@functools.cache
def _module_of(kind: type) -> ModuleType:
    """CuPy for its arrays; a stand-in for CuPy says itself what computes with its own."""
    if issubclass(kind, np.ndarray):
        return np
    return getattr(kind, "module", None) or importlib.import_module(kind.__module__.split(".")[0])


def empty(shape: tuple[int, ...], like: Array, dtype: Any = None) -> Array:
    """An uninitialised array on the device of `like`, in its dtype or in `dtype`."""
    return xp(like).empty(shape, dtype or like.dtype)


def empty_like(array: Array) -> Array:
    """An uninitialised C-contiguous array of the shape, dtype and device of `array`."""
    return empty(array.shape, array)


def resolve_device(device: str) -> str:
    """``"cpu"`` or ``"cuda"``, whichever will be used for ``"auto"``, ``"cpu"`` or ``"cuda"``.

    ``"auto"`` is the GPU where CuPy, the driver and a GPU work, and else the CPU.

    Raises:
        InputError: the name is unknown, or ``"cuda"`` is asked for and CuPy, the driver or a GPU is missing.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise InputError(f"device {device!r} is unknown; use auto, cpu or cuda")
    if device == "cpu":
        return "cpu"
    try:
        working_cupy()
    except InputError:
        if device == "cuda":
            raise
        return "cpu"
    return "cuda"


def to_device(array: Array, device: str) -> Array:
    """`array` on ``"cpu"`` or ``"cuda"``: itself where it is there already, else a copy.

    From the GPU to the CPU this waits until the GPU has computed it.
    """
    if is_on_gpu(array):
        return array if device == "cuda" else array.get()  # type: ignore[attr-defined]
    return working_cupy().asarray(array) if device == "cuda" else array

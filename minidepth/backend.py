"""Where an array lives decides where it is computed.

There is no global device. A *kernel* is a function on arrays that looks at the type of its first argument: for a NumPy
array it runs the NumPy code written in ``ops/<op>.py``; a CuPy array will find the CUDA kernel registered beside it.
Code that is the same for both (losses, metrics) asks `xp` for the array's own module and is written once.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from minidepth.errors import InputError

Array = np.ndarray

KERNELS: dict[str, Callable[..., Any]] = {}
"""Every registered kernel by its full name, such as ``minidepth.ops.conv2d.forward``."""


def kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make `function` the NumPy kernel of its name; other array types are added with ``.register(type)``.

    >>> @kernel
    ... def forward(x): return 2 * x
    >>> forward(np.float32(3) * np.ones(2))
    array([6., 6.])
    """
    name = f"{function.__module__}.{function.__qualname__}"

    @functools.singledispatch
    @functools.wraps(function)
    def dispatch(first: Any, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{name} has no kernel for {type(first).__module__}.{type(first).__name__}; pass a NumPy array")

    dispatch.register(np.ndarray, function)
    dispatch.register(np.generic, function)  # what NumPy's arithmetic makes of an array of shape ()
    KERNELS[name] = dispatch
    return dispatch


def xp(array: Array) -> ModuleType:
    """The module that computes with `array`: ``numpy``, or ``cupy`` for an array on a GPU."""
    return np if isinstance(array, np.ndarray) else importlib.import_module(type(array).__module__.split(".")[0])


def resolve_device(device: str) -> str:
    """The device that will be used for ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Raises:
        InputError: the name is unknown, or ``"cuda"`` is asked for and CuPy, the driver or the kernels are missing.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise InputError(f"device {device!r} is unknown; use auto, cpu or cuda")
    if device != "cuda":
        return "cpu"
    if importlib.util.find_spec("cupy") is None:
        raise InputError("device cuda needs CuPy: pip install 'minidepth[gpu]' (CUDA 12), or use --device cpu")
    cupy = importlib.import_module("cupy")
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise InputError(f"device cuda: CuPy finds no working driver ({error}); use --device cpu") from None
    if count == 0:
        raise InputError("device cuda: the driver reports no GPU; use --device cpu")
    raise InputError("device cuda: this release has no CUDA kernels yet, they are planned; use --device cpu")

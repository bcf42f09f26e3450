"""Compile the .cu files with NVRTC and launch their kernels through CuPy. The only file that needs a GPU to run.

A file is compiled when its first kernel is launched, once for each type of numbers and each device, and kept; CuPy also
keeps the result on disk, so that the next process starts at once. What a .cu file includes is put in its place, as the
disk cache looks at one text only and would not see that a header has changed.

The header of half, cuda_fp16.h, is found by CuPy: its own kernels include it, too.
CuPy adds ``-ftz=true``: in float32, numbers below 1.2e-38 count as 0.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cupy
import numpy as np

from minidepth.cuda.launch import ADDRESSES, LAYOUTS, RUNNERS, Grid
from minidepth.cuda.source import Kernel, included

_TYPES = {
    "float16": ("-DREAL=float", "-DSTORED=__half"),
    "float32": ("-DREAL=float",),
    "float64": ("-DREAL=double",),
}
_NULL = np.uint64(0)
"""A null pointer. CuPy would take None for an argument that is not there at all."""


def register(kind: type) -> None:
    """Let kernels run on arrays of that type, which are CuPy's."""
    RUNNERS[kind] = run
    ADDRESSES[kind] = _address  # the interface asks for the stream, too
    if hasattr(kind, "_c_contiguous"):  # flags and device make an object each time: 0.5 us in place of 0.1
        LAYOUTS[kind] = _layout


def run(kernel: Kernel, real: str, grid: Grid, arguments: list[Any]) -> None:
    """Launch on the device that the first array is on."""
    device = next(argument.device.id for argument in arguments if isinstance(argument, cupy.ndarray))
    given = tuple([_NULL if argument is None else argument for argument in arguments])
    if device == cupy.cuda.runtime.getDevice():
        _function(kernel, real, device)(*grid, given)
        return
    with cupy.cuda.Device(device):
        _function(kernel, real, device)(*grid, given)


def _layout(array: Any) -> tuple[bool, int]:
    return array._c_contiguous, array.data.device_id


def _address(array: Any) -> int:
    return array.data.ptr


@functools.cache
def _function(kernel: Kernel, real: str, device: int) -> Callable[..., None]:
    return _module(kernel.file, real, device).get_function(kernel.name)


@functools.cache
def _module(file: Path, real: str, device: int) -> cupy.RawModule:
    """`file` compiled for `device`, for arrays of that dtype."""
    module = cupy.RawModule(code=included(file), options=("-std=c++17", *_TYPES[real]))
    try:
        module.compile()
    except cupy.cuda.compiler.CompileException as error:
        raise RuntimeError(f"{file.name} does not compile with NVRTC: {str(error).strip()}") from error
    return module

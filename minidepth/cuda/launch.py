"""Launch a kernel, after a check of every argument against its declaration.

CUDA takes what it is given: a float64 array where the kernel reads float32, a transposed view, a count too large for an
int, all run and give wrong numbers, or write where they should not. So `launch` compares each argument with the
signature in the .cu file and refuses what does not fit. That costs about a microsecond an argument.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from minidepth.cuda.source import TYPES, Kernel, Parameter, find

Size = tuple[int, int, int]
Run = Callable[[Kernel, str, "Grid", list[Any]], None]


class Grid(NamedTuple):
    """How many blocks a kernel runs in, and how many threads a block has, along x, y and z."""

    blocks: Size
    threads: Size


RUNNERS: dict[type, Run] = {}
"""Type of array -> what runs a kernel on such arrays: ``run(kernel, dtype, grid, arguments)``."""


def flat(n: int, threads: int = 256, each: int = 1) -> Grid:
    """The grid with a thread for each of n numbers, or for every `each` of them, in blocks of `threads`."""
    return Grid((-(-n // (threads * each)), 1, 1), (threads, 1, 1))


def aligned(*arrays: Any) -> bool:
    """Whether each array begins at a multiple of 16 bytes, as a kernel needs that reads four numbers at once.

    Memory of its own does; a view of the middle of an array may not.
    """
    return all(array.__cuda_array_interface__["data"][0] % 16 == 0 for array in arrays)


def launch(name: str, grid: Grid, *args: Any, real: str | None = None) -> None:
    """Run the kernel `name` on `grid`; nothing happens where the grid has no blocks.

    Args:
        name: as in the .cu file, such as ``"leaky_relu_forward"``.
        grid: see `flat`.
        args: what the kernel takes, in order: C-contiguous arrays on the GPU, numbers, and None for a null pointer.
        real: "float32" or "float64", for a kernel that finds its numbers by addresses; else the arrays say it.

    Raises:
        TypeError, ValueError: an argument does not fit the declaration; the text names it and says what would.
    """
    kernel = find(name)
    if len(args) != len(kernel.parameters):
        raise TypeError(f"launch: {kernel} takes {len(kernel.parameters)} arguments, but got {len(args)}")
    arrays = [arg for parameter, arg in zip(kernel.parameters, args) if parameter.is_pointer and arg is not None]
    run = _runner(kernel, arrays)
    reals = [arg for parameter, arg in zip(kernel.parameters, args) if parameter[1:3] == ("real", True)]
    real = real or next((array.dtype.name for array in reals if array is not None), "float32")
    if real not in ("float32", "float64"):
        raise TypeError(f"launch: {name} computes in float32 or float64, not in {real}; use .astype('float32')")
    device = arrays[0].device
    bound = []
    for parameter, arg in zip(kernel.parameters, args):
        if not parameter.is_pointer:
            bound.append(_number(name, parameter, arg, real))
            continue
        if arg is not None:
            _check_array(name, parameter, arg, real)
            if arg.device != device:
                raise ValueError(
                    f"launch: {name} got arrays on two devices ({arg.device} for {parameter.name}, {device} before); "
                    f"copy them to one"
                )
        bound.append(arg)
    if 0 not in grid.blocks:
        run(kernel, real, grid, bound)


def _runner(kernel: Kernel, arrays: list[Any]) -> Run:
    """What runs kernels on arrays of the type of the first one."""
    if not arrays:
        raise TypeError(f"launch: {kernel} got no array")
    kind = type(arrays[0])
    if kind not in RUNNERS and kind.__module__.partition(".")[0] == "cupy":
        RUNNERS[kind] = importlib.import_module("minidepth.cuda.cupy_runner").run
    if kind not in RUNNERS:
        raise TypeError(f"launch: {kernel.name} runs on arrays of CuPy, not on {kind.__module__}.{kind.__qualname__}")
    return RUNNERS[kind]


def _check_array(name: str, parameter: Parameter, array: Any, real: str) -> None:
    expected = real if parameter.type == "real" else TYPES[parameter.type]
    if type(array) not in RUNNERS:
        kind = f"{type(array).__module__}.{type(array).__qualname__}"
        raise TypeError(f"launch: {name} takes {parameter} as an array on the GPU, not {kind}")
    if array.dtype.name != expected:
        raise TypeError(f"launch: {name} takes {parameter} in {expected}, but got {array.dtype.name}")
    if not array.flags.c_contiguous:
        raise ValueError(
            f"launch: {name} takes {parameter} C-contiguous, but got a view of shape {array.shape} with strides "
            f"{array.strides}; copy it with xp.ascontiguousarray"
        )


def _number(name: str, parameter: Parameter, value: Any, real: str) -> np.generic:
    """`value` in the type that the kernel reads."""
    dtype = np.dtype(real if parameter.type == "real" else TYPES[parameter.type])
    if not isinstance(value, (int, float, np.number, np.bool_)):
        raise TypeError(f"launch: {name} takes {parameter} as a number, not {type(value).__qualname__}")
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if value != int(value) or not limits.min <= value <= limits.max:
            raise ValueError(f"launch: {name} takes {parameter}, in which {value} does not fit")
    return dtype.type(value)

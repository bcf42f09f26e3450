"""Launch a kernel, after a check of every argument against its declaration.

CUDA takes what it is given: a float64 array where the kernel reads float32, a transposed view, a count too large for an
int, all run and give wrong numbers, or write where they should not. So `launch` compares each argument with the
signature in the .cu file and refuses what does not fit. A training step makes hundreds of launches, each of which a
small network's GPU waits for: so what was checked once, grids and numbers, is remembered, and of an array its type,
dtype, layout and device are compared in every launch, at some 0.2 us.
"""

from __future__ import annotations

import functools
import importlib
import math
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

LAYOUTS: dict[type, Callable[[Any], tuple[bool, Any]]] = {}
"""Type of array -> what tells of one whether it is C-contiguous, and its device: as quickly as that type allows."""

ADDRESSES: dict[type, Callable[[Any], int]] = {}
"""Type of array -> where one begins, for a type that has a quicker way than ``__cuda_array_interface__``."""

KEPT = 4096
"""How many grids, and lists of numbers, are remembered as checked: some hundreds recur in every step."""

_DTYPES = {name: np.dtype(dtype) for name, dtype in TYPES.items()} | {"half": np.dtype("float16")}
_REALS = {np.dtype(name): name for name in ("float16", "float32", "float64")}
_MEANINGS = {
    "float16": {"real": "float", "stored": "half"},
    "float32": {"real": "float", "stored": "float"},
    "float64": {"real": "double", "stored": "double"},
}
"""What the words of the .cu files stand for, by the dtype of the arrays that layers hand each other."""

_LIMITS = {
    name: (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)) for name, dtype in TYPES.items() if "int" in dtype
}
_FRACTIONS: Any = (float, np.floating)
_NUMBERS: Any = (int, float, np.integer, np.floating, np.bool_)
_LARGEST = {name: float(np.finfo(dtype).max) for name, dtype in TYPES.items() if "float" in dtype}


def flat(n: int, threads: int = 256, each: int = 1) -> Grid:
    """The grid with a thread for each of n numbers, or for every `each` of them, in blocks of `threads`."""
    return Grid((-(-n // (threads * each)), 1, 1), (threads, 1, 1))


def mapped(x: Any, each: int = 1) -> Grid:
    """The grid of `map_numbers<each>` over all numbers of x: in half a thread has two in place of each one."""
    return flat(x.size, each=2 * each if x.dtype == _DTYPES["half"] else each)


def aligned(*arrays: Any) -> bool:
    """Whether each array begins at a multiple of 16 bytes, as a kernel needs that reads four numbers at once.

    Memory of its own does; a view of the middle of an array may not.
    """
    return all(ADDRESSES.get(type(array), _address)(array) % 16 == 0 for array in arrays)


def _address(array: Any) -> int:
    return array.__cuda_array_interface__["data"][0]


def launch(name: str | Kernel, grid: Grid, *args: Any, real: str | None = None) -> None:
    """Run the kernel `name` on `grid`; nothing happens where the grid has no blocks.

    Args:
        name: as in the .cu file, such as ``"leaky_relu_forward"``; or a kernel of a file outside the package, see
            `minidepth.cuda.source.parse`.
        grid: see `flat`.
        args: what the kernel takes, in order: C-contiguous arrays on the GPU, numbers, and None for a null pointer.
        real: "float32", "float64" or "float16", for a kernel that finds its numbers by addresses; else the arrays say
            it. In "float16" the kernel computes in float32, and what it declares as `stored` is half.

    Raises:
        TypeError, ValueError: the grid is too large, or an argument does not fit the declaration; the text names it and
            says what would.
    """
    kernel = find(name) if isinstance(name, str) else name
    if len(args) != len(kernel.parameters):
        raise TypeError(f"launch: {kernel} takes {len(kernel.parameters)} arguments, but got {len(args)}")
    _check_grid(kernel, grid)
    kind = None
    for n in kernel.arrays:
        if args[n] is not None and type(args[n]) is not kind:
            kind = type(args[n])
            if kind not in RUNNERS:
                _add_runner(kernel, kernel.parameters[n], kind)
    if kind is None:
        raise TypeError(f"launch: {kernel} got no array, so nothing says where it is to run")
    if real is None:
        real = _said_by_arrays(kernel, args)
    if real not in _MEANINGS or (real == "float16" and not kernel.takes_half):
        raise TypeError(f"launch: {kernel.name} computes in float32 or float64, not in {real}; use .astype('float32')")
    layout, device, bound = LAYOUTS.get(kind) or LAYOUTS.setdefault(kind, _layout), None, list(args)
    for n, expected in zip(kernel.arrays, _dtypes(kernel, real)):
        array = args[n]
        if array is None:
            continue
        contiguous, where = layout(array)
        if (array.dtype is not expected and array.dtype != expected) or not contiguous:
            raise _unfit(kernel, kernel.parameters[n], array, expected)
        if device is None:
            device = where
        elif where != device:
            raise ValueError(
                f"launch: {kernel.name} got arrays on two devices ({where} for {kernel.parameters[n].name}, {device} "
                f"before); copy them to one"
            )
    values = [args[n] for n in kernel.numbers]
    try:
        numbers = _numbers(kernel, real, *values)
    except TypeError:  # also where a value cannot be looked up; a second time without looking tells what is wrong
        numbers = _numbers.__wrapped__(kernel, real, *values)
    for n, number in zip(kernel.numbers, numbers):
        bound[n] = number
    if 0 not in grid.blocks:
        RUNNERS[kind](kernel, real, grid, bound)


def is_contiguous(array: Any) -> bool:
    """Whether the numbers of `array`, which is on a GPU, lie one after the other in C's order."""
    return LAYOUTS.get(type(array), _layout)(array)[0]


def _layout(array: Any) -> tuple[bool, Any]:
    return array.flags.c_contiguous, array.device


def _said_by_arrays(kernel: Kernel, args: tuple[Any, ...]) -> str:
    """The dtype that a kernel is to be compiled for: that of its `stored` arrays, or of its `real` ones."""
    for n in _speakers(kernel):
        if args[n] is not None:
            return _REALS.get(args[n].dtype) or str(args[n].dtype)
    return "float32"


@functools.cache
def _speakers(kernel: Kernel) -> list[int]:
    """Which arrays say that, the first one that is there."""
    return [n for kind in ("stored", "real") for n in kernel.arrays if kernel.parameters[n].type == kind]


@functools.cache
def _dtypes(kernel: Kernel, real: str) -> list[np.dtype]:
    """What the arrays must hold."""
    types = [kernel.parameters[n].type for n in kernel.arrays]
    return [_DTYPES[_MEANINGS[real].get(kind, kind)] for kind in types]


@functools.lru_cache(KEPT)
def _check_grid(kernel: Kernel, grid: Grid) -> None:
    (x, y, z), (i, j, k) = grid
    if not (0 <= x < 2**31 and 0 <= y < 65536 and 0 <= z < 65536):
        raise ValueError(
            f"launch: {kernel.name} in {(x, y, z)} blocks; a GPU takes at most {(2**31 - 1, 65535, 65535)} along x, y "
            f"and z, so the long count belongs along x"
        )
    if not (i > 0 and j > 0 and 0 < k <= 64 and i * j * k <= 1024):
        raise ValueError(
            f"launch: {kernel.name} with {(i, j, k)} threads a block, which are {i * j * k}; a GPU takes 1 to 1024, "
            f"and at most 64 along z"
        )


def _add_runner(kernel: Kernel, parameter: Parameter, kind: type) -> None:
    """Let kernels run on arrays of type `kind`, if they are CuPy's."""
    if kind.__module__.partition(".")[0] != "cupy" or not hasattr(kind, "__cuda_array_interface__"):
        raise TypeError(
            f"launch: {kernel.name} takes {parameter} as an array on the GPU, not {kind.__module__}.{kind.__qualname__}"
        )
    importlib.import_module("minidepth.cuda.cupy_runner").register(kind)


def _unfit(kernel: Kernel, parameter: Parameter, array: Any, expected: np.dtype) -> Exception:
    if array.dtype != expected:
        return TypeError(f"launch: {kernel.name} takes {parameter} in {expected}, but got {array.dtype}")
    return ValueError(
        f"launch: {kernel.name} takes {parameter} C-contiguous, but got a view of shape {array.shape} with strides "
        f"{array.strides}; copy it with xp.ascontiguousarray"
    )


@functools.lru_cache(KEPT, typed=True)
def _numbers(kernel: Kernel, real: str, *values: Any) -> tuple[Any, ...]:
    """`values` as the kernel reads them. Kept, as sizes and settings are the same in every step."""
    return tuple(_number(kernel, kernel.parameters[n], value, real) for n, value in zip(kernel.numbers, values))


def _number(kernel: Kernel, parameter: Parameter, value: Any, real: str) -> Any:
    """`value` in the type that the kernel reads, as CuPy hands over a Python number as 8 bytes whatever is expected."""
    kind = _MEANINGS[real].get(parameter.type, parameter.type)
    if not isinstance(value, _NUMBERS):
        raise TypeError(f"launch: {kernel.name} takes {parameter} as a number, not {type(value).__qualname__}")
    if kind in _LARGEST:
        fits = not _LARGEST[kind] < abs(value) < math.inf
    elif kind == "bool":
        fits = value in (0, 1)
    else:
        low, high = _LIMITS[kind]
        fits = not isinstance(value, _FRACTIONS) and low <= value <= high
    if not fits:
        raise ValueError(f"launch: {kernel.name} takes {parameter}, in which {value} does not fit")
    return _DTYPES[kind].type(value + 0.0 if kind in _LARGEST else value)  # -0.0 is 0.0, as for whoever looks it up

"""CUDA twins against the NumPy kernels: under the emulator always, on a real GPU with ``pytest -m gpu``."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest

from minidepth.backend import HALF_TWINS
from minidepth.testing import checking, emulated
from minidepth.testing.emulator import COMPILER

GPUS = ["emulated", pytest.param("cuda", marks=pytest.mark.gpu)]
"""For ``@pytest.mark.parametrize("gpu", GPUS)``."""

ROUNDING = 8
"""A twin may differ from NumPy by this many eps times the square root of the number of terms in a sum."""


def to_gpu(gpu: str, array: Any) -> Any:
    """`array` on the emulated GPU or on the real one."""
    if gpu == "emulated" and shutil.which(COMPILER) is None:
        pytest.skip(f"the emulator of CUDA kernels needs {COMPILER}; install g++, or set CXX")
    return emulated(array) if gpu == "emulated" else importlib.import_module("cupy").asarray(array)


def watched(gpu: str, dtype: Any) -> Any:
    """A ``with`` block for kernels in that dtype: the emulator runs those in float32 and half in its checking mode.

    So no kernel is compiled twice for one dtype, and what would write out of bounds is found before it does.
    """
    return checking() if gpu == "emulated" and dtype in (np.float16, np.float32) else nullcontext()


def assert_twin(
    gpu: str,
    kernel: Callable[..., Any],
    *args: Any,
    terms: int = 1,
    scale: float | None = None,
    single: tuple[int, ...] = (),
) -> Any:
    """The twin of `kernel` computes what NumPy does, in float64 and in float32; return NumPy's result in float64.

    Kernels for float16, where the twin has them, must compute what NumPy does in float64 with arguments rounded to
    float16. What they give back in float16 may be further off than float32 allows by one rounding, half a unit.

    Args:
        gpu: of `GPUS`.
        kernel: a registered kernel, such as ``minidepth.ops.leaky_relu.forward``.
        args: its arguments, arrays in float64 (others as they are); they are not changed.
        terms: how many numbers are added up for one of the result.
        scale: how large the terms of a sum are together, where that is more than the largest result.
        single: places of the arguments that are float32 beside float16 ones: parameters and statistics.
    """
    expected = kernel(*_converted(args, np.float64, np.array))
    for dtype in (np.float32, np.float64):
        with watched(gpu, dtype):
            actual = kernel(*_converted(args, dtype, lambda array: to_gpu(gpu, array)))
        _compare(actual, expected, ROUNDING * np.finfo(dtype).eps * terms**0.5, scale)
    if f"{kernel.__module__}.{kernel.__qualname__}" in HALF_TWINS:
        _assert_half(gpu, kernel, args, ROUNDING * np.finfo(np.float32).eps * terms**0.5, scale, single)
    return expected


def _assert_half(
    gpu: str, kernel: Callable[..., Any], args: tuple[Any, ...], tolerance: float, scale: Any, single: tuple[int, ...]
) -> None:
    dtypes = [np.float32 if place in single else np.float16 for place in range(len(args))]
    rounded = tuple(_converted(arg, dtype, np.array) for arg, dtype in zip(args, dtypes))
    exact = _converted(rounded, None, lambda a: a.astype(np.float64) if a.dtype.kind == "f" else a)
    with watched(gpu, np.float16):
        actual = kernel(*_converted(rounded, None, lambda array: to_gpu(gpu, array)))
    _compare(actual, kernel(*exact), tolerance, scale)


def _converted(value: Any, dtype: Any, move: Callable[[Any], Any]) -> Any:
    """`value` with each array moved, and in `dtype` (if any) where it holds float64; lists and tuples are walked."""
    if isinstance(value, np.ndarray):
        return move(value.astype(dtype) if dtype is not None and value.dtype == np.float64 else value.copy())
    if isinstance(value, (list, tuple)):
        items = [_converted(item, dtype, move) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value


def _compare(actual: Any, expected: Any, tolerance: float, scale: float | None) -> None:
    if isinstance(expected, (list, tuple)):
        assert len(actual) == len(expected)
        for one, other in zip(actual, expected):
            _compare(one, other, tolerance, scale)
        return
    if expected is None:
        assert actual is None
        return
    values = actual.get()
    assert values.shape == np.shape(expected)
    if values.dtype.kind != "f":
        assert values.dtype == expected.dtype
        np.testing.assert_array_equal(values, expected)
        return
    largest = float(np.max(np.abs(expected), initial=0)) if scale is None else scale
    once, steps = (2.0**-11, 2.0**-25) if values.dtype == np.float16 else (0, 0)  # half a unit, and that below 6e-5
    np.testing.assert_allclose(
        values.astype(np.float64), expected, rtol=tolerance + once, atol=tolerance * largest + steps
    )

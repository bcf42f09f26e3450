"""The card that gpu.py measures: its name, its clock, and what it can do at all. Or, for a rehearsal, no card.

A rehearsal runs the same calls on the emulated GPU at tiny sizes. It times nothing: every figure is missing there, so
that none can be taken for a measurement.
"""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import math
import platform
import statistics
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from results import number

import minidepth.backend
import minidepth.cuda.device
from minidepth.backend import Array, to_device
from minidepth.cuda.device import version_text, working_cupy
from minidepth.cuda.source import files
from minidepth.testing import DeviceArray, checking

NOT_MEASURED = "rehearsal, not measured"
ROUND_MS, ROUNDS = 15.0, 3
"""A function is called for so long, at least once and at most 200 times, between two events; and that so often."""
COPY_BYTES, PRODUCT_SIDE = 1 << 30, 8192


class Card:
    """The first NVIDIA GPU, through CuPy."""

    rehearsal = False

    def __init__(self) -> None:
        self.cupy = working_cupy()

    def facts(self) -> str:
        """One line: date, card, driver and versions."""
        runtime = self.cupy.cuda.runtime
        card = runtime.getDeviceProperties(0)
        driver, cuda = runtime.driverGetVersion(), runtime.runtimeGetVersion()
        return ", ".join(
            [
                datetime.date.today().isoformat(),
                f"{card['name'].decode()} ({card['totalGlobalMem'] / 2**30:.0f} GiB, {card['multiProcessorCount']} "
                f"multiprocessors)",
                f"driver {driver_version()} for CUDA {version_text(driver)}, CUDA {version_text(cuda)}",
                f"CuPy {self.cupy.__version__}, PyTorch {torch_version()}, NumPy {np.__version__}",
                f"Python {platform.python_version()}",
            ]
        )

    def compile_all(self) -> float:
        """Compile every .cu file for float32 and half, on all cores; the seconds. CuPy keeps the results on disk."""
        from minidepth.cuda import cupy_runner

        start_s = self.wait()

        def build(file_and_type: tuple[Any, str]) -> None:
            with self.cupy.cuda.Device(0):
                try:
                    cupy_runner._module(*file_and_type, 0)
                except RuntimeError as error:  # whoever launches a kernel of it is told again
                    print(f"{file_and_type[1]}: {error}", file=sys.stderr)

        with ThreadPoolExecutor() as pool:
            list(pool.map(build, [(file, dtype) for file in files() for dtype in ("float32", "float16")]))
        return self.wait() - start_s

    def wait(self) -> float:
        """Wait until the card has done everything, and say what time it is then, in seconds."""
        import time

        self.cupy.cuda.Device().synchronize()
        return time.perf_counter()

    def time_ms(self, function: Callable[[], object]) -> float:
        """How long the card works for a call: the median of a few rounds of calls between two events.

        A long copy goes first in each round. While it runs, Python gets ahead, so the card never waits for the next
        launch and what is measured is the kernels.
        """
        cuda = self.cupy.cuda
        begin, end = cuda.Event(), cuda.Event()
        plug, target = self.cupy.ones(COPY_BYTES // 4, np.float32), self.cupy.empty(COPY_BYTES // 4, np.float32)
        function()
        times, taken_ms = 1, []
        for turn in range(ROUNDS + 1):
            for _ in range(1 + times // 10):
                target[...] = plug
            begin.record()
            for _ in range(times):
                function()
            end.record()
            end.synchronize()
            ms = cuda.get_elapsed_time(begin, end) / times
            if turn:  # the first one says how often to call
                taken_ms.append(ms)
            times = max(1, min(200, int(ROUND_MS / max(ms, 1e-3))))
        return statistics.median(taken_ms)

    def copy_gb_s(self) -> float:
        """Read and written, from one part of the card's memory to another."""
        source, target = self.cupy.ones(COPY_BYTES // 4, np.float32), self.cupy.empty(COPY_BYTES // 4, np.float32)
        return 2 * source.nbytes / self.time_ms(lambda: self.cupy.copyto(target, source)) / 1e6

    def product_tflops(self, precision: str) -> float:
        """A product of large squares by cuBLAS, with random numbers, as zeros draw less power and run faster."""
        rng = self.cupy.random.default_rng(0)
        dtype = np.float16 if precision == "half" else np.float32
        a, b = (rng.standard_normal((PRODUCT_SIDE, PRODUCT_SIDE), np.float32).astype(dtype) for _ in range(2))
        y = self.cupy.empty_like(a)
        with self._tensor_cores(precision == "TF32"):
            return 2 * PRODUCT_SIDE**3 / self.time_ms(lambda: self.cupy.matmul(a, b, out=y)) / 1e9

    @contextlib.contextmanager
    def _tensor_cores(self, tf32: bool) -> Any:
        """What the environment variable CUPY_TF32 switches for a whole process."""
        from cupy import _core
        from cupy._core import _routines_linalg as linalg

        before = _core.get_compute_type(np.float32)
        _core.set_compute_type(np.float32, linalg.COMPUTE_TYPE_TF32 if tf32 else linalg.COMPUTE_TYPE_FP32)
        try:
            yield
        finally:
            _core.set_compute_type(np.float32, before)

    def free(self) -> None:
        """Give unused memory back to the card, so that other processes find it."""
        self.cupy.get_default_memory_pool().free_all_blocks()


class Rehearsal(Card):
    """The emulated GPU in its place: all is called, each kernel is watched, and nothing is timed."""

    rehearsal = True

    def __init__(self) -> None:
        self.cupy = DeviceArray.module
        for module in (minidepth.backend, minidepth.cuda.device):
            module.working_cupy = lambda: DeviceArray.module  # type: ignore[attr-defined]

    def facts(self) -> str:
        return f"{datetime.date.today().isoformat()}, no card: {NOT_MEASURED}. PyTorch {torch_version()}"

    def compile_all(self) -> float:
        return math.nan

    def wait(self) -> float:
        return math.nan

    def time_ms(self, function: Callable[[], object]) -> float:
        with checking():
            function()
        return math.nan

    def copy_gb_s(self) -> float:
        source = to_device(np.ones(64, np.float32), "cuda")
        return self.time_ms(source.copy)

    def product_tflops(self, precision: str) -> float:
        a = to_device(np.ones((4, 4), np.float16 if precision == "half" else np.float32), "cuda")
        return self.time_ms(lambda: a @ a)

    def free(self) -> None:
        pass


def on_card(shape: tuple[int, ...], dtype: Any = np.float32, seed: int = 0) -> Array:
    """Random numbers there; the same few over and over, as drawing a thousand million of them would take minutes."""
    size = math.prod(shape)
    some = np.random.default_rng(seed).standard_normal(min(size, 1 << 20), dtype=np.float32).astype(dtype)
    part = to_device(some, "cuda")
    lib = minidepth.backend.xp(part)
    return lib.resize(part, shape) if size > len(some) else part.reshape(shape)


def torch_version() -> str:
    """PyTorch's, without importing it."""
    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return "missing"


def driver_version() -> str:
    """As nvidia-smi writes it; the runtime knows only for which CUDA the driver is."""
    from pathlib import Path

    path = Path("/proc/driver/nvidia/version")
    words = path.read_text(encoding="utf-8").split() if path.exists() else []
    return next((word for word in words if word.count(".") >= 1 and word[0].isdigit()), "of unknown version")


def figure(value: float, unit: str = "") -> str:
    """Three digits, or a dash where nothing was measured."""
    return "–" if math.isnan(value) else f"{number(value)}{unit}"

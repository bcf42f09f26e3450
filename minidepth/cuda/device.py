"""What must be there before a GPU can be used, and what to say where it is missing or its memory is full."""

from __future__ import annotations

import importlib
import importlib.util
import re
import warnings
from types import ModuleType

from minidepth.errors import InputError

INSTEAD = "or use --device cpu"


def working_cupy() -> ModuleType:
    """CuPy, after a look at all that it needs: a driver, a GPU, and NVRTC to compile with.

    Raises:
        InputError: one of them is missing; the text has what to do.
    """
    if importlib.util.find_spec("cupy") is None:
        extras = "pip install 'minidepth[gpu]' (CUDA 12) or 'minidepth[gpu-cuda13]' (CUDA 13)"
        raise InputError(f"device cuda needs CuPy: {extras}, {INSTEAD}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what it warns of is told below
            cupy = importlib.import_module("cupy")
    except Exception as error:  # whatever a broken installation raises
        raise InputError(
            f"device cuda: CuPy is installed but broken ({line(error)}); reinstall it, {INSTEAD}"
        ) from None
    runtime, driver = cupy.cuda.runtime, 0
    try:
        driver = runtime.driverGetVersion()
        count = runtime.getDeviceCount()
    except runtime.CUDARuntimeError as error:
        if driver == 0:
            raise InputError(
                f"device cuda: there is no NVIDIA driver ({line(error)}); install one, {INSTEAD}"
            ) from None
        wants = f"it is for CUDA {version_text(driver)}, CuPy for CUDA {version_text(runtime.runtimeGetVersion())}"
        raise InputError(
            f"device cuda: the driver does not work ({line(error)}): {wants}; update it, {INSTEAD}"
        ) from None
    if count == 0:
        raise InputError(
            f"device cuda: the driver reports no GPU; unset CUDA_VISIBLE_DEVICES if it hides them, {INSTEAD}"
        )
    try:
        cupy.cuda.nvrtc.getVersion()
    except Exception as error:  # its type depends on the version of CuPy
        fix = f"pip install 'cupy-cuda{runtime.runtimeGetVersion() // 1000}x[ctk]' brings it"
        raise InputError(
            f"device cuda: NVRTC, which compiles kernels, is missing ({line(error)}); {fix}, {INSTEAD}"
        ) from None
    return cupy


def compute_capability() -> tuple[int, int]:
    """That of the card that is used, such as (8, 0) for an A100.

    Raises:
        InputError: no card can be used.
    """
    runtime = working_cupy().cuda.runtime
    card = runtime.getDeviceProperties(runtime.getDevice())
    return card["major"], card["minor"]


def card_name() -> str:
    """The name of the GPU that is used."""
    runtime = working_cupy().cuda.runtime
    name: bytes = runtime.getDeviceProperties(runtime.getDevice())["name"]
    return name.decode()


def out_of_memory(error: MemoryError, batch: int | None = None) -> str:
    """One line for an array that found no room: how much was asked for and is free, and which batch would fit.

    Args:
        error: CuPy's, whose text says how much was asked for; of any other only the text is told.
        batch: how many frames a step had. What they hold grows with their number, so a share of it is free with fewer.
            None where there are no steps.
    """
    asked_text = re.search(r"Out of memory allocating ([\d,]+) bytes", str(error))
    if asked_text is None:
        return f"out of memory ({error}); use a smaller --batch or --size, or --recompute"
    cupy = working_cupy()
    pool, asked = cupy.get_default_memory_pool(), int(asked_text[1].replace(",", ""))
    unused, total = cupy.cuda.runtime.memGetInfo()
    free, used = unused + pool.free_bytes(), pool.used_bytes()
    facts = f"out of memory on the GPU: {mib(asked)} were asked for, and {mib(free)} of {mib(total)} are free"
    if batch is None:
        return f"{facts}; {INSTEAD.removeprefix('or ')}"
    fits = min(batch - 1, batch * (used + free) // (used + asked))
    advice = f"at most --batch {fits} would fit" if fits else "not even one frame fits"
    return f"{facts}; {advice}; or use a smaller --size, or --recompute"


def version_text(number: int) -> str:
    """CUDA counts 13.0 as 13000 and 12.4 as 12040."""
    return f"{number // 1000}.{number % 1000 // 10}"


def mib(count: int) -> str:
    """A number of bytes in MiB."""
    return f"{count / 2**20:,.0f} MiB"


def line(error: Exception) -> str:
    """The text of an error, which may have several lines, in one."""
    return " ".join(str(error).split())[:200] or type(error).__name__

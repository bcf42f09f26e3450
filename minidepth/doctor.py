"""`minidepth doctor`: what this machine has, what works of it, and what minidepth will use.

Each line is found by trying, and a thing that is broken is a line like the others: here nothing raises.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from minidepth import __version__, get_num_threads
from minidepth.cuda.device import compute_capability
from minidepth.cuda.source import files, kernels
from minidepth.errors import InputError
from minidepth.ops.cpu import blas
from minidepth.precision import TENSOR_CORES, version


def report(data: str | None = None) -> str:
    """The whole report; `data` is the folder of $MINIDEPTH_DATA."""
    lines = {
        "minidepth": lambda: f"{__version__}, in {Path(__file__).parent}",
        "Python": lambda: f"{platform.python_version()} on {platform.platform()}",
        "NumPy": lambda: importlib.metadata.version("numpy"),
        "BLAS": blas_text,
        "processor": processor_text,
        "memory": memory_text,
        "data": lambda: data_text(data),
        "kernels": lambda: f"{len(kernels())} CUDA kernels in {len(files())} files",
        "CuPy": cupy_text,
        "GPU": gpu_text,
        "tensor cores": tensor_cores_text,
        "compilers": compilers_text,
        "will be used": used_text,
    }
    width = max(map(len, lines))
    return "\n".join(f"{name:{width}}  {tried(text)}" for name, text in lines.items())


def tried(text: Callable[[], str]) -> str:
    """The text, or what went wrong, in one line."""
    try:
        return text()
    except Exception as error:  # whatever a broken driver or library may raise
        return f"cannot be told: {type(error).__name__}: {' '.join(str(error).split())[:200]}"


def blas_text() -> str:
    names = [f"{one.internal_api} {one.version or ''} with {one.num_threads} threads" for one in blas.libraries()]
    return ", ".join(names) or "none that threadpoolctl knows"


def processor_text() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{models[0] if models else platform.machine()}, {get_num_threads()} threads for kernels"


def memory_text() -> str:
    path = Path("/proc/meminfo")
    if not path.exists():
        return "unknown"
    kib = {line.split(":")[0]: int(line.split()[1]) for line in path.read_text(encoding="utf-8").splitlines()}
    return f"{kib['MemAvailable'] / 2**20:.1f} of {kib['MemTotal'] / 2**20:.1f} GiB free"


def data_text(data: str | None) -> str:
    if not data:
        return "MINIDEPTH_DATA is not set; data sets are named with --data, and rooms needs none"
    return f"{data}{'' if Path(data).is_dir() else ', which is not a folder'} (MINIDEPTH_DATA)"


def cupy_text() -> str:
    if importlib.util.find_spec("cupy") is None:
        return "not installed; a GPU needs it: pip install 'minidepth[gpu]' (CUDA 12) or 'minidepth[gpu-cuda13]'"
    cupy = the_cupy()
    runtime, nvrtc = cupy.cuda.runtime.runtimeGetVersion(), ".".join(map(str, cupy.cuda.nvrtc.getVersion()))
    return f"{cupy.__version__}, CUDA runtime {version_text(runtime)}, NVRTC {nvrtc}"


def gpu_text() -> str:
    if importlib.util.find_spec("cupy") is None:
        return "not looked for without CuPy"
    runtime = the_cupy().cuda.runtime
    driver, count = version_text(runtime.driverGetVersion()), runtime.getDeviceCount()
    if count == 0:
        return f"none, with a driver for CUDA {driver}"
    cards = []
    for number in range(count):
        card = runtime.getDeviceProperties(number)
        with the_cupy().cuda.Device(number):
            free, total = runtime.memGetInfo()
        capability = f"{card['major']}.{card['minor']}"
        memory = f"{free / 2**30:.1f} of {total / 2**30:.1f} GiB free"
        cards.append(f"{card['name'].decode()} (compute capability {capability}, {memory})")
    return f"{', '.join(cards)}; driver for CUDA {driver}"


def tensor_cores_text() -> str:
    try:
        found = compute_capability()
    except InputError:
        return "none without a GPU"
    if found < TENSOR_CORES:
        return f"not used, as --tf32 and --amp need compute capability {version(TENSOR_CORES)}; float32 alone"
    return "for TF32 (--tf32) and half precision (--amp)"


def compilers_text() -> str:
    """Of the emulator and of the tests; training needs neither."""
    found = [f"{name} {version_of(name)}" for name in (os.environ.get("CXX", "g++"), "nvcc") if shutil.which(name)]
    return f"{', '.join(found) or 'none'} (for the emulator of the kernels and for tests)"


def used_text() -> str:
    from minidepth.backend import resolve_device

    try:
        device = resolve_device("cuda")
    except InputError as error:
        return f"the CPU ({error})"
    return f"the GPU ({device}), unless --device cpu is given"


def version_of(program: str) -> str:
    """The first line of ``program --version`` with a number in it."""
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20)
    lines = [line for line in done.stdout.splitlines() if any(letter.isdigit() for letter in line)]
    release = [line for line in lines if "release" in line]
    return (release or lines or ["of unknown version"])[0].strip().removeprefix(program).strip()


def version_text(number: int) -> str:
    """CUDA counts 13.0 as 13000 and 12.4 as 12040."""
    return f"{number // 1000}.{number % 1000 // 10}"


def the_cupy() -> ModuleType | Any:
    return importlib.import_module("cupy")

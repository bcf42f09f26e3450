"""Run CUDA kernels without a GPU: g++ compiles a .cu file behind cuda_emulator.h, and ctypes calls it.

    from minidepth.testing import emulated
    x = emulated(np.ones((2, 3)))           # an array "on a GPU": it finds the CUDA kernels of every operation

Slow, but the same source runs as on a GPU, with real barriers, shuffles and shared memory. In the checking mode every
access is looked at, and read and write counts are kept:

    with checking() as launches: ...        # KernelError for an access out of bounds, a race, a barrier that hangs

What this cannot show: speed, and rounding that differs between processors (fused multiply-add, exp, sqrt).
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import subprocess
import tempfile
import threading
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minidepth.cuda.launch import RUNNERS, Grid
from minidepth.cuda.source import Kernel, files, kernels
from minidepth.testing.device_array import DeviceArray, addressed
from minidepth.testing.translate import translate

COMPILER = os.environ.get("CXX", "g++")
FLAGS = ("-std=c++17", "-O1", "-w", "-shared", "-fPIC", "-fno-gnu-unique", "-U_FORTIFY_SOURCE", "-ffp-contract=off")
HERE = Path(__file__).parent


class KernelError(RuntimeError):
    """A kernel did what on a GPU would give wrong numbers now and then, or hang."""


@dataclass
class Counts:
    """What one launch in the checking mode has read and written, in numbers."""

    kernel: str
    reads: dict[str, int]
    writes: dict[str, int]
    shared_reads: int
    shared_writes: int


class _Array(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("item_bytes", ctypes.c_int32),
        ("name", ctypes.c_char_p),
        ("reads", ctypes.c_int64),
        ("writes", ctypes.c_int64),
    ]


class _Launch(ctypes.Structure):
    _fields_ = [
        ("blocks", ctypes.c_uint32 * 3),
        ("threads", ctypes.c_uint32 * 3),
        ("shared_reads", ctypes.c_int64),
        ("shared_writes", ctypes.c_int64),
        ("message", ctypes.c_char_p),
        ("message_bytes", ctypes.c_int32),
        ("addressed_count", ctypes.c_int32),
        ("addressed", ctypes.POINTER(_Array)),
    ]


_lock = threading.Lock()
_building: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
_launches: list[Counts] | None = None
"""Where the checking mode keeps its counts; None where it is off."""


executed: set[tuple[str, str]] = set()
"""What has run in this process: the name of each kernel with "float16", "float32", "float64" or "float32 checked"."""


@contextmanager
def checking() -> Iterator[list[Counts]]:
    """Look at every access of the kernels that run inside; the list gets the counts of each launch."""
    global _launches
    before, _launches = _launches, []
    try:
        yield _launches
    finally:
        _launches = before


def run(kernel: Kernel, real: str, grid: Grid, arguments: list[Any]) -> None:
    """Run `kernel` on every thread of `grid`, one after the other.

    Raises:
        KernelError: what it did is wrong; the text has the kernel, the place and the thread.
    """
    checked = _launches is not None
    function = getattr(library(kernel.file, real, checked), f"emulate_{kernel.name}")
    arrays, given = [], (ctypes.c_void_p * max(1, len(arguments)))()
    kept = []
    for number, (parameter, argument) in enumerate(zip(kernel.parameters, arguments)):
        if parameter.is_pointer:
            host = None if argument is None else argument.host
            array = _Array(
                None if host is None else host.ctypes.data, 0 if host is None else host.size,
                0 if host is None else host.itemsize, parameter.name.encode(), 0, 0,
            )  # fmt: skip
            arrays.append(array)
            given[number] = ctypes.addressof(array)
        else:
            kept.append(np.array(argument))
            given[number] = kept[-1].ctypes.data
    living = list(addressed.items()) if checked else []  # found by their addresses, see multi_tensor.py
    found = [
        _Array(place, host.size, host.itemsize, f"the array at {place:#x}".encode(), 0, 0) for place, host in living
    ]
    message = ctypes.create_string_buffer(1000)
    launch = _Launch(
        grid.blocks, grid.threads, 0, 0, ctypes.cast(message, ctypes.c_char_p), len(message),
        len(found), (_Array * len(found))(*found),
    )  # fmt: skip
    with _lock:
        status = function(ctypes.byref(launch), given)
    executed.add((kernel.name, f"{real} checked" if checked else real))
    if status:
        raise KernelError(f"{kernel.file.name}: {kernel.name}: {message.value.decode()}")
    if _launches is not None:
        names = [array.name.decode() for array in arrays]
        reads, writes = ({n: getattr(a, what) for n, a in zip(names, arrays)} for what in ("reads", "writes"))
        _launches.append(Counts(kernel.name, reads, writes, launch.shared_reads, launch.shared_writes))


RUNNERS[DeviceArray] = run


@functools.cache
def library(file: Path, real: str, checked: bool) -> ctypes.CDLL:
    """The compiled kernels of `file` for one type of numbers; what has not changed is not compiled again.

    Raises:
        RuntimeError: there is no compiler, or it refuses the file.
        ValueError: the checking mode cannot watch what is declared there.
    """
    _threads()
    stem = f"{file.stem}_{real}{'_checked' if checked else ''}"
    return ctypes.CDLL(str(_compiled(file.name, stem, [translate(file, real, checked)])))


def build() -> None:
    """Compile all .cu files of the package for the tests, several at a time."""
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2) as pool:
        modes = [(file, *mode) for file in files() for mode in (("float32", True), ("float64", False))]
        modes += [(file, "float16", True) for file in sorted({k.file for k in kernels().values() if k.takes_half})]
        for future in [pool.submit(library, *mode) for mode in modes]:
            future.result()


@functools.cache
def _threads() -> ctypes.CDLL:
    """What runs threads and looks at their accesses: compiled once, and found in the process by all kernels."""
    texts = [(HERE / name).read_text(encoding="utf-8") for name in ("cuda_fibres.cpp", "cuda_watch.cpp")]
    return ctypes.CDLL(str(_compiled("the emulator", "threads", texts)), ctypes.RTLD_GLOBAL)


def _compiled(what: str, stem: str, texts: list[str]) -> Path:
    """The library made of those C++ texts: in a file of another name as soon as they, a header or the flags change."""
    headers = [path.read_text(encoding="utf-8") for path in sorted(HERE.glob("*.h"))]
    digest = hashlib.sha256("\0".join((COMPILER, *FLAGS, *headers, *texts)).encode()).hexdigest()[:20]
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("MINIDEPTH_EMULATOR_CACHE") or caches / "minidepth" / "emulator")
    target = folder / f"{stem}_{digest}.so"
    with _building[stem]:
        if not target.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _compile(what, texts, target)
    return target


def _compile(what: str, texts: list[str], target: Path) -> None:
    """Compile `texts` to `target`, which appears only when it is complete."""
    with tempfile.TemporaryDirectory() as folder:
        sources, made = [Path(folder, f"{number}.cpp") for number in range(len(texts))], Path(folder, "made.so")
        for path, text in zip(sources, texts):
            path.write_text(text, encoding="utf-8")
        command = [COMPILER, *FLAGS, f"-I{HERE}", *map(str, sources), "-o", str(made)]
        try:
            done = subprocess.run(command, capture_output=True, text=True)
        except FileNotFoundError:
            needs = f"the emulator needs {COMPILER} to compile {what}; install g++, or set CXX"
            raise RuntimeError(needs) from None
        if done.returncode:
            raise RuntimeError(f"{what} does not compile with {COMPILER}:\n{done.stderr[:4000]}")
        beside = target.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
        beside.write_bytes(made.read_bytes())
        beside.replace(target)

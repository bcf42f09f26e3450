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
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minidepth.cuda.launch import RUNNERS, Grid
from minidepth.cuda.source import Kernel
from minidepth.testing.device_array import DeviceArray, addressed
from minidepth.testing.translate import translate

COMPILER = os.environ.get("CXX", "g++")
FLAGS = ("-std=c++17", "-O1", "-w", "-fPIC", "-fno-gnu-unique", "-U_FORTIFY_SOURCE", "-ffp-contract=off")
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
_launches: list[Counts] | None = None
"""Where the checking mode keeps its counts; None where it is off."""


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
    function = getattr(library(kernel.file, real, checked), f"emulate_{kernel.name}_{real}")
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
    """
    text = translate(file, (real,), checked)
    target = _cached(f"{file.stem}_{real}{'_checked' if checked else ''}", text).with_suffix(".so")
    if not target.exists():
        flags = [*FLAGS, *(["-DCHECKED"] if checked else [])]
        _compile(file.name, text, target, [*flags, f"-I{_header(checked)}", "-shared"])
    return ctypes.CDLL(str(target))


@functools.cache
def _header(checked: bool) -> Path:
    """A folder with cuda_emulator.h compiled in advance: g++ takes longer for that than for most kernels."""
    folder = _cached(f"header{'_checked' if checked else ''}", "")
    if not (folder / "cuda_emulator.h.gch").exists():
        folder.mkdir(exist_ok=True)
        text = (HERE / "cuda_emulator.h").read_text(encoding="utf-8")
        flags = [*FLAGS, *(["-DCHECKED"] if checked else []), "-x", "c++-header"]
        _compile("cuda_emulator.h", text, folder / "cuda_emulator.h.gch", flags)
    return folder


def _cached(name: str, text: str) -> Path:
    """Where what is made of `text` is kept: by another name as soon as the text, a header or the flags change."""
    headers = "".join((HERE / header).read_text(encoding="utf-8") for header in ("cuda_emulator.h", "cuda_checks.h"))
    digest = hashlib.sha256("\0".join((COMPILER, *FLAGS, headers, text)).encode()).hexdigest()[:20]
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("MINIDEPTH_EMULATOR_CACHE") or caches / "minidepth" / "emulator")
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{name}_{digest}"


def _compile(name: str, text: str, target: Path, flags: list[str]) -> None:
    """Compile `text` to `target`, which appears only when it is complete."""
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder, "source.cpp"), Path(folder, "made")
        source.write_text(text, encoding="utf-8")
        try:
            done = subprocess.run(
                [COMPILER, *flags, f"-I{HERE}", str(source), "-o", str(made)], capture_output=True, text=True
            )
        except FileNotFoundError:
            needs = f"the emulator needs {COMPILER} to compile {name}; install g++, or set CXX"
            raise RuntimeError(needs) from None
        if done.returncode:
            raise RuntimeError(f"{name} does not compile with {COMPILER}:\n{done.stderr[:4000]}")
        beside = target.with_suffix(f".{os.getpid()}.{threading.get_ident()}")
        beside.write_bytes(made.read_bytes())
        beside.replace(target)

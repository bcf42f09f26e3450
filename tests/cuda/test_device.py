"""What a GPU needs and where it is missing: a line each, with a CuPy that the test makes up."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from types import ModuleType, SimpleNamespace

import pytest

from minidepth import cli
from minidepth.backend import resolve_device
from minidepth.cuda.device import out_of_memory, working_cupy
from minidepth.errors import InputError

GIB = 2**30


class DriverError(RuntimeError):
    """CUDARuntimeError of CuPy."""


class OutOfMemoryError(MemoryError):
    """As CuPy's, which is called so, too."""


OutOfMemoryError.__module__ = "cupy.cuda.memory"


def fails(error):
    def call(*args):
        raise error

    return call


@pytest.fixture
def cupy(monkeypatch):
    """A CuPy with one GPU, of whose 80 GiB 10 are free beside the pool, which holds 60 and uses 58 of them."""
    module = ModuleType("cupy")
    runtime = SimpleNamespace(
        CUDARuntimeError=DriverError,
        driverGetVersion=lambda: 12040,
        runtimeGetVersion=lambda: 13020,
        getDeviceCount=lambda: 1,
        memGetInfo=lambda: (10 * GIB, 80 * GIB),
    )
    module.cuda = SimpleNamespace(runtime=runtime, nvrtc=SimpleNamespace(getVersion=lambda: (13, 0)))
    module.get_default_memory_pool = lambda: SimpleNamespace(free_bytes=lambda: 2 * GIB, used_bytes=lambda: 58 * GIB)
    monkeypatch.setitem(sys.modules, "cupy", module)
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: module if name == "cupy" else find_spec(name))
    return module


def complaint() -> str:
    with pytest.raises(InputError) as caught:
        resolve_device("cuda")
    text = str(caught.value)
    assert text.endswith("or use --device cpu") and "\n" not in text
    return text


def test_all_is_there(cupy) -> None:
    assert working_cupy() is cupy


def test_no_cupy(monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert r"needs CuPy: pip install 'minidepth[gpu]' (CUDA 12) or 'minidepth[gpu-cuda13]' (CUDA 13)" in complaint()


def test_a_cupy_that_cannot_be_imported(cupy, monkeypatch) -> None:
    monkeypatch.setattr(importlib, "import_module", fails(ImportError("libcudart.so:\n no such file")))
    assert "CuPy is installed but broken (libcudart.so: no such file); reinstall it" in complaint()


def test_what_cupy_warns_of_is_told_by_us(cupy, monkeypatch) -> None:
    def warns(name):
        warnings.warn("Failed to detect number of GPUs", stacklevel=2)
        return cupy

    monkeypatch.setattr(importlib, "import_module", warns)
    assert working_cupy() is cupy


def test_no_driver(cupy) -> None:
    runtime = cupy.cuda.runtime
    runtime.driverGetVersion = lambda: 0
    runtime.getDeviceCount = fails(DriverError("cudaErrorInsufficientDriver: ..."))
    assert "there is no NVIDIA driver (cudaErrorInsufficientDriver: ...); install one" in complaint()


def test_an_old_driver(cupy) -> None:
    cupy.cuda.runtime.getDeviceCount = fails(DriverError("cudaErrorInsufficientDriver"))
    text = "the driver does not work (cudaErrorInsufficientDriver): it is for CUDA 12.4, CuPy for CUDA 13.2; update it"
    assert text in complaint()


def test_no_gpu(cupy) -> None:
    cupy.cuda.runtime.getDeviceCount = lambda: 0
    assert "the driver reports no GPU; unset CUDA_VISIBLE_DEVICES if it hides them" in complaint()


def test_no_nvrtc(cupy) -> None:
    cupy.cuda.nvrtc.getVersion = fails(RuntimeError('Failure finding "libnvrtc.so.13"'))
    assert "NVRTC, which compiles kernels, is missing (Failure finding" in complaint()
    assert "pip install 'cupy-cuda13x[ctk]' brings it" in complaint()


def test_a_full_gpu(cupy) -> None:
    error = OutOfMemoryError(f"Out of memory allocating {6 * GIB:,} bytes (allocated so far: {60 * GIB:,} bytes).")
    text = "out of memory on the GPU: 6,144 MiB were asked for, and 12,288 MiB of 81,920 MiB are free; "
    assert out_of_memory(error) == text + "use --device cpu"
    assert text + "at most --batch 31 would fit; or" in out_of_memory(error, 32)  # in pieces, there was room for it
    error = OutOfMemoryError(f"Out of memory allocating {62 * GIB:,} bytes (allocated so far: {60 * GIB:,} bytes).")
    assert "at most --batch 18 would fit; or" in out_of_memory(error, 32)  # (58 + 12) / (58 + 62) of it
    assert "not even one frame fits; or" in out_of_memory(error, 1)


def test_a_full_memory_of_the_cpu(capsys, monkeypatch) -> None:
    error = MemoryError("Unable to allocate 9 TiB for an array")
    assert out_of_memory(error, 8) == f"out of memory ({error}); use a smaller --batch or --size, or --recompute"
    monkeypatch.setitem(cli.COMMANDS, "presets", fails(error))
    assert cli.main(["presets"]) == 2
    assert capsys.readouterr().err == f"minidepth: {out_of_memory(error)}\n"


def test_a_full_gpu_in_a_command(cupy, capsys, monkeypatch) -> None:
    error = OutOfMemoryError(f"Out of memory allocating {62 * GIB:,} bytes (allocated so far: {60 * GIB:,} bytes).")
    monkeypatch.setitem(cli.COMMANDS, "train", fails(error))
    assert cli.main(["train", "--batch", "32"]) == 2
    assert "at most --batch 18 would fit" in capsys.readouterr().err

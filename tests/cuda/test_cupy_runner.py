"""What CuPy is asked to do for a launch, with a CuPy that writes it down."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from written_kernels import written

from minidepth.cuda import Grid, launch
from minidepth.cuda.launch import RUNNERS

TEXT = """
extern "C" __global__ void scale(const real* x, const real* by, real* y, real slope, int n, bool really) {}
extern "C" __global__ void fill(real* y) {}
extern "C" __global__ void store(stored* y) {}
"""


class Array:
    """A cupy.ndarray on a device that notes when it is the current one."""

    __cuda_array_interface__ = None
    flags = SimpleNamespace(c_contiguous=True)

    def __init__(self, device, dtype=np.float32):
        self.device, self.dtype = device, np.dtype(dtype)


Array.__module__ = "cupy"


class Device:
    """A cupy.cuda.Device; number 0 is the current one but inside a with block."""

    current = 0

    def __init__(self, number):
        self.id = number

    def __enter__(self):
        Device.current = self.id

    def __exit__(self, *error):
        Device.current = 0


class CompileError(Exception):
    """CompileException of CuPy."""


@pytest.fixture
def cupy(monkeypatch):
    """A module that keeps what it compiles in `modules` and what it launches in `launched`."""
    fake = ModuleType("cupy")
    fake.modules, fake.launched = [], []

    class RawModule:
        def __init__(self, *, code, options):
            self.code, self.options, self.found = code, options, []
            fake.modules.append(self)

        def compile(self):
            self.device = Device.current
            if "wrong" in self.code:
                raise CompileError("wrong.cu(2): error\n")

        def get_function(self, name):
            self.found.append(name)
            return lambda *given: fake.launched.append((name, Device.current, *given))

    fake.ndarray, fake.RawModule = Array, RawModule
    fake.cuda = SimpleNamespace(compiler=SimpleNamespace(CompileException=CompileError), Device=Device)
    fake.cuda.runtime = SimpleNamespace(getDevice=lambda: Device.current)
    monkeypatch.setitem(sys.modules, "cupy", fake)
    monkeypatch.delitem(sys.modules, "minidepth.cuda.cupy_runner", raising=False)
    yield fake
    RUNNERS.pop(Array, None)
    sys.modules.pop("minidepth.cuda.cupy_runner", None)


def test_a_launch(cupy, tmp_path) -> None:
    kernels, device = written(tmp_path, TEXT), Device(3)
    x, y = Array(device), Array(device)
    launch(kernels["scale"], Grid((2, 1, 1), (32, 2, 1)), x, None, y, 0.5, 64, True)
    name, current, blocks, threads, arguments = cupy.launched[0]
    assert (name, current, blocks, threads) == ("scale", 3, (2, 1, 1), (32, 2, 1))
    assert arguments[0] is x and arguments[2] is y
    assert [type(argument) for argument in arguments[3:]] == [np.float32, np.int32, np.bool_]
    assert (arguments[1], type(arguments[1])) == (0, np.uint64)  # eight bytes of 0, a null pointer
    assert Device.current == 0
    launch(kernels["fill"], Grid((0, 1, 1), (32, 1, 1)), y)
    assert len(cupy.launched) == 1  # CUDA would refuse a grid without blocks


def test_what_is_compiled_and_kept(cupy, tmp_path) -> None:
    kernels, grid = written(tmp_path, TEXT), Grid((1, 1, 1), (32, 1, 1))
    for device, dtype in ((0, np.float32), (0, np.float32), (0, np.float64), (1, np.float32)):
        launch(kernels["fill"], grid, Array(Device(device), dtype))
    launch(kernels["scale"], grid, Array(Device(0)), None, None, 1, 1, False)
    launch(kernels["store"], grid, Array(Device(0), np.float16))
    assert [module.options for module in cupy.modules] == [
        ("-std=c++17", "-DREAL=float"),
        ("-std=c++17", "-DREAL=double"),
        ("-std=c++17", "-DREAL=float"),
        ("-std=c++17", "-DREAL=float", "-DSTORED=__half"),
    ]
    assert [module.device for module in cupy.modules] == [0, 0, 1, 0]
    assert cupy.modules[0].found == ["fill", "scale"]
    assert "typedef REAL real;" in cupy.modules[0].code and '#include "' not in cupy.modules[0].code
    assert len(cupy.launched) == 6


def test_a_file_that_does_not_compile(cupy, tmp_path) -> None:
    kernels = written(tmp_path, 'extern "C" __global__ void wrong(real* y) {}', "wrong.cu")
    with pytest.raises(RuntimeError, match=r"^wrong.cu does not compile with NVRTC: wrong.cu\(2\): error$"):
        launch(kernels["wrong"], Grid((1, 1, 1), (32, 1, 1)), Array(Device(0)))


def test_other_things_of_cupy_are_no_arrays(cupy, tmp_path) -> None:
    scalar = type("int64", (), {"__module__": "cupy"})()
    with pytest.raises(TypeError, match="takes real[*] y as an array on the GPU, not cupy.int64"):
        launch(written(tmp_path, TEXT)["fill"], Grid((1, 1, 1), (32, 1, 1)), scalar)
    assert importlib.util.find_spec("minidepth.cuda.cupy_runner") is not None

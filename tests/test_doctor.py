"""minidepth doctor: a line for everything, also for what is missing or broken."""

from __future__ import annotations

import importlib.util
import sys
from contextlib import nullcontext
from types import SimpleNamespace

import pytest

from minidepth import cli, doctor


def lines(text: str) -> dict[str, str]:
    return {line[:12].strip(): line[12:].strip() for line in text.splitlines()}


@pytest.fixture
def cupy(monkeypatch):
    """Let a module of the test's making be CuPy, or None be its absence."""
    find_spec = importlib.util.find_spec

    def install(module):
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, *rest: module if name == "cupy" else find_spec(name, *rest)
        )
        monkeypatch.setitem(sys.modules, "cupy", module)

    return install


class DriverError(Exception):
    """What CuPy raises where the driver is missing."""


def fake_cupy(cards=1, broken=False, major=9):
    def driver_version():
        if broken:
            raise DriverError("cudaErrorInsufficientDriver:\n the driver is too old")
        return 13000

    runtime = SimpleNamespace(
        CUDARuntimeError=DriverError,
        runtimeGetVersion=lambda: 12040,
        driverGetVersion=driver_version,
        getDeviceCount=lambda: driver_version() and cards,
        getDevice=lambda: 0,
        getDeviceProperties=lambda number: {"name": b"Some Card", "major": major, "minor": 0},
        memGetInfo=lambda: (70 << 30, 80 << 30),
    )
    nvrtc = SimpleNamespace(getVersion=lambda: (12, 4))
    cuda = SimpleNamespace(runtime=runtime, nvrtc=nvrtc, Device=lambda number: nullcontext())
    return SimpleNamespace(__version__="13.6.0", cuda=cuda)


def test_without_cupy(cupy, capsys, monkeypatch, tmp_path):
    cupy(None)
    monkeypatch.setenv("MINIDEPTH_DATA", str(tmp_path))
    assert cli.main(["doctor"]) == 0
    found = lines(capsys.readouterr().out)
    assert found["CuPy"].startswith("not installed; a GPU needs it: pip install 'minidepth[gpu]'")
    assert found["will be used"].startswith("the CPU (device cuda needs CuPy")
    assert found["data"] == f"{tmp_path} (MINIDEPTH_DATA)"
    assert found["NumPy"].split(".")[0] == "2" and "threads" in found["BLAS"] and "GiB free" in found["memory"]
    assert not any("cannot be told" in text for text in found.values())


def test_with_a_card(cupy):
    cupy(fake_cupy())
    found = lines(doctor.report())
    assert found["CuPy"] == "13.6.0, CUDA runtime 12.4, NVRTC 12.4"
    assert found["GPU"] == "Some Card (compute capability 9.0, 70.0 of 80.0 GiB free); driver for CUDA 13.0"
    assert found["tensor cores"] == "for TF32 (--tf32) and half precision (--amp)"
    assert found["will be used"] == "the GPU (cuda), unless --device cpu is given"


def test_with_an_old_card(cupy):
    cupy(fake_cupy(major=7))
    text = "not used, as --tf32 and --amp need compute capability 8.0; float32 alone"
    assert lines(doctor.report())["tensor cores"] == text


def test_without_a_card(cupy):
    cupy(fake_cupy(cards=0))
    found = lines(doctor.report())
    assert found["GPU"] == "none, with a driver for CUDA 13.0"
    assert found["tensor cores"] == "none without a GPU"
    assert "the driver reports no GPU" in found["will be used"]


def test_with_a_broken_driver_it_is_one_line(cupy):
    cupy(fake_cupy(broken=True))
    found = lines(doctor.report("nowhere"))
    assert found["GPU"].startswith("cannot be told: DriverError: cudaErrorInsufficientDriver: the driver is too old")
    assert found["will be used"].startswith("the CPU (device cuda: there is no NVIDIA driver")
    assert found["data"] == "nowhere, which is not a folder (MINIDEPTH_DATA)"

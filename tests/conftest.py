"""Shared by all tests: where the real data is, and a cache folder that is thrown away."""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from minidepth.testing import device_array, emulator

REPOSITORY = Path(__file__).resolve().parents[1]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What asks which kernels have run comes last."""
    items.sort(key=lambda item: item.path.name == "test_all_executed.py")


@pytest.fixture(scope="session", autouse=True)
def private_folders(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
):
    """The disk cache goes to a temporary folder, compiled kernels to pytest's own, and no window is ever opened."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINIDEPTH_EMULATOR_CACHE", str(pytestconfig.cache.mkdir("emulator")))
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("MPLBACKEND", "Agg")
        if sum("emulated" in item.name for item in request.session.items) > 100:
            threading.Thread(target=compile_all, daemon=True).start()
        yield


def compile_all() -> None:
    """All kernels on all cores, while other tests run; a test that needs one of them waits for it."""
    with suppress(RuntimeError, ValueError):  # the test that needs it says so
        emulator.build()


@pytest.fixture(scope="session")
def nyu_data() -> Path:
    """The folder of real NYU Depth V2 frames: $MINIDEPTH_DATA, else ../shared/data beside the repository, else skip."""
    named = os.environ.get("MINIDEPTH_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data: {folder} is not a folder (set MINIDEPTH_DATA to the folder that holds nyu_csv/)")
    return folder


@pytest.fixture
def emulated_gpu(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The device "cuda" is the emulated GPU, also in a whole command. Gives what stands in for CuPy."""
    if shutil.which(emulator.COMPILER) is None:
        pytest.skip(f"the emulator of CUDA kernels needs {emulator.COMPILER}; install g++, or set CXX")
    for place in ("minidepth.cuda.device", "minidepth.backend"):
        monkeypatch.setattr(f"{place}.working_cupy", lambda: device_array.DeviceArray.module)
    return device_array.DeviceArray.module

"""Kernels that a test writes into a folder of its own, outside the package."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from minidepth.cuda.source import Kernel, parse
from minidepth.testing.emulator import COMPILER

needs_compiler = pytest.mark.skipif(shutil.which(COMPILER) is None, reason=f"the emulator of kernels needs {COMPILER}")


def written(folder: Path, text: str, name: str = "planted.cu") -> dict[str, Kernel]:
    """The kernels of a .cu file with that text, by name; each can be given to `launch` in place of a name."""
    file = folder / name
    file.write_text('#include "common.cuh"\n' + text, encoding="utf-8")
    return {kernel.name: kernel for kernel in parse(file, file.read_text(encoding="utf-8"))}

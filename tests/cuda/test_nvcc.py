"""NVIDIA's compiler takes every .cu file without a word, for three generations of cards, in float and in double."""

from __future__ import annotations

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from minidepth.cuda.source import files

WANTED = (70, 80, 90)
"""V100, A100 and H100. CUDA 13 no longer knows the first: then the oldest that it does know takes its place."""

pytestmark = pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not installed; CI compiles with it")


def architectures() -> list[int]:
    known = subprocess.run(["nvcc", "--list-gpu-arch"], capture_output=True, text=True, check=True).stdout
    numbers = sorted(int(number) for number in re.findall(r"compute_(\d+)$", known, re.MULTILINE))
    return sorted({wanted if wanted in numbers else numbers[0] for wanted in WANTED})


def compile_all(real: str, folder, numbers: list[int] | None = None) -> dict[str, str]:
    """What nvcc says of each file, by name; one call makes the code of all architectures."""
    targets = [f"-gencode=arch=compute_{number},code=sm_{number}" for number in numbers or architectures()]

    def compile_one(file):
        command = [
            "nvcc",
            "-std=c++17",
            f"-DREAL={real}",
            *targets,
            "-fatbin",
            "-o",
            folder / f"{file.stem}.fatbin",
            file,
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        return file.name, f"{'' if done.returncode == 0 else 'failed '}{done.stdout}{done.stderr}".strip()

    with ThreadPoolExecutor(2) as pool:
        return dict(pool.map(compile_one, files()))


@pytest.mark.parametrize("real, numbers", [("float", None), ("double", [80])], ids=str)
def test_every_file_compiles_without_a_warning(real, numbers, tmp_path):
    said = compile_all(real, tmp_path, numbers)  # double is for checks of gradients: one generation will do
    assert said and not any(said.values()), said


def test_a_mistake_is_found(tmp_path, monkeypatch):
    (tmp_path / "wrong.cu").write_text('extern "C" __global__ void f(float* x) { x[0] = y; }', encoding="utf-8")
    monkeypatch.setattr(f"{__name__}.files", lambda: [tmp_path / "wrong.cu"])
    assert "failed" in compile_all("float", tmp_path)["wrong.cu"]

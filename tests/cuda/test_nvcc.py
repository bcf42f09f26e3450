"""NVIDIA's compilers take every .cu file without a word: nvcc for three generations of cards, in float and in
double, and in half what says `stored`.

All files are compiled as one text, each in a namespace of its own: that takes a fifth of the time. For float on the two
newer generations nvcc optimises, for half on the newest, as what counts there is that all numbers of a thread stay in
registers.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from minidepth.cuda import source

WANTED = (70, 80, 90)
"""V100, A100 and H100. CUDA 13 no longer knows the first: then the oldest that it does know takes its place."""

QUICKLY = ("-Xcicc", "-O0", "-Xptxas", "-O0")
TYPES = {
    "half": ("-DREAL=float", "-DSTORED=__half"),
    "float": ("-DREAL=float",),
    "double": ("-DREAL=double",),
}

needs_nvcc = pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not installed; CI compiles with it")


def architectures() -> list[int]:
    known = subprocess.run(["nvcc", "--list-gpu-arch"], capture_output=True, text=True, check=True).stdout
    numbers = sorted(int(number) for number in re.findall(r"compute_(\d+)$", known, re.MULTILINE))
    return sorted({wanted if wanted in numbers else numbers[0] for wanted in WANTED})


def together(files: list[Path]) -> str:
    text = (source.PACKAGE / "ops" / "common.cuh").read_text(
        encoding="utf-8"
    )  # its guard keeps it out of the namespaces
    for number, file in enumerate(files):
        text += f"\nnamespace file_{number} {{\n{source.included(file)}\n}}\n"
    return text


def files_in_half() -> list[Path]:
    return sorted({kernel.file for kernel in source.kernels().values() if kernel.takes_half})


def nvcc(path: Path, real: str, number: int, *options: str) -> tuple[int, str]:
    """Its exit status, and all that it says."""
    target = path.with_suffix(f".{real}_{number}.cubin")
    command = ["nvcc", "-std=c++17", *TYPES[real], f"-arch=sm_{number}", *options, "-cubin", "-o", target, path]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@needs_nvcc
def test_every_file_compiles_without_a_warning(tmp_path) -> None:
    path, in_half = tmp_path / "all.cu", tmp_path / "half.cu"
    path.write_text(together(source.files()), encoding="utf-8")
    in_half.write_text(together(files_in_half()), encoding="utf-8")
    first, *newer = architectures()
    jobs = [("float", number, "-Xptxas", "-v") for number in newer]
    jobs += [("float", first, *QUICKLY), *(("double", number, *QUICKLY) for number in architectures())]
    jobs += [("half", newer[-1], "-Xptxas", "-v"), ("half", first, *QUICKLY)]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2) as pool:
        results = list(pool.map(lambda job: nvcc(in_half if job[0] == "half" else path, *job), jobs))
    for job, (status, said) in zip(jobs, results):
        if "-v" in job:
            spilt = re.findall(r"Function properties for (\w+)\n.* ([1-9]\d*) bytes spill", said)
            assert not spilt, f"numbers of a thread find no register on sm_{job[1]}: {spilt}"
            compiled = [k for k in source.kernels().values() if job[0] != "half" or k.file in files_in_half()]
            assert all(f"Compiling entry function '{kernel.name}'" in said for kernel in compiled)
            said = re.sub(r"^(ptxas info|    \d+ bytes stack frame).*\n", "", said, flags=re.MULTILINE)
        assert (status, said) == (0, ""), job


@needs_nvcc
def test_a_mistake_is_found(tmp_path) -> None:
    (tmp_path / "wrong.cu").write_text('\nextern "C" __global__ void f(float* x) { x[0] = y; }', encoding="utf-8")
    (tmp_path / "all.cu").write_text(together([tmp_path / "wrong.cu"]), encoding="utf-8")
    status, said = nvcc(tmp_path / "all.cu", "float", architectures()[0], *QUICKLY)
    assert status != 0 and "wrong.cu(2): error" in said


def test_nvrtc(tmp_path) -> None:
    """CuPy compiles with NVRTC, which has no headers of its own; the options are those that CuPy gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy's, where there is no driver
        cupy = pytest.importorskip("cupy", reason="CuPy, whose NVRTC compiles here, is not installed")
    nvrtc = cupy.cuda.nvrtc
    try:
        nvrtc.getVersion()
    except Exception as error:  # its type depends on the version of CuPy
        pytest.skip(f"CuPy finds no NVRTC: {error}")
    packages = Path(cupy.__file__).parents[1]
    of_half = [path.parent for name in ("cupy", "nvidia") for path in (packages / name).rglob("cuda_fp16.h")]
    folders = of_half or [Path(cupy.cuda.get_cuda_path() or "/usr/local/cuda", "include")]
    for real, types in TYPES.items():
        files = files_in_half() if real == "half" else source.files()
        program = nvrtc.createProgram(together(files), "all.cu", (), ())
        options = ("-std=c++17", *types, "-ftz=true", "-arch=sm_80", "--device-as-default-execution-space")
        options += tuple(f"-I{folder}" for folder in folders) if real == "half" else ()
        try:
            nvrtc.compileProgram(program, options)
        except nvrtc.NVRTCError:
            pytest.fail(nvrtc.getProgramLog(program))
        names = [kernel.name for kernel in source.kernels().values() if kernel.file in files]
        assert all(name.encode() in nvrtc.getCUBIN(program) for name in names)

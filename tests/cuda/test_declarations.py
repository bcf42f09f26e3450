"""Every kernel has its twin, every .cu kernel is launched, and each launch in the package fits the declaration."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import minidepth
from minidepth.backend import CUDA_TWINS, KERNELS
from minidepth.cuda import source

NEEDS_A_GPU = "minidepth.cuda.cupy_runner"
ONLY_TESTS_LAUNCH: set[str] = set()
"""Earlier rungs of a ladder that no operation picks any more."""

MODULES = [
    Path(info.module_finder.path, *info.name.split(".")[-1:]).with_suffix(".py")
    for info in pkgutil.walk_packages(minidepth.__path__, "minidepth.")
    if not info.ispkg
]


@pytest.fixture(scope="module", autouse=True)
def everything_imported() -> None:
    for info in pkgutil.walk_packages(minidepth.__path__, "minidepth."):
        if info.name != NEEDS_A_GPU and not info.name.endswith("__main__"):
            importlib.import_module(info.name)


def launches(path: Path) -> list[ast.Call]:
    """The calls of `launch` in a file of the package."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "launch"]


def named(node: ast.expr) -> re.Pattern[str]:
    """The names that an expression may stand for: ``f"{name}_rows"`` is anything that ends so, a variable anything."""
    if isinstance(node, ast.Constant):
        return re.compile(re.escape(str(node.value)))
    if isinstance(node, ast.JoinedStr):
        return re.compile("".join(named(part).pattern for part in node.values))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return re.compile(named(node.left).pattern + named(node.right).pattern)
    if isinstance(node, ast.IfExp):
        return re.compile(f"(?:{named(node.body).pattern}|{named(node.orelse).pattern})")
    return re.compile(".*")


SITES = [(path, call) for path in MODULES for call in launches(path)]


@pytest.mark.parametrize("path, call", SITES, ids=[f"{path.stem}:{call.lineno}" for path, call in SITES])
def test_a_launch_fits_the_declaration(path, call) -> None:
    pattern, arguments = named(call.args[0]), call.args[2:]
    fitting = [kernel for name, kernel in source.kernels().items() if pattern.fullmatch(name)]
    assert fitting, f"{path.name} line {call.lineno} launches a kernel that no .cu file declares"
    several = any(isinstance(argument, ast.Starred) for argument in arguments)
    for kernel in fitting if isinstance(call.args[0], ast.Constant) else ():
        if several:
            plain = [argument for argument in arguments if not isinstance(argument, ast.Starred)]
            assert len(plain) <= len(kernel.parameters), f"{path.name} line {call.lineno}: {kernel}"
        else:
            assert len(arguments) == len(kernel.parameters), f"{path.name} line {call.lineno}: {kernel}"


def test_every_kernel_of_a_cu_file_is_launched() -> None:
    texts = [
        (path, named(node))
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.JoinedStr, ast.Constant, ast.BinOp))
    ]
    for name, kernel in source.kernels().items():
        launched = any(
            pattern.fullmatch(name) and (name.startswith(path.stem) or ".*" not in pattern.pattern)
            for path, pattern in texts  # a name put together of parts counts in the file that is named like the kernel
        )
        assert launched != (name in ONLY_TESTS_LAUNCH), f"{kernel.file.name}: {name} is launched: {launched}"


def test_every_kernel_has_its_twin() -> None:
    assert sorted(KERNELS) == sorted(CUDA_TWINS)


def test_a_kernel_is_named_after_its_file() -> None:
    for name, kernel in source.kernels().items():
        assert name.startswith(kernel.file.stem), f"{kernel.file.name} declares {name}"


def test_every_cu_file_declares_kernels() -> None:
    assert {kernel.file for kernel in source.kernels().values()} == set(source.files())

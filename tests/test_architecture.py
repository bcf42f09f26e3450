"""The layers of the house: who may import whom, how long a file may be, and what must not be imported at all."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "minidepth"
FILES = sorted(PACKAGE.rglob("*.py"))

LAYERS = {  # a part may import the parts named here, and itself
    "errors": set(),
    "backend": {"cuda", "errors"},
    "cuda": {"errors"},
    "engine": {"backend", "errors"},
    "ops": {"engine", "cuda", "backend", "errors"},
    "nn": {"ops", "engine", "backend", "errors"},
    "models": {"nn", "ops", "engine", "backend", "errors", "named_options"},
    "losses": {"ops", "engine", "cuda", "backend", "errors"},
    "metrics": {"ops", "engine", "backend", "errors"},
    "named_options": {"errors"},
    "optim": {"nn", "ops", "engine", "cuda", "backend", "errors", "named_options"},
    "precision": {"nn", "ops", "engine", "cuda", "backend", "errors"},
    "schedule": {"errors", "named_options"},
    "checkpoint": {"nn", "errors", "backend"},
    "data": {"errors"},
    "pretrained": {"checkpoint", "nn", "backend", "errors"},
    "targets": {"data", "losses", "metrics", "draw", "draw_maps"}
    | {"precision", "nn", "ops", "engine", "backend", "errors"},
}
FOREIGN = ("torch", "tensorflow", "jax", "scipy")


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def is_module(name: str) -> bool:
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def imported_modules(path: Path):
    """The dotted names that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:  # ``from minidepth import ops`` needs ops, not all that the package offers
                yield f"{node.module}.{alias.name}" if is_module(f"{node.module}.{alias.name}") else node.module


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_imports_only_what_its_layer_may(path):
    allowed = LAYERS.get(part_of(path))
    for name in imported_modules(path):
        top, *rest = name.split(".")
        assert top not in FOREIGN, f"{path.name} imports {name}"
        assert top not in ("lessons", "examples", "benchmarks", "tests"), f"{path.name} imports {name}"
        if allowed is not None and top == "minidepth" and rest:
            assert rest[0] in allowed | {part_of(path)}, f"{path.name} imports {name}, which lies above it"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_is_short_enough_to_be_read_in_one_sitting(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def test_there_are_no_import_circles():
    names = {path: "minidepth." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in FILES}
    names = {path: name.removesuffix(".__init__") for path, name in names.items()}
    edges = {name: set(imported_modules(path)) & set(names.values()) - {name} for path, name in names.items()}
    while edges:  # take away what imports nothing that is left; a circle remains
        free = [name for name, needs in edges.items() if not needs & edges.keys()]
        assert free, f"these import each other in a circle: {sorted(edges)}"
        for name in free:
            del edges[name]


def test_the_package_works_where_the_giants_cannot_be_imported():
    program = f"""
import sys
for name in {FOREIGN}:
    sys.modules[name] = None  # from now on `import name` raises ImportError
import minidepth, minidepth.cli, minidepth.train
"""
    subprocess.run([sys.executable, "-c", program], check=True)

"""What a file uses that its lesson's own solution does without: the library's convolution instead of one's own, say.

The text is read, nothing runs, so this is for honest files: who wants to hide a call can. It takes nothing off a grade.
It tells the teacher where to look.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from minidepth.learn.definitions import Definitions
from minidepth.learn.master import Lesson

LIBRARIES = (
    "minidepth", "torch", "torchvision", "tensorflow", "keras", "jax", "scipy", "skimage", "sklearn", "cv2", "cupy",
    "autograd", "numba",
)  # fmt: skip
REACHING_OUT = (
    "os", "sys", "subprocess", "ctypes", "importlib", "inspect", "gc", "builtins", "socket", "urllib", "requests",
    "http", "shutil", "pathlib", "threading", "multiprocessing", "signal", "pickle", "tempfile", "resource",
)  # fmt: skip
CALLS = ("eval", "exec", "compile", "__import__", "open", "globals", "vars", "breakpoint", "input")
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def allowed_in(lesson: Lesson) -> list[str]:
    """All that the lesson's own functions use, those that it gives and those of its solutions."""
    master = ast.parse(lesson.text)
    return sorted({name for _, name in _names(master, _functions(master.body))})


def uses(definitions: Definitions, allowed: list[str]) -> list[str]:
    """A sentence for each thing that the functions of a file use and that is not `allowed`, with its line."""
    whole = ast.Module(definitions.nodes, [])
    own = _functions(definitions.nodes)
    found: dict[str, str] = {}
    for line, name in _names(whole, own):
        top = name.partition(".")[0]
        if name in allowed or name in found:
            continue
        if top in LIBRARIES:
            found[name] = f"{definitions.place(line)}: uses {name}, which the lesson's own solution does without"
        elif top in REACHING_OUT or name in CALLS:
            found[name] = f"{definitions.place(line)}: uses {name}, which is not needed here"
        elif "__" in name.partition(".")[2]:
            found[name] = f"{definitions.place(line)}: uses {name}, which looks behind Python's curtains"
    imports = _imports(whole)
    for node in own:
        for part in ast.walk(node):
            if isinstance(part, ast.Assign):
                for changed in _changed(part, imports):
                    place = definitions.place(part.lineno)
                    found.setdefault(f"= {changed}", f"{place}: changes {changed} for everybody")
    return list(found.values())


def _functions(body: list[ast.stmt]) -> list[ast.stmt]:
    return [node for node in body if isinstance(node, _FUNCTIONS)]


def _imports(whole: ast.AST) -> dict[str, str]:
    """What each imported name stands for: ``{"np": "numpy", "conv2d": "minidepth.ops.conv2d"}``."""
    found = {}
    for node in ast.walk(whole):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def _names(whole: ast.AST, functions: list[ast.stmt]) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported or built in that these functions use."""
    imports = _imports(whole)
    for function in functions:
        inner = {id(part.value) for part in ast.walk(function) if isinstance(part, ast.Attribute)}
        for part in ast.walk(function):
            if isinstance(part, (ast.Attribute, ast.Name)) and id(part) not in inner:
                name = _dotted(part, imports)
                if name:
                    yield part.lineno, name


def _dotted(node: ast.expr, imports: dict[str, str]) -> str:
    """``numpy.fft.fft2`` for ``np.fft.fft2``; for what is neither imported nor built in, only what has ``__`` in it."""
    if isinstance(node, ast.Name):
        return imports.get(node.id, node.id if node.id in CALLS else "")
    if isinstance(node, ast.Attribute):
        before = _dotted(node.value, imports)
        if before:
            return f"{before}.{node.attr}"
        hidden = node.attr.startswith("__") and node.attr.endswith("__") and node.attr != "__init__"
        return f"x.{node.attr}" if hidden else ""
    return ""


def _changed(node: ast.Assign, imports: dict[str, str]) -> list[str]:
    """``numpy.allclose`` where that is assigned to."""
    names = [_dotted(target, imports) for target in node.targets if isinstance(target, ast.Attribute)]
    return [name for name in names if name and not name.startswith("x.")]

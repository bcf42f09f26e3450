"""The learner's file, without its experiments: imports, functions, classes and constants, and nothing that runs.

A check wants the functions only. Whatever else is in the file, a training of a minute, figures, half a thought, does
not run: the file is parsed and the rest left away. So are imports that no definition needs, as Matplotlib takes half a
second. Decorators, defaults of arguments and what stands directly in a class do run: they belong to the definition.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

from minidepth.learn.errors import LearnerError

_CONSTANT = (
    ast.Constant, ast.Name, ast.Tuple, ast.List, ast.Dict, ast.UnaryOp, ast.BinOp, ast.operator, ast.unaryop,
    ast.expr_context,
)  # fmt: skip


_PYTHON_CELLS = ("%%time", "%%timeit", "%%capture", "%%prun")


class Definitions:
    """What a file defines.

    Args:
        text: Python source. path: for error texts. lines: for each line of `text` where it is in the learner's own
            file, such as ``cell 3, line 2`` of a notebook; None where that is the line's number.

    Raises:
        LearnerError: it is no Python; the text has the line.
    """

    def __init__(self, text: str, path: Path, lines: list[str] | None = None) -> None:
        self.text, self.path, self._lines = text, path, lines
        try:
            whole = ast.parse(text)
        except SyntaxError as error:
            shown = (error.text or "").strip()
            text = f"{path.name}, {self.place(error.lineno or 1)}: {error.msg}"
            raise LearnerError(text + (f": {shown}" if shown else "")) from None
        except ValueError as error:  # null bytes
            raise LearnerError(f"{path.name}: is no text of Python ({error})") from None
        kept, self.left_out = _definitions(whole.body)
        used = {
            node.id for part in kept if not _is_import(part) for node in ast.walk(part) if isinstance(node, ast.Name)
        }
        self.nodes = [node for node in kept if not _is_import(node) or _names_of(node) & (used | {"annotations", "*"})]
        self.code = compile(ast.Module(self.nodes, []), str(path), "exec", dont_inherit=True)

    def place(self, line: int) -> str:
        """Where line number `line` is, for people."""
        return self._lines[line - 1] if self._lines and line <= len(self._lines) else f"line {line}"

    @property
    def twice(self) -> list[str]:
        """Functions and classes that are defined more than once; the last one counts."""
        names = [node.name for node in self.nodes if isinstance(node, (ast.FunctionDef, ast.ClassDef))]
        return sorted({name for name in names if names.count(name) > 1})

    def load(self) -> dict[str, Any]:
        """Run the definitions; what they define, by name.

        Raises:
            LearnerError: an import or a constant fails.
        """
        namespace: dict[str, Any] = {"__name__": "learner", "__file__": str(self.path)}
        try:
            exec(self.code, namespace)  # this is what a check is for: to run the learner's code
        except Exception as error:
            line, why = _line_in(error, str(self.path)), self.why(error)
            text = f"{self.path.name}, {self.place(line)}: {type(error).__name__}: {error}"
            raise LearnerError(text + (f"; {why}" if why else "")) from None
        return namespace

    def why(self, error: Exception) -> str:
        """What is behind a NameError, where a check reads the file otherwise than a run from top to bottom does."""
        name = error.name if isinstance(error, NameError) else None
        if name is None:
            return ""
        if name in self.left_out:
            return (
                f"a check runs functions, classes and plain constants only, and not {self.place(self.left_out[name])}"
            )
        lines = [node.lineno for node in self.nodes if name in _defined_by(node)]
        return f"it is defined further down, at {self.place(lines[0])}" if lines else ""


def read(path: Path) -> Definitions:
    """The definitions in a learner's ``.py`` or ``.ipynb`` file.

    Raises:
        LearnerError: the file cannot be read or is not what its name says.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise LearnerError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise LearnerError(f"{path.name}: is no text in UTF-8; save it as that") from None
    return Definitions(*_from_notebook(text, path)) if path.suffix == ".ipynb" else Definitions(text, path)


def _from_notebook(text: str, path: Path) -> tuple[str, Path, list[str]]:
    """The code cells one below the other, and where each line comes from. Jupyter's own commands are left away."""
    try:
        cells = json.loads(text)["cells"]
        codes = [
            (number, "".join(cell["source"])) for number, cell in enumerate(cells, 1) if cell["cell_type"] == "code"
        ]
    except (ValueError, KeyError, TypeError):
        raise LearnerError(f"{path.name}: is no notebook that can be read; export it again from Jupyter") from None
    source, places = [], []
    for number, code in codes:
        for row, line in enumerate(_without_commands(code), 1):
            source.append(line)
            places.append(f"cell {number}, line {row}")
    return "\n".join(source) + "\n", path, places


def _without_commands(code: str) -> list[str]:
    """The lines of a cell, empty where one is for Jupyter and not for Python: ``%time``, ``!ls``, ``zeros?``."""
    lines = code.splitlines()
    if lines and lines[0].startswith("%%"):
        if lines[0].split()[0] not in _PYTHON_CELLS:
            return [""] * len(lines)  # a cell in another language
        lines[0] = ""
    try:
        ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        commands = [line.lstrip().startswith(("%", "!", "?")) or line.rstrip().endswith("?") for line in lines]
        return ["" if command else line for command, line in zip(commands, lines)]
    return lines


def _definitions(body: list[ast.stmt]) -> tuple[list[ast.stmt], dict[str, int]]:
    """Imports, functions, classes, and constants that are made of nothing but literals and what is kept before them;
    and the names that other lines give values to, with those lines."""
    kept: list[ast.stmt] = []
    known: set[str] = set()
    left_out: dict[str, int] = {}
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
            names = {node.name}
        elif _is_import(node):
            names = _names_of(node)
        elif (
            isinstance(node, (ast.Assign, ast.AnnAssign)) and node.value is not None and _is_constant(node.value, known)
        ):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {target.id for target in targets if isinstance(target, ast.Name)}
            if len(names) < len(targets):
                continue
        else:
            stored = (part for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store))
            left_out.update({part.id: part.lineno for part in stored})
            continue
        kept.append(node)
        known |= names
    return kept, {name: line for name, line in left_out.items() if name not in known}


def _defined_by(node: ast.stmt) -> set[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
        return {node.name}
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}


def _is_constant(value: ast.expr, known: set[str]) -> bool:
    if isinstance(value, ast.Lambda):  # a function that has not met a def
        return True
    parts = list(ast.walk(value))
    return all(isinstance(part, _CONSTANT) and getattr(part, "id", None) in (known | {None}) for part in parts)


def _is_import(node: ast.AST) -> bool:
    return isinstance(node, (ast.Import, ast.ImportFrom))


def _names_of(node: Any) -> set[str]:
    """The names that an import brings."""
    return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}


def _line_in(error: BaseException, path: str) -> int:
    """The last line of that file in the traceback."""
    line, trace = 1, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line

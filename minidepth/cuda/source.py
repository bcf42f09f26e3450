"""What the .cu files of the package say: which kernels there are, and what each takes.

A kernel is declared once, in its .cu file, and everybody else reads it there: `launch` checks its arguments against it,
the tests find every kernel by it. This needs no GPU and no compiler. Two habits of the .cu files make it easy:

* ``extern "C" __global__ void leaky_relu_forward(const real* x, real* y, float slope, int n)``: kernels have names of
  their own in the whole package, begun with the name of the file, and take plain pointers and numbers;
* ``constexpr int TILE = 16;`` is what both sides must know, and Python asks for it with ``constant("conv2d", "TILE")``.

``real`` is the type of the numbers that are computed with. A file is compiled once with it as float, and for gradient
checks once more with it as double. ``const stored* x`` are numbers in the type that layers hand each other: the same
one, or half, for which the file is compiled a third time, with ``real`` as float.
"""

from __future__ import annotations

import difflib
import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

PACKAGE = Path(__file__).resolve().parents[1]

TYPES = {
    "float": "float32",
    "double": "float64",
    "int": "int32",
    "unsigned int": "uint32",
    "long long": "int64",
    "unsigned char": "uint8",
    "bool": "bool",
}
"""C's name of a type -> NumPy's. ``real`` is float or double, ``stored`` one of them or half."""

_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_KERNEL = re.compile(
    r'extern\s+"C"\s+__global__\s+(?:void\s+)?(?:__launch_bounds__\([^)]*\)\s*)?(?:void\s+)?(\w+)\s*\(([^)]*)\)'
)
_PARAMETER = re.compile(
    rf"(?P<const>const\s+)?(?P<type>real|stored|{'|'.join(TYPES)})\s*(?P<pointer>\*)?\s*(?:__restrict__\s+)?(?P<name>\w+)"
)
_INCLUDE = re.compile(r'^#include "([^"]+)"$', re.MULTILINE)
_CONSTANT = re.compile(r"constexpr\s+int\s+(\w+)\s*=\s*(\d+)\s*;")


class Parameter(NamedTuple):
    """One parameter of a kernel: ``const real* x`` is ("x", "real", pointer and const)."""

    name: str
    type: str
    is_pointer: bool
    is_const: bool

    def __str__(self) -> str:
        return f"{'const ' if self.is_const else ''}{self.type}{'*' if self.is_pointer else ''} {self.name}"


@dataclass(frozen=True, eq=False)  # each is made once and kept, so one is equal to itself alone
class Kernel:
    """A kernel as its .cu file declares it."""

    name: str
    file: Path
    parameters: tuple[Parameter, ...]

    @functools.cached_property
    def takes_half(self) -> bool:
        """Whether it reads or writes numbers that may be half."""
        return any(parameter.type == "stored" for parameter in self.parameters)

    @functools.cached_property
    def arrays(self) -> tuple[int, ...]:
        """Which of its arguments are arrays, counted from 0."""
        return tuple(n for n, parameter in enumerate(self.parameters) if parameter.is_pointer)

    @functools.cached_property
    def numbers(self) -> tuple[int, ...]:
        """And which are numbers."""
        return tuple(n for n, parameter in enumerate(self.parameters) if not parameter.is_pointer)

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.parameters))})"


def find(name: str) -> Kernel:
    """The kernel of that name.

    Raises:
        ValueError: no .cu file declares it; the text has the near names.
    """
    kernel = kernels().get(name)
    if kernel is None:
        near = difflib.get_close_matches(name, kernels(), 3, 0.5)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise ValueError(f"launch: no .cu file declares a kernel {name!r}{hint}")
    return kernel


@functools.cache
def kernels() -> dict[str, Kernel]:
    """Every kernel in the package by its name."""
    found: dict[str, Kernel] = {}
    for file in files():
        for kernel in parse(file, file.read_text(encoding="utf-8")):
            if kernel.name in found:
                raise ValueError(f"{file.name}: kernel {kernel.name} is declared in {found[kernel.name].file.name} too")
            found[kernel.name] = kernel
    return found


def files() -> list[Path]:
    """The .cu files of the package."""
    return sorted(PACKAGE.rglob("*.cu"))


@functools.cache
def constant(stem: str, name: str) -> int:
    """The value of ``constexpr int NAME`` in STEM.cu.

    Raises:
        ValueError: there is no such file or constant.
    """
    for file in files():
        if file.stem == stem:
            constants = dict(_CONSTANT.findall(without_comments(file.read_text(encoding="utf-8"))))
            if name not in constants:
                known = ", ".join(constants) or "none"
                raise ValueError(f"{stem}.cu: there is no constexpr int {name}; it has {known}")
            return int(constants[name])
    raise ValueError(f"{stem}.cu: there is no such file in the package")


def parse(file: Path, text: str) -> list[Kernel]:
    """The kernels that `text` declares.

    Raises:
        ValueError: a parameter is neither a plain pointer nor a number.
    """
    kernels = []
    for name, inside in _KERNEL.findall(without_comments(text)):
        parameters = []
        for part in filter(None, (part.strip() for part in inside.split(","))):
            match = _PARAMETER.fullmatch(part)
            if match is None or (match["type"] == "stored" and not match["pointer"]):
                raise ValueError(
                    f"{file.name}: {name} has the parameter {part!r}; a kernel takes pointers and numbers of the types "
                    f"real, {', '.join(TYPES)}, and pointers to stored"
                )
            parameters.append(Parameter(match["name"], match["type"], bool(match["pointer"]), bool(match["const"])))
        kernels.append(Kernel(name, file, tuple(parameters)))
    return kernels


def included(file: Path) -> str:
    """The text of `file` with the files that it includes in place of each ``#include "..."``.

    They are looked for beside `file`, then in ``ops``. ``#line`` tells compilers where each line comes from.
    """

    def include(match: re.Match[str]) -> str:
        beside = file.parent / match[1]
        found = (beside if beside.exists() else PACKAGE / "ops" / match[1]).resolve()
        if not found.exists():
            raise ValueError(f"{file.name}: there is no {match[1]} to include beside it or in {PACKAGE / 'ops'}")
        next_line = text.count("\n", 0, match.start()) + 2
        return f'{included(found)}\n#line {next_line} "{file.name}"'

    text = file.read_text(encoding="utf-8")
    return f'#line 1 "{file.name}"\n' + _INCLUDE.sub(include, text)


def without_comments(text: str) -> str:
    """C source without its comments, on the same lines as before."""
    return _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n") or " ", text)

"""From a .cu file to what g++ compiles for the emulator.

Nearly all of CUDA's own words are defined in cuda_emulator.h, so the text stays as it is. What is added is a function
for each kernel that unpacks the arguments Python hands over and runs it on a grid. In the checking mode, three things
are written anew so that a class can watch the accesses:

    const real* x                       Pointer<const real> x
    __shared__ real tile[16][17];       static Shared<real, (16), (17)> tile("tile", false);
    reinterpret_cast<const float4*>(x)  pointer_cast<const float4>(x)
"""

from __future__ import annotations

import re
from pathlib import Path

from minidepth.cuda.source import Kernel, Parameter, included, parse, without_comments

C_TYPES = {"float16": "float", "float32": "float", "float64": "double"}

_TYPE = (
    r"(?:const\s+)?(?:(?:real|stored)[24]?|packed|__half2?|float[24]?|double|int[24]?|unsigned(?:\s+(?:int|short|char))?|"
    r"long\s+long|bool)"
)
_POINTER = re.compile(rf"({_TYPE})\s*\*\s*(?:__restrict__\s+)?(\w+)")
_CAST = re.compile(rf"reinterpret_cast<({_TYPE})\s*\*>")
_ALIGNED = r"((?:__align__|alignas)\(16\)\s+)?"
_SHARED = re.compile(rf"{_ALIGNED}__shared__\s+{_ALIGNED}([\w\s]+?)\s+(\w+)((?:\[[^\]]+\])*)\s*;")


def translate(file: Path, real: str, checked: bool) -> str:
    """The C++ source with the kernels of `file`, each as emulate_NAME, for arrays of the dtype `real`.

    Raises:
        ValueError: something is declared in a way that the checking mode cannot watch.
    """
    text = included(file)
    body = without_comments(text).replace('extern "C"', "")  # the functions that are called have it
    return "\n".join(
        [
            "#define CHECKED" if checked else "",
            f"#define REAL {C_TYPES[real]}",
            "#define STORED __half" if real == "float16" else "",
            '#include "cuda_emulator.h"',
            "namespace {",  # nameless: two libraries must not share the shared arrays of a template
            watched(file.name, body) if checked else body,
            "}",
            '#line 1 "called by emulator.py"',
            *(_wrapper(kernel, real, checked) for kernel in parse(file, text)),
        ]
    )


def watched(file: str, text: str) -> str:
    """`text` with pointers and shared arrays as the classes of cuda_checks.h."""

    def shared(match: re.Match[str]) -> str:
        before, after, kind, name, brackets = match.groups()
        sizes = "".join(f", ({size})" for size in re.findall(r"\[([^\]]+)\]", brackets))
        return f'static Shared<{kind}{sizes}> {name}("{name}", {"true" if before or after else "false"});'

    text = _SHARED.sub(shared, text)
    if left := re.search(r"__shared__[^;\n]*", text):
        raise ValueError(f"{file}: write {left[0]!r} as `__shared__ real name[3][4];`, one array a statement")
    text = _CAST.sub(r"pointer_cast<\1>", text)
    if left := re.search(r"(?:reinterpret|const)_cast<[^>\n]*>", text):
        raise ValueError(f"{file}: {left[0]} is not known; known are casts like reinterpret_cast<const float4*>(x)")
    text = _POINTER.sub(r"Pointer<\1> \2", text)
    if left := re.search(r"Pointer<([^>]*)> (\w+)\s*(?:=[^;]*)?,\s*\*\s*\w+\s*[,;=]", text):
        raise ValueError(f"{file}: declare `{left[1]}* {left[2]}` alone: one pointer a statement")
    return text


def _wrapper(kernel: Kernel, real: str, checked: bool) -> str:
    """``int emulate_NAME(launch, arguments)``: 0, or 1 with the fault in the launch's message."""

    def unpacked(number: int, parameter: Parameter) -> str:
        name = C_TYPES[real] if parameter.type == "real" else parameter.type  # `stored` is a word of common.cuh
        if not parameter.is_pointer:
            return f"argument<{name}>(given[{number}])"
        return f"array_argument<{'const ' if parameter.is_const else ''}{name}>(given[{number}])"

    begin, watch, end = (
        f"emulator::{call};" if checked else "" for call in ("begin(launch)", "watch_arrays()", "end()")
    )
    names = ", ".join(parameter.name for parameter in kernel.parameters)
    values = "\n    ".join(f"auto {p.name} = {unpacked(n, p)};" for n, p in enumerate(kernel.parameters))
    return f"""extern "C" int emulate_{kernel.name}(Launch* launch, void** given) {{
    {begin}
    {values}
    {watch}
    auto call = [&] {{ ::{kernel.name}({names}); }};
    const int result = emulator::run(launch, call);
    {end}
    return result;
}}"""

"""What ``minidepth models`` prints: every network, how large it is, what it costs and what it is for."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from minidepth.config import size_text
from minidepth.models import MODELS, build
from minidepth.nn import Module
from minidepth.nn.init import empty_weights
from minidepth.summary import summarize, thousands


@dataclass(frozen=True)
class Line:
    """One network, or one of its published variants."""

    model: str
    """As it is typed behind ``--model``."""
    system: str
    """The number of the reference system, or nothing."""
    parameters: int
    statistics: int
    multiply_adds: int
    size: tuple[int, int]
    """Height and width in pixels at which it was published and the multiply-adds are counted."""
    purpose: str
    source: str


def lines() -> list[Line]:
    """Count all networks. No weight is drawn and nothing is multiplied, so it takes seconds and little memory."""
    found: list[Line] = []
    for name, entry in MODELS.items():
        found.append(line(name, entry.system, entry.size, entry.purpose, entry.source))
        for variant in entry.variants:
            text, size = f"{name}:{variant.options}", variant.size or entry.size
            found.append(line(text, variant.system, size, variant.purpose, entry.source))
    return found


def named(text: str, **options: Any) -> tuple[Module, tuple[int, int]]:
    """The network called `text`, with zeros for weights, and the (height, width) at which it was published.

    Raises:
        InputError: no network has that name, or it has no such option.
    """
    with empty_weights():
        model = build(text, **options)
    name, _, typed = text.partition(":")
    entry = MODELS[name]
    return model, next((each.size for each in entry.variants if each.options == typed and each.size), entry.size)


def line(model: str, system: str, size: tuple[int, int], purpose: str, source: str) -> Line:
    """Count the network called `model` at `size`."""
    summary = summarize(named(model)[0], size)
    return Line(model, system, summary.parameters, summary.statistics, summary.multiply_adds, size, purpose, source)


def table(found: list[Line]) -> str:
    """Two lines for each network, the second with its source; one for each variant."""
    cells = [("model", "system", "parameters", "mult-adds", "at", "what it is for")]
    for each in found:
        name, _, options = each.model.partition(":")
        counts = f"{each.parameters:,}", thousands(each.multiply_adds), size_text(each.size)
        cells.append((f"  :{options}" if options else name, each.system, *counts, each.purpose))
        if not options:
            cells.append(("", "", "", "", "", f"({each.source})"))
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]

    def text(row: tuple[str, ...]) -> str:
        left = "  ".join(cell.ljust(width) for cell, width in zip(row[:2], widths[:2]))
        right = "  ".join(cell.rjust(width) for cell, width in zip(row[2:5], widths[2:5]))
        return f"{left}  {right}  {row[5]}".rstrip()

    explained = [
        "",
        "parameters are trained; moving statistics of batch-norm are not among them. mult-adds: of one forward pass.",
        "A line with a colon is a variant: type it behind the name, as in --model scratch_unet:up=bilinear",
    ]
    return "\n".join([*map(text, cells), *explained])


def as_json(found: list[Line]) -> str:
    """The same for programs."""
    return json.dumps([dataclasses.asdict(each) for each in found], indent=2)

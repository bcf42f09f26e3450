"""Published weights into a network of ours, by name: all that should fit does, or nothing is changed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from minidepth.backend import Array
from minidepth.errors import CheckpointError
from minidepth.nn import Module
from minidepth.pretrained.origins import COUNTER, is_aside, origin_of, without_module
from minidepth.pretrained.read import open_weights
from minidepth.pretrained.refused import shown

ENCODER = "encoder."
"""Where our networks have what is published."""
MOST_GROUPS = 8
"""How many groups of names a text shows; longer lists are put into larger groups."""


@dataclass(frozen=True)
class Report:
    """What became of every name, in the file and in the network."""

    path: Path
    kind: str
    """The container, in words: "torch file (ZIP)"."""
    origin: str
    """Who published it: "torchvision's ResNet"; or that it is a whole network of this kind."""
    input: str
    """The input form it was trained with, a name of `minidepth.data.input_form.FORMS`; "" where that is not known."""
    used: dict[str, str]
    """Name in the network -> name in the file."""
    ignored: tuple[str, ...]
    """Names in the file that are not needed: the classifier, counters, what was saved beside the weights."""
    missing: tuple[str, ...]
    """Names in the network that the file does not have; they keep their values: the decoder."""
    notes: tuple[str, ...]
    """What to know before using these weights; a line each."""

    def __str__(self) -> str:
        lines = [f"weights from {self.path} ({self.kind}: {self.origin}): {len(self.used)} arrays loaded"]
        if self.ignored:
            lines.append(f"  ignored in the file ({len(self.ignored)}): {grouped(self.ignored)}")
        if self.missing:
            lines.append(f"  not in the file, left as they were ({len(self.missing)}): {grouped(self.missing)}")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])


def load_weights(network: Module, path: str | os.PathLike[str]) -> Report:
    """Load a file of published weights, or of a whole network of this kind, into `network`.

    Published encoders (origins.py) go below ``network.encoder`` (into `network` itself where it has none). All of that
    must be in the file; the rest of the network keeps its values. Any other file must hold the whole network.

    Raises:
        DataError: the file cannot be read; see `read_weights`.
        CheckpointError: the file is of another architecture, or holds numbers that are not finite. The text tells of
            every name that does not fit, and nothing has been changed.
    """
    file = open_weights(path)
    plain = without_module(list(file.arrays))
    origin = origin_of(set(plain.values()))
    own = network.state_dict()
    if origin is None:
        title, prefix, required = f"a whole {type(network).__name__}", "", set(own)
        source = {ours: name for name, ours in plain.items()}
        aside: list[str] = []
    else:
        title, prefix = origin.title, ENCODER if any(name.startswith(ENCODER) for name in own) else ""
        required = {name for name in own if name.startswith(prefix)}
        aside = [name for name, short in plain.items() if is_aside(short, origin)]
        source = {prefix + origin.rename(short): name for name, short in plain.items() if name not in aside}
    required = {name for name in required if not name.endswith(COUNTER)}
    arrays = {ours: file.arrays[name] for ours, name in source.items()}
    _check_fit(network, file.path, "" if origin is None else title, own, required, arrays)
    network.load_state_dict(arrays, strict=False)
    return Report(
        path=file.path,
        kind=file.kind,
        origin=title,
        input="" if origin is None else origin.input,
        used={ours: source[ours] for ours in own if ours in source},
        ignored=(*aside, *file.aside),
        missing=tuple(name for name in own if name not in source and not name.endswith(COUNTER)),
        notes=() if origin is None else (origin.note,),
    )


def grouped(names: tuple[str, ...] | list[str]) -> str:
    """Names as one short text that covers all of them: ``conv1.weight, layer1.0.* (12), layer1.1.* (12)``.

    Names that begin alike are put together, the less of their beginning counts the more there are.
    """
    for depth in range(max((name.count(".") for name in names), default=0) + 1, 0, -1):
        groups: dict[str, list[str]] = {}
        for name in names:
            groups.setdefault(".".join(name.split(".")[:depth]), []).append(name)
        if len(groups) <= MOST_GROUPS:
            break
    texts = [
        shown(group[0]) if len(group) == 1 else f"{shown(start)}.* ({len(group)})" for start, group in groups.items()
    ]
    more = f" and {len(texts) - MOST_GROUPS} more" if len(texts) > MOST_GROUPS else ""
    return ", ".join(texts[:MOST_GROUPS]) + more


def _check_fit(
    network: Module,
    path: Path,
    title: str,
    own: dict[str, Array],
    required: set[str],
    arrays: dict[str, np.ndarray],
) -> None:
    """Refuse arrays that do not fit into the network's own, all reasons in one text."""
    missing = [name for name in own if name in required and name not in arrays]
    unexpected = [name for name in arrays if name not in own]
    both = [name for name in arrays if name in own]
    shapes = [name for name in both if arrays[name].shape != own[name].shape]
    kinds = [name for name in both if (arrays[name].dtype.kind == "f") != (own[name].dtype.kind == "f")]
    first = f"{shapes[0]} is {arrays[shapes[0]].shape}, here {own[shapes[0]].shape}" if shapes else ""
    problems = [
        f"{what} ({len(names)}): {text}"
        for what, names, text in (
            ("not in the file", missing, grouped(missing)),
            ("no place for", unexpected, grouped(unexpected)),
            ("other shapes", shapes, f"{grouped(shapes)}; {first}"),
            ("other kinds of numbers", kinds, grouped(kinds)),
        )
        if names
    ]
    whose = f"this file of {title}" if title else "this file"
    if problems:
        raise CheckpointError(f"{path}: {whose} does not fit this {type(network).__name__}: {'; '.join(problems)}")
    wrong = [name for name in both if not _finite(arrays[name], own[name].dtype)]
    if wrong:
        raise CheckpointError(f"{path}: not a number, or infinite or too large: {grouped(wrong)}; get the file again")


def _finite(array: np.ndarray, dtype: np.dtype) -> bool:
    """Whether all numbers are finite, also as `dtype`."""
    if array.dtype.kind != "f" or array.size == 0:
        return True
    greatest = max(abs(float(array.max())), abs(float(array.min())))  # NaN if there is one
    return greatest <= float(np.finfo(dtype).max)

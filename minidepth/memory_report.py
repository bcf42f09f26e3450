"""What ``minidepth summary MODEL --memory`` prints: what a training step takes, or which batch fits.

Every way to train is a line, so that nobody has to ask for them one by one: on a GPU in float32 and with ``--amp``, and
on the CPU; each as it is and with ``--recompute``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from minidepth import models
from minidepth.config import TrainConfig, size_text
from minidepth.dry_run import Peak, Step, largest_batch, on_cpu, on_gpu
from minidepth.errors import InputError
from minidepth.listing import named
from minidepth.nn import Module

UNITS = {"MB": 2**20, "GB": 2**30}
NOTES = """\
On a GPU this is what CuPy's memory pool takes; the driver and the kernels take some hundred MB more. On the CPU it is
the whole process, but for pictures that are being read."""


class Way(NamedTuple):
    """A way to train."""

    title: str
    device: str
    amp: bool = False

    @property
    def peak(self) -> Callable[..., Peak]:
        return on_gpu if self.device == "cuda" else on_cpu


WAYS = (Way("GPU, float32", "cuda"), Way("GPU, --amp", "cuda", amp=True), Way("CPU", "cpu"))


def parse_bytes(text: str) -> int:
    """``"16GB"`` -> 16 * 2**30: of memory, a GB is 1024 MB, and an MB 2**20 bytes.

    Raises:
        InputError: the text does not read so.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?(MB|GB)", text.strip().upper().replace("IB", "B"))
    if match is None or not float(match[1]):
        raise InputError(f"--memory {text}: give a size with its unit, such as 16GB, or none")
    return int(float(match[1]) * UNITS[match[2]])


def report(
    model: str,
    options: dict[str, Any],
    size: tuple[int, int],
    limit: str = "",
    batch: int | None = None,
    accumulate: int = 1,
    loss: str | None = None,
    optimizer: str = "adam",
    device: str | None = None,
) -> str:
    """What a training step takes in every way, or on `device` alone; with a limit, as ``"16GB"``, which batch fits.

    Raises:
        InputError: something cannot be used; the text names the option.
    """
    limit_bytes = parse_bytes(limit) if limit else None
    if limit and batch is not None:
        raise InputError(f"--batch {batch}: with --memory {limit} it is the batch that is looked for; leave one out")
    config = TrainConfig(batch=TrainConfig.batch if batch is None else batch, accumulate=accumulate)  # which looks
    step = Step(partial(_network, model, options), size, config.batch, loss, optimizer, accumulate)
    steps = {"as it is": step}
    if "recompute" in models.options(model):
        steps["--recompute"] = step._replace(network=partial(_network, model, {**options, "recompute": True}))

    rows = [("", *steps)]
    for way in WAYS:
        if device not in (None, way.device):
            continue
        cells = [_cell(way, each._replace(amp=way.amp), limit_bytes) for each in steps.values()]
        rows.append((way.title, *cells))
    if limit_bytes is None:
        title, peak = f"Memory of a training step, batch {step.batch} of {size_text(size)}", on_gpu(step)
        notes = (
            f"Of it {size_in_words(peak.standing)} are weights, moving statistics and the sums of {optimizer}, and "
            f"{size_in_words(peak.batches)} two batches.\n{NOTES}"
        )
    else:
        title, notes = f"The largest batch of {size_text(size)} with which a training step fits into {limit}", NOTES
    return "\n".join([f"{title}, {optimizer}:", "", *_table(rows), "", notes])


def _cell(way: Way, step: Step, limit_bytes: int | None) -> str:
    if limit_bytes is None:
        return size_in_words(way.peak(step).total)
    batch, peak = largest_batch(way.peak, step, limit_bytes)
    return "not even 1" if peak is None else f"{batch} in {size_in_words(peak.total)}"


def size_in_words(count: int) -> str:
    """A number of bytes as people say it: 5.35 GB, 120 MB."""
    if count >= UNITS["GB"]:
        return f"{count / UNITS['GB']:.2f} GB"
    return f"{count / UNITS['MB']:.0f} MB"


def _network(model: str, options: dict[str, Any]) -> Module:
    return named(model, **options)[0]


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows]

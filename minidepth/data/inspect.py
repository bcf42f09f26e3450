"""What is in a data set (`info`) and what is wrong with it (`verify`): ``minidepth data info`` and ``data verify``."""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from minidepth.data.contact_sheet import save_contact_sheet
from minidepth.data.open import open_splits
from minidepth.data.sample import MAX_DEPTH_M, Dataset, Sample, StoredFrames
from minidepth.errors import DataError, InputError

MEASURED_FRAMES = 200
SHEET_FRAMES = 6
BAR_CHARACTERS = 40

Result = TypeVar("Result")


class Report(NamedTuple):
    """The same findings twice: `data` for programs (JSON values only), `text` for people."""

    data: dict[str, Any]
    text: str


class FrameFacts(NamedTuple):
    """What `info` keeps of one frame."""

    size: tuple[int, int]
    valid: int
    least_m: float
    greatest_m: float
    sum_m: float
    histogram: np.ndarray
    """Valid pixels in each metre: 0 to 1 m, 1 to 2 m, ..., 9 to 10 m."""


def info(path: str | Path, sheet: str | Path | None = None) -> Report:
    """Counts, sizes, units, a histogram of depth and the share of invalid pixels, split by split.

    Sizes and depths are measured on up to 200 frames of each split, evenly spread; the text says on how many.

    Args:
        path: as for `open_dataset`.
        sheet: where to write a contact sheet (PNG) of some pictures and their depth; None writes none.

    Raises:
        InputError: no data set there, or the sheet cannot be written.
        DataError: no frame of a split can be read.
    """
    splits = open_splits(path)
    data: dict[str, Any] = {"path": str(path), "splits": {}}
    lines = [f"data set: {path}"]
    for split, dataset in splits.items():
        facts = split_facts(dataset)
        data["splits"][split] = facts
        lines += ["", *split_lines(split, facts)]
    if sheet is not None:
        shown = {split: first_readable(dataset, SHEET_FRAMES) for split, dataset in splits.items()}
        title = f"{next(iter(splits.values())).name}: pictures and their depth"
        save_contact_sheet(Path(sheet), title, shown)
        data["contact_sheet"] = str(sheet)
        lines += ["", f"contact sheet: {sheet}"]
    return Report(data, "\n".join(lines))


def verify(path: str | Path) -> Report:
    """Read every frame of every split and name each one that is broken, with the reason.

    Broken is: missing, truncated, of the wrong kind, without the keys, picture and depth of different size, no valid
    pixel, and depths that no sensor gives: NaN, infinite or negative. ``data["problems"]`` is empty if all is well.

    Raises:
        InputError: no data set there, or nothing stored that could break.
    """
    problems: list[dict[str, str]] = []
    checked = 0
    for split, dataset in open_splits(path).items():
        if not isinstance(dataset, StoredFrames):
            raise InputError(f"{path}: is made on the fly, there are no files to verify")
        for problem in each_frame(functools.partial(frame_problem, dataset), range(len(dataset)), f"verify {split}"):
            problems += [{"split": split, "problem": problem}] if problem else []
        checked += len(dataset)
    lines = [f"{problem['split']}: {problem['problem']}" for problem in problems]
    lines.append(f"{checked} frames read, {len(problems) or 'no'} problem{'' if len(problems) == 1 else 's'} found")
    return Report({"path": str(path), "frames": checked, "problems": problems}, "\n".join(lines))


def frame_problem(dataset: StoredFrames, i: int) -> str | None:
    """What is wrong with one frame, or None."""
    try:
        dataset[i]
    except DataError as error:
        return str(error)
    return None


def each_frame(function: Callable[[int], Result], frames: Iterable[int], title: str) -> Iterator[Result]:
    """``function(i)`` for each frame, in order, on all cores, with a progress bar where somebody can see it."""
    from tqdm import tqdm  # slow to import, and only needed here

    frames = list(frames)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from tqdm(pool.map(function, frames), title, len(frames), leave=False, unit="frame", disable=None)


def evenly(count: int, wanted: int) -> list[int]:
    """`wanted` numbers below `count`, evenly spread; all of them where there are fewer."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(count, wanted)).round()})


def split_facts(dataset: Dataset) -> dict[str, Any]:
    """The facts about one split as JSON values; depth is measured on some frames."""

    def measure(i: int) -> FrameFacts | DataError:
        try:
            return frame_facts(dataset[i])
        except DataError as error:
            return error

    results = list(each_frame(measure, evenly(len(dataset), MEASURED_FRAMES), dataset.name))
    frames = [result for result in results if isinstance(result, FrameFacts)]
    errors = [result for result in results if isinstance(result, DataError)]
    if not frames:
        raise errors[0]
    pixels = sum(height * width for height, width in (frame.size for frame in frames))
    valid = sum(frame.valid for frame in frames)
    sizes = Counter(f"{frame.size[0]}x{frame.size[1]}" for frame in frames)
    return {
        "name": dataset.name,
        "frames": len(dataset),
        "measured": len(frames),
        "unreadable": len(errors),
        "sizes": dict(sizes.most_common()),
        "units": getattr(dataset, "units", "float32 metres"),
        "note": getattr(dataset, "note", ""),
        "invalid_share": 1 - valid / pixels,
        "depth_min_m": min(frame.least_m for frame in frames),
        "depth_mean_m": sum(frame.sum_m for frame in frames) / valid,
        "depth_max_m": max(frame.greatest_m for frame in frames),
        "histogram": np.sum([frame.histogram for frame in frames], 0).tolist(),
    }


def frame_facts(sample: Sample) -> FrameFacts:
    """Measure one frame."""
    depth_m = sample.depth_m[sample.valid]
    metre = np.minimum(depth_m.astype(np.int64), int(MAX_DEPTH_M) - 1)  # 10 m itself belongs to the last bin
    histogram = np.bincount(metre, minlength=int(MAX_DEPTH_M))
    height, width = sample.valid.shape
    least, greatest, total = float(depth_m.min()), float(depth_m.max()), float(depth_m.sum(dtype=np.float64))
    return FrameFacts((height, width), depth_m.size, least, greatest, total, histogram)


def split_lines(split: str, facts: dict[str, Any]) -> list[str]:
    """The facts about one split for people."""
    mixed = len(facts["sizes"]) > 1
    sizes = ", ".join(f"{size} ({count} times)" if mixed else size for size, count in facts["sizes"].items())
    lines = [
        f"{split}: {facts['frames']} frames, {sizes} (height x width); stored as {facts['units']}",
        f"  depth {facts['depth_min_m']:.2f} to {facts['depth_max_m']:.2f} m, mean {facts['depth_mean_m']:.2f} m,"
        f" {facts['invalid_share']:.2%} of the pixels invalid (measured on {facts['measured']} frames)",
    ]
    if facts["note"]:
        lines.append(f"  note: {facts['note']}")
    if facts["unreadable"]:
        lines.append(f"  {facts['unreadable']} frames cannot be read; minidepth data verify names them")
    total, largest = sum(facts["histogram"]), max(facts["histogram"])
    for metre, count in enumerate(facts["histogram"]):
        bar = "#" * round(BAR_CHARACTERS * count / largest)
        lines.append(f"  {metre:2} to {metre + 1:2} m  {count / total:6.1%}  {bar}".rstrip())
    return lines


def first_readable(dataset: Dataset, wanted: int) -> list[tuple[str, Sample]]:
    """Up to `wanted` frames that can be read, evenly spread, each with its short name."""
    shown = []
    for i in evenly(len(dataset), wanted):
        try:
            shown.append((f"frame {i}", dataset[i]))
        except DataError:
            continue  # counted as unreadable above, or beyond the measured ones; verify names it
    return shown

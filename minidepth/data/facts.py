"""Measuring the frames of a data set: what `info` prints about each split."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, TypeVar

import numpy as np

from minidepth.data.sample import Dataset, Sample
from minidepth.errors import DataError

MEASURED_FRAMES = 200
BAR_CHARACTERS = 40
DEPTH_BINS = 10
PARTIAL = (0.05, 0.95)
"""A mask between these belongs to both sides: an edge, or the noise of JPEG."""

Result = TypeVar("Result")


class FrameFacts(NamedTuple):
    """What `info` keeps of one frame; the sums are over valid pixels."""

    size: tuple[int, int]
    valid: int
    least_m: float
    greatest_m: float
    sum_m: float
    depth_bins: np.ndarray
    """Pixels in each tenth of the greatest depth of the data set: of NYU 0 to 1 m, 1 to 2 m, ..., 9 to 10 m."""
    class_pixels: np.ndarray
    """Pixels of each class; all 0 where there are no labels."""
    mask_sum: float
    mask_partial: int
    """Pixels whose mask is neither near 0 nor near 1."""


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
    """The facts about one split as JSON values; all but the counts are measured on some frames."""

    def measure(i: int) -> FrameFacts | DataError:
        try:
            return frame_facts(dataset[i], dataset.max_depth_m)
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
    facts: dict[str, Any] = {
        "name": dataset.name,
        "frames": len(dataset),
        "measured": len(frames),
        "unreadable": len(errors),
        "sizes": dict(sizes.most_common()),
        "units": getattr(dataset, "units", "float32 metres"),
        "note": getattr(dataset, "note", ""),
        "targets": list(dataset.targets),
        "invalid_share": 1 - valid / pixels,
    }
    if "depth" in dataset.targets:
        facts["depth_min_m"] = min(frame.least_m for frame in frames)
        facts["depth_mean_m"] = sum(frame.sum_m for frame in frames) / valid
        facts["depth_max_m"] = max(frame.greatest_m for frame in frames)
        facts["max_depth_m"] = dataset.max_depth_m
        facts["histogram"] = np.sum([frame.depth_bins for frame in frames], 0).tolist()
    if "labels" in dataset.targets:
        shares = np.sum([frame.class_pixels for frame in frames], 0) / valid
        names = getattr(dataset, "classes", ()) or [str(k) for k in range(int(shares.nonzero()[0].max()) + 1)]
        facts["class_shares"] = {name: float(shares[k]) for k, name in enumerate(names)}
    if "mask" in dataset.targets:
        facts["mask_share"] = sum(frame.mask_sum for frame in frames) / valid
        facts["mask_partial_share"] = sum(frame.mask_partial for frame in frames) / valid
    return facts


def frame_facts(sample: Sample, max_depth_m: float) -> FrameFacts:
    """Measure one frame."""
    valid = sample.valid
    depth_m = sample.depth_m[valid]
    tenth = np.minimum((depth_m * (DEPTH_BINS / max_depth_m)).astype(np.int64), DEPTH_BINS - 1)  # the end is included
    labels = np.zeros(0, np.uint8) if sample.labels is None else sample.labels[valid]
    mask = np.zeros(0, np.float32) if sample.mask is None else sample.mask[valid]
    return FrameFacts(
        size=(valid.shape[0], valid.shape[1]),
        valid=depth_m.size,
        least_m=float(depth_m.min()),
        greatest_m=float(depth_m.max()),
        sum_m=float(depth_m.sum(dtype=np.float64)),
        depth_bins=np.bincount(tenth, minlength=DEPTH_BINS),
        class_pixels=np.bincount(labels, minlength=256),
        mask_sum=float(mask.sum(dtype=np.float64)),
        mask_partial=int(((mask > PARTIAL[0]) & (mask < PARTIAL[1])).sum()),
    )


def split_lines(split: str, facts: dict[str, Any]) -> list[str]:
    """The facts about one split for people."""
    sizes = [f"{size} ({count} times)" for size, count in facts["sizes"].items()]
    if len(sizes) == 1:
        sizes = list(facts["sizes"])
    elif len(sizes) > 4:
        heights, widths = zip(*(map(int, size.split("x")) for size in facts["sizes"]))
        sizes = [f"{len(sizes)} sizes from {min(heights)}x{min(widths)} to {max(heights)}x{max(widths)}"]
    lines = [f"{split}: {facts['frames']} frames, {', '.join(sizes)} (height x width); stored as {facts['units']}"]
    measured = f"{facts['invalid_share']:.2%} of the pixels invalid (measured on {facts['measured']} frames)"
    if "histogram" in facts:
        measured = (
            f"depth {facts['depth_min_m']:.2f} to {facts['depth_max_m']:.2f} m, mean {facts['depth_mean_m']:.2f} m, "
            + measured
        )
    lines.append(f"  {measured}")
    if facts["note"]:
        lines.append(f"  note: {facts['note']}")
    if facts["unreadable"]:
        lines.append(f"  {facts['unreadable']} frames cannot be read; minidepth data verify names them")
    if "mask_share" in facts:
        lines.append(
            f"  mask: {facts['mask_share']:.2%} in front, {facts['mask_partial_share']:.2%} of the pixels between"
        )
    if "histogram" in facts:
        step, total = facts["max_depth_m"] / DEPTH_BINS, sum(facts["histogram"])
        ends = [(f"{k * step:g}", f"{(k + 1) * step:g}") for k in range(DEPTH_BINS)]
        wide = max(2, *(len(low) for low, _ in ends))
        names = [f"{low:>{wide}} to {high:>{wide}} m" for low, high in ends]
        lines += bars(names, [count / total for count in facts["histogram"]])
    if "class_shares" in facts:
        wide = max(map(len, facts["class_shares"]))
        lines += bars([f"{name:{wide}}" for name in facts["class_shares"]], list(facts["class_shares"].values()))
    return lines


def bars(names: list[str], shares: list[float]) -> list[str]:
    """One line for each name: its share in per cent and as a bar."""
    most = max(shares) or 1.0
    return [
        f"  {name}  {share:6.1%}  {'#' * round(BAR_CHARACTERS * share / most)}".rstrip()
        for name, share in zip(names, shares)
    ]

"""What is in a data set (`info`) and what is wrong with it (`verify`): ``minidepth data info`` and ``data verify``."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, NamedTuple

from minidepth.data.contact_sheet import save_contact_sheet
from minidepth.data.facts import each_frame, evenly, split_facts, split_lines
from minidepth.data.open import open_splits
from minidepth.data.sample import Dataset, Sample, StoredFrames
from minidepth.errors import DataError, InputError

SHEET_FRAMES = 6


class Report(NamedTuple):
    """The same findings twice: `data` for programs (JSON values only), `text` for people."""

    data: dict[str, Any]
    text: str


def info(path: str | Path, sheet: str | Path | None = None) -> Report:
    """Counts, sizes, units, the share of invalid pixels, and a histogram of depth, labels or mask, split by split.

    All but the counts is measured on up to 200 frames of each split, evenly spread; the text says on how many.

    Args:
        path: as for `open_dataset`.
        sheet: where to write a contact sheet (PNG) of some pictures and what is to be learnt; None writes none.

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
        first = next(iter(splits.values()))
        title = f"{first.name}: pictures and their {' and '.join(first.targets)}"
        save_contact_sheet(Path(sheet), title, shown, getattr(first, "classes", ()))
        data["contact_sheet"] = str(sheet)
        lines += ["", f"contact sheet: {sheet}"]
    return Report(data, "\n".join(lines))


def verify(path: str | Path) -> Report:
    """Read every frame of every split and name each one that is broken, with the reason.

    Broken is: missing, truncated, of the wrong kind, without the keys, picture and depth (or mask, or trimap) of
    different size, no valid pixel, labels out of range, and depths that no sensor gives: NaN, infinite or negative.
    ``data["problems"]`` is empty if all is well.

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


def first_readable(dataset: Dataset, wanted: int) -> list[tuple[str, Sample]]:
    """Up to `wanted` frames that can be read, evenly spread, each with its short name."""
    shown = []
    for i in evenly(len(dataset), wanted):
        try:
            shown.append((f"frame {i}", dataset[i]))
        except DataError:
            continue  # counted as unreadable above, or beyond the measured ones; verify names it
    return shown

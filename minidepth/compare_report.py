"""What `compare` writes: the table as Markdown, CSV and JSON, and the picture grid."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from minidepth import draw, draw_maps
from minidepth.compare import Examined, compare
from minidepth.config import size_text
from minidepth.data import Sample, open_dataset
from minidepth.data.resize import resize_image
from minidepth.errors import InputError
from minidepth.predict import read_upright

COLUMNS = {
    "run": "run",
    "model": "network",
    "size": "size",
    "parameters": "parameters",
    "file_mb": "MB on disk",
    "multiply_adds": "multiply-adds",
    "ms_per_picture": "ms a picture",
    "pictures_per_s": "pictures a second",
    "peak_mib": "peak memory, MiB",
    "device": "device",
    "grid_excess_db": "grid excess, dB",
}
AVERAGES = {"per_picture": "mean of pictures", "pooled": "pooled over pixels"}
AVERAGES = {"per_picture": "mean of pictures", "pooled": "pooled over pixels"}
PHOTO_PIXELS = 480
"""Longer side at which photos are drawn."""


def report(results: list[Examined], target: str, about: str) -> dict[str, Any]:
    """Everything as JSON values: what was compared, and a row for each run with all its metrics in both averages."""
    rows = []
    for result in results:
        row = dict(result.row)
        if result.scores is not None:
            for average in AVERAGES:
                row.update({f"{name} ({average})": v for name, v in result.scores["network"][average].items()})
        rows.append(row)
    return {"about": about, "target": target, "rows": rows, "scores": [result.scores for result in results]}


def columns(rows: list[dict[str, Any]]) -> list[str]:
    """Names of all columns of which some row has a value, in the order of the table."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [name for name in names if any(row.get(name) is not None for row in rows)]


def as_markdown(data: dict[str, Any]) -> str:
    """The tables for people: what each network costs, then the metrics in both averages."""
    rows = data["rows"]
    tables = {data["about"]: [name for name in columns(rows) if "(" not in name]}
    for average, title in AVERAGES.items():
        named = [name for name in columns(rows) if name.endswith(f"({average})")]
        if named:
            tables[f"Metrics, {title}:"] = ["run", *named]
    parts = []
    for title, names in tables.items():
        heads = [COLUMNS.get(name, name.partition(" (")[0]) for name in names]
        lines = [heads, ["---"] * len(names), *([cell(name, row.get(name)) for name in names] for row in rows)]
        parts += [title, "", *("| " + " | ".join(line) + " |" for line in lines), ""]
    return "\n".join(parts)


def cell(name: str, value: Any) -> str:
    """A value as it stands in the table."""
    if value is None:
        return ""
    if name == "size":
        return size_text(tuple(value))
    if name == "multiply_adds":
        return f"{value / 1e9:.2f} G"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.1f}" if name in COLUMNS else f"{value:.3f}"
    return str(value)


def as_csv(data: dict[str, Any]) -> str:
    """All rows with all columns, plain numbers."""
    text = io.StringIO()
    writer = csv.DictWriter(text, columns(data["rows"]), extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in data["rows"]:
        writer.writerow({**row, "size": size_text(tuple(row["size"]))})
    return text.getvalue()


def in_lines(model: str) -> str:
    """A network's name and its options, each on a line of its own: side by side they would run into the next column."""
    return model.replace(":", "\n").replace(",", "\n")


def save_grid(
    path: Path, target: str, titles: list[str], pictures: list[np.ndarray], samples: list[Sample], maps: list[list[Any]]
) -> None:
    """Write a row for each picture: the picture, the truth if there is one, each network's map, of depth each error.

    Args:
        path: file to write.
        target: what the maps hold.
        titles: of the networks.
        pictures: uint8 (H, W, 3).
        samples: where the truth of each is; empty where there is none.
        maps: for each picture, those of the networks (H, W).
    """
    truths, errors = bool(samples), bool(samples) and target == "depth"
    heights = [picture.shape[0] / picture.shape[1] for picture in pictures]
    width = 1 + truths + len(titles) * (1 + errors)
    figure = draw.new_figure(2.3 * width + 0.6, 2.3 * sum(heights) + 0.5)
    grid = figure.subplots(len(pictures), width, squeeze=False, height_ratios=heights)
    names = ["picture", *(["truth"] if truths else []), *titles, *([f"error of {t}" for t in titles] if errors else [])]
    worst_m = 0.1
    if errors:
        differences = [np.abs(m - s.depth_m)[s.valid] for s, row in zip(samples, maps) for m in row]
        worst_m = max(worst_m, float(np.percentile(np.concatenate(differences), 98)))
    for row, picture in enumerate(pictures):
        heads = iter(names if row == 0 else [""] * width)
        draw.show_image(grid[row, 0], picture, next(heads))
        sample = samples[row] if samples else None
        if target == "depth":
            show_depth_row(figure, grid[row], sample, maps[row], heads, worst_m)
        else:
            show_map_row(grid[row], target, sample, maps[row], heads)
    draw.write(figure, path)


def show_depth_row(
    figure: Any, axes: Any, sample: Sample | None, maps: list[np.ndarray], heads: Iterator[str], worst_m: float
) -> None:
    """Truth and predictions on one scale of metres, errors on one that all rows share."""
    known = [values.ravel() for values in maps] if sample is None else [sample.depth_m[sample.valid]]
    low_m, high_m = draw.depth_range_m(known)
    truth = [] if sample is None else [np.where(sample.valid, sample.depth_m, np.nan)]
    depths = [*truth, *maps]
    for panel, values in zip(axes[1:], depths):
        draw.show_depth(panel, values, low_m, high_m, next(heads))
    draw.add_scale(figure, axes[1 : 1 + len(depths)], "m", axes[1].images[0], share=0.02)
    if sample is not None:
        for panel, values in zip(axes[1 + len(depths) :], maps):
            error_m = np.where(sample.valid, values - sample.depth_m, np.nan)
            draw.show(panel, error_m, draw.ERROR_COLORS, -worst_m, worst_m, next(heads))
            draw.add_note(panel, f"RMSE {float(np.sqrt(np.nanmean(np.square(error_m)))):.2f} m")
        draw.add_scale(figure, axes[1 + len(depths) :], "m", axes[-1].images[0], share=0.03, extend="both")


def show_map_row(axes: Any, target: str, sample: Sample | None, maps: list[np.ndarray], heads: Iterator[str]) -> None:
    """Truth and predictions of labels or masks."""
    show = draw_maps.show_labels if target == "labels" else draw_maps.show_mask
    truth = None if sample is None else sample.labels if target == "labels" else sample.mask
    known = [] if sample is None or truth is None else [np.where(sample.valid, truth, np.nan)]
    for panel, values in zip(axes[1:], [*known, *maps]):
        show(panel, values, next(heads))


def compare_to_folder(
    runs: list[str], data: str | None, out: Path, split: str, photos: str | None, shown: int, tta: bool,
    crop: str | None, log: Any, device: str = "auto", amp: bool = False,
    tf32: bool = False,
) -> str:  # fmt: skip
    """Compare, write ``compare.md``, ``.csv``, ``.json``, ``.png`` and ``photos.png``, and return the Markdown.

    Raises:
        InputError: as `compare`; or the folder cannot be made.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"--out {out} cannot be made: {error.strerror}") from None
    results, frames, pictures, target = compare(
        runs, data, split, photos, shown, tta, crop, log=log, device=device, amp=amp, tf32=tf32
    )
    about = f"{target}, {data} ({split})" if data is not None else f"{target}, photos without truth"
    table = report(results, target, about + (", averaged with the mirrored picture" if tta else ""))
    text = as_markdown(table)
    (out / "compare.md").write_text(text, encoding="utf-8")
    (out / "compare.csv").write_text(as_csv(table), encoding="utf-8")
    (out / "compare.json").write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")
    titles = [f"{Path(result.row['run']).name}\n{in_lines(result.row['model'])}" for result in results]
    maps = [list(row) for row in zip(*(result.maps for result in results))]
    if data is not None:
        dataset = open_dataset(data, split=split)
        samples = [dataset[index] for index in frames]
        images = [sample.image for sample in samples]
        save_grid(out / "compare.png", target, titles, images, samples, maps[: len(frames)])
    if pictures:
        small = [resize_image(read_upright(path), drawn_size(path)) for path in pictures]
        thin = [[thinned(values, image) for values in row] for row, image in zip(maps[len(frames) :], small)]
        save_grid(out / "photos.png", target, titles, small, [], thin)
    return text


def drawn_size(path: Path) -> tuple[int, int]:
    """Height and width at which a photo is drawn."""
    height, width = read_upright(path).shape[:2]
    factor = min(1.0, PHOTO_PIXELS / max(height, width))
    return max(1, round(height * factor)), max(1, round(width * factor))


def thinned(values: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Every so many numbers of a map, as many as the picture has pixels."""
    rows, columns_ = (np.linspace(0, old - 1, new).round().astype(int) for old, new in zip(values.shape, image.shape))
    return values[np.ix_(rows, columns_)]

"""The contact sheet: some pictures of each split above what there is to learn from them: depth, labels, mask.

Depth has one metre scale for the whole sheet, labels one colour for each class.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from minidepth.data.sample import Sample
from minidepth.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DEPTH_COLORS = "viridis_r"
"""Near is bright, far is dark, and equal steps of depth look equal. The pictures of a run have the same colours."""
INVALID_COLOR = "0.75"
CLASS_COLORS = "tab10"
COLUMN_INCHES = 2.1

Shown = list[tuple[str, Sample]]


def save_contact_sheet(path: Path, title: str, splits: dict[str, Shown], classes: tuple[str, ...] = ()) -> None:
    """Write the sheet as a PNG.

    Args:
        path: the file.
        title: its first line.
        splits: for each split, (caption, sample) from left to right.
        classes: names of the classes, where samples have labels.

    Raises:
        InputError: the file cannot be written.
    """
    from matplotlib.figure import Figure  # matplotlib takes half a second to import: only when a sheet is drawn
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    samples = [sample for shown in splits.values() for _, sample in shown]
    fields = fields_of(samples[0])
    height = max(sample.valid.shape[0] / sample.valid.shape[1] for sample in samples)
    columns, rows = max(len(shown) for shown in splits.values()), len(fields) * len(splits)

    spacing = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.02, wspace=0.01, hspace=0.0)
    size = (COLUMN_INCHES * columns + 1.3, (COLUMN_INCHES * height + 0.2) * rows + 0.35)
    figure = Figure(size, dpi=110, layout=spacing)
    figure.suptitle(title, fontsize=12)
    no_ticks: dict[str, list[float]] = {"xticks": [], "yticks": []}  # unseen as they are, they would cost a second
    axes = figure.subplots(rows, columns, squeeze=False, subplot_kw=no_ticks)
    for axis in axes.flat:
        axis.set_axis_off()
    styles = {"depth": depth_style(samples), "labels": label_style(samples, classes)}
    for block, (split, shown) in enumerate(splits.items()):
        for column, (caption, sample) in enumerate(shown):
            for row, field in enumerate(fields, block * len(fields)):
                show_field(axes[row, column], field, sample, styles.get(field, {}), f"{split}, {caption}")
    if "depth" in fields:
        add_depth_scale(figure, axes, styles["depth"])
    if "labels" in fields:
        add_legend(figure, styles["labels"], classes)
    try:
        figure.savefig(path, format="png")
    except OSError as error:
        raise InputError(f"{path}: the contact sheet cannot be written ({error.strerror})") from error


def fields_of(sample: Sample) -> list[str]:
    """What a sheet shows of samples like this one, from top to bottom."""
    there = {
        "image": True,
        "background": sample.background is not None,
        "labels": sample.labels is not None,
        "mask": sample.mask is not None,
        "depth": bool(sample.depth_m.any()),  # zeros where a data set has no depth
    }
    return [field for field, shown in there.items() if shown]


def depth_style(samples: list[Sample]) -> dict[str, Any]:
    """Colours of depth: half metres around the middle 98 %, since a few far corners would leave the rest one colour."""
    from matplotlib import colormaps
    from matplotlib.colors import Normalize

    near_m, far_m = np.percentile(np.concatenate([sample.depth_m[sample.valid] for sample in samples]), (1, 99))
    scale = Normalize(math.floor(2 * near_m) / 2, math.ceil(2 * far_m) / 2)
    return {"norm": scale, "cmap": colormaps[DEPTH_COLORS].with_extremes(bad=INVALID_COLOR)}


def label_style(samples: list[Sample], classes: tuple[str, ...]) -> dict[str, Any]:
    """Colours of classes; they repeat after ten."""
    from matplotlib import colormaps
    from matplotlib.colors import ListedColormap

    most = max((int(sample.labels.max()) for sample in samples if sample.labels is not None), default=0)
    count = max(most + 1, len(classes))
    colors = ListedColormap([colormaps[CLASS_COLORS](k % 10) for k in range(count)])
    return {"vmin": 0, "vmax": max(1, count - 1), "cmap": colors.with_extremes(bad=INVALID_COLOR)}


def show_field(axis: Axes, field: str, sample: Sample, style: dict[str, Any], caption: str) -> None:
    """One field of one sample with its caption."""
    title = {"image": caption, "background": "background", "labels": "labels"}.get(field)
    if field in ("image", "background"):
        axis.imshow(getattr(sample, field))
    elif field == "mask":
        mask = np.asarray(sample.mask)
        axis.imshow(mask, cmap="gray", vmin=0, vmax=1)
        title = f"mask, {mask[sample.valid].mean():.1%}"
    else:
        values = sample.depth_m if field == "depth" else sample.labels
        axis.imshow(np.ma.array(values, mask=~sample.valid), interpolation="nearest", **style)
        if field == "depth":
            depth_m = sample.depth_m[sample.valid]
            title = f"{depth_m.min():.1f} to {depth_m.max():.1f} m"
    axis.set_title(title or "", fontsize=8, pad=3)


def add_depth_scale(figure: Any, axes: Any, style: dict[str, Any]) -> None:
    """The colours of depth at the right edge."""
    from matplotlib.cm import ScalarMappable

    bar = figure.colorbar(ScalarMappable(**style), ax=axes, extend="both", shrink=0.8, aspect=30, pad=0.01)
    bar.set_label("depth in metres (grey: no valid depth)")


def add_legend(figure: Any, style: dict[str, Any], classes: tuple[str, ...]) -> None:
    """The names of the classes at the right edge."""
    from matplotlib.patches import Patch

    names = classes or tuple(f"class {k}" for k in range(style["cmap"].N))
    patches = [Patch(color=style["cmap"](k), label=name) for k, name in enumerate(names)]
    figure.legend(handles=patches, loc="outside right center", fontsize=8)

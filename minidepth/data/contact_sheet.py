"""The contact sheet: some pictures of each split above their depth maps, with one metre scale for all."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from minidepth.data.sample import Sample
from minidepth.errors import InputError

DEPTH_COLORS = "viridis_r"
"""Near is bright, far is dark, and equal steps of depth look equal. The pictures of a run have the same colours."""
INVALID_COLOR = "0.75"
COLUMN_INCHES = 2.1


def save_contact_sheet(path: Path, title: str, splits: dict[str, list[tuple[str, Sample]]]) -> None:
    """Write the sheet as a PNG.

    Args:
        path: the file.
        title: its first line.
        splits: for each split, (caption, sample) from left to right.

    Raises:
        InputError: the file cannot be written.
    """
    from matplotlib import colormaps  # matplotlib takes half a second to import: only when a sheet is drawn
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    samples = [sample for shown in splits.values() for _, sample in shown]
    height, width = samples[0].valid.shape
    columns = max(len(shown) for shown in splits.values())
    rows = 2 * len(splits)
    row_inches = COLUMN_INCHES * height / width
    depths_m = np.concatenate([sample.depth_m[sample.valid] for sample in samples])
    near_m, far_m = np.percentile(depths_m, (1, 99))  # a few far corners would leave the rest one colour
    scale = Normalize(math.floor(2 * near_m) / 2, math.ceil(2 * far_m) / 2)
    colors = colormaps[DEPTH_COLORS].with_extremes(bad=INVALID_COLOR)

    spacing = ConstrainedLayoutEngine(w_pad=0.03, h_pad=0.02, wspace=0.01, hspace=0.0)
    figure = Figure((COLUMN_INCHES * columns + 1.3, (row_inches + 0.2) * rows + 0.35), dpi=110, layout=spacing)
    figure.suptitle(title, fontsize=12)
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for block, (split, shown) in enumerate(splits.items()):
        for column, (caption, sample) in enumerate(shown):
            picture, depth = axes[2 * block, column], axes[2 * block + 1, column]
            picture.imshow(sample.image)
            picture.set_title(f"{split}, {caption}", fontsize=8, pad=3)
            depth.imshow(
                np.ma.array(sample.depth_m, mask=~sample.valid), cmap=colors, norm=scale, interpolation="nearest"
            )
            depth_m = sample.depth_m[sample.valid]
            depth.set_title(f"{depth_m.min():.1f} to {depth_m.max():.1f} m", fontsize=8, pad=3)
    bar = figure.colorbar(ScalarMappable(scale, colors), ax=axes, extend="both", shrink=0.8, aspect=30, pad=0.01)
    bar.set_label("depth in metres (grey: no valid depth)")
    try:
        figure.savefig(path, format="png")
    except OSError as error:
        raise InputError(f"{path}: the contact sheet cannot be written ({error.strerror})") from error

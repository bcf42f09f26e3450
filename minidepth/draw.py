"""Every picture that minidepth draws: depth in colours, rows of samples, learning curves.

Depth goes through viridis reversed, near is bright and far is dark: lightness falls evenly with distance, so it can be
read in print and by the colour-blind. An error is blue where the prediction is too near and red where it is too far.
Figures are made without pyplot: no window, no global state.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from minidepth.data import Sample
from minidepth.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DEPTH_COLORS = "viridis_r"
ERROR_COLORS = "RdBu_r"
INVALID_COLOR = "0.75"
"""Light grey: no depth was measured here."""
NETWORK_COLOR, GUESS_COLOR, LOSS_COLOR = "#0072b2", "#999999", "#d55e00"
DPI = 110


def save_image(path: Path, image: np.ndarray) -> None:
    """Write uint8 (H, W, 3), or grey (H, W), as a picture file."""
    try:
        Image.fromarray(image).save(path)
    except OSError as error:
        raise cannot_write(path, error) from None


def save_depth(path: Path, depth_m: np.ndarray) -> None:
    """Write a depth map (H, W) in colours with its scale in metres."""
    figure = new_figure(6.4, 6.4 * 0.86 * depth_m.shape[0] / depth_m.shape[1] + 0.1)
    axes = figure.add_subplot()
    show_depth(axes, depth_m, *depth_range_m([depth_m]))
    add_scale(figure, axes, "depth in m")
    write(figure, path)


def save_side_by_side(path: Path, image: np.ndarray, depth_m: np.ndarray) -> None:
    """Write a picture, uint8 (H, W, 3), beside its predicted depth (H, W)."""
    figure = new_figure(10, 4.9 * image.shape[0] / image.shape[1] + 0.35)
    picture_axes, depth_axes = figure.subplots(1, 2)
    show_image(picture_axes, image, "picture")
    show_depth(depth_axes, depth_m, *depth_range_m([depth_m]), "predicted depth")
    add_scale(figure, depth_axes, "m")
    write(figure, path)


def save_samples(path: Path, samples: list[Sample], predictions_m: list[np.ndarray]) -> None:
    """Write one row a sample: picture, true depth, predicted depth, error. The scale of depth is shared by all rows."""
    height, width = samples[0].valid.shape
    figure = new_figure(11, len(samples) * 2.62 * height / width + 0.35)
    grid = figure.subplots(len(samples), 4, squeeze=False)
    low_m, high_m = depth_range_m([sample.depth_m[sample.valid] for sample in samples])
    errors_m = [np.where(s.valid, p - s.depth_m, np.nan) for s, p in zip(samples, predictions_m)]
    worst_m = max(0.1, float(np.nanpercentile(np.abs(errors_m), 98)))
    titles = ("picture", "true depth", "predicted depth", "error (blue: too near, red: too far)")
    for row, (sample, prediction_m, error_m) in enumerate(zip(samples, predictions_m, errors_m)):
        picture, truth, prediction, error = grid[row]
        rmse_m = float(np.sqrt(np.nanmean(np.square(error_m))))
        heads = titles if row == 0 else ("",) * 4
        show_image(picture, sample.image, heads[0])
        show_depth(truth, np.where(sample.valid, sample.depth_m, np.nan), low_m, high_m, heads[1])
        show_depth(prediction, prediction_m, low_m, high_m, heads[2])
        show(error, error_m, ERROR_COLORS, -worst_m, worst_m, heads[3])
        add_note(error, f"RMSE {rmse_m:.2f} m")
    add_scale(figure, grid[:, :3], "depth in m", grid[0, 1].images[0])
    add_scale(figure, grid[:, 3:], "error in m", grid[0, 3].images[0], share=0.15, extend="both")
    write(figure, path)


def save_curves(path: Path, rows: list[dict[str, float]], metrics: list[tuple[str, str]]) -> None:
    """Write the rows of ``log.csv`` as curves over the epochs: training loss and, if validated, some metrics.

    Args:
        path: file to write.
        rows: of the log.
        metrics: (name in the log without its prefix, title) of the metrics to draw.
    """
    metrics = [(metric, title) for metric, title in metrics if f"val_{metric}" in rows[0]]
    figure = new_figure(3.67 * (1 + len(metrics)) if metrics else 4.5, 3.2)
    panels = figure.subplots(1, 1 + len(metrics), squeeze=False)[0]
    curve(panels[0], rows, {"loss": ("training", LOSS_COLOR, "-")}, "training loss")
    for axes, (metric, title) in zip(panels[1:], metrics):
        lines = {
            f"val_{metric}": ("network, mean of pictures", NETWORK_COLOR, "-"),
            f"val_pooled_{metric}": ("network, pooled over pixels", NETWORK_COLOR, "--"),
            f"guess_{metric}": ("constant guess, mean of pictures", GUESS_COLOR, "-"),
            f"guess_pooled_{metric}": ("constant guess, pooled over pixels", GUESS_COLOR, "--"),
        }
        curve(axes, rows, lines, title)
    if metrics:
        panels[-1].legend(fontsize=7)
    write(figure, path)


def curve(axes: Axes, rows: list[dict[str, float]], lines: dict[str, tuple[str, str, str]], title: str) -> None:
    """Draw columns of the log over the epochs; `lines` is column -> (label, colour, style)."""
    from matplotlib.ticker import MaxNLocator

    epochs = [row["epoch"] for row in rows]
    for column, (label, color, style) in lines.items():
        axes.plot(epochs, [row[column] for row in rows], style, color=color, label=label, marker=".", markersize=4)
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("epoch", fontsize=8)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)


def depth_range_m(depths_m: list[np.ndarray]) -> tuple[float, float]:
    """Ends of a colour scale for depths in metres: their 1st and 99th percentile, at least half a metre apart."""
    low, high = np.percentile(np.concatenate([depth.ravel() for depth in depths_m]), (1, 99))
    middle, half = (low + high) / 2, max((high - low) / 2, 0.25)
    return max(0.0, float(middle - half)), float(middle + half)


def show_image(axes: Axes, image: np.ndarray, title: str = "") -> None:
    """A colour picture without axes."""
    axes.imshow(image)
    axes.set_title(title, fontsize=9)
    axes.axis("off")


def show_depth(axes: Axes, depth_m: np.ndarray, low_m: float, high_m: float, title: str = "") -> None:
    """A depth map in colours; NaN is grey."""
    show(axes, depth_m, DEPTH_COLORS, low_m, high_m, title)


def show(axes: Axes, values: np.ndarray, colors: str, low: float, high: float, title: str) -> None:
    """A map of numbers in colours; NaN is grey."""
    import matplotlib

    palette = matplotlib.colormaps[colors].with_extremes(bad=INVALID_COLOR)
    axes.imshow(values, cmap=palette, vmin=low, vmax=high, interpolation="nearest")
    axes.set_title(title, fontsize=9)
    axes.axis("off")


def add_note(axes: Axes, text: str) -> None:
    """A few words in the lower right corner."""
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5}
    axes.text(0.98, 0.04, text, transform=axes.transAxes, ha="right", fontsize=8, bbox=box)


def add_scale(
    figure: Figure, axes: Any, label: str, image: Any = None, share: float = 0.05, extend: str = "neither"
) -> None:
    """A colour scale to the right of one or several axes, of whose width it takes a share."""
    image = image or axes.images[0]
    bar = figure.colorbar(image, ax=axes, pad=share / 4, fraction=share, aspect=30, extend=extend)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=8)


def new_figure(width_inch: float, height_inch: float) -> Figure:
    """A figure that packs its parts tightly."""
    from matplotlib.figure import Figure  # 0.2 s to import, so only when something is drawn

    return Figure(figsize=(width_inch, height_inch), dpi=DPI, layout="compressed")


def write(figure: Figure, path: Path) -> None:
    """Write the figure as PNG."""
    try:
        figure.savefig(path)
    except OSError as error:
        raise cannot_write(path, error) from None


def cannot_write(path: Path, error: OSError) -> InputError:
    """The error for a picture that cannot be written."""
    return InputError(f"{path}: cannot be written ({error.strerror or error}); make room, or choose another folder")

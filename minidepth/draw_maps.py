"""Pictures of labels and masks: rows of samples, and a prediction beside its picture.

Every class has a colour of Okabe and Ito's set, which the colour-blind can tell apart; pixels whose class is not known
are grey. A mask is white where the thing in front is.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minidepth.data import Sample
from minidepth.draw import INVALID_COLOR, add_note, new_figure, show, show_image, write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CLASS_COLORS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000")
"""More classes than these begin again from the first."""

ShowMap = Callable[["Axes", np.ndarray, str], None]
"""Draws a map (H, W), NaN where it is not known, under a title."""


def label_picture(labels: np.ndarray) -> np.ndarray:
    """Class numbers (H, W) in the colours of the classes: uint8 (H, W, 3)."""
    colors = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in CLASS_COLORS], np.uint8)
    return colors[labels % len(colors)]


def show_labels(axes: Axes, labels: np.ndarray, title: str = "") -> None:
    """Class numbers (H, W) in colours; NaN is grey."""
    known = ~np.isnan(labels.astype(float))
    picture = label_picture(np.where(known, labels, 0).astype(np.int64))
    picture[~known] = round(255 * float(INVALID_COLOR))
    show_image(axes, picture, title)


def show_mask(axes: Axes, mask: np.ndarray, title: str = "") -> None:
    """A mask (H, W) from 0, black, to 1, white; NaN is grey."""
    show(axes, mask, "gray", 0, 1, title)


def save_map_samples(
    path: Path,
    samples: list[Sample],
    truths: list[np.ndarray],
    predictions: list[np.ndarray],
    show_map: ShowMap,
    titles: tuple[str, str],
    notes: list[str],
) -> None:
    """Write one row a sample: picture, truth, prediction, and where they differ.

    Args:
        path: file to write.
        samples: pictures, and which pixels count.
        truths: maps (H, W).
        predictions: maps (H, W).
        show_map: how to draw one.
        titles: of the truth and the prediction.
        notes: how good each prediction is, in a few words.
    """
    height, width = samples[0].valid.shape
    figure = new_figure(11, len(samples) * 2.75 * height / width + 0.35)
    grid = figure.subplots(len(samples), 4, squeeze=False)
    heads = ("picture", *titles, "wrong: red")
    for row, (sample, truth, prediction, note) in enumerate(zip(samples, truths, predictions, notes)):
        head = heads if row == 0 else ("",) * 4
        show_image(grid[row, 0], sample.image, head[0])
        show_map(grid[row, 1], np.where(sample.valid, truth, np.nan), head[1])
        show_map(grid[row, 2], prediction, head[2])
        wrong = np.where(sample.valid, np.abs(np.asarray(prediction, float) - truth) > 0.5, np.nan)
        show(grid[row, 3], wrong, "Reds", 0, 1, head[3])
        add_note(grid[row, 3], note)
    write(figure, path)


def save_map_side_by_side(path: Path, image: np.ndarray, prediction: np.ndarray, show_map: ShowMap, title: str) -> None:
    """Write a picture, uint8 (H, W, 3), beside its predicted map (H, W)."""
    figure = new_figure(10, 4.9 * image.shape[0] / image.shape[1] + 0.35)
    picture_axes, map_axes = figure.subplots(1, 2)
    show_image(picture_axes, image, "picture")
    show_map(map_axes, prediction, title)
    write(figure, path)

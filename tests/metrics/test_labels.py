"""Metrics of maps of classes: by hand, against plain loops, both averages, absent classes, the table, bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest

from minidepth.errors import InputError
from minidepth.metrics import LABEL_METRICS, LabelMean, confusion, format_label_table, iou_per_class


def scene(seed=0, classes=4, size=(6, 7)):
    rng = np.random.default_rng(seed)
    prediction, target = rng.integers(0, classes, (2, *size))
    return prediction.astype(np.int64), target.astype(np.uint8), rng.random(size) < 0.8


def loops(pictures, classes=4):
    """(accuracy, mean IoU, IoU of each class) over the pixels of all pictures together, by sets of places."""
    predicted, true = [set() for _ in range(classes)], [set() for _ in range(classes)]
    for n, (p, t, valid) in enumerate(pictures):
        for row, column in np.argwhere(valid).tolist():
            predicted[p[row, column]].add((n, row, column))
            true[t[row, column]].add((n, row, column))
    ious = [len(p & t) / len(p | t) if p | t else None for p, t in zip(predicted, true)]
    known = [iou for iou in ious if iou is not None]
    hits, pixels = sum(len(p & t) for p, t in zip(predicted, true)), sum(map(len, true))
    return hits / pixels, sum(known) / len(known), ious


def test_by_hand():
    prediction = np.array([[0, 0, 1, 1, 2]])
    target = np.array([[0, 1, 1, 1, 0]])
    valid = np.array([[True, True, True, True, False]])
    table = confusion(prediction, target, valid, 3)
    np.testing.assert_array_equal(table, [[1, 0, 0], [1, 2, 0], [0, 0, 0]])
    np.testing.assert_array_equal(iou_per_class(table), [1 / 2, 2 / 3, np.nan])
    mean = LabelMean(["pet", "background", "outline"])
    mean.add(prediction, target, valid)
    assert mean.pooled() == pytest.approx({"accuracy": 3 / 4, "mean_iou": (1 / 2 + 2 / 3) / 2})
    assert mean.per_class() == pytest.approx({"pet": 1 / 2, "background": 2 / 3, "outline": None})


def test_both_averages_against_plain_loops():
    pictures = [scene(seed) for seed in range(4)]
    pictures[1][2][:] = False
    pictures[1][2][0, 0] = True  # three of four classes are nowhere in this picture, or all but one
    pictures.append((*scene(9)[:2], np.zeros((6, 7), bool)))
    mean = LabelMean(4)
    for picture in pictures:
        mean.add(*picture)
    each = [loops([picture]) for picture in pictures[:4]]
    assert mean.per_picture() == pytest.approx(
        {name: sum(one[k] for one in each) / 4 for k, name in enumerate(LABEL_METRICS)}, rel=1e-12
    )
    accuracy, mean_iou, ious = loops(pictures)
    assert mean.pooled() == pytest.approx({"accuracy": accuracy, "mean_iou": mean_iou}, rel=1e-12)
    assert list(mean.per_class().values()) == pytest.approx(ious, rel=1e-12)
    assert (mean.count, mean.skipped, mean.pixels) == (4, 1, sum(int(valid.sum()) for *_, valid in pictures))


def test_perfect_prediction():
    _, target, valid = scene()
    mean = LabelMean(4)
    mean.add(target, target, valid)
    assert mean.pooled() == {"accuracy": 1, "mean_iou": 1}
    assert set(mean.per_class().values()) == {1.0}


def test_invalid_pixels_may_hold_any_number():
    prediction, target, valid = scene()
    before = confusion(prediction, target, valid, 4)
    prediction[~valid], target[~valid] = -7, 255
    np.testing.assert_array_equal(confusion(prediction, target, valid, 4), before)


def test_bad_input():
    prediction, target, valid = scene()
    with pytest.raises(ValueError, match="the prediction has classes 0 to 3, outside 0 to 2"):
        confusion(prediction, np.zeros_like(target), valid, 3)
    with pytest.raises(ValueError, match="the target has classes 1 to 4, outside 0 to 3"):
        confusion(prediction, target + np.uint8(1), valid, 4)
    with pytest.raises(ValueError, match="the prediction has dtype float64; classes are whole numbers"):
        confusion(prediction.astype(float), target, valid, 4)
    with pytest.raises(ValueError, match=r"one picture \(H, W\), valid bool .*valid \(6, 7\) int64"):
        confusion(prediction, target, valid.astype(np.int64), 4)
    with pytest.raises(ValueError, match="at least one class"):
        LabelMean(0)
    with pytest.raises(InputError, match="no metrics: none of 0 pictures has a valid pixel"):
        LabelMean(3).per_picture()


def test_table_and_summary():
    names = ["pet", "background", "outline", "ghost"]
    network, guess = LabelMean(names), LabelMean(names)
    prediction, target, valid = scene(classes=3)
    network.add(prediction, target, valid)
    guess.add(np.ones_like(target), target, valid)
    summary = network.summary()
    assert json.loads(json.dumps(summary)) == summary
    assert summary["iou"]["ghost"] is None
    head, titles, *rows = format_label_table({"unet": summary, "all background": guess.summary()}).splitlines()
    assert head == f"1 picture, {network.pixels} valid pixels, 4 classes"
    assert titles.split() == ["average", "accuracy", "mean", "IoU"]
    assert [float(cell) for cell in rows[0].split()[-2:]] == pytest.approx(
        list(network.per_picture().values()), abs=6e-4
    )
    assert [float(cell) for cell in rows[3].split()[-2:]] == pytest.approx(list(guess.pooled().values()), abs=6e-4)
    assert rows[4].split() == ["IoU", "of", *names]
    cells = rows[5].split()[-4:]
    assert [float(cell) for cell in cells[:3]] == pytest.approx(list(summary["iou"].values())[:3], abs=6e-4)
    assert cells[3] == "-"
    assert len(rows) == 7 and len({len(row) for row in rows[4:]}) == 1
    guess.add(prediction, target, valid)
    with pytest.raises(ValueError, match="format_label_table: the rows are over different pixels or classes"):
        format_label_table({"one": summary, "other": guess.summary()})

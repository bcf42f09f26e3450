"""Metrics of masks: by hand, against plain loops, both averages, the table, bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest

from minidepth.errors import InputError
from minidepth.metrics import MASK_METRICS, MaskMean, format_mask_table, mask_metrics


def scene(seed=0, size=(6, 7)):
    rng = np.random.default_rng(seed)
    return rng.random(size).astype(np.float32), rng.random(size).astype(np.float32), rng.random(size) < 0.8


def loops(pictures):
    """Every metric over the pixels of all pictures together, one pixel at a time."""
    pairs = []
    for p, t, v in pictures:
        pairs += [(a, b) for a, b, keep in zip(p.ravel().tolist(), t.ravel().tolist(), v.ravel().tolist()) if keep]
    both = sum(p > 0.5 and t > 0.5 for p, t in pairs)
    either = sum(p > 0.5 or t > 0.5 for p, t in pairs)
    product = sum(p * t for p, t in pairs)
    return {
        "iou": both / either if either else 1.0,
        "iou_soft": (product + 1e-6) / (sum(p for p, _ in pairs) + sum(t for _, t in pairs) - product + 1e-6),
        "accuracy": sum((p > 0.5) == (t > 0.5) for p, t in pairs) / len(pairs),
        "mae": sum(abs(p - t) for p, t in pairs) / len(pairs),
    }


def test_by_hand():
    prediction = np.array([[1.0, 1.0, 0.0, 0.25, 0.9]])
    target = np.array([[1.0, 0.0, 1.0, 0.0, 0.0]])
    found = mask_metrics(prediction, target, np.array([[True, True, True, True, False]]))
    assert found == pytest.approx(
        {"iou": 1 / 3, "iou_soft": 1 / (2.25 + 2 - 1), "accuracy": 0.5, "mae": 2.25 / 4}, 1e-6
    )
    assert list(found) == list(MASK_METRICS)


def test_against_plain_loops():
    for seed in range(3):
        picture = scene(seed)
        assert mask_metrics(*picture) == pytest.approx(loops([picture]), rel=1e-12)


def test_both_averages():
    pictures = [scene(seed) for seed in range(4)]
    pictures[1][2][:] = False
    pictures[1][2][0, 0] = True
    pictures.append((*scene(9)[:2], np.zeros((6, 7), bool)))
    mean = MaskMean()
    for picture in pictures:
        mean.add(*picture)
    each = [loops([picture]) for picture in pictures[:4]]
    assert mean.per_picture() == pytest.approx({m: sum(e[m] for e in each) / 4 for m in MASK_METRICS}, rel=1e-12)
    assert mean.pooled() == pytest.approx(loops(pictures), rel=1e-12)
    assert (mean.count, mean.skipped, mean.pixels) == (4, 1, sum(int(valid.sum()) for *_, valid in pictures))


def test_nothing_there_and_nothing_predicted_is_right():
    nothing, valid = np.zeros((3, 4)), np.ones((3, 4), bool)
    assert mask_metrics(nothing, nothing, valid) == {"iou": 1, "iou_soft": 1, "accuracy": 1, "mae": 0}
    assert mask_metrics(nothing + 1, nothing, valid)["iou"] == 0
    assert mask_metrics(nothing + 1, nothing + 1, valid) == pytest.approx(
        {"iou": 1, "iou_soft": 1, "accuracy": 1, "mae": 0}
    )


@pytest.mark.parametrize("planted", [np.nan, np.inf, -3.0, 9.0])
def test_invalid_pixels_change_nothing(planted):
    prediction, target, valid = scene()
    before = mask_metrics(prediction, target, valid)
    prediction[~valid] = target[~valid] = planted
    assert mask_metrics(prediction, target, valid) == before


def test_a_nan_is_no_hit():
    valid = np.ones((1, 2), bool)
    assert mask_metrics(np.array([[np.nan, np.nan]]), np.ones((1, 2)), valid)["iou"] == 0


def test_bad_input():
    prediction, target, valid = scene()
    with pytest.raises(
        ValueError, match=r"prediction goes from -?\d.* to 3, but a mask .* \(logits need a sigmoid first\)"
    ):
        mask_metrics(np.where(prediction > 0, 3.0, prediction), target, np.ones_like(valid))
    with pytest.raises(ValueError, match="the target goes from"):
        mask_metrics(prediction, 255 * target, valid)
    with pytest.raises(ValueError, match=r"one picture \(H, W\), valid bool \(prediction \(6, 6\)"):
        mask_metrics(prediction[:, :6], target, valid)
    with pytest.raises(ValueError, match="no pixel is valid"):
        mask_metrics(prediction, target, np.zeros_like(valid))
    with pytest.raises(InputError, match="no metrics: none of 0 pictures"):
        MaskMean().pooled()


def test_table_and_summary():
    network, guess = MaskMean(), MaskMean()
    prediction, target, valid = scene()
    network.add(prediction, target, valid)
    guess.add(np.full_like(target, 0.4), target, valid)
    summary = network.summary()
    assert json.loads(json.dumps(summary)) == summary
    text = format_mask_table({"masknet3": summary, "constant 0.40": guess.summary()})
    head, titles, *rows = text.splitlines()
    assert head == f"1 picture, {network.pixels} valid pixels"
    assert titles.split() == "average IoU soft IoU accuracy MAE".split()
    assert [row[:33].strip() for row in rows] == [
        "masknet3       mean of pictures",
        "constant 0.40  mean of pictures",
        "masknet3       pooled over pixels",
        "constant 0.40  pooled over pixels",
    ]
    assert [float(cell) for cell in rows[0].split()[-4:]] == pytest.approx(
        list(network.per_picture().values()), abs=6e-4
    )
    assert [float(cell) for cell in rows[3].split()[-4:]] == pytest.approx(list(guess.pooled().values()), abs=6e-4)
    guess.add(prediction, target, valid)
    with pytest.raises(ValueError, match="format_mask_table: the rows are over different pixels"):
        format_mask_table({"one": summary, "other": guess.summary()})

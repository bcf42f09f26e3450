"""The metrics: by hand, against plain loops, the NYU protocol, both averages, and the table."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from minidepth.errors import InputError
from minidepth.metrics import (
    METRICS,
    MetricMean,
    constant_guess,
    crop_mask,
    depth_acc,
    depth_metrics,
    format_table,
    prepare,
)


def scene(seed=0, size=(6, 7)):
    rng = np.random.default_rng(seed)
    target = rng.uniform(0.5, 9, size).astype(np.float32)
    prediction = (target * rng.uniform(0.6, 1.6, size)).astype(np.float32)
    return prediction, target, rng.random(size) < 0.8


def loops(pictures, low=1e-3, high=10.0):
    """Every metric over the pixels of all pictures together, one pixel at a time."""
    pairs = []
    for prediction, target, valid in pictures:
        for p, t, v in zip(prediction.ravel().tolist(), target.ravel().tolist(), valid.ravel().tolist()):
            if v and low < t < high:
                pairs.append((low if math.isnan(p) or p < low else high if p > high else p, t))
    n = len(pairs)
    ratios = [math.log(p / t) for p, t in pairs]
    return {
        "rmse_m": math.sqrt(sum((p - t) ** 2 for p, t in pairs) / n),
        "mae_m": sum(abs(p - t) for p, t in pairs) / n,
        "abs_rel": sum(abs(p - t) / t for p, t in pairs) / n,
        "sq_rel_m": sum((p - t) ** 2 / t for p, t in pairs) / n,
        "log10": sum(abs(math.log10(p) - math.log10(t)) for p, t in pairs) / n,
        "rmse_log": math.sqrt(sum((math.log(p) - math.log(t)) ** 2 for p, t in pairs) / n),
        "silog": 100 * math.sqrt(sum((d - sum(ratios) / n) ** 2 for d in ratios) / n),
        "delta1": sum(max(p / t, t / p) < 1.25 for p, t in pairs) / n,
        "delta2": sum(max(p / t, t / p) < 1.25**2 for p, t in pairs) / n,
        "delta3": sum(max(p / t, t / p) < 1.25**3 for p, t in pairs) / n,
    }


def test_by_hand():
    prediction = np.array([[2.0, 1.0, 5.0, 99.0]])
    target = np.array([[1.0, 1.0, 4.0, 3.0]])  # 2:1, equal, exactly 1.25 (no hit: the test is strict), invalid
    found = depth_metrics(prediction, target, np.array([[True, True, True, False]]))
    expected = {
        "rmse_m": math.sqrt(2 / 3),
        "mae_m": 2 / 3,
        "abs_rel": (1 + 0 + 0.25) / 3,
        "sq_rel_m": (1 + 0 + 0.25) / 3,
        "log10": (math.log10(2) + math.log10(1.25)) / 3,
        "rmse_log": math.sqrt((math.log(2) ** 2 + math.log(1.25) ** 2) / 3),
        "silog": 100
        * math.sqrt((math.log(2) ** 2 + math.log(1.25) ** 2) / 3 - ((math.log(2) + math.log(1.25)) / 3) ** 2),
        "delta1": 1 / 3,
        "delta2": 2 / 3,
        "delta3": 2 / 3,
    }
    assert list(found) == list(METRICS)
    assert found == pytest.approx(expected, rel=1e-12)


def test_against_plain_loops():
    for seed in range(3):
        picture = scene(seed)
        assert depth_metrics(*picture) == pytest.approx(loops([picture]), rel=1e-12)


def test_perfect_prediction():
    _, target, valid = scene()
    found = depth_metrics(target, target, valid)
    assert found == {name: float(name.startswith("delta")) for name in METRICS}


def test_prediction_and_truth_are_not_interchangeable():
    """A known bug in published evaluators divides by the prediction."""
    two, one, valid = np.full((1, 1), 2.0), np.full((1, 1), 1.0), np.ones((1, 1), bool)
    assert depth_metrics(two, one, valid)["abs_rel"] == 1
    assert depth_metrics(one, two, valid)["abs_rel"] == 0.5


def test_prepare_clamps():
    found = prepare(np.array([np.nan, np.inf, -np.inf, -3, 0, 5e-4, 2, 10, 11], np.float32))
    np.testing.assert_array_equal(found, [1e-3, 10, 1e-3, 1e-3, 1e-3, 1e-3, 2, 10, 10])
    assert found.dtype == np.float64
    np.testing.assert_array_equal(prepare(np.array([0.0, 90.0]), 0.5, 80), [0.5, 80])


def test_broken_predictions_give_finite_metrics_and_no_hits():
    """Two negative ratios are below 1.25, so without the clamp a negative depth would count as a hit."""
    target, valid = np.full((1, 4), 2.0), np.ones((1, 4), bool)
    found = depth_metrics(np.array([[-2.0, np.nan, np.inf, 0.0]]), target, valid)
    assert all(math.isfinite(value) for value in found.values())
    assert found["delta3"] == 0


def test_truth_outside_the_range_does_not_count():
    target = np.array([[np.nan, np.inf, -1, 0, 1e-3, 10, 11, 2]])
    valid = np.ones_like(target, bool)
    prediction = np.full_like(target, 3)
    found = depth_metrics(prediction, target, valid)
    assert found["mae_m"] == 1
    assert depth_metrics(prediction, target, valid, max_depth_m=10.5)["mae_m"] == (1 + 7) / 2


@pytest.mark.parametrize("planted", [np.nan, np.inf, 0.0, -5.0])
def test_invalid_pixels_change_nothing(planted):
    prediction, target, valid = scene()
    before = depth_metrics(prediction, target, valid)
    prediction[~valid] = planted
    target[~valid] = planted
    assert depth_metrics(prediction, target, valid) == before


def test_crops():
    bts, densedepth = crop_mask("eigen-bts", 480, 640), crop_mask("eigen-densedepth", 480, 640)
    assert bts.sum() == 426 * 560
    assert bts[45, 41] and bts[470, 600]
    assert not (bts[44, 41] or bts[471, 600] or bts[45, 40] or bts[45, 601])
    assert densedepth.sum() == 440 * 592
    assert densedepth[20, 24] and densedepth[459, 615]
    assert not (densedepth[19, 24] or densedepth[460, 24] or densedepth[20, 23] or densedepth[20, 616])
    assert crop_mask("none", 3, 5).all() and crop_mask("none", 3, 5).shape == (3, 5)


def test_only_the_crop_counts():
    target, valid = np.full((480, 640), 2.0), np.ones((480, 640), bool)
    prediction = np.where(crop_mask("eigen-bts", 480, 640), 2.5, 9)
    cropped, whole = MetricMean("eigen-bts"), MetricMean()
    cropped.add(prediction, target, valid)
    whole.add(prediction, target, valid)
    assert cropped.pooled()["rmse_m"] == 0.5
    assert cropped.pixels == 426 * 560
    assert whole.pooled()["rmse_m"] > 1


def test_crop_mistakes():
    with pytest.raises(InputError, match="crop 'garg' is unknown; crops are eigen-bts, eigen-densedepth, none"):
        MetricMean("garg")
    with pytest.raises(InputError, match="made for 480x640 pictures, but this one is 240x320; use crop none"):
        MetricMean("eigen-bts").add(*[np.ones((240, 320))] * 2, np.ones((240, 320), bool))


def test_both_averages():
    pictures = [scene(seed) for seed in range(4)]
    pictures[1][2][:] = False
    pictures[1][2][0, 0] = True  # a picture with one valid pixel: a full vote in one average, a small one in the other
    mean = MetricMean()
    for picture in pictures:
        mean.add(*picture)
    each = [loops([picture]) for picture in pictures]
    assert mean.per_picture() == pytest.approx({m: sum(e[m] for e in each) / 4 for m in METRICS}, rel=1e-12)
    assert mean.pooled() == pytest.approx(loops(pictures), rel=1e-12)
    assert mean.count == 4
    assert mean.pixels == sum(int(valid.sum()) for _, _, valid in pictures)


def test_the_averages_differ_by_hand():
    """Errors of 1 m and 3 m in two pictures of one size: 2 m per picture, sqrt(5) m pooled."""
    target, valid = np.full((2, 2), 4.0), np.ones((2, 2), bool)
    mean = MetricMean()
    for error in (1, 3):
        mean.add(target + error, target, valid)
    assert mean.per_picture()["rmse_m"] == pytest.approx(2)
    assert mean.pooled()["rmse_m"] == pytest.approx(math.sqrt(5))


def test_pictures_without_truth_are_skipped_and_counted():
    prediction, target, valid = scene()
    mean = MetricMean()
    mean.add(prediction, target, np.zeros_like(valid))
    with pytest.raises(InputError, match="no metrics: none of 1 pictures has a valid pixel"):
        mean.pooled()
    mean.add(prediction, target, valid)
    assert (mean.count, mean.skipped) == (1, 1)
    assert mean.per_picture() == depth_metrics(prediction, target, valid)
    with pytest.raises(ValueError, match="depth_metrics: no pixel is valid with a true depth between 0.001 and 10 m"):
        depth_metrics(prediction, target, np.zeros_like(valid))


def test_sums_are_in_float64():
    """In float32 a sum of 300,000 equal errors is already wrong in the fifth digit."""
    target, valid = np.full((480, 640), 3.3, np.float32), np.ones((480, 640), bool)
    prediction = np.full((480, 640), 3.4, np.float32)
    error = float(np.float32(3.4)) - float(np.float32(3.3))
    mean = MetricMean()
    for _ in range(3):
        mean.add(prediction, target, valid)
    assert mean.pooled()["mae_m"] == pytest.approx(error, rel=1e-12)


def test_shapes_are_checked():
    prediction, target, valid = scene()
    with pytest.raises(ValueError, match=r"depth_metrics: .* one picture \(H, W\), valid bool \(prediction \(6, 6\)"):
        depth_metrics(prediction[:, :6], target, valid)
    with pytest.raises(ValueError, match=r"MetricMean.add: .*valid \(6, 7\) int64"):
        MetricMean().add(prediction, target, valid.astype(np.int64))
    with pytest.raises(ValueError, match=r"one picture \(H, W\)"):
        depth_metrics(prediction[None], target[None], valid[None])


def test_constant_guess_is_the_best_constant():
    depths = [(target, valid) for _, target, valid in (scene(seed) for seed in range(3))]
    depths[1][0][~depths[1][1]] = np.nan
    guess = constant_guess(depths)
    pixels = np.concatenate([target[valid] for target, valid in depths]).astype(np.float64)
    assert guess == pytest.approx(pixels.mean(), rel=1e-12)

    def pooled_rmse(constant):
        mean = MetricMean()
        for target, valid in depths:
            mean.add(np.full_like(target, constant, dtype=np.float64), target, valid)
        return mean.pooled()["rmse_m"]

    assert pooled_rmse(guess) < min(pooled_rmse(guess - 0.01), pooled_rmse(guess + 0.01))
    assert pooled_rmse(guess) == pytest.approx(pixels.std(), rel=1e-9)
    with pytest.raises(InputError, match="no valid depth pixel in the training data"):
        constant_guess([])


def test_table_names_crop_averaging_and_units():
    prediction, target, valid = scene(size=(480, 640))
    network, guess = MetricMean("eigen-bts"), MetricMean("eigen-bts")
    network.add(prediction, target, valid)
    guess.add(np.full_like(target, 2.5), target, valid)
    text = format_table({"unet": network.summary(), "constant 2.50 m": guess.summary()})
    head, titles, *rows = text.splitlines()
    assert head == (
        f"1 picture, {network.pixels} valid pixels, crop eigen-bts (rows 45:471, columns 41:601), depth 0.001 .. 10 m"
    )
    assert titles.split() == "average RMSE m MAE m AbsRel SqRel m log10 RMSElog SILog delta1 delta2 delta3".split()
    assert [row[:36].strip() for row in rows] == [
        "unet             mean of pictures",
        "constant 2.50 m  mean of pictures",
        "unet             pooled over pixels",
        "constant 2.50 m  pooled over pixels",
    ]
    for row, expected in ((rows[0], network.per_picture()), (rows[3], guess.pooled())):
        assert [float(cell) for cell in row.split()[-10:]] == pytest.approx(list(expected.values()), abs=6e-4)
    assert len({len(line) for line in [titles, *rows]}) == 1


def test_table_refuses_rows_over_different_pixels():
    prediction, target, valid = scene()
    one, other = MetricMean(), MetricMean()
    one.add(prediction, target, valid)
    other.add(prediction, target, np.ones_like(valid))
    with pytest.raises(ValueError, match="format_table: the rows are over different pixels"):
        format_table({"one": one.summary(), "other": other.summary()})


def test_summary_is_json():
    mean = MetricMean()
    mean.add(*scene())
    summary = mean.summary()
    assert json.loads(json.dumps(summary)) == summary
    assert summary["crop"] == "none"
    assert set(summary["per_picture"]) == set(summary["pooled"]) == set(METRICS)


def test_silog_does_not_see_a_common_factor():
    prediction, target, valid = scene()
    found, halved = (depth_metrics(prediction / k, target / k, valid, max_depth_m=100)["silog"] for k in (1, 2))
    assert found == pytest.approx(halved, rel=1e-6)
    assert depth_metrics(1.5 * target, target, valid, max_depth_m=100)["silog"] < 0.01
    for factor in np.linspace(1.01, 2, 50):  # rounding must not leave the root of a negative number
        silog = depth_metrics(np.full((3, 3), 2 * factor), np.full((3, 3), 2.0), np.ones((3, 3), bool))["silog"]
        assert isinstance(silog, float) and silog < 1e-5


def test_depth_acc():
    """0.4 and 0.6 of the range are on different sides of its middle, 0.1 and 0.4 on the same."""
    target = np.array([[2.0, 4.0, 2.2, 2.8, 99.0]])
    valid = np.array([[True, True, True, True, False]])
    prediction = np.array([[2.9, 3.5, 3.2, 2.2, 0.0]])
    assert depth_acc(prediction, target, valid) == 3 / 4
    assert depth_acc(target, target, valid) == 1
    assert depth_acc(prediction + 10, target, valid) == 0
    assert depth_acc(prediction, np.ones_like(target), valid) == 0
    with pytest.raises(ValueError, match="depth_acc: no pixel is valid"):
        depth_acc(prediction, target, np.zeros_like(valid))
    with pytest.raises(ValueError, match="depth_acc: .*one picture"):
        depth_acc(prediction, target, valid[:, :3])

"""Networks side by side: the numbers are those of `evaluate`, every file is written, and what cannot be compared."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from PIL import Image
from run_helpers import silent, small_config, tiny_data

from minidepth.compare import Examined, common_target, compare
from minidepth.compare_report import compare_to_folder
from minidepth.data.make import make
from minidepth.errors import InputError
from minidepth.evaluate import evaluate
from minidepth.run_folder import load_model
from minidepth.train import train


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def runs(data, tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    transposed = small_config(data, root / "transposed", epochs=1, up="transposed")
    scratch = small_config(data, root / "scratch", epochs=1, model="scratch_unet", init=None)
    return [str(train(config, log=silent)) for config in (transposed, scratch)]


def test_every_file_holds_the_scores_of_evaluate(runs, data, tmp_path):
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.zeros((40, 900, 3), np.uint8)).save(tmp_path / "photos" / "wide.png")
    out = tmp_path / "out"
    text = compare_to_folder(runs, data, out, "test", str(tmp_path / "photos"), 2, False, None, silent)
    assert text == (out / "compare.md").read_text(encoding="utf-8")
    table = json.loads((out / "compare.json").read_text(encoding="utf-8"))
    with (out / "compare.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    for run, row, line in zip(runs, table["rows"], lines):
        expected = evaluate(run, data)["network"]
        for average in ("per_picture", "pooled"):
            for name, value in expected[average].items():
                assert row[f"{name} ({average})"] == value == float(line[f"{name} ({average})"])
        assert row["run"] in text and line["size"] == "16x16"
        assert row["ms_per_picture"] > 0 and row["pictures_per_s"] == pytest.approx(1000 / row["ms_per_picture"])
        assert row["parameters"] == sum(p.size for p in load_model(run).network.parameters())
        assert "grid_excess_db" not in line  # the maps are too small for it
    assert [row["multiply_adds"] > 0 for row in table["rows"]] == [True, True]
    for name in ("compare.png", "photos.png"):
        with Image.open(out / name) as picture:
            assert picture.size[0] > 500


def test_the_same_frames_are_shown_every_time(runs, data, monkeypatch):
    orders = []

    def note(order):
        orders.append(order)
        return Examined({"run": order.run, "ms_per_picture": 1.0, "peak_mib": 1.0}, [], None)

    monkeypatch.setattr("minidepth.compare.in_child", note)
    drawn = [compare(runs, data, shown=2, seed=seed, log=silent)[1] for seed in (0, 0, 0, 0, 1, 2, 3)]
    assert drawn[0] == drawn[1] == drawn[2] == drawn[3]
    assert len({tuple(frames) for frames in drawn}) > 1
    assert [list(order.shown) for order in orders] == [frames for frames in drawn for _ in runs]


def test_photos_alone_need_no_data(runs, tmp_path):
    Image.fromarray(np.zeros((30, 40, 3), np.uint8)).save(tmp_path / "photo.png")
    text = compare_to_folder(runs, None, tmp_path / "out", "test", str(tmp_path / "photo.png"), 5, True, None, silent)
    assert "photos without truth, averaged with the mirrored picture" in text and "rmse" not in text
    assert not (tmp_path / "out" / "compare.png").exists()


def test_the_frames_shown_follow_from_the_seed(runs, data):
    first, again, other = (compare(runs[:1], data, shown=2, seed=seed, log=silent)[1] for seed in (0, 0, 3))
    assert first == again and len(first) == len(other) == 2


def test_what_cannot_be_compared(runs, data, tmp_path):
    with pytest.raises(InputError, match="give --data PATH, or --photos DIR"):
        compare(runs, None, log=silent)
    make("pets", tmp_path / "pets", 12, (32, 32))
    with pytest.raises(InputError, match="holds labels, but the runs predict depth"):
        compare(runs, str(tmp_path / "pets"), log=silent)
    config = small_config(str(tmp_path / "pets"), tmp_path / "run", epochs=1, loss="cross_entropy")
    labels = load_model(train(config, log=silent))
    with pytest.raises(InputError, match="these runs predict different things .*transposed.*: depth.*: labels"):
        common_target([load_model(runs[0]), labels])


def test_a_broken_photo_and_a_number_of_frames_are_refused_before_any_work(runs, data, tmp_path, monkeypatch):
    monkeypatch.setattr("minidepth.compare.in_child", lambda order: pytest.fail("work was begun"))
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match="broken.jpg"):
        compare(runs, data, photos=tmp_path, log=silent)
    with pytest.raises(InputError, match="--frames 0: must be at least 1"):
        compare(runs, data, shown=0, log=silent)


def test_a_run_that_is_not_there(data):
    with pytest.raises(InputError, match="nowhere: there is no such run folder"):
        compare(["nowhere"], data, log=silent)

"""benchmarks/nyu_time.py: both processes do the same work, and other work ends the run. Nothing is timed."""

from __future__ import annotations

import json
import math
import sys
from importlib import import_module
from pathlib import Path

import pytest
from data_folders import make_frames, write_csv_folder

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """import_module for the files of that folder, with small pictures and the whole schedule in one epoch."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import_module("nyu").SETTINGS.update(size=(32, 48), base_channels=4, epochs=1)
    yield import_module
    for path in BENCHMARKS.glob("*.py"):  # names such as `ops` are free again
        sys.modules.pop(path.stem, None)


@pytest.fixture
def folder(tmp_path):
    """35 frames: four batches, and three frames that are left over."""
    return str(write_csv_folder(tmp_path, train=make_frames(35)))


@pytest.fixture
def rows():
    """Two rounds; DeZero and Chainer take no part."""
    row = {"steps": 2, "epoch_steps": 4, "wait_share": 0.01, "first_loss": 3.0, "last_loss": 2.0}
    row |= {"loss_of_guess": 7.0, "mean_loss": 2.5}
    times_s = {"minidepth": [30, 32], "PyTorch": [50, 52], "PyTorch, channels last": [39, 43]}
    return {title: [{**row, "epoch_s": time_s} for time_s in values] for title, values in times_s.items()}


def test_it_has_its_place_in_the_results():
    text = (BENCHMARKS / "RESULTS.md").read_text(encoding="utf-8")
    assert text.count("<!-- nyu-time -->\n") == text.count("<!-- /nyu-time -->\n") == 1
    assert "`python benchmarks/nyu_time.py" in text


@pytest.mark.parametrize(("frames", "steps"), [(8, 1), (17, 2), (800, 2)])  # two of the four batches warm up
def test_minidepth_trains_on_the_first_frames(load, folder, capsys, frames, steps):
    load("nyu_minidepth").main(folder, frames)
    row = json.loads(capsys.readouterr().out)
    assert (row["steps"], row["epoch_steps"]) == (steps, 4)
    assert row["first_loss"] != row["last_loss"]
    assert row["epoch_s"] > 0 and 0 <= row["wait_share"] <= 1


@pytest.mark.parametrize("memory_format", ["contiguous_format", "channels_last"])
def test_pytorch_computes_the_same_loss_and_takes_the_same_steps(load, folder, capsys, memory_format):
    torch = pytest.importorskip("torch")
    load("nyu_minidepth").main(folder, 16)
    load("nyu_torch").main(folder, 16, getattr(torch, memory_format))
    ours, theirs = map(json.loads, capsys.readouterr().out.splitlines())
    assert theirs["proof"] == pytest.approx(ours["proof"], rel=1e-3)
    for key in ("loss_of_guess", "first_loss", "last_loss", "mean_loss"):
        assert theirs[key] == pytest.approx(ours[key], rel=1e-5)


@pytest.mark.parametrize(
    ("key", "factor"),
    [("loss_of_guess", 1.00003), ("first_loss", 0.9999), ("mean_loss", 1.002), ("mean_loss", math.nan)],
)
def test_another_loss_ends_the_run(load, rows, key, factor):
    load("nyu_time").check_same_losses(rows)
    rows["PyTorch"][1][key] *= factor
    with pytest.raises(SystemExit, match=f"PyTorch: {key} is .*, minidepth's .*; that is not the same work"):
        load("nyu_time").check_same_losses(rows)


def test_the_ratio_is_to_the_better_of_pytorchs_formats(load, rows):
    program = load("nyu_time")
    text = program.epoch_table(rows)
    assert "| minidepth | 31 (30 to 32) | 0.76 | 1.0% | 3.0000 | 2.0000 | 2.5000 |" in text
    assert "| PyTorch | 51 (50 to 52) | 1.24 |" in text and "Chainer" not in text
    assert "2 steps after 2 that warm up, scaled up to the 4 of an epoch of 35 frames (3 are" in program.explanation(
        rows, frames=35, rounds=2
    )


@pytest.mark.parametrize(
    ("options", "fact"),
    [
        (["--data", "no-such-folder"], "no-such-folder: does not exist"),
        (["--data", "rooms", "--frames", "7"], "--frames must be at least a batch of 8"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(load, monkeypatch, capsys, options, fact):
    monkeypatch.setattr(sys, "argv", ["nyu_time.py", *options])
    with pytest.raises(SystemExit):
        load("nyu_time").main()
    assert fact in capsys.readouterr().err

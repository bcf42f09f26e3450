"""A lesson's run: guesses, measured numbers, figures with their texts and tables."""

from __future__ import annotations

import csv
import json
import subprocess
import sys

import data_folders
import numpy as np
import pytest

from minidepth.learn.errors import LearnerError, LessonError
from minidepth.learn.page import Page, work_folder

ALT = "Two lines that fall from left to right, the blue one twice as fast as the other."


@pytest.fixture
def page(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIDEPTH_WORK", str(tmp_path / "work"))
    return Page("03_shapes")


def test_guesses_stand_beside_what_was_measured(page, capsys):
    page.guess("ratio", 3, "How many times?")
    page.guess("share", None, "Which share?")
    page.measured(ratio=4.5)
    page.measured(within=4, share=np.float32(0.25))
    assert capsys.readouterr().out.splitlines() == [
        "guess share: none yet. Which share? Put your number in place of None, then run again.",
        "measured ratio: 4.5 (your guess: 3)",
        "measured share: 0.25",
    ]
    assert json.loads((page.folder / "measured.json").read_text()) == {
        "ratio": {"value": 4.5, "within": 1e-6},
        "share": {"value": 0.25, "within": 4},
    }


def test_a_number_that_is_none_is_the_authors_mistake(page):
    with pytest.raises(LessonError, match="03_shapes: measured ratio is nan"):
        page.measured(ratio=np.nan)


def test_a_figure_has_files_a_text_and_a_table(page, capsys):
    from matplotlib import pyplot

    fig, ax = page.subplots()
    ax.plot([1, 2])
    page.figure(fig, "lines", alt=ALT, table={"step": [1, 2], "loss": [0.5, 0.25]})
    assert (page.folder / "lines.png").read_bytes().startswith(b"\x89PNG")
    assert ALT in (page.folder / "lines.svg").read_text()
    with (page.folder / "lines.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["step", "loss"], ["1", "0.5"], ["2", "0.25"]]
    assert json.loads((page.folder / "figures.json").read_text()) == {"lines": {"alt": ALT}}
    assert capsys.readouterr().out == f"figure {page.folder / 'lines'}.png\n"
    assert not pyplot.get_fignums()  # it is closed


def test_figures_that_say_nothing_are_refused(page):
    with pytest.raises(LessonError, match="an alt text of 7 characters says nothing"):
        page.figure(None, "lines", alt="a curve", table={"x": []})
    with pytest.raises(LessonError, match="the columns of its table are not equally long"):
        page.figure(None, "lines", alt=ALT, table={"x": [1], "y": []})


def test_the_work_folder(monkeypatch):
    monkeypatch.delenv("MINIDEPTH_WORK", raising=False)
    assert str(work_folder()) == "work"


@pytest.mark.parametrize(
    ("raised", "last"),
    [
        (
            'NotImplementedError("exercise 4.2")',
            "The rest needs exercise 4.2, which is not written yet: write it, try minidepth check 4.2, and run this "
            "file again.",
        ),
        ('ValueError("exercise 4.2")', "ValueError: exercise 4.2"),
    ],
)
def test_a_script_ends_at_what_is_not_written_with_one_line(raised, last):
    program = f"from minidepth.learn import open_page\nopen_page('x')\nraise {raised}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and lines[-1] == last
    assert (len(lines) == 1) == raised.startswith("Not")


def test_real_frames_where_there_are_some(page, tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MINIDEPTH_DATA", raising=False)
    assert page.nyu_frames(2) == []
    assert "set MINIDEPTH_DATA to the folder that holds nyu_csv" in capsys.readouterr().out
    frames = data_folders.make_frames(3, size=(12, 16))
    data_folders.write_csv_folder(tmp_path / "nyu_csv", train=frames, test=frames[:2])
    monkeypatch.setenv("MINIDEPTH_DATA", str(tmp_path))
    found = page.nyu_frames(2)
    assert [frame.depth_m.shape for frame in found] == [(12, 16)] * 2 and capsys.readouterr().out == ""


def test_a_second_run_on_real_frames(page, tmp_path, monkeypatch):
    monkeypatch.delenv("MINIDEPTH_SECOND_RUN", raising=False)
    assert not page.second_run
    monkeypatch.setenv("MINIDEPTH_SECOND_RUN", "1")
    monkeypatch.delenv("MINIDEPTH_DATA", raising=False)
    assert page.second_run
    with pytest.raises(LearnerError, match="there is no NYU Depth V2; set MINIDEPTH_DATA, or unset both"):
        page.nyu_batch(2, "train", (6, 8))
    frames = data_folders.make_frames(5, size=(12, 16))
    data_folders.write_csv_folder(tmp_path / "nyu_csv", train=frames, test=frames[:1])
    monkeypatch.setenv("MINIDEPTH_DATA", str(tmp_path))
    batch, pictures = page.nyu_batch(3, "train", (6, 8))
    assert batch.image.shape == (3, 3, 6, 8) and batch.valid.shape == batch.depth_m.shape == (3, 1, 6, 8)
    assert [picture.shape for picture in pictures] == [(6, 8, 3)] * 3

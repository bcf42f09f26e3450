"""What the learner has done is kept, and a damaged file loses no work."""

from __future__ import annotations

import json

import pytest

from minidepth.learn.progress import Progress


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIDEPTH_WORK", str(tmp_path / "work"))
    return tmp_path / "work"


def test_nothing_is_known_at_first_and_nothing_is_written(folder):
    assert Progress().get("4.1", "passed") == 0
    assert not folder.exists()


def test_what_is_set_is_there_the_next_time(folder):
    Progress().set("4.1", passed=True)
    Progress().set("4.1", hints=2)
    Progress().set("4.2", gave_up=True)
    rows = Progress()
    assert (rows.get("4.1", "passed"), rows.get("4.1", "hints"), rows.get("4.2", "gave_up")) == (True, 2, True)
    assert json.loads((folder / "progress.json").read_text()) == {
        "4.1": {"passed": True, "hints": 2},
        "4.2": {"gave_up": True},
    }
    assert [path.name for path in folder.iterdir()] == ["progress.json"]


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '{"4.1": 3}', "\0"])
def test_a_damaged_file_begins_again(folder, text):
    folder.mkdir()
    (folder / "progress.json").write_text(text)
    rows = Progress()
    assert rows.get("4.1", "passed") == 0
    rows.set("4.1", passed=True)
    assert json.loads((folder / "progress.json").read_text()) == {"4.1": {"passed": True}}

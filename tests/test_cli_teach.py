"""The teacher's commands from their words: a release, two students who work on it, their grades, a report."""

from __future__ import annotations

import argparse
import json
import zipfile

import pytest
from learn_work import LESSON, SLUG

from minidepth import cli_teach
from minidepth.cli_parser import add_command
from minidepth.learn.teach import release


@pytest.fixture
def teach():
    """A function that runs ``minidepth teach ...`` and gives what was said."""
    parser = argparse.ArgumentParser()
    cli_teach.add_teach(parser.add_subparsers(dest="command"), add_command)

    def run(*words):
        said = []
        arguments = parser.parse_args(["teach", *map(str, words)])
        assert cli_teach.COMMANDS[arguments.command](arguments, said.append) == 0
        return "\n".join(said)

    return run


def test_a_term(teach, tmp_path, monkeypatch):
    monkeypatch.setattr(release, "lessons", lambda: {4: LESSON})
    assert "4 exercises, variant 2027a" in teach(
        "release", "hw2", "--lessons", "4", "--variant", "2027a", "-o", tmp_path / "a.zip"
    )
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        handed_out = archive.read(f"hw2/{SLUG}.py").decode()
        (tmp_path / "in" / "bob").mkdir(parents=True)
        (tmp_path / "in" / "bob" / "mine.ipynb").write_bytes(archive.read(f"hw2/{SLUG}.ipynb"))
    unwritten = 'raise NotImplementedError("exercise 4.1")'
    (tmp_path / "in" / f"ann_{SLUG}.py").write_text(
        handed_out.replace(unwritten, "return (n + pad - k) // stride + 1"), encoding="utf-8"
    )
    said = teach("grade", tmp_path / "in", "--out", tmp_path / "grades.json", "--jobs", "2")
    assert [line.split()[:4] for line in said.splitlines()[:2]] == [["ann", "0", "of", "10"], ["bob", "0", "of", "10"]]
    whole = json.loads((tmp_path / "grades.json").read_text(encoding="utf-8"))
    assert {student["lessons"][0]["variant"] for student in whole["students"]} == {"2027a"}
    report = teach("report", tmp_path / "grades.json")
    assert (
        "4.1  how large is the output?\n  0 passed, 1 not yet, 1 not written\n     1  padding once: the padding"
        in report
    )


def test_words_that_are_none(teach, capsys):
    for words in (
        ["release", "hw2"],
        ["grade"],
        ["grade", "x", "--format", "pdf"],
        ["grade", "x", "--jobs", "two"],
        [],
    ):
        with pytest.raises(SystemExit):
            teach(*words)
    assert "usage" in capsys.readouterr().err

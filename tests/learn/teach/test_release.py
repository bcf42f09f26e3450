"""What students are handed, and that nothing is in it that they should find out themselves."""

from __future__ import annotations

import argparse
import io
import json
import zipfile

import pytest
from learn_work import LESSON, SLUG

from minidepth.learn.errors import LearnerError, LessonError
from minidepth.learn.library import in_variant
from minidepth.learn.master import Lesson
from minidepth.learn.teach import release
from minidepth.learn.teach.numbers import numbers_in
from minidepth.learn.teach.release import contents, expected_names, leaks, zip_of


def asked(path, **given):
    return argparse.Namespace(**{"name": "hw2", "lessons": "4", "variant": None, "out": str(path)} | given)


@pytest.fixture
def only_lesson_4(monkeypatch):
    monkeypatch.setattr(release, "lessons", lambda: {4: LESSON})


@pytest.fixture
def leaking(monkeypatch, only_lesson_4):
    """A function that puts something into what is handed out."""
    monkeypatch.setattr(release, "prove", lambda lesson: None)

    def leak(name, text):
        monkeypatch.setattr(release, "contents", lambda *given: {**contents(*given), f"hw2/{name}": text})

    return leak


def test_a_release_has_the_stubs_and_a_readme_and_nothing_else(tmp_path, only_lesson_4):
    said = []
    assert release.release(asked(tmp_path / "hw2.zip"), said.append) == 0
    assert said == [f"{tmp_path / 'hw2.zip'}: 1 lessons, 4 exercises"]
    with zipfile.ZipFile(tmp_path / "hw2.zip") as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    assert list(files) == ["hw2/README.txt", f"hw2/{SLUG}.py", f"hw2/{SLUG}.ipynb"]
    assert files[f"hw2/{SLUG}.py"] == LESSON.stub()
    cells = json.loads(files[f"hw2/{SLUG}.ipynb"])["cells"]
    assert 'raise NotImplementedError("exercise 4.1")' in "".join(cells[6]["source"])
    assert "minidepth check 4 --file 04_convolution.py" in files["hw2/README.txt"]


def test_the_same_release_has_the_same_bytes(monkeypatch):
    first = zip_of(contents("hw2", [LESSON]))
    monkeypatch.setattr("time.time", lambda: 0)
    assert zip_of(contents("hw2", [LESSON])) == first


def test_nothing_is_overwritten(tmp_path, leaking):
    (tmp_path / "hw2.zip").write_text("mine")
    with pytest.raises(LearnerError, match="is there already"):
        release.release(asked(tmp_path / "hw2.zip"), str)
    assert (tmp_path / "hw2.zip").read_text() == "mine"


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        (f"{SLUG}.py", "    return (n + 2 * pad - k) // stride + 1\n", "a line of solution 4.1"),
        (f"{SLUG}.py", "# see: y[n, o, i, j] = (window * w[o]).sum() + b[o]\n", "a line of solution 4.2"),
        (f"{SLUG}.py", "# the padding is counted once, but it is there at both ends.\n", "a mistake of 4.1"),
        (f"{SLUG}.py", "# From 0 to m there are m // stride + 1 multiples of stride.\n", "a hint for 4.1"),
        (f"{SLUG}.py", f"# from {LESSON.folder}\n", "a path of this machine"),
        ("checks.py", "", "does not belong in it"),
        ("__pycache__/checks.cpython-311.pyc", "", "does not belong in it"),
    ],
)
def test_a_leak_is_found_and_nothing_written(tmp_path, leaking, name, text, says):
    leaking(name, text)
    with pytest.raises(LessonError, match=f"nothing was written: hw2/{name} .*{says}"):
        release.release(asked(tmp_path / "hw2.zip"), str)
    assert not (tmp_path / "hw2.zip").exists()


def test_a_leak_in_a_notebook_is_found_behind_its_quotes():
    files = contents("hw2", [LESSON])
    whole = json.loads(files[f"hw2/{SLUG}.ipynb"])
    whole["cells"][3]["source"] = ["    kh, kw = w_shape[2:]\n"]
    files[f"hw2/{SLUG}.ipynb"] = json.dumps(whole)
    (found,) = leaks(zip_of(files), expected_names("hw2", [LESSON]), [LESSON])
    assert "a line of solution 4.4" in found


def test_what_the_author_shows_elsewhere_is_no_secret():
    assert leaks(zip_of(contents("hw2", [LESSON])), expected_names("hw2", [LESSON]), [LESSON]) == []
    shows = Lesson(LESSON.folder)
    shows.text = LESSON.text + "\n# %%\nkh, kw = w_shape[2:]\n"
    whole = zip_of(contents("hw2", [shows]))
    assert leaks(whole, expected_names("hw2", [shows]), [shows]) == []
    assert leaks(whole, expected_names("hw2", [LESSON]), [LESSON])


def test_an_exercise_that_is_solved_already_is_not_handed_out(tmp_path, monkeypatch, only_lesson_4):
    monkeypatch.setattr(Lesson, "stub", lambda self: self.text)
    with pytest.raises(LessonError, match="4.1 is not left to be written"):
        release.release(asked(tmp_path / "hw2.zip"), str)


def test_a_variant_is_written_into_script_and_notebook_and_its_limits_are_said(tmp_path, only_lesson_4):
    said = []
    release.release(asked(tmp_path / "hw2.zip", variant="2027a"), said.append)
    assert "last year's right functions are right" in said[1]
    with zipfile.ZipFile(io.BytesIO((tmp_path / "hw2.zip").read_bytes())) as archive:
        assert "# Variant: 2027a\n" in archive.read(f"hw2/{SLUG}.py").decode()
        first = json.loads(archive.read(f"hw2/{SLUG}.ipynb"))["cells"][0]["source"]
    assert first[-1] == "Variant: 2027a"
    assert in_variant(LESSON, "2027a").stub().replace("#\n# Variant: 2027a\n", "") == LESSON.stub()


def test_bad_words(tmp_path, leaking):
    for given, says in (
        ({"name": "../hw2"}, "is one word"),
        ({"lessons": "6-4"}, "write 4, or 4-6"),
        ({"lessons": "4,77"}, "there is no lesson 77"),
        ({"variant": "a b"}, "a variant is one word"),
        ({"out": str(tmp_path / "no" / "hw2.zip")}, "cannot be written"),
    ):
        with pytest.raises(LearnerError, match=says):
            release.release(asked(tmp_path / "hw2.zip", **given), str)


def test_lists_of_lessons():
    known = dict.fromkeys(range(1, 15), LESSON)
    assert numbers_in("9,4-6, 4", known) == [4, 5, 6, 9]

"""The learner's day: begin a lesson, check, hints, solutions."""

from __future__ import annotations

import argparse
import json
import os

import pytest
from learn_work import LESSON, SLUG, work

from minidepth.learn import commands
from minidepth.learn.check import Check, Outcome
from minidepth.learn.errors import LearnerError, LessonError
from minidepth.learn.library import in_variant
from minidepth.learn.mutant import Mutant
from minidepth.learn.progress import Progress
from minidepth.learn.texts import closing_text, outcome_text
from minidepth.learn.variant import seed_of


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIDEPTH_WORK", str(tmp_path / "work"))
    return tmp_path / "work"


def asked(**given):
    names = {
        "lesson": None,
        "notebook": False,
        "exercise": "4",
        "file": None,
        "watch": False,
        "json": False,
        "give_up": False,
    }
    return argparse.Namespace(**names | given)


def said(command, **given):
    lines = []
    status = command(asked(**given), lines.append)
    return status, "\n".join(lines)


class Passes:
    """In place of a child: the lesson's own solutions, or nothing."""

    def __init__(self, path, lesson, limits=None):
        from minidepth.learn.definitions import read
        from minidepth.learn.library import load_checks
        from minidepth.learn.sandbox import Direct

        self.direct = Direct(read(path), load_checks(lesson))
        self.ask = self.direct.ask

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def start(self):
        pass


@pytest.fixture
def quick(monkeypatch):
    """Without a process; those have tests of their own."""
    monkeypatch.setattr(commands, "Child", Passes)


def test_the_file_of_a_lesson_is_written_once_and_never_again(folder):
    status, text = said(commands.learn, lesson="4")
    path = folder / f"{SLUG}.py"
    assert status == 0 and text.startswith(str(path)) and text.endswith("minidepth check 4")
    assert path.read_text(encoding="utf-8") == LESSON.stub()
    path.write_text("mine")
    with pytest.raises(LearnerError, match="is there already, and your work is never overwritten"):
        said(commands.learn, lesson="4")
    assert path.read_text() == "mine"
    text = said(commands.learn, lesson="4", notebook=True)[1]
    assert "run it in Jupyter" in text and "python" not in text.splitlines()[1]
    assert json.loads((folder / f"{SLUG}.ipynb").read_text(encoding="utf-8"))["nbformat"] == 4


def test_the_list_of_lessons_says_what_is_done(monkeypatch):
    monkeypatch.setattr(commands, "lessons", lambda: {4: LESSON})
    Progress().set("4.1", passed=True)
    row = next(line for line in said(commands.learn)[1].splitlines() if line.startswith("  4 "))
    assert row.split() == f"4 {LESSON.title} {LESSON.minutes} min 1 of 4 done {LESSON.question}".split()


def test_a_check_tells_and_remembers(folder, quick):
    folder.mkdir()
    (folder / f"{SLUG}.py").write_text(work(e2="raise NotImplementedError('exercise 4.2')", e3="return g"))
    status, text = said(commands.check)
    assert status == 1 and "4.1  how large is the output? .............................. passed  (1/1)\n" in text
    assert "not written yet  (0/3)\n" in text and text.endswith("2 of 4 checks passed, 4 of 10 points")
    assert "Next: minidepth hint 4.3  (1 of 3)" in text
    assert [bool(Progress().get(f"4.{n}", "passed")) for n in (1, 2, 3, 4)] == [True, False, False, True]
    (folder / f"{SLUG}.py").write_text(work(e4="return 1"))
    assert said(commands.check, exercise="4.4")[0] == 1
    assert not Progress().get("4.4", "passed") and Progress().get("4.1", "passed")
    assert said(commands.check, exercise="4.3")[0] == 0


def test_a_check_as_json(folder, quick):
    folder.mkdir()
    (folder / f"{SLUG}.py").write_text(work())
    status, text = said(commands.check, exercise="4.1", json=True)
    whole = json.loads(text)
    assert status == 0 and whole["lesson"] == 4 and [one["status"] for one in whole["checks"]] == ["passed"]


def test_the_file_that_was_changed_last_is_checked(folder, quick):
    folder.mkdir()
    with pytest.raises(
        LearnerError, match="is not there; get it with minidepth learn 4, or name your file with --file"
    ):
        said(commands.check)
    for age, name in ((10, f"{SLUG}.py"), (5, f"{SLUG}.ipynb")):
        (folder / name).write_text("{")
        os.utime(folder / name, (1e9 - age, 1e9 - age))
    assert commands.learners_file(LESSON, None) == folder / f"{SLUG}.ipynb"
    assert commands.learners_file(LESSON, "x.py").name == "x.py"


def test_hidden_checks_are_for_grades_only(folder, quick, monkeypatch):
    folder.mkdir()
    (folder / f"{SLUG}.py").write_text(work())
    hidden = Check("4.1", "t", 1, ("h",), lambda t: None, hidden=True)
    monkeypatch.setattr(commands, "checks_of", lambda lesson: [hidden])
    assert said(commands.check)[1] == "0 of 0 checks passed, 0 of 0 points"


def test_a_file_of_a_variant_is_checked_in_it(folder, quick, monkeypatch):
    folder.mkdir()
    path = folder / f"{SLUG}.py"
    path.write_text(in_variant(LESSON, "2027a").stub())
    seen = []

    def run_check(lesson, one, asked, seed):
        seen.append((lesson.variant, seed))
        return Outcome(one, "passed")

    monkeypatch.setattr(commands, "run_check", run_check)
    said(commands.check, exercise="4.1")
    path.write_text(work())
    said(commands.check, exercise="4.1")
    assert seen == [("2027a", seed_of("2027a")), ("", 0)]
    path.write_bytes(b"\xff")
    assert commands.variant_of(path) == ""


def test_hints_open_one_after_the_other():
    first = said(commands.hint, exercise="4.3")[1]
    assert first.startswith("hint 1 of 3: ") and "\n" not in first
    assert said(commands.hint, exercise="4.3")[1].startswith(first + "\nhint 2 of 3: ")
    for _ in range(3):
        last = said(commands.hint, exercise="4.3")[1]
    assert last.count("\n") == 2 and Progress().get("4.3", "hints") == 3
    with pytest.raises(LearnerError, match="4 is a lesson; name an exercise of it, such as 4.1"):
        said(commands.hint, exercise="4")
    with pytest.raises(LessonError, match="there is no exercise 4.9"):
        said(commands.hint, exercise="4.9")


def test_a_solution_is_shown_after_a_pass_or_when_somebody_gives_up():
    with pytest.raises(LearnerError, match="4.1 has not passed yet"):
        said(commands.solution, exercise="4.1")
    shown = "    return (n + 2 * pad - k) // stride + 1\n"
    assert said(commands.solution, exercise="4.1", give_up=True) == (0, LESSON.solution("4.1"))
    assert LESSON.solution("4.1").endswith(shown) and Progress().get("4.1", "gave_up")
    Progress().set("4.2", passed=True)
    assert said(commands.solution, exercise="4.2")[0] == 0 and not Progress().get("4.2", "gave_up")


def test_watching_checks_again_at_each_change(folder, quick, monkeypatch):
    folder.mkdir()
    path = folder / f"{SLUG}.py"
    path.write_text("def (")
    texts = [work(), None]

    def wait(seconds):
        if not texts:
            raise KeyboardInterrupt
        text = texts.pop(0)
        if text:
            path.write_text(text)
            os.utime(path, (1e9, 1e9))

    monkeypatch.setattr(commands.time, "sleep", wait)
    lines = []
    with pytest.raises(KeyboardInterrupt):
        commands.check(asked(exercise="4.1", watch=True), lines.append)
    assert lines[0] == f"watching {path}; Ctrl-C ends it" and "line 1: invalid syntax" in lines[1]
    assert lines[2:] == [lines[2], "1 of 1 checks passed, 1 of 1 points"] and "passed" in lines[2]


def test_what_an_outcome_says():
    one = Check("4.2", "forward", 3, ("a", "b"), lambda t: None)
    mutant = Mutant("4.2", "n", "o", "w", "it is wrong.", "figure 3")
    outcome = Outcome(one, "failed", ["y: differs", "worst"], mutant, printed=True)
    head = "4.2  forward ............................................... not yet  (0/3)"
    lines = outcome_text(outcome, 1).splitlines()
    assert lines[:4] == [
        head, "     y: differs", "     worst",
        "     Your result is that of a known mistake: it is wrong.  See figure 3.",
    ]  # fmt: skip
    assert lines[4] == "     Next: minidepth hint 4.2  (2 of 2)" and "prints" in lines[5]
    assert "solution 4.2 --give-up" in outcome_text(outcome, 2)
    assert outcome_text(Outcome(one, "unwritten"), 0).endswith("not written yet  (0/3)")
    assert closing_text([outcome, Outcome(one, "passed")]) == "1 of 2 checks passed, 3 of 6 points"


def test_a_mistake_that_comes_from_another_exercise_says_so(folder):
    assert LESSON.needs("4.2") == ["4.1"]
    wrong = LESSON.text.replace("(n + 2 * pad - k) // stride + 1", "(n + 2 * pad - k) / stride + 1")
    folder.mkdir()
    (folder / f"{SLUG}.py").write_text(wrong, encoding="utf-8")
    lines = []
    assert commands.check(asked(exercise="4"), lines.append) == 1
    assert "     This may come from 4.1, not right yet: begin there.\n     Next: minidepth hint 4.2" in lines[1]

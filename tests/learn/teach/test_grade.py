"""Grades of a class: who handed in what, points, the three formats, and the report."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
import zipfile

import pytest
from learn_work import LESSON, SLUG, arguments, work

from minidepth.learn.check import checks_of
from minidepth.learn.errors import LearnerError
from minidepth.learn.library import in_variant
from minidepth.learn.master import Lesson, cells_of
from minidepth.learn.notebook import notebook_of
from minidepth.learn.teach import grade
from minidepth.learn.teach.formats import as_csv, as_gradescope, harmless
from minidepth.learn.teach.grade import graded, isolation_text
from minidepth.learn.teach.report import report, report_text
from minidepth.learn.teach.submissions import collect, unpack

NO_BIAS = LESSON.written("4.2").replace(" + b[o]", "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Ann is right, in a notebook in a folder; Bob and =Cy forgot the bias; Dan's is no Python; Eve's is the stub."""
    folder = tmp_path_factory.mktemp("class")
    (folder / "ann" / "deeper").mkdir(parents=True)
    (folder / "ann" / "deeper" / "mine.ipynb").write_text(notebook_of(cells_of(work())), encoding="utf-8")
    (folder / "ann" / "photo.jpg").write_bytes(b"")
    (folder / f"bob_{SLUG}.py").write_text(work(e2=NO_BIAS), encoding="utf-8")
    with zipfile.ZipFile(folder / "=cy.zip", "w") as archive:
        archive.writestr("hw2/my work.py", work(e2=NO_BIAS))
        archive.writestr("hw2/notes.txt", "not looked at")
        archive.writestr("hw2/.ipynb_checkpoints/my work.ipynb", "{}")
    (folder / f"dan_{SLUG}.py").write_text("def output_size(n:\n", encoding="utf-8")
    (folder / f"eve_{SLUG}.py").write_text(in_variant(LESSON, "2027a").stub(), encoding="utf-8")
    (folder / ".DS_Store").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def whole(folder):
    return graded(arguments(folder=str(folder)))


@pytest.fixture
def few(monkeypatch):
    """Only the first check, which is quick."""
    monkeypatch.setattr(grade, "checks_of", lambda lesson: checks_of(lesson)[:1])


def test_everybody_has_a_row_whatever_the_others_did(whole):
    points = {student["student"]: (student["points"], student["max_points"]) for student in whole["students"]}
    assert points == {"=cy": (7, 10), "ann": (10, 10), "bob": (7, 10), "dan": (0, 10), "eve": (0, 10)}
    assert whole["graded"] == [4]


def test_a_record_has_what_programs_ask_for(whole, folder):
    rows = {student["student"]: student["lessons"][0] for student in whole["students"]}
    wrong = rows["bob"]["checks"][1]
    assert {key: wrong[key] for key in ("exercise", "status", "points", "max_points", "misconception", "hidden")} == {
        "exercise": "4.2", "status": "failed", "points": 0, "max_points": 3, "misconception": "bias missing",
        "hidden": False,
    }  # fmt: skip
    assert "entries differ" in wrong["message"]
    assert rows["bob"]["sha256"] == hashlib.sha256((folder / f"bob_{SLUG}.py").read_bytes()).hexdigest()
    assert rows["dan"]["problem"].startswith(f"dan_{SLUG}.py, line 1: '(' was never closed")
    assert rows["ann"]["file"] == "mine.ipynb"
    assert {one["status"] for one in rows["eve"]["checks"]} == {"unwritten"}
    assert rows["eve"]["variant"] == "2027a"
    assert set(whole) >= {"minidepth", "python", "numpy", "system", "fences", "seconds"}


def test_a_table_has_a_row_for_each_student_and_no_formulas(whole):
    rows = {row["student"]: row for row in csv.DictReader(as_csv(whole).splitlines())}
    assert [rows["bob"][key] for key in ("points", "max_points", "4.1", "4.2", "4.3", "4.4")] == list("7") + [
        "10",
        *"1033",
    ]
    assert "was never closed" in rows["dan"]["problems"]
    assert "'=cy" in rows
    assert harmless("@x") == "'@x"


def test_gradescope_reads_it(whole, monkeypatch):
    bob = next(student for student in whole["students"] if student["student"] == "bob")
    bob = json.loads(json.dumps(bob))
    bob["lessons"][0]["checks"][3]["hidden"] = True
    result = json.loads(as_gradescope({**whole, "students": [bob]}))
    assert result["score"] == 7
    assert result["stdout_visibility"] == "hidden"
    first, second, _, fourth = result["tests"]
    assert first == {
        "name": "4.1 how large is the output?", "number": "4.1", "score": 1, "max_score": 1, "status": "passed",
        "output": "", "visibility": "visible",
    }  # fmt: skip
    assert second["output"].endswith("This is the result of a known mistake: the bias is not added.")
    assert fourth["visibility"] == "after_published"  # "hidden" would be for tests without points


def test_for_gradescope_the_folder_is_one_students(tmp_path, few):
    (tmp_path / f"a_{SLUG}.py").write_text(work(), encoding="utf-8")
    out = tmp_path / "results" / "results.json"
    said = []
    assert grade.grade(arguments(folder=str(tmp_path), format="gradescope", out=str(out)), said.append) == 0
    assert json.loads(out.read_text())["score"] == 1
    assert said[0].split() == [tmp_path.name, "1", "of", "1"]


def test_the_report_counts_mistakes_the_most_frequent_first(whole, tmp_path):
    text = report_text(whole)
    assert "5 students\n" in text
    assert "4.2  forward\n  1 passed, 2 not yet, 1 not written\n     2  bias missing: the bias is not added.\n" in text
    assert text.endswith("'(' was never closed: def output_size(n:")
    path, said = tmp_path / "grades.json", []
    path.write_text(json.dumps(whole), encoding="utf-8")
    assert report(arguments(folder=str(path)), said.append) == 0
    assert said == [text]


def test_a_report_of_something_else(tmp_path):
    (tmp_path / "x.json").write_text('{"students": 3}', encoding="utf-8")
    with pytest.raises(LearnerError, match="is neither a folder of submissions nor"):
        report(arguments(folder=str(tmp_path / "x.json")), str)


def test_last_years_constant_fails_in_this_years_variant(tmp_path, monkeypatch, few):
    """The lesson says MORE = 0 to everybody and something else in a variant; a file is graded as what it says it is."""
    text = LESSON.text.replace("# %%\ndef output_size", "# %%\nMORE = 0  # choose: 0, 1, 2, 3\n\n\ndef output_size")
    text = text.replace("// stride + 1\n    # END", "// stride + 1 + MORE\n    # END")
    (tmp_path / SLUG).mkdir()
    for name in ("checks.py", "mutants.py", "measured.json"):
        (tmp_path / SLUG / name).write_bytes((LESSON.folder / name).read_bytes())
    checks = (tmp_path / SLUG / "checks.py").read_text()
    (tmp_path / SLUG / "checks.py").write_text(
        checks.replace(
            "stride=stride, pad=pad).close(places,", 'stride=stride, pad=pad).close(places + t.constant("MORE"),'
        )
    )
    (tmp_path / SLUG / "lesson.py").write_text(text)
    lesson = Lesson(tmp_path / SLUG)
    monkeypatch.setattr(grade, "lessons", lambda: {4: lesson})
    other = next(
        word
        for word in "abcdefgh"
        if in_variant(lesson, word).stub() and "MORE = 0" not in in_variant(lesson, word).text
    )
    folder = tmp_path / "class"
    folder.mkdir()
    (folder / f"old_{SLUG}.py").write_text(lesson.text)
    (folder / f"new_{SLUG}.py").write_text("# Variant: " + other + "\n" + in_variant(lesson, other).text)

    def points(**given):
        rows = graded(arguments(folder=str(folder), **given))["students"]
        return {row["student"]: row["points"] for row in rows}

    assert points() == {"old": 1, "new": 1}
    assert points(variant=other) == {"old": 0, "new": 1}


def test_another_variant_than_the_file_says_is_told_of(tmp_path, few):
    (tmp_path / f"ann_{SLUG}.py").write_text(work(), encoding="utf-8")
    (student,) = graded(arguments(folder=str(tmp_path), variant="2027a"))["students"]
    assert student["points"] == 1
    assert student["lessons"][0]["notices"] == ["says that it is variant 'none', and was graded as '2027a'"]


def test_lessons_that_count_are_those_that_anybody_handed_in(tmp_path):
    with pytest.raises(LearnerError, match="holds no .py or .ipynb file"):
        graded(arguments(folder=str(tmp_path)))
    (tmp_path / "notes.py").write_text("x = 1")
    with pytest.raises(LearnerError, match="none of its files belongs to a lesson"):
        graded(arguments(folder=str(tmp_path)))
    (student,) = graded(arguments(folder=str(tmp_path), lessons="4"))["students"]
    assert student["lessons"][0]["problem"] == "no file for lesson 4 was handed in"
    assert "belongs to no lesson" in student["notes"][0]
    with pytest.raises(LearnerError, match="cannot be read"):
        graded(arguments(folder=str(tmp_path / "no")))
    with pytest.raises(LearnerError, match="more than 0"):
        graded(arguments(folder=str(tmp_path), jobs=0))


def test_files_side_by_side_are_sorted_by_student(tmp_path):
    lessons = {4: LESSON}
    for name in (f"ann_{SLUG}.py", f"{SLUG} - bob.ipynb", f"{SLUG}.py"):
        (tmp_path / name).write_text("")
    (tmp_path / "cy").mkdir()
    (tmp_path / "cy" / f"{SLUG}.py").write_text("")
    (tmp_path / "cy" / "copy.py").write_text("# # 4. Convolution in seven loops")
    found = {one.student: one for one in collect(tmp_path, lessons, tmp_path / "scratch")}
    assert set(found) == {"(no name)", "ann", "bob", "cy"}
    assert any("two files for lesson 4" in note for note in found["cy"].notes)


def test_a_zip_file_of_too_much_is_cut(tmp_path, monkeypatch):
    monkeypatch.setattr("minidepth.learn.teach.submissions.MOST_BYTES", 1000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number in range(4):
            archive.writestr(f"{number}.py", b"#" * 900)
    files, notes = unpack(tmp_path / "a.zip", tmp_path / "out")
    assert [path.name for path in files] == ["0.py", "1.py"]
    assert notes == ["a.zip holds more than is looked at; 2.py and the rest was left out"]


def test_a_grader_that_stumbles_goes_on(folder, monkeypatch, few):
    def stumble(*given):
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr(grade, "grade_file", stumble)
    rows = graded(arguments(folder=str(folder)))["students"]
    assert len(rows) == 5
    assert rows[1]["lessons"][0]["problem"] == "mine.ipynb: could not be graded (RuntimeError: nobody thought of this)"


def test_a_variant_in_which_the_solution_fails_is_refused(tmp_path, monkeypatch, few):
    monkeypatch.setattr(grade, "fault_of", lambda lesson: "take another word" if lesson.variant else "")
    (tmp_path / f"eve_{SLUG}.py").write_text(in_variant(LESSON, "2027a").stub(), encoding="utf-8")
    (row,) = graded(arguments(folder=str(tmp_path)))["students"]
    assert row["lessons"][0]["problem"] == "take another word"


def test_the_solution_is_tried_in_the_variant_first(monkeypatch):
    assert grade.fault_of(in_variant(LESSON, "2027a")) == ""
    wrong = LESSON.replaced("4.3", "+= g[n", "-= g[n")
    lesson = Lesson(LESSON.folder, "2027a")
    lesson.text = wrong
    assert grade.fault_of(lesson) == ("in variant '2027a' the lesson's own solution fails at 4.3; take another word")


def test_the_teacher_is_told_what_kept_submissions_in():
    assert "grade strangers in a container" in isolation_text([])
    assert "no network" in isolation_text(["no files but its own folder", "no network, no other processes"])


def test_hidden_checks_count_for_grades(tmp_path, monkeypatch, few):
    hidden = [dataclasses.replace(checks_of(LESSON)[0], hidden=True)]
    monkeypatch.setattr(grade, "checks_of", lambda lesson: hidden)
    (tmp_path / f"ann_{SLUG}.py").write_text(work(), encoding="utf-8")
    (student,) = graded(arguments(folder=str(tmp_path)))["students"]
    assert student["points"] == 1
    assert student["lessons"][0]["checks"][0]["hidden"] is True


def test_mistakes_are_counted_and_sorted():
    def student(name):
        check = {"exercise": "4.1", "title": "t", "status": "failed", "misconception": name, "says": name and "says."}
        return {"student": "x", "lessons": [{"problem": "", "checks": [check]}]}

    names = ["b", "a", None, "a", None, None]
    text = report_text({"students": [student(name) for name in names], "variant": "2027a"})
    assert text.splitlines() == [
        "6 students, variant 2027a", "", "4.1  t", "  0 passed, 6 not yet, 0 not written",
        "     2  a: says.", "     1  b: says.", "     3  no known mistake",
    ]  # fmt: skip

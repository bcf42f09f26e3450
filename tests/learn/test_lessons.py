"""No lesson rots: solutions pass, stubs say they are not written, every mistake is caught and called by its name."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from minidepth.learn.check import checks_of, mutants_of, run_check
from minidepth.learn.definitions import Definitions
from minidepth.learn.diagnose import as_asked
from minidepth.learn.library import lessons, load_checks
from minidepth.learn.master import Lesson, cells_of, without_solutions
from minidepth.learn.notebook import notebook_of
from minidepth.learn.sandbox import Direct

REPOSITORY = Path(__file__).resolve().parents[2]
LESSONS = list(lessons().values())
EXERCISES = [(lesson, exercise) for lesson in LESSONS for exercise in lesson.exercises]
MUTANTS = [(lesson, mutant) for lesson in LESSONS for mutant in mutants_of(lesson)]
each_lesson = pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.slug)


@functools.cache
def run_of(lesson, folder):
    """One run of the master in a fresh folder: how it ended, and after how many seconds of computing.

    Those of a busy machine's clock would say nothing about the lesson.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "MINIDEPTH_WORK": str(folder / "work"),
        "MPLBACKEND": "Agg",
    }
    before = os.times()
    command = [sys.executable, "-W", "error::RuntimeWarning", str(lesson.folder / "lesson.py")]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    after = os.times()
    return done, after.children_user + after.children_system - before.children_user - before.children_system


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    return functools.cache(lambda lesson: tmp_path_factory.mktemp(lesson.slug))


@pytest.mark.parametrize(("lesson", "exercise"), EXERCISES, ids=lambda value: getattr(value, "number", value))
def test_the_solution_passes(lesson, exercise):
    chosen = [one for one in checks_of(lesson) if one.exercise == exercise]
    assert chosen, f"no check for {exercise}"
    for one in chosen:
        for seed in (0, 1):
            outcome = run_check(lesson, one, as_asked(lesson, None), seed)
            assert outcome.status == "passed", (one.title, outcome.lines)


@pytest.mark.parametrize(("lesson", "exercise"), EXERCISES, ids=lambda value: getattr(value, "number", value))
def test_the_stub_is_not_written_yet_and_nothing_else(lesson, exercise):
    stub = Direct(Definitions(lesson.stub(), lesson.folder / "stub.py"), load_checks(lesson))
    for one in checks_of(lesson):
        if one.exercise == exercise:
            outcome = run_check(lesson, one, stub)
            assert (outcome.status, outcome.lines) == ("unwritten", [])


@pytest.mark.parametrize(
    ("lesson", "mutant"), MUTANTS, ids=lambda value: f"{getattr(value, 'exercise', '')} {getattr(value, 'name', '')}"
)
def test_every_mistake_is_caught_and_named(lesson, mutant):
    outcomes = [
        run_check(lesson, one, as_asked(lesson, mutant)) for one in checks_of(lesson) if one.exercise == mutant.exercise
    ]
    failed = [outcome for outcome in outcomes if outcome.status != "passed"]
    assert failed, "the mistake passes"
    assert failed[0].status == "failed"
    named = failed[0].mutant
    assert named is mutant, f"taken for {named and named.name!r}: {failed[0].lines}"


@each_lesson
def test_its_mistakes_are_5_to_12_for_each_exercise_with_names_of_their_own(lesson):
    for exercise in lesson.exercises:
        names = [mutant.name for mutant in mutants_of(lesson, exercise)]
        assert 5 <= len(names) <= 12, (exercise, len(names))
        assert len(set(names)) == len(names)


@each_lesson
def test_its_checks_need_no_other_exercise(lesson):
    """An exercise passes with all others unwritten, except where its own solution calls them: then it says so."""
    for exercise in lesson.exercises:
        kept = lesson.text.replace(f"# BEGIN SOLUTION {exercise}\n", "# KEPT\n")
        alone = Direct(Definitions(without_solutions(kept), lesson.folder / "alone.py"), load_checks(lesson))
        for one in checks_of(lesson):
            if one.exercise == exercise:
                assert run_check(lesson, one, alone).status in ("passed", "unwritten"), one.title


@each_lesson
def test_its_checks_need_no_other_lesson(lesson, tmp_path):
    alone = Lesson(Path(shutil.copytree(lesson.folder, tmp_path / lesson.slug)))
    for one in checks_of(alone):
        assert run_check(alone, one, as_asked(alone, None)).status == "passed", one.title


@each_lesson
def test_it_runs_from_top_to_bottom(lesson, folder_of):
    done, seconds = run_of(lesson, folder_of(lesson))
    assert done.returncode == 0, done.stderr[-3000:]
    assert seconds < 2 * lesson.seconds, f"{seconds:.1f} s of computing, but it says {lesson.seconds:g} s"


@each_lesson
def test_its_numbers_are_those_of_the_run(lesson, folder_of):
    run_of(lesson, folder_of(lesson))
    stored = json.loads((lesson.folder / "measured.json").read_text(encoding="utf-8"))
    path = folder_of(lesson) / "work" / "figures" / lesson.slug / "measured.json"
    measured = json.loads(path.read_text(encoding="utf-8"))
    assert list(measured) == list(stored), "run it again and keep its measured.json beside it"
    for name, row in measured.items():
        old, new = stored[name]["value"], row["value"]
        low, high = sorted((old / (1 + row["within"]), old * (1 + row["within"])))
        assert low <= new <= high, f"{name}: {new:g}, but the prose says {old:g}"
    lesson.filled()


@each_lesson
def test_its_figures_have_texts_and_tables(lesson, folder_of):
    run_of(lesson, folder_of(lesson))
    folder = folder_of(lesson) / "work" / "figures" / lesson.slug
    figures = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    assert figures
    for name in figures:
        assert all((folder / f"{name}.{suffix}").stat().st_size for suffix in ("png", "svg", "csv"))


@each_lesson
def test_its_script_is_in_order(lesson):
    assert len(lesson.text.splitlines()) <= 300
    headings = [
        line for cell in lesson.cells if cell.kind == "markdown" for line in cell.text.splitlines() if line[:1] == "#"
    ]
    assert headings[0] == f"# {lesson.number}. {lesson.title}"
    assert all(line.startswith(("## ", "### ")) for line in headings[1:])
    assert lesson.question.endswith("?")
    for words in ("Predict", "What PyTorch does", "To think about"):
        assert any(words in line for line in headings), f"no heading {words!r}"
    assert [exercise.partition(".")[0] for exercise in lesson.exercises] == [str(lesson.number)] * len(lesson.exercises)
    assert 2 <= len(lesson.exercises) <= 5
    for exercise in lesson.exercises:
        assert any(f"Exercise {exercise}:" in line for line in headings), f"no heading for {exercise}"
    inside = re.findall(r"# BEGIN SOLUTION [\d.]+\n(.*?)# END SOLUTION", lesson.text, re.DOTALL)
    handed_out = lesson.stub()
    for line in {line.strip() for solution in inside for line in solution.splitlines() if len(line.strip()) > 25}:
        assert line not in handed_out, f"the stub gives away {line!r}"


@each_lesson
def test_it_is_the_same_as_a_notebook(lesson):
    cells = json.loads(notebook_of(cells_of(lesson.stub())))["cells"]
    assert ["".join(cell["source"]) for cell in cells] == [cell.text for cell in cells_of(lesson.stub())]
    assert [cell["cell_type"] for cell in cells] == [cell.kind for cell in lesson.cells]


def test_the_page_of_lessons_lists_them_all():
    text = (REPOSITORY / "lessons" / "README.md").read_text(encoding="utf-8")
    heading = "| | lesson | question | minutes | exercises |\n|---|---|---|---|---|\n"
    rows = ""
    for one in LESSONS:
        link = f"[{one.title}]({one.slug}/lesson.py)"
        rows += f"| {one.number} | {link} | {one.question} | {one.minutes} | {len(one.exercises)} |\n"
    assert f"<!-- lessons -->\n{heading}{rows}<!-- /lessons -->" in text

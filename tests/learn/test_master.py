"""The master script: cells, stubs, solutions, mutants, numbers in prose, variants."""

from __future__ import annotations

import json

import pytest
from learn_work import LESSON

from minidepth.learn.errors import LearnerError, LessonError
from minidepth.learn.library import in_variant, lesson_of
from minidepth.learn.master import Cell, Lesson, cells_of, script_of, without_solutions
from minidepth.learn.variant import constants_of, seed_of, variant_in, variant_word, with_variant, without_choices

SCRIPT = '''# ---
# minutes: 30
# seconds: 2
# ---

# %% [markdown]
# # 3. Shapes
#
# **What is a shape?**
#
# It took {{seconds:.1f}} s, with SLOPE {{SLOPE}}.

# %%
SLOPE = 0.1  # choose: 0.1, 0.2, 0.3


class Box:
    def half(
        self,
        x: float,
    ) -> float:
        """Half of x."""
        # BEGIN SOLUTION 3.1
        y = x / 2
        return y
        # END SOLUTION


# %%
def twice(x):
    # BEGIN SOLUTION 3.2
    return x / 2 * 4
    # END SOLUTION


print(twice(1))
'''


@pytest.fixture
def lesson(tmp_path):
    (tmp_path / "03_shapes").mkdir()
    (tmp_path / "03_shapes" / "lesson.py").write_text(SCRIPT, encoding="utf-8")
    measured = {"seconds": {"value": 1.26, "within": 4}}
    (tmp_path / "03_shapes" / "measured.json").write_text(json.dumps(measured), encoding="utf-8")
    return Lesson(tmp_path / "03_shapes")


def test_what_it_says_about_itself(lesson):
    assert (lesson.number, lesson.name, lesson.slug) == (3, "shapes", "03_shapes")
    assert (lesson.minutes, lesson.seconds, lesson.title) == (30, 2.0, "Shapes")
    assert (lesson.question, lesson.exercises) == ("What is a shape?", ["3.1", "3.2"])


def test_cells_and_back(lesson):
    assert [cell.kind for cell in lesson.cells] == ["markdown", "code", "code"]
    assert lesson.cells[0].text.startswith("# 3. Shapes\n\n**What")
    assert cells_of(script_of(lesson.cells)) == lesson.cells
    assert script_of([Cell("markdown", "a\n\nb")]) == "# %% [markdown]\n# a\n#\n# b\n"


def test_the_stub_has_no_solution_but_all_the_rest(lesson):
    stub = lesson.stub()
    assert '        raise NotImplementedError("exercise 3.1")\n' in stub
    assert "x / 2" not in stub and "SOLUTION" not in stub and "choose" not in stub
    assert "return Half" not in stub and '"""Half of x."""' in stub and "print(twice(1))" in stub
    assert "It took 1.3 s, with SLOPE 0.1." in stub


def test_a_solution_is_shown_with_the_line_that_opens_its_function(lesson):
    assert lesson.solution("3.1") == (
        "    def half(\n        self,\n        x: float,\n    ) -> float:\n        y = x / 2\n        return y\n"
    )
    assert lesson.written("3.2") == "    return x / 2 * 4\n"


def test_a_mutant_changes_one_place_of_its_exercise(lesson):
    assert "        y = x / 3\n" in lesson.replaced("3.1", "x / 2", "x / 3")
    assert "return x / 2 * 4" in lesson.replaced("3.1", "x / 2", "x / 3")
    for exercise, old in (("3.1", "y"), ("3.1", "* 4"), ("3.3", "x")):
        with pytest.raises(LessonError, match="a mutant changes one place"):
            lesson.replaced(exercise, old, "z")


def test_a_number_that_was_not_measured_is_the_authors_mistake(lesson):
    lesson.measured = {}
    with pytest.raises(LessonError, match="'seconds', which the lesson has not measured"):
        lesson.stub()


def test_a_folder_and_a_script_that_are_no_lesson(tmp_path):
    with pytest.raises(LessonError, match="a name such as 04_convolution"):
        Lesson(tmp_path / "shapes")
    (tmp_path / "05_x").mkdir()
    (tmp_path / "05_x" / "lesson.py").write_text("# %%\n")
    with pytest.raises(LessonError, match="begins with '# ---'"):
        assert Lesson(tmp_path / "05_x").minutes


def test_an_unfinished_solution_swallows_no_later_cell():
    assert without_solutions("a\n# BEGIN SOLUTION 1.1\nb\n# END SOLUTION\nc") == (
        'a\nraise NotImplementedError("exercise 1.1")\nc\n'
    )


def test_a_variant_chooses_constants_the_same_everywhere(lesson):
    words = ["2027a", "2027b", "2028a", "x", "y", "z"]
    variants = [Lesson(lesson.folder, word) for word in words]
    values = {constants_of(one.text)["SLOPE"] for one in variants}
    assert len(values) > 1 and values <= {0.1, 0.2, 0.3}
    for one in variants:
        slope = constants_of(one.text)["SLOPE"]
        assert f"\nSLOPE = {slope}\n" in one.stub() and f"with SLOPE {slope}." in one.stub()
        assert variant_in(one.stub()) == one.variant
    assert constants_of(lesson.text) == {"SLOPE": 0.1} and variant_in(lesson.stub()) == ""
    assert len({seed_of(word) for word in words}) == len(words) and seed_of("") == 0


def test_marks_of_variants():
    assert variant_in('   "Variant: 2027a"\n') == "2027a"  # in a notebook
    assert variant_in("x = 'Variant: 1'") == ""
    assert without_choices("A = 1  # choose: 1, 2\nb = 2  # choose: 3\n") == "A = 1\nb = 2  # choose: 3\n"
    with pytest.raises(LessonError, match="the first value to choose from must be that one"):
        with_variant("A = 1  # choose: 2, 3", "")
    with pytest.raises(LearnerError, match="a variant is one word"):
        variant_word("../x")


def test_lessons_by_their_words():
    assert lesson_of("4") is lesson_of("4.2") is LESSON
    assert in_variant(LESSON, "") is LESSON and in_variant(LESSON, "a") is in_variant(LESSON, "a")
    for word, says in (("99", "there is no lesson"), ("x", "there is no lesson"), ("4.9", "lesson 4 has 4.1, 4.2")):
        with pytest.raises(LessonError, match=says):
            lesson_of(word)

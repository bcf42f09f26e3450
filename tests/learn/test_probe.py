"""The ``t`` of a check: what it draws, asks, and says of the answers."""

from __future__ import annotations

import numpy as np
import pytest
from learn_work import LESSON

from minidepth.learn.check import Check, Outcome, check, checks_of, mutants_of, record, rng_of, run_check
from minidepth.learn.diagnose import alike, as_asked, recognise
from minidepth.learn.errors import LessonError
from minidepth.learn.probe import Answer, CheckError, Probe, Step, UnwrittenError


class Says:
    """Learner's code that gives these answers, and notes what it was asked."""

    def __init__(self, *answers):
        self.answers, self.asked = list(answers), []

    def ask(self, request, timeout_s):
        self.asked.append((request, timeout_s))
        return self.answers.pop(0)


def value(value, changed=(), printed=""):
    return {"value": value, "changed": list(changed), "printed": printed}


def probe(*answers, seed=0, **options):
    return Probe(Says(*answers), np.random.default_rng(seed), **options)


def failed(function, *args, **kwargs):
    with pytest.raises(CheckError) as caught:
        function(*args, **kwargs)
    return caught.value.lines


def test_inputs_follow_from_the_seed():
    def drawn(seed):
        t = probe(seed=seed)
        return t.randn(2, 3), t.randn(), t.uniform(2, 3, 4), t.uniform(2, 3), t.choose(range(10**6))

    for one, other, third in zip(drawn(1), drawn(1), drawn(2)):
        assert np.array_equal(one, other) and not np.array_equal(one, third)
    x, number, between, single, chosen = drawn(1)
    assert x.shape == (2, 3) and type(number) is type(single) is float
    assert ((2 <= between) & (between < 3)).all() and between.shape == (4,) and type(chosen) is int


def test_seeds_of_checks_are_their_own():
    first, second = checks_of(LESSON)[:2]
    draws = {float(rng_of(one, seed).random()) for one in (first, second) for seed in (0, 1)}
    assert len(draws) == 4
    assert rng_of(first, 0).random() == rng_of(first, 0).random()
    drawn = []
    one = Check("4.1", "t", 1, ("h",), lambda t: drawn.append(t.randn()))
    for seed in (0, 0, 1):
        run_check(LESSON, one, Says(), seed)
    assert drawn[0] == drawn[1] != drawn[2]


def test_constants_of_the_lesson():
    assert probe(constants={"SLOPE": 0.1}).constant("SLOPE") == 0.1


def test_a_call_asks_and_hands_on_the_answer():
    t = probe(value(3), timeout_s=7)
    assert t.call("f", 1, k=2).value == 3
    assert t._asked.asked == [({"do": "call", "name": "f", "args": [1], "kwargs": {"k": 2}}, 7)]
    assert [step.answer["value"] for step in t.steps] == [3]


def test_a_run_names_a_function_of_the_checks():
    def train_once(mine):
        return 1

    t = probe(value(1, changed=[0]))
    assert t.run(train_once, 5).title == "train once"
    assert t._asked.asked[0][0] == {"do": "run", "function": "train_once", "args": [5], "kwargs": {}}


def test_changed_inputs_fail_unless_they_may_change():
    assert failed(probe(value(1, [1])).call, "f", 1, 2) == [
        "f changes its input number 2; work on a copy: x = x.copy()"
    ]
    assert probe(value(1, [1])).call("f", 1, 2, may_change=True).value == 1


def test_printing_is_noticed():
    t = probe(value(1, printed="x"), value(1))
    t.call("f")
    t.call("f")
    assert t.printed


RAISED = {"raised": "ValueError", "text": "no\nmore", "frames": ["line 3, in f: g()"], "printed": ""}
LINE = "  line 3, in f: g()"


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        ({"ended": "time"}, ["f was not done after 20 s: is there a loop that never ends?"]),
        ({"ended": "time", "after_s": 1.25}, ["f was not done after 1.25 s: is there a loop that never ends?"]),
        ({"ended": "died"}, ["f ended the whole process (or used more memory than there is); a function only returns"]),
        ({"missing": "f", "there": ["g"]}, ["f is not defined in your file"]),
        ({"missing": "f", "there": ["f_"]}, ["f is not defined in your file; did you rename it f_?"]),
        ({"signature": "(x)"}, ["f cannot be called as the lesson calls it: yours is f(x)"]),
        (RAISED, ["f raised ValueError: no", LINE, "  called with an int, a float"]),
        (SystemExit, ["f calls exit(): a function gives its result back with return", LINE]),
        (NotImplementedError, ["f raised NotImplementedError: no", LINE, "  called with an int, a float"]),
    ],
)
def test_what_kept_a_question_from_being_answered(answer, lines):
    if isinstance(answer, type):
        answer = {**RAISED, "raised": answer.__name__}
    assert failed(probe(answer).call, "f", 1, 2.0) == lines


def test_an_exercise_that_is_not_written():
    answer = {**RAISED, "raised": "NotImplementedError", "text": "exercise 4.1"}
    with pytest.raises(UnwrittenError, match="^4.1$"):
        probe(answer).call("f")


def test_answers():
    assert failed(Answer((1, 2), "f").item, 0, 3) == ["f must return 3 results, yours returns a tuple of 2"]
    assert failed(Answer((1, 2), "f").item, 2) == ["f must return at least 3 results, yours returns 2"]
    assert failed(Answer(1, "f").item, 0) == ["f must return several results, yours returns an int"]
    assert Answer((1, 2), "f").item(1, 2).close(2).value == 2
    assert failed(Answer(1, "f").close, 2, "y") == ["y: yours is 1, expected 2"]
    assert Answer(np.float32(2), "f").number() == 2.0 and Answer(np.array(2), "f").number() == 2.0
    for bad in (True, np.True_, "2", None, np.ones(1), [1]):
        assert failed(Answer(bad, "f").number)[0].startswith("f must be a number, yours is ")
    assert Answer(np.ones(2), "f").array((2,)).sum() == 2
    assert failed(Answer(np.ones(2), "f").array, (3,)) == ["f must be an array (3,), yours is an array (2,) of float64"]
    assert failed(Answer([1.0], "f").array, (1,)) == ["f must be an array (1,), yours is a list of 1"]
    assert failed(probe().that, np.False_, "a", "b") == ["a", "b"]
    assert probe().that(np.True_) is None


def test_checks_belong_to_an_exercise_and_have_hints():
    with pytest.raises(LessonError, match="at least one hint"):
        check("4.1", "t", hints=[])
    assert [one.exercise for one in checks_of(LESSON)] == LESSON.exercises


def outcome_of(function, *answers, diagnose=False):
    return run_check(LESSON, Check("4.1", "t", 3, ("h",), function, True), Says(*answers), diagnose=diagnose)


def test_outcomes_and_their_records():
    passed = outcome_of(lambda t: t.call("output_size").close(3), value(3))
    assert (passed.status, passed.points) == ("passed", 3)
    failed_ = outcome_of(lambda t: t.call("output_size").close(3), value(4, printed="x"))
    assert (failed_.status, failed_.points, failed_.printed) == ("failed", 0, True)
    row = record(failed_)
    assert row == {
        "exercise": "4.1", "title": "t", "status": "failed", "points": 0, "max_points": 3, "seconds": row["seconds"],
        "message": "output_size: yours is 4, expected 3", "misconception": None, "says": None, "hidden": True,
    }  # fmt: skip
    unwritten = outcome_of(lambda t: t.call("f"), {**RAISED, "raised": "NotImplementedError", "text": "exercise 4.1"})
    assert (unwritten.status, unwritten.lines) == ("unwritten", [])
    assert isinstance(passed, Outcome)


def test_a_known_mistake_is_named_and_what_hung_is_not_tried_again():
    def size(t):
        t.call("output_size", 40, 8, stride=3, pad=7).close(16)

    assert outcome_of(size, value(15), diagnose=True).mutant.name == "one too few"
    assert outcome_of(size, value(15.0000001), diagnose=True).mutant.name == "one too few"
    assert outcome_of(size, value(99), diagnose=True).mutant is None
    assert outcome_of(size, value(15, changed=[0]), diagnose=True).mutant is None
    assert outcome_of(size, {"ended": "time"}, diagnose=True).mutant is None
    for ended in ({"ended": "died"}, {"raised": "MemoryError"}):
        unasked = Step({}, ended)  # it would raise KeyError
        assert recognise(LESSON, mutants_of(LESSON, "4.1"), [unasked]) is None
    assert recognise(LESSON, [], [Step({}, value(1))]) is None
    assert as_asked(LESSON, None) is as_asked(LESSON, None)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((1, [2.0]), [1, (2.0,)], True),
        ((1, 2), (1, 2, 3), False),
        ({"a": 1.0}, {"a": 1.0 + 1e-9}, True),
        ({"a": 1.0}, {"b": 1.0}, False),
        (np.ones(2), np.ones((2, 1)), False),
        (np.array([np.nan, 1]), np.array([np.nan, 1]), True),
        (np.array([True]), np.array([1]), False),
        (10**400, 10**400, False),
        ("a", "a", True),
        (None, 0, False),
    ],
)
def test_alike(one, other, same):
    assert alike(value(one), value(other)) is same


def test_errors_are_alike_by_their_kind_and_text():
    one = {"raised": "ValueError", "text": "shapes differ"}
    assert alike(one, dict(one))
    assert not alike(one, {**one, "raised": "TypeError"})
    assert not alike(one, {**one, "text": "something else"})
    assert not alike(value(1), one)

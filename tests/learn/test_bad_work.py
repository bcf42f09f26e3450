"""Work that is not as it should be: each kind gets one clear sentence, and no traceback of ours."""

from __future__ import annotations

import argparse
import json
import sys

import numpy as np
import pytest
from learn_work import LESSON, SLUG, work

from minidepth.learn import commands, probe
from minidepth.learn.check import Check, run_check
from minidepth.learn.definitions import read
from minidepth.learn.errors import LearnerError
from minidepth.learn.master import cells_of
from minidepth.learn.notebook import notebook_of


@pytest.fixture
def checked(tmp_path, monkeypatch):
    """A function that writes a file and checks it: messages by exercise, with their statuses."""
    monkeypatch.setenv("MINIDEPTH_WORK", str(tmp_path / "work"))

    def check(text, exercise="4", name=f"{SLUG}.py"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        said = []
        asked = argparse.Namespace(exercise=exercise, file=str(path), watch=False, json=True)
        status = commands.check(asked, said.append)
        rows = json.loads("\n".join(said))["checks"]
        assert status == any(row["status"] != "passed" for row in rows)
        return {row["exercise"]: (row["status"], row["message"]) for row in rows}

    return check


def refused(checked, text, **options):
    with pytest.raises(LearnerError) as caught:
        checked(text, **options)
    (line,) = str(caught.value).splitlines()
    return line


def test_a_syntax_error(checked):
    text = work(e2="y = (x * w\nreturn y")
    line = text.splitlines().index("    y = (x * w") + 1
    assert refused(checked, text) == f"{SLUG}.py, line {line}: '(' was never closed: y = (x * w"


def test_a_missing_function_and_one_that_was_renamed(checked):
    text = work().replace("def conv2d_forward(", "def conv2d_foward(").replace("def output_size", "def size_of_it")
    rows = checked(text)
    assert rows["4.1"] == ("failed", "output_size is not defined in your file")
    assert rows["4.2"] == ("failed", "conv2d_forward is not defined in your file; did you rename it conv2d_foward?")
    assert rows["4.3"] == ("passed", "")


def test_wrong_signatures_lost_returns_and_changed_inputs(checked):
    text = work(
        e1="(n + 2 * pad - k) // stride + 1",
        e3="""
        g *= 2
        return conv2d_grad_x_(g / 2, w, x_shape, stride, pad)
        """,
        e4="return np.zeros(w_shape)",
    ).replace("w: np.ndarray, b: np.ndarray, stride: int = 1, pad: int = 0) -> np.ndarray", "w, b, step=1, pad=0)")
    rows = checked(text + "\n\ndef conv2d_grad_x_(g, w, x_shape, stride, pad):\n" + LESSON.written("4.3"))
    assert rows["4.1"][1].splitlines()[0].endswith("yours is None, expected a number; is there a return at the end?")
    assert rows["4.2"][1] == (
        "conv2d_forward cannot be called as the lesson calls it: yours is conv2d_forward(x, w, b, step=1, pad=0) (got "
        "an unexpected keyword argument 'stride')"
    )
    assert rows["4.3"][1] == "conv2d_grad_x changes its input number 1; work on a copy: x = x.copy()"
    assert rows["4.4"][1] == "conv2d_grad_w must return 2 results, yours returns an array (4, 3, 3, 2) of float64"


def test_exits_huge_arrays_endless_loops_and_errors(checked, monkeypatch):
    monkeypatch.setattr(probe, "TIMEOUT_S", 0.5)
    rows = checked(
        work(
            e1="import sys\nsys.exit(1)",
            e2="return x @ w.undefined",
            e3="return np.ones((100_000, 1_000_000))",
            e4="while True: pass",
        )
    )
    assert rows["4.1"][1].splitlines()[0] == "output_size calls exit(): a function gives its result back with return"
    first, frame, given = rows["4.2"][1].splitlines()
    assert first == "conv2d_forward raised AttributeError: 'numpy.ndarray' object has no attribute 'undefined'"
    assert frame.endswith("in conv2d_forward: return x @ w.undefined")
    assert given.startswith("  called with an array (2, 3, 6, 8) of float64, an array (4, 3, 3, 3) of float64")
    if sys.platform.startswith("linux"):
        assert rows["4.3"][1].splitlines()[0] == (
            "conv2d_grad_x asks for more memory than there is: is an array larger than it has to be?"
        )
    assert rows["4.4"] == ("failed", "conv2d_grad_w was not done after 0.5 s: is there a loop that never ends?")


def test_what_prints_passes_and_is_told_so(tmp_path, monkeypatch):
    monkeypatch.setenv("MINIDEPTH_WORK", str(tmp_path))
    path = tmp_path / f"{SLUG}.py"
    path.write_text(work(e1="print('here', n)\nreturn (n + 2 * pad - k) // stride + 1"), encoding="utf-8")
    said = []
    asked = argparse.Namespace(exercise="4.1", file=None, watch=False, json=False)
    assert commands.check(asked, said.append) == 0
    assert "passed  (1/1)\n     (Your function prints." in said[0]
    assert said[1] == "1 of 1 checks passed, 1 of 1 points"


def test_values_of_the_wrong_kind(checked):
    rows = checked(
        work(e1="return '3'", e2="return [[1.0]]", e3="return 1j * np.ones(x_shape)", e4="return {}, lambda: 1")
    )
    assert rows["4.1"][1].endswith("yours is a str, expected a number")
    assert rows["4.2"][1].endswith("yours is a list of 1, expected an array (2, 4, 4, 6)")
    assert rows["4.3"][1].endswith("yours is an array of complex128, expected an array (2, 3, 6, 8)")
    assert rows["4.4"][1].endswith("yours is a dict, expected an array (4, 3, 3, 2)")


def test_a_notebook_with_cells_out_of_order(checked, tmp_path):
    """The function comes first and the constant that it needs in a cell below, or in one that only a run would run."""
    cells = cells_of(work(e1="return (n + 2 * pad - k) // stride + ONE", e3="return TWO * g"))
    cells += [cells[0]._replace(kind="code", text="ONE = 1"), cells[0]._replace(kind="code", text="TWO = float('2')")]
    rows = checked(notebook_of(cells), name=f"{SLUG}.ipynb")
    assert rows["4.1"] == ("passed", "")
    assert rows["4.3"][1].splitlines()[0] == (
        "conv2d_grad_x raised NameError: name 'TWO' is not defined; a check runs functions, classes and plain "
        f"constants only, and not cell {len(cells)}, line 1"
    )
    cells.insert(1, cells[0]._replace(kind="code", text="class Uses:\n    one = ONE"))
    (tmp_path / "a.ipynb").write_text(notebook_of(cells), encoding="utf-8")
    with pytest.raises(LearnerError) as caught:
        read(tmp_path / "a.ipynb").load()
    assert str(caught.value) == (
        "a.ipynb, cell 2, line 2: NameError: name 'ONE' is not defined; it is defined further down, at "
        f"cell {len(cells) - 1}, line 1"
    )


def test_a_notebook_that_is_half_for_jupyter(checked):
    cells = cells_of(work())
    extra = ["%matplotlib inline\n!ls\nnp.zeros?", "%%bash\nif true; then echo; fi", "%%time\nA = 7\nB = (A\n% 4)"]
    cells[2:2] = [cells[0]._replace(kind="code", text=text) for text in extra]
    assert checked(notebook_of(cells), exercise="4.1", name=f"{SLUG}.ipynb")["4.1"] == ("passed", "")


def test_files_that_are_none(checked, tmp_path):
    def unreadable(name, raw):
        (tmp_path / name).write_bytes(raw)
        with pytest.raises(LearnerError) as caught:
            read(tmp_path / name).load()
        return str(caught.value)

    assert unreadable("a.ipynb", b"{") == "a.ipynb: is no notebook that can be read; export it again from Jupyter"
    assert unreadable("a.py", b"import no_such as n\ndef f(): return n.x") == (
        "a.py, line 1: ModuleNotFoundError: No module named 'no_such'"
    )
    assert unreadable("a.py", b"# Z\xfcrich") == "a.py: is no text in UTF-8; save it as that"
    assert unreadable("a.py", b"x = 1\0").partition("null bytes")[1:] in (("null bytes", ""), ("null bytes", ")"))
    assert refused(checked, "class Now:\n    exit()") == f"{SLUG}.py: calls exit() where it is imported; take it out"
    asked = argparse.Namespace(exercise="4", file=str(tmp_path / "no.py"), watch=False, json=True)
    with pytest.raises(LearnerError, match="no.py: cannot be read"):
        commands.check(asked, str)


def test_a_check_that_cannot_reckon_with_an_answer_says_so():
    """A check may do arithmetic with what comes back; no answer may end it with a traceback."""

    class Odd:
        def ask(self, request, timeout_s):
            return {"value": {"a": 1}, "changed": [], "printed": ""}

    one = Check("4.1", "t", 1, ("hint",), lambda t: t.call("output_size").value + np.ones(2))
    outcome = run_check(LESSON, one, Odd(), diagnose=False)
    assert outcome.status == "failed"
    assert outcome.lines[0].startswith("what you return is nothing that can be compared (TypeError: ")

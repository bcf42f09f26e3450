"""What of a learner's file a check runs, and where its lines are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from minidepth.learn.definitions import Definitions, read
from minidepth.learn.errors import LearnerError


def loaded(text):
    return Definitions(text, Path("mine.py")).load()


def test_functions_classes_and_constants_run_and_nothing_else():
    names = loaded(
        "A = 1\nB = (A, -2, [A + 3], {'x': None})\nC: int = 4\nD = E = 5\n"
        "def f(): return A\nclass K:\n    x = A\nhalf = lambda x: x / 2\n"
        "print(1 / 0)\nfor i in range(10**12): pass\nF = f()\nif A: G = 1\nA += 1\nf.x = 1\n"
        "if __name__ == '__main__':\n    f(1, 2)\n"
    )
    assert {name for name in names if not name.startswith("_")} == set("ABCDEfK") | {"half"}
    assert names["B"] == (1, -2, [4], {"x": None}) and names["f"]() == 1 and names["half"](3) == 1.5


def test_imports_that_nothing_needs_are_left_away():
    names = loaded("import no_such_module\nimport math as m, json\nfrom os import path\ndef f(): return m.pi, path\n")
    assert set(names) >= {"m", "json", "path"} and "no_such_module" not in names


def test_the_learners_code_does_not_take_over_what_this_file_imports_from_the_future():
    assert loaded("def f(x: int): pass\n")["f"].__annotations__ == {"x": int}


def test_the_last_definition_counts():
    definitions = Definitions("def f(): return 1\ndef g(): pass\ndef f(): return 2\n", Path("mine.py"))
    assert definitions.twice == ["f"] and definitions.load()["f"]() == 2


def test_a_name_that_is_not_there_yet():
    with pytest.raises(LearnerError, match=r"^mine.py, line 1: NameError: .*; it is defined further down, at line 2$"):
        loaded("def f(x=N): pass\nN = 2\n")
    with pytest.raises(LearnerError, match="plain constants only, and not line 1$"):
        loaded("N = int(2)\ndef f(x=N): pass\n")
    with pytest.raises(LearnerError, match="name 'N' is not defined$"):
        loaded("def f(x=N): pass\n")


def test_a_notebook_has_cells_and_lines(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": ["def no(): pass"]},
        {"cell_type": "code", "source": ["%matplotlib inline\n", "def f():\n", "    return 1\n"]},
        {"cell_type": "code", "source": "!pip list\ndef g():\n    return f()\n"},
        {"cell_type": "code", "source": ["%%html\n", "<b>\n"]},
        {"cell_type": "code", "source": ["%%time\n", "A = (7\n", "%4)\n"]},
    ]
    path = tmp_path / "mine.ipynb"
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    definitions = read(path)
    names = definitions.load()
    assert names["g"]() == 1 and names["A"] == 3 and "no" not in names
    assert definitions.place(definitions.text.splitlines().index("    return f()") + 1) == "cell 3, line 3"
    cells[2]["source"] = "def g(:\n"
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    with pytest.raises(LearnerError, match=r"^mine.ipynb, cell 3, line 1: invalid syntax"):
        read(path)


def test_a_byte_order_mark_is_no_mistake(tmp_path):
    (tmp_path / "mine.py").write_bytes(b"\xef\xbb\xbfA = 1\r\n")
    assert read(tmp_path / "mine.py").load()["A"] == 1

"""Notebooks, as Jupyter reads them."""

from __future__ import annotations

import json

from minidepth.learn.definitions import read
from minidepth.learn.master import Cell
from minidepth.learn.notebook import notebook_of

CELLS = [Cell("markdown", "# A\n\nText äö."), Cell("code", "def f():\n    return 1"), Cell("code", "")]


def test_it_has_the_form_of_nbformat_4_5():
    whole = json.loads(notebook_of(CELLS))
    assert (whole["nbformat"], whole["nbformat_minor"]) == (4, 5)
    assert whole["metadata"]["kernelspec"] == {"name": "python3", "display_name": "Python 3", "language": "python"}
    first, second, third = whole["cells"]
    assert first == {
        "id": "cell-0", "cell_type": "markdown", "metadata": {}, "source": ["# A\n", "\n", "Text äö."],
    }  # fmt: skip
    assert second["source"] == ["def f():\n", "    return 1"]
    assert second["outputs"] == [] and second["execution_count"] is None
    assert third["source"] == []
    assert len({cell["id"] for cell in whole["cells"]}) == 3


def test_what_is_written_is_read_again(tmp_path):
    (tmp_path / "a.ipynb").write_text(notebook_of(CELLS), encoding="utf-8")
    assert read(tmp_path / "a.ipynb").load()["f"]() == 1

"""A lesson as a Jupyter notebook: the same cells, in JSON. Needs nothing but the standard library."""

from __future__ import annotations

import json
from typing import Any

from minidepth.learn.master import Cell


def notebook_of(cells: list[Cell]) -> str:
    """Cells as the text of an ``.ipynb`` file, format 4.5."""
    rows = []
    for number, cell in enumerate(cells):
        row: dict[str, Any] = {"id": f"cell-{number}", "cell_type": cell.kind, "metadata": {}}
        row["source"] = cell.text.splitlines(keepends=True)
        rows.append({**row, "execution_count": None, "outputs": []} if cell.kind == "code" else row)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    language = {"name": "python", "file_extension": ".py"}
    whole = {
        "cells": rows,
        "metadata": {"kernelspec": kernel, "language_info": language},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"

"""Every program in examples/ runs as it is, in an empty folder, without a warning."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SAYS = {
    "gradient_check.py": ("FAIL", "\nRight:\nfinite difference: ok"),
    "kernel_reads.py": ("| product_naive | 2,097,152 |",),
    "learn_a_filter.py": ("found:\n[[ 1.  0. -1.]\n [ 2.  0. -2.]\n [ 1.  0. -1.]]",),
    "quickstart.py": ("step 0: loss ",),
}
"""What each program must print."""
WRITES = {"quickstart.py": ["quickstart.png"]}


@pytest.mark.parametrize("path", sorted((REPOSITORY / "examples").glob("*.py")), ids=lambda path: path.name)
def test_example_runs(path, tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", path],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for text in SAYS[path.name]:
        assert text in done.stdout
    assert sorted(file.name for file in tmp_path.iterdir()) == WRITES.get(path.name, [])


def test_the_page_on_kernels_has_the_counts_that_the_emulator_makes(tmp_path):
    page = (REPOSITORY / "docs" / "from_naive_to_tiled.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    command = [sys.executable, REPOSITORY / "examples" / "kernel_reads.py"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    printed = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert len(rows) == 12
    assert rows == [line for line in printed.splitlines() if line.startswith("|")]

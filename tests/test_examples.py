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

"""No kernel that nobody has run: collected last, see conftest.py."""

from __future__ import annotations

from pathlib import Path

import pytest
from written_kernels import needs_compiler

from minidepth.cuda import source
from minidepth.testing import emulator

TESTS = Path(__file__).parents[1]


@needs_compiler
def test_every_kernel_was_executed_and_watched(request) -> None:
    """Only a run of all tests can say so."""
    users = {path for path in TESTS.rglob("test_*.py") if "from twins import" in path.read_text(encoding="utf-8")}
    if users - {item.path for item in request.session.items} or request.config.option.keyword:
        pytest.skip("only a run of all tests executes every kernel")
    if request.session.testsfailed:
        pytest.skip("tests have failed, so kernels may have been left out")
    watched, plain = ({name for name, how in emulator.executed if ("checked" in how) == yes} for yes in (True, False))
    half = {name for name, how in emulator.executed if "float16" in how}
    assert sorted(source.kernels().keys() - watched) == []
    assert sorted(source.kernels().keys() - plain) == []
    assert sorted(name for name, kernel in source.kernels().items() if kernel.takes_half and name not in half) == []

"""benchmarks/gpu.py without a GPU: a rehearsal runs it on the emulated one, and what it says of figures is right."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import re
import shutil
import subprocess
import sys

import pytest
from test_benchmarks import BENCHMARKS
from test_benchmarks import load as load  # a fixture

from minidepth.testing.emulator import COMPILER

PARTS = ("ceilings", "kernels", "steps", "memory", "nyu")


def run(*command, check=True):
    environment = {**os.environ, "PYTHONPATH": str(BENCHMARKS.parent)}
    program = [sys.executable, "-W", "ignore", str(BENCHMARKS / command[0]), *command[1:]]
    return subprocess.run(program, capture_output=True, text=True, check=check, env=environment)


needs_compiler = pytest.mark.skipif(shutil.which(COMPILER) is None, reason=f"the emulator needs {COMPILER}")


@needs_compiler
def test_a_rehearsal_emulated_runs_every_kernel_and_writes_no_figure() -> None:
    before = (BENCHMARKS / "RESULTS.md").read_bytes()
    text = run("gpu.py", "--rehearse", "--only", "ceilings,kernels").stdout
    assert text.rstrip().endswith("rehearsal, not measured")
    cells = re.findall(r"–, –, –", text)
    assert len(cells) > 60
    assert not re.search(r"\d (GB/s|TFLOP/s)|\d, \d+%|Target", text)
    assert (BENCHMARKS / "RESULTS.md").read_bytes() == before


@needs_compiler
def test_a_process_emulated_trains_in_half_with_loss_scaling(load) -> None:
    steps, job = load("gpu_steps"), load("gpu_job")
    one = job.Job(steps.TINY, "time", precisions=("half",), rehearsal=True)
    row = json.loads(run("gpu_step_minidepth.py", one.to_json()).stdout.splitlines()[-1])["half"]
    figures = {name: value for name, value in row.items() if name != "proof"}
    assert set(figures) == set(steps.QUANTITIES) and all(math.isnan(value) for value in figures.values())
    first, second = row["proof"]
    assert second < first  # the step changed the network


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_the_process_of_pytorch(load) -> None:
    steps, job = load("gpu_steps"), load("gpu_job")
    one = job.Job(steps.TINY, "time", rehearsal=True)
    result = json.loads(run("gpu_step_torch.py", one.to_json(), "channels_last").stdout.splitlines()[-1])
    assert set(result) == set(job.PRECISIONS)
    assert all(row["proof"][1] < row["proof"][0] for row in result.values())


def test_each_part_has_its_place_in_the_results_and_says_what_is_not_measured() -> None:
    text = (BENCHMARKS / "RESULTS.md").read_text(encoding="utf-8")
    for part in PARTS:
        (inside,) = re.findall(rf"<!-- gpu-{part} -->\n(.*?)<!-- /gpu-{part} -->", text, re.DOTALL)
        assert inside.startswith("Not yet measured on a card.") or "NVIDIA" in inside


@pytest.mark.skipif(importlib.util.find_spec("cupy") is not None, reason="there may be a GPU")
def test_without_a_card_there_is_one_clear_line() -> None:
    done = run("gpu.py", check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("gpu: nothing can be measured here (device cuda needs CuPy:")
    assert done.stderr.count("\n") == 1 and "--rehearse" in done.stderr


@pytest.fixture
def measured(load):
    """Two rounds of a case in two precisions, of all three competitors."""
    steps = load("gpu_steps")
    times = {"minidepth": (6.0, 8.0), "PyTorch": (5.0, 5.0), "PyTorch, channels last": (4.0, 2.0)}
    rows = {
        (title, precision): [{**dict.fromkeys(steps.QUANTITIES, ms), "proof": [1.0, 0.9]} for ms in pair]
        for title, pair in times.items()
        for precision in ("float32", "half")
    }
    return steps.Measured(steps.LARGE, rows, ["PyTorch: its time was over"])


def test_ratio_verdict_and_remarks(load, measured) -> None:
    steps = load("gpu_steps")
    text = steps.text_of(measured)
    assert "| float32 | minidepth | 7 (6 to 8) | 2.33 | 7 (6 to 8) |" in text  # against the better format, 3
    assert "| TF32 | PyTorch | absent |  | absent |" in text
    assert "at most 2.0 of PyTorch's: float32 2.33, not met; half 2.33, not met." in text
    assert "- PyTorch: its time was over\n" in text
    small = measured._replace(case=steps.SMALL, rows={key: measured.rows[key] for key in [("minidepth", "half")]})
    assert "Target" not in steps.text_of(small)  # nothing to compare with


def test_other_losses_are_other_work(load, measured) -> None:
    steps = load("gpu_steps")
    steps.check_same_work(measured)
    measured.rows["PyTorch", "half"][1]["proof"] = [1.0, 0.93]
    with pytest.raises(
        SystemExit, match=r"half: PyTorch has the losses \[1.0, 0.93\], minidepth \[1.0, 0.9\]; that is"
    ):
        steps.check_same_work(measured)
    measured.rows["PyTorch", "half"][1]["proof"] = [1.0, math.nan]
    with pytest.raises(SystemExit, match="not the same work"):
        steps.check_same_work(measured)


def test_a_process_that_fails_or_takes_too_long_leaves_what_it_has_printed(load, tmp_path, monkeypatch) -> None:
    steps, job = load("gpu_steps"), load("gpu_job")
    one = job.Job(steps.TINY, "time")
    for ending, remark in (("raise SystemExit('no card')", "no card"), ("time.sleep(60)", "its time was over")):
        program = f'import time\nprint(\'{{"float32": {{"step_ms": 2.5}}}}\', flush=True)\n{ending}\n'
        (tmp_path / "program.py").write_text(program, encoding="utf-8")
        monkeypatch.setattr(steps, "HERE", tmp_path)
        monkeypatch.setitem(steps.COMPETITORS, "minidepth", ["program.py"])
        assert steps.process("minidepth", one, 1.0) == ({"float32": {"step_ms": 2.5}}, f"minidepth: {remark}")


def test_the_largest_batch_is_found_by_halving(load) -> None:
    job, steps = load("gpu_job"), load("gpu_steps")

    def make(case, precision):
        if case.batch > 11:
            raise MemoryError
        return job.Workload(lambda: None, lambda: None, lambda: None, float, lambda: (0.0, 0.0))

    tried = job.Job(steps.LARGE, "fit")
    assert job.largest_batch(tried, "half", make, (MemoryError,), lambda: None) == 11
    assert job.largest_batch(job.Job(steps.TINY, "fit"), "half", make, (MemoryError,), lambda: None) == 11


@needs_compiler
def test_speeds_emulated_are_of_the_bytes_that_the_kernels_move(load, emulated_gpu) -> None:
    kernels = load("gpu_kernels")
    cases = {(case.name, case.column): case for case in kernels.moves((2, 2, 16, 16), "float32")}
    numbers = 2 * 2 * 16 * 16
    for name, forward, backward in (("leaky_relu", 8, 12), ("batch_norm_leaky_relu", 12, 20)):
        assert cases[name, "forward"].n_bytes == forward * numbers
        assert cases[name, "backward"].n_bytes == backward * numbers
    assert cases["cat", "forward"].n_bytes == 2 * 8 * numbers
    # Of four numbers one is written, with a byte beside it; backward the other way.
    assert cases["max_pool2d", "forward"].n_bytes == cases["max_pool2d", "backward"].n_bytes == 21 * numbers // 4


def test_the_table_of_kernels_and_its_verdict(load) -> None:
    kernels = load("gpu_kernels")
    row = kernels.Row("leaky_relu", "forward", "2x2", "half", 0.5, 3000.0, 0.75, True)
    text = kernels.text_of([row, row._replace(name="relu", share=0.9)], ["there was no time for 3 more"])
    assert "| leaky_relu | 2x2 | half | 0.5, 3,000, 75% |" in text
    assert "80% of a copy: reached by 1 of 2; not by leaky_relu (forward, half).\n" in text
    assert "- there was no time for 3 more\n" in text


def test_a_training_step_makes_no_more_launches_than_it_did(load) -> None:
    """Each is microseconds of Python, for which the GPU of a small network waits. With fewer, lower it."""
    launches = load("launches")
    case = launches.CASES[0]
    row = launches.minidepth_step(type(case)(**{**vars(case), "steps": 1}))
    assert 200 <= row["launches"] <= 230

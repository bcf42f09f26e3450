"""The programs in benchmarks/ run, compare the same work, and leave nobody out in silence. Nothing is timed here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """import_module for the files of that folder."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield import_module
    for path in BENCHMARKS.glob("*.py"):  # names such as `ops` are free again
        sys.modules.pop(path.stem, None)


@pytest.fixture
def rows():
    """Five rounds of all competitors, two of the slow ones; DeZero is absent."""
    times = {
        "minidepth": [6, 5, 7, 6, 6],
        "PyTorch": [9, 8, 8, 8, 7],
        "PyTorch, channels last": [4] * 5,
        "Chainer": [40] * 2,
    }
    quantities = ("step_ms", "inference_ms", "peak_mib", "forward_ms", "both_ms")
    return {
        title: [{**dict.fromkeys(quantities, value), "proof": [1.0, 2.0]} for value in values]
        for title, values in times.items()
    }


@pytest.mark.parametrize("name", ["step", "conv", "ops", "scaling", "latency", "nyu", "systems", "launches"])
def test_each_program_has_its_place_in_the_results(name):
    text = (BENCHMARKS / "RESULTS.md").read_text(encoding="utf-8")
    assert text.count(f"<!-- {name} -->\n") == text.count(f"<!-- /{name} -->\n") == 1
    assert f"`python benchmarks/{name}.py" in text


def test_a_new_text_replaces_the_old_one_and_nothing_else(load, tmp_path, monkeypatch):
    results = load("results")
    monkeypatch.setattr(results, "RESULTS", tmp_path / "R.md")
    results.RESULTS.write_text("a\n<!-- x -->\nold\n<!-- /x -->\nb\n<!-- y -->\n<!-- /y -->\n", encoding="utf-8")
    results.write_between_markers("x", "new\n\n")
    results.write_between_markers("y", "first")
    expected = "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n<!-- y -->\nfirst\n<!-- /y -->\n"
    assert results.RESULTS.read_text(encoding="utf-8") == expected


def test_the_processes_of_minidepth_run(load):
    case = load("measure").Case(base=2, norm=True, batch=2, height=16, width=32, steps=1)
    step = run("unet_minidepth.py", case.to_json())
    assert set(step) == {"step_ms", "inference_ms", "peak_mib", "proof"} and len(step["proof"]) == 2
    assert step["proof"][0] != step["proof"][1]  # the step changed the network
    conv = run(
        "conv_one.py", json.dumps({"channels": 4, "batch": 1, "height": 8, "width": 9, "times": 1}), "minidepth", ""
    )
    assert set(conv) == {"forward_ms", "both_ms", "proof"} and len(conv["proof"]) == 2 * 4  # y and three gradients


def test_latency_sees_the_same_depth_with_and_without_folding(load):
    case = {"name": "mobilenet_pruned", "size": [32, 64], "times": 1}
    row = run("mobilenet_minidepth.py", json.dumps(case), "")
    assert set(row) == {"plain_ms", "folded_ms", "proof"}
    mean, spread, mean_folded, spread_folded = row["proof"]
    assert spread > 0.01 and (mean, spread) == pytest.approx((mean_folded, spread_folded), rel=1e-5)


def test_latency_of_a_network_compares_both_ways_with_the_better_of_pytorchs_formats(load):
    latency = load("latency")
    times = {"minidepth": (30, 20), "PyTorch": (25, 24), "PyTorch, channels last": (20, 16)}
    rows = {title: [{"plain_ms": plain, "folded_ms": folded}] for title, (plain, folded) in times.items()}
    text = latency.case_table(latency.CASES[0], rows, rounds=1)
    assert "### mobilenet, one picture of 224x224, 1 round\n" in text
    assert "| minidepth | 30 | 1.50 | 20 | 1.25 |\n| PyTorch | 25 | 1.25 | 24 | 1.50 |\n" in text
    del rows["PyTorch"], rows["PyTorch, channels last"]
    assert "| minidepth | 30 |  | 20 |  |\n| PyTorch | absent |  | absent |  |\n" in latency.case_table(
        latency.CASES[0], rows, rounds=1
    )


def run(*command):
    environment = {**os.environ, "PYTHONPATH": str(BENCHMARKS.parent)}
    program = [sys.executable, str(BENCHMARKS / command[0]), *command[1:]]
    return json.loads(subprocess.run(program, capture_output=True, text=True, check=True, env=environment).stdout)


def test_other_work_ends_the_run(load, rows):
    compete = load("compete")
    compete.check_same_work(rows, "a case")
    rows["Chainer"][1]["proof"] = [1.0, 2.01]
    with pytest.raises(SystemExit, match="a case: Chainer computes .* not the same work"):
        compete.check_same_work(rows, "a case")


def test_a_gradient_with_a_wrong_sign_is_other_work(load):
    proof, array = load("conv_one").proof, np.random.default_rng(2).standard_normal(100_000)
    np.testing.assert_allclose(proof([array]), proof([array * (1 + 1e-6)]), rtol=1e-5)
    assert np.abs(np.subtract(proof([array]), proof([-array]))).max() > 0.01


def test_ratios_are_to_the_better_of_pytorchs_formats_and_the_absent_are_named(load, rows):
    step = load("step")
    text = step.case_table(step.QUICK[0], rows, rounds=5)
    assert "| minidepth | 6 (5 to 7) | 1.50 |" in text
    assert "| PyTorch | 8 (7 to 9) | 2.00 |" in text
    assert "| Chainer | 40 (40 to 40) | 10.00 |" in text
    assert "| DeZero | absent |  | absent |  | absent |  |" in text
    del rows["PyTorch"], rows["PyTorch, channels last"]
    assert "| minidepth | 6 (5 to 7) |  |" in step.case_table(step.QUICK[0], rows, rounds=5)
    assert load("conv").cells(rows, "both_ms") == [
        "6 (5 to 7)",
        "absent",
        "absent",
        "absent",
        "40 (40 to 40), **6.67x**",
    ]


def test_who_is_not_installed_is_named_with_the_way_to_install_it(load, monkeypatch):
    compete = load("compete")
    monkeypatch.setattr(compete, "_version", lambda python, package: "" if package in ("torch", "chainer") else "1.0")
    entrants = compete.find_competitors([])
    assert [competitor.title for competitor in entrants.present] == ["minidepth", "DeZero"]
    assert "Absent: PyTorch and PyTorch, channels last; to add it, `pip install torch`." in entrants.note()
    assert "Absent: Chainer; to add it, in an environment of its own:" in entrants.note()


@pytest.mark.parametrize("text", ["chainer", "chainr=/bin/sh", "chainer=/no/such/python"])
def test_a_mistake_in_python_for_is_one_line(load, text):
    with pytest.raises(SystemExit, match=f"--python-for {text}: give NAME=PATH"):
        load("compete").find_competitors([text])


def test_layers_know_their_direct_cost_and_what_each_kernel_works_for(load):
    layers = load("layers")
    x, weight, y = (np.zeros(shape, np.float32) for shape in [(2, 3, 8, 10), (5, 3, 3, 3), (2, 5, 8, 10)])
    settings = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    layer = layers.Layer(x.shape, weight.shape, tuple(settings.values()))
    assert layer.multiply_adds() == y.size * weight[0].size
    assert layer.title() == "conv 3x3, 3 to 5, 2x8x10"
    for kernel, arguments, column in [
        ("forward", {"x": x, "weight": weight, "bias": None}, "forward"),
        ("grad_x", {"grad": y, "weight": weight, "x_shape": x.shape}, "dL/dx"),
        ("grad_weight", {"grad": y, "x": x, "weight_shape": weight.shape}, "dL/dweight"),
        ("backward", {"grad": y, "x": None, "weight": weight, "x_shape": x.shape}, "both gradients"),
    ]:
        assert layers.layer_and_column(kernel, {**arguments, **settings}) == (layer, column)


def test_an_up_convolution_is_the_adjoint_of_its_kernels_convolution(load):
    layers = load("layers")
    small, weight, large = (np.zeros(shape, np.float32) for shape in [(2, 6, 4, 5), (6, 3, 2, 2), (2, 3, 8, 10)])
    settings = {"stride": (2, 2), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
    layer, column = layers.layer_and_column(
        "grad_x", {"grad": small, "weight": weight, "x_shape": large.shape, **settings}
    )
    assert column == "forward" and layer.title() == "up-conv 2x2, 6 to 3, 2x8x10"
    assert layer.multiply_adds() == small.size * weight[0].size
    assert layers.layer_and_column("forward", {"x": large, "weight": weight, **settings}) == (layer, "dL/dx")


def test_time_layers_sees_all_convolutions_of_a_step_and_puts_the_kernels_back(load):
    layers, training = load("layers"), load("unet_minidepth").training
    kernel = layers.KERNELS["minidepth.ops.conv2d.forward"].registry[np.ndarray]
    _, step = training(load("measure").Case(base=2, norm=False, batch=1, height=16, width=16, steps=1))
    times = layers.time_layers(step)
    seen = [column for (_, column), calls in times.items() for _ in calls]
    assert seen.count("forward") == 18 + 4 + 1  # 3x3, up-convolutions, head
    assert layers.KERNELS["minidepth.ops.conv2d.forward"].registry[np.ndarray] is kernel

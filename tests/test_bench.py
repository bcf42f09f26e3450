"""`minidepth bench conv`: the right layers, every able path under its name, and sums that add up."""

import re
from types import ModuleType

import pytest

from minidepth import bench
from minidepth.bench import Layer, bench_conv, lines, measure, unet_layers
from minidepth.cli import main
from minidepth.models import build
from minidepth.ops.cpu import pointwise, row_gemm, tile_gemm
from minidepth.summary import summarize


def test_the_layers_of_a_unet_are_those_that_the_summary_counts():
    layers = unet_layers(4, 3, (32, 48))
    assert layers.total() == 2 * 9 + 4 + 1  # two convolutions on each of nine floors, four ways up, the head
    total = sum(layer.multiply_adds * count for layer, count in layers.items())
    assert total == 3 * summarize(build("unet", base_channels=4, up="transposed"), (32, 48)).multiply_adds
    assert layers[Layer((3, 3, 32, 48), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1, first=True)] == 1
    assert layers[Layer((3, 4, 32, 48), (4, 4, 3, 3), (1, 1), (1, 1), (1, 1), 1)] == 2
    assert layers[Layer((3, 4, 32, 48), (8, 4, 2, 2), (2, 2), (0, 0), (1, 1), 1, transposed=True)] == 1


@pytest.mark.parametrize(
    ("changed", "columns"),
    [({}, "forward backward"), ({"first": True}, "forward grad_weight"),
     ({"transposed": True}, "forward grad_x grad_weight")],
)  # fmt: skip
def test_what_is_timed_is_what_a_training_step_calls(changed, columns):
    layer = Layer((1, 2, 6, 8), (3, 2, 3, 3), (1, 1), (1, 1), (1, 1), 1, **changed)
    times = measure(layer, 2)
    assert list(times[row_gemm]) == columns.split()
    assert list(times[tile_gemm]) == columns.replace("backward", "grad_x grad_weight").split()  # it has no backward
    assert all(ms > 0 for path in times for ms in times[path].values())


def test_every_function_of_a_path_is_called_by_turns_and_its_median_shown(monkeypatch):
    calls = []

    def named(name, ms):
        def function(first, second, *rest):
            calls.append((name, second.shape))
            now[0] += ms.pop(0) / 1000

        return function

    now = [0.0]
    monkeypatch.setattr(bench.time, "perf_counter", lambda: now[0])
    one, two = ModuleType("one"), ModuleType("two")
    one.forward, one.grad_x = named("forward", [99, 1, 5, 3]), named("grad_x", [99, 2, 2, 9])
    one.grad_weight = named("grad_weight", [99, 4, 2, 6])
    two.forward, two.backward = named("other forward", [99, 7, 7, 7]), named("backward", [99, 8, 8, 8])
    monkeypatch.setattr(bench.paths, "able", lambda *layer: [one, two])
    layer = Layer((1, 2, 6, 8), (3, 2, 3, 3), (1, 1), (1, 1), (1, 1), 1)
    first, second = measure(layer, 3).values()
    assert first == pytest.approx({"forward": 3, "grad_x": 2, "grad_weight": 4})
    assert second == pytest.approx({"forward": 7, "backward": 8})
    x_shape, weight_shape = layer.x_shape, layer.weight_shape
    turn = [("forward", weight_shape), ("grad_x", weight_shape), ("grad_weight", x_shape)]
    assert calls == 4 * [*turn, ("other forward", weight_shape), ("backward", x_shape)]


def test_the_lines_of_a_layer():
    layer = Layer((1, 1000, 1, 1000), (1000, 1000, 1, 1), (1, 1), (0, 0), (1, 1), 1)  # 1 G multiply-adds
    times = {
        pointwise: {"forward": 2.0, "grad_x": 3.0, "grad_weight": 1.0},
        row_gemm: {"forward": 1.0, "backward": 3.0},
    }
    first, second = lines(layer, 3, times, pointwise)
    assert first.startswith("1000 to 1000, 1x1, 1x1x1000, 3 times  ")
    assert first.split()[7:] == "pointwise 2.00 3.00 1.00 6.00 1000 rule, 1.50 times the fastest".split()
    assert second.split() == "row_gemm 1.00 3.00 4.00 1500 fastest".split()
    of_first = next(lines(layer._replace(first=True), 1, {pointwise: {"forward": 2.0, "grad_weight": 2.0}}, pointwise))
    assert of_first.startswith("1000 to 1000, 1x1, 1x1x1000  ")
    assert of_first.split()[5:] == "pointwise 2.00 2.00 4.00 1000 rule, fastest".split()
    up = layer._replace(weight_shape=(7, 1000, 1, 1), transposed=True)
    assert next(lines(up, 1, times, pointwise)).startswith("up 7 to 1000, 1x1, 1x1x1000  ")


def test_the_last_line_compares_the_rule_with_the_best(monkeypatch):
    def pretend(layer, rounds):
        able = bench.paths.able(layer.weight_shape, *layer[2:6])
        rule = bench.paths.choose(*layer[:6])
        return {path: {"forward": 3.0 if path is rule else 2.0, "grad_weight": 0.0} for path in able}

    monkeypatch.setattr(bench, "measure", pretend)
    said = []
    bench_conv("small", 1, said.append)
    assert said[-1] == "all: 69.00 ms with the rule's choices, 50.0 % more than the 46.00 ms of the fastest"


def test_from_words(capsys, monkeypatch):
    monkeypatch.setitem(bench.NETWORKS, "small", (1, 1, (16, 16)))
    assert main(["bench", "conv", "--layers", "small", "--rounds", "1"]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^3 to 1, 3x3, 1x16x16 +row_gemm .*\d", out, re.MULTILINE)
    assert out.count("rule") == 1 + len(unet_layers(1, 1, (16, 16)))


def test_bad_input_and_ctrl_c(capsys, monkeypatch):
    assert main(["bench", "conv", "--rounds", "0"]) == 2
    assert capsys.readouterr().err == "minidepth: bench: --rounds 0 measures nothing; use 1 or more\n"
    with pytest.raises(SystemExit, match="2"):
        main(["bench", "pooling"])
    assert "invalid choice: 'pooling'" in capsys.readouterr().err

    def interrupted(layer, rounds):
        raise KeyboardInterrupt

    monkeypatch.setattr(bench, "measure", interrupted)
    assert main(["bench", "conv", "--layers", "small"]) == 130
    assert capsys.readouterr().err == "minidepth: stopped\n"

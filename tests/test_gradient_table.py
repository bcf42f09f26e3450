"""The table of gradient checks: nothing is missing from it, every row can fail, and inputs keep away from kinks."""

import inspect

import numpy as np
import pytest

from minidepth import Tensor, losses, models, ops
from minidepth.errors import InputError
from minidepth.gradient_inputs import away_from, distinct, nested_levels, positive, ramp
from minidepth.gradient_table import rows, run
from minidepth.gradient_table.networks import rows as network_rows
from minidepth.ops import arithmetic

ROWS = rows()


def public_ops():
    exported = {name for name, value in vars(ops).items() if inspect.isfunction(value)}
    operators = {
        name for name, value in vars(arithmetic).items() if getattr(value, "__module__", "") == arithmetic.__name__
    }
    return sorted(exported | {name for name in operators if not name.startswith("_")})


class TestRows:
    @pytest.mark.parametrize("name", [*public_ops(), *losses.names(), *models.MODELS])
    def test_every_operation_loss_and_model_has_a_row(self, name):
        assert name in {row.op for row in ROWS}

    def test_the_list_of_operations_is_not_empty(self):
        assert {"conv2d", "add", "matmul", "cat", "var"} <= set(public_ops())

    def test_no_row_is_there_twice(self):
        keys = [(row.op, row.setting, row.kind) for row in ROWS]
        assert len(set(keys)) == len(keys)

    def test_all_gradients_are_right(self):
        lines = []
        assert run(print=lines.append) == 0, "\n".join(line for line in lines if not line.endswith("ok"))
        assert len(lines) == len(ROWS) + 2
        assert lines[-1].startswith(f"{len(ROWS)} checks, none failed")

    def test_every_row_fails_if_every_gradient_is_a_thousandth_too_large(self, monkeypatch):
        from_op = Tensor.from_op

        def spoiled_from_op(op, value, parents, pullback, **how):
            def spoiled(grad):
                return tuple(None if g is None else g * 1.001 for g in pullback(grad))

            return from_op(op, value, parents, spoiled, **how)

        monkeypatch.setattr(Tensor, "from_op", staticmethod(spoiled_from_op))
        passed = [f"{row.op} {row.setting} {row.kind} {check}" for row in rows() for check in _passed(row.check())]
        assert passed == []


def _passed(report):
    """The inputs of a report whose gradient was found right."""
    return [check.name for check in report.inputs if check.error <= report.tolerance]


class TestCommand:
    def test_only_the_ops_that_were_asked_for(self):
        lines = []
        assert run(["sobel", "relu"], print=lines.append) == 0
        assert {line.split()[0] for line in lines[1:-1]} == {"sobel", "relu"}
        assert lines[0].split() == ["op", "setting", "kind", "error", "verdict"]

    def test_a_family_stands_for_its_forms(self):
        lines = []
        assert run(["normal"], print=lines.append) == 0
        assert {line.split()[0] for line in lines[1:-1]} == {
            name for name in losses.names() if name.startswith("normal")
        }

    def test_a_wrong_gradient_is_an_exit_status_of_1(self, monkeypatch):
        def wrong(x):
            return Tensor.from_op("wrong", np.tanh(x.data), (x,), lambda grad: (grad * 2 * (1 - np.tanh(x.data) ** 2),))

        monkeypatch.setattr(ops, "tanh", wrong)
        lines = []
        assert run(["sigmoid", "tanh"], print=lines.append) == 1
        assert [line.split()[-1] for line in lines[1:3]] == ["ok", "FAIL"]
        assert "input 0 (3, 4)" in lines[3]
        assert "2 times what it should be" in lines[3]
        assert lines[-1].startswith("2 checks, 1 failed")

    def test_an_op_that_raises_fails_and_the_others_go_on(self, monkeypatch):
        def broken(x):
            raise ZeroDivisionError("one of those days")

        monkeypatch.setattr(ops, "sigmoid", broken)
        lines = []
        assert run(["sigmoid", "tanh"], print=lines.append) == 1
        assert "ZeroDivisionError: one of those days" in lines[2]
        assert lines[3].endswith("ok")

    def test_an_unknown_op_is_named_with_the_closest_one_and_all_others(self):
        with pytest.raises(InputError, match="no op is called 'conv2'; did you mean conv2d\\? .*known: add, .*unet"):
            run(["tanh", "conv2"])
        with pytest.raises(InputError, match="no op is called 'qqqq' \\(known"):
            run(["qqqq"])


class TestInputs:
    """Made for many seeds, none of them chosen: the distances hold by construction."""

    @pytest.mark.parametrize("seed", range(5))
    def test_single_numbers(self, seed):
        rng = np.random.default_rng(seed)
        x = np.sort(distinct(rng, (3, 4, 5)), axis=None)
        assert np.diff(x).min() > 0.09
        assert np.abs(x).min() > 0.04
        assert positive(rng, (3, 4)).min() >= 0.5
        x = away_from(rng, (3, 5), kinks=(0.0, 6.0))
        assert min(np.abs(x).min(), np.abs(x - 6).min()) >= 0.1
        assert [(x < 0).sum(), ((x > 0) & (x < 6)).sum(), (x > 6).sum()] == [5, 5, 5]

    @pytest.mark.parametrize("seed", range(5))
    def test_ramps_have_edges_everywhere(self, seed):
        x = ramp(np.random.default_rng(seed), (2, 1, 8, 7), start=2.0, per_row=0.2, per_column=-0.2)
        for padding in ("zeros", "valid"):
            assert np.abs(ops.sobel(Tensor(x), padding=padding).data).min() > 0.5

    @pytest.mark.parametrize("seed", range(5))
    def test_levels_have_no_ties_in_any_round(self, seed):
        x = nested_levels(np.random.default_rng(seed), (2, 3, 16, 24), depth=3)
        for _ in range(3):
            assert smallest_gap(x) > 0.6
            x = ops.max_pool2d(Tensor(x), 2).data

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("row", list(network_rows()), ids=lambda row: f"{row.op} {row.setting}")
    def test_no_value_inside_a_network_is_near_a_kink(self, row, seed, monkeypatch):
        to_kink, to_tie = [], []
        activations = {name: getattr(ops, name) for name in ("relu", "leaky_relu", "relu6")}
        max_pool2d = ops.max_pool2d

        def pool(x, kernel_size, *args, **options):
            settings = inspect.signature(max_pool2d).bind(x, kernel_size, *args, **options).arguments
            to_tie.append(smallest_gap(x.data, kernel_size, settings["stride"], settings.get("padding", 0)))
            return max_pool2d(x, kernel_size, *args, **options)

        def activate(name):
            def function(x, *args):
                values = x.data[x.data != 0]  # a ReLU before this one made the zeros, and they stay zeros
                to_kink.append(np.abs(values).min(initial=9.0))
                to_kink.extend(np.abs(values - 6).min(initial=9.0) for _ in range(name == "relu6"))
                return activations[name](x, *args)

            return function

        def one_by_one(*args, negative_slope):
            return ops.leaky_relu(ops.batch_norm(*args), negative_slope)

        def relu6_behind(*args):
            return ops.relu6(ops.batch_norm(*args))

        function, inputs = row.make(np.random.default_rng(seed))
        monkeypatch.setattr(ops, "max_pool2d", pool)
        monkeypatch.setattr(ops, "batch_norm_leaky_relu", one_by_one)
        monkeypatch.setattr(ops, "batch_norm_relu6", relu6_behind)
        for name in activations:
            monkeypatch.setattr(ops, name, activate(name))
        function(*(each if isinstance(each, Tensor) else Tensor(each) for each in inputs))
        assert len(to_kink) >= 4
        assert min(to_kink) > 0.19
        assert min(to_tie, default=1) > 0.01
        assert to_tie or row.op in ("masknet3", "mobilenet", "mobilenet_pruned")  # the networks that pool nothing


def smallest_gap(x, window=(2, 2), stride=(2, 2), padding=(0, 0)):
    """The least distance from a window's maximum to its next value; not counting windows that a ReLU made all 0."""
    (top, left), (height, width) = padding or (0, 0), window
    behind = ((top, top + height - 1), (left, left + width - 1))  # the last window may reach over the edge
    x = np.pad(x, ((0, 0), (0, 0), *behind), constant_values=-1e9)
    windows = np.lib.stride_tricks.sliding_window_view(x, window, (2, 3))[:, :, :: stride[0], :: stride[1]]
    windows = windows.reshape(-1, height * width)
    highest = np.sort(np.where(windows == -1e9, -1e9 - np.arange(height * width), windows))
    counted = (highest[:, -1] != 0) & (highest[:, -1] > -1e9)
    return (highest[counted, -1] - highest[counted, -2]).min()

"""recompute: the gradients of the plain run to the last bit, with nothing kept but the inputs."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from kept import kept_bytes

from minidepth import Tensor, nn, no_grad, ops
from minidepth.ops import recompute
from minidepth.ops.recompute import is_second_run


def leaf(*values, dtype=np.float64):
    return Tensor(np.array(values, dtype), requires_grad=True)


class TestByHand:
    def test_value_and_gradients_of_input_and_parameter(self):
        x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
        y = recompute(lambda x: x * x * w, x)
        assert y.data.tolist() == [3, 16]
        y.backward(np.array([1.0, 10.0]))
        assert x.grad.tolist() == [6, 160]
        assert w.grad.tolist() == [1, 40]

    def test_the_function_runs_once_forward_and_once_more_in_backward(self):
        runs = []

        def function(x):
            runs.append(is_second_run())
            return 2 * x

        y = recompute(function, leaf(1.0))
        assert runs == [False]
        y.backward()
        assert runs == [False, True]
        assert not is_second_run()

    def test_a_part_of_a_part_runs_three_times_and_is_new_only_once(self):
        runs = []

        def inner(x):
            runs.append(is_second_run())
            return x * x

        x = leaf(3.0)
        recompute(lambda x: recompute(inner, 2 * x), x).backward()
        assert x.grad.tolist() == [8 * 3]
        assert runs == [False, True, True]


class Block(nn.Module):
    """A layer with everything that could go wrong: batch-norm, a parameter of its own, an input used twice."""

    def __init__(self, channels: int) -> None:
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, rng=channels)
        self.norm = nn.BatchNorm2d(channels)
        self.scale = nn.Parameter(np.linspace(0.5, 1.5, channels, dtype=np.float32)[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        return ops.leaky_relu(self.norm(self.conv(x))) * self.scale + x


class Network(nn.Module):
    """Four blocks, of which the first is used again at the end; `how` says how to run one."""

    def __init__(self) -> None:
        self.blocks = nn.ModuleList(Block(3) for _ in range(3))

    def forward(self, x, how):
        for block in [*self.blocks, self.blocks[0]]:
            x = how(block, x)
        return x


def plainly(block, x):
    return block(x)


def in_parts(block, x):
    """The convolution of a block is a part of the part."""
    return recompute(lambda x: ops.leaky_relu(block.norm(recompute(block.conv, x))) * block.scale + x, x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("picture_wants", [False, True])
@pytest.mark.parametrize("how", [recompute, in_parts])
def test_the_bits_are_those_of_the_plain_run(dtype, picture_wants, how):
    results = []
    for way in (plainly, how):
        rng = np.random.default_rng(0)
        network = Network().astype(dtype)
        for _ in range(2):  # the second time adds to the parameters' gradients of the first
            x = Tensor(rng.standard_normal((2, 3, 40, 56)).astype(dtype), requires_grad=picture_wants)
            y = network(x, way)
            y.backward(rng.standard_normal(y.shape).astype(dtype))
        assert (x.grad is not None) == picture_wants
        grads = {name: parameter.grad for name, parameter in network.named_parameters()}
        results.append({**grads, **network.state_dict(), "y": y.data, "x": x.grad if picture_wants else np.zeros(1)})
    expected, found = results
    assert expected["blocks.0.norm.num_batches_tracked"] == 4 and expected["blocks.1.norm.num_batches_tracked"] == 2
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].tobytes() == array.tobytes(), name


def test_several_inputs_of_which_one_wants_no_gradient_and_one_is_not_used():
    a, b, c = leaf(2.0), Tensor(np.array([3.0])), leaf(4.0)
    y = recompute(lambda a, b, c: a * a * b, 3 * a, b, 3 * c)
    y.backward()
    assert a.grad.tolist() == [2 * 6 * 3 * 3]
    assert b.grad is None
    assert c.grad.tolist() == [0]


def test_an_input_with_users_inside_and_outside():
    x = leaf(2.0, 3.0)
    y = 2 * x
    (recompute(lambda y: y * y + y, y) + y).backward(np.array([1.0, 10.0]))
    assert x.grad.tolist() == [2 * (2 * 4 + 2), 2 * (2 * 6 + 2) * 10]


def test_nothing_wants_a_gradient():
    x, w = Tensor(np.ones(2)), leaf(1.0, 2.0)
    (recompute(lambda x: 2 * x, x) * w).backward(np.ones(2))
    assert w.grad.tolist() == [2, 2]
    assert x.grad is None


@pytest.mark.parametrize("which", ["the input", "a parameter"])
def test_a_function_that_hands_on_what_it_got(which):
    x, w = leaf(1.0, 2.0), leaf(3.0, 4.0)
    value = w.data.copy()
    recompute(lambda x: x if which == "the input" else w, x).backward(np.array([5.0, 6.0]))
    assert x.grad.tolist() == ([5, 6] if which == "the input" else [0, 0])
    assert which == "the input" or w.grad.tolist() == [5, 6]
    np.testing.assert_array_equal(w.data, value)


class TestGradientMode:
    def test_under_no_grad_nothing_is_remembered(self):
        with no_grad():
            y = recompute(lambda x: x * x, leaf(3.0))
        assert not y.requires_grad
        assert y.data.tolist() == [9]

    def test_backward_may_be_called_under_no_grad(self):
        x = leaf(3.0)
        y = recompute(lambda x: x * x, x)
        with no_grad():
            y.backward()
            assert not (2 * x).requires_grad
        assert x.grad.tolist() == [6]

    def test_a_second_backward_says_that_the_graph_is_used(self):
        y = recompute(lambda x: x * x, leaf(3.0))
        y.backward()
        with pytest.raises(RuntimeError, match="the graph behind recompute was used already and is freed"):
            y.backward()


class TestBatchNorm:
    def test_running_statistics_are_those_of_one_forward_pass(self):
        layer = nn.BatchNorm2d(1)
        x = Tensor(np.array([1.0, 3.0], np.float32).reshape(2, 1, 1, 1), requires_grad=True)
        recompute(layer, x).backward(np.ones((2, 1, 1, 1)))
        assert layer.num_batches_tracked.data == 1
        np.testing.assert_allclose(layer.running_mean.data, [0.1 * 2])
        np.testing.assert_allclose(layer.running_var.data, [0.9 + 0.1 * 2])

    def test_in_evaluation_the_statistics_are_used_and_stay(self):
        layer = nn.BatchNorm2d(1, eps=0.0).eval()
        layer.running_var.data[:] = 4
        x = Tensor(np.ones((2, 1, 1, 1), np.float32), requires_grad=True)
        recompute(layer, x).backward(np.ones((2, 1, 1, 1)))
        assert x.grad.ravel().tolist() == [0.5, 0.5]
        assert layer.num_batches_tracked.data == 0 and layer.running_var.data == 4


class TestMemory:
    def test_of_the_inside_nothing_is_kept_in_forward_and_one_part_at_a_time_in_backward(self):
        inside, alive, values = [], [], []

        def keep(x):
            """An operation that keeps an array of its own, and not its result."""
            activation, value = np.full(x.shape, 2.0), 2 * x.data
            inside.append(weakref.ref(activation))
            values.append(weakref.ref(value))

            def pullback(grad):
                alive.append(sum(reference() is not None for reference in inside))
                assert not any(reference() is not None for reference in values[12:])  # those of the second runs
                return (grad * activation,)

            return Tensor.from_op("keep", value, (x,), pullback)

        gc.collect()
        gc.disable()
        try:
            x = leaf(1.0)
            y = x
            for _ in range(4):
                y = recompute(lambda y: keep(keep(keep(y))), y)
            assert not any(reference() is not None for reference in inside)
            y.backward()
        finally:
            gc.enable()
        assert alive == 4 * [3, 2, 1]
        assert not any(reference() is not None for reference in inside)
        assert x.grad.tolist() == [2**12]

    def test_the_graph_holds_the_inputs(self):
        x = Tensor(np.ones((4, 3, 32, 32), np.float32), requires_grad=True)
        y = recompute(lambda x: ops.tanh(ops.tanh(x)), x)
        assert kept_bytes(y) == x.data.nbytes + 8
        assert kept_bytes(ops.tanh(ops.tanh(x))) == 2 * x.data.nbytes


class TestBadInput:
    def test_an_input_that_is_no_tensor(self):
        with pytest.raises(TypeError, match="recompute: input 1 is float; pass Tensors, close over other values"):
            recompute(lambda x, slope: x * slope, leaf(1.0), 0.5)

    def test_a_function_that_returns_no_tensor(self):
        with pytest.raises(TypeError, match="recompute: the function returned tuple; it must return one Tensor"):
            recompute(lambda x: (x, x), leaf(1.0))

    def test_a_function_that_fails_the_second_time_leaves_no_trace(self):
        def function(x):
            if is_second_run():
                raise ZeroDivisionError
            return 2 * x

        y = recompute(function, leaf(1.0))
        with no_grad(), pytest.raises(ZeroDivisionError):
            y.backward()
        assert not is_second_run()
        assert (2 * leaf(1.0)).requires_grad

    def test_a_function_that_returns_another_shape_the_second_time(self):
        shapes = iter([(2, 1), (2,)])
        y = recompute(lambda x: ops.reshape(x, next(shapes)), leaf(1.0, 2.0))
        with pytest.raises(
            RuntimeError, match=r"recompute: gradient 0 is float64 \(2, 1\), but its parent is .* \(2,\)"
        ):
            y.backward(np.ones((2, 1)))

"""The engine's invariants: order, freeing, accumulation, errors. Each test would fail if its invariant were dropped."""

import gc
import weakref

import numpy as np
import pytest

from minidepth import Tensor, no_grad, ops
from minidepth.engine import as_tensor, unbroadcast
from minidepth.testing import emulated


def leaf(*values, dtype=np.float64):
    return Tensor(np.array(values, dtype=dtype), requires_grad=True)


def double(x):
    """A minimal operation, to look at the engine alone."""
    return Tensor.from_op("double", 2 * x.data, (x,), lambda grad: (2 * grad,))


class TestByHand:
    def test_a_chain_and_a_fork(self):
        x, y = leaf(3.0), leaf(4.0)
        z = x * y + x
        z.backward()
        np.testing.assert_array_equal(x.grad, [5.0])
        np.testing.assert_array_equal(y.grad, [3.0])

    def test_a_value_used_three_times_gets_the_sum(self):
        x = leaf(1.0, 2.0)
        y = double(x)
        (y * y * y).backward(np.array([1.0, 1.0]))
        np.testing.assert_array_equal(x.grad, 3 * (2 * x.data) ** 2 * 2)

    def test_a_second_forward_and_backward_adds_to_grad(self):
        x = leaf(1.0)
        double(x).backward()
        double(x).backward()
        np.testing.assert_array_equal(x.grad, [4.0])

    def test_backward_of_a_leaf_gives_the_gradient_itself(self):
        x = leaf(1.0, 2.0)
        x.backward([5.0, 6.0])
        np.testing.assert_array_equal(x.grad, [5.0, 6.0])

    def test_the_newest_user_is_visited_first_even_when_branches_have_different_lengths(self):
        x = leaf(2.0)
        trunk = double(x)
        long = double(double(double(trunk)))
        (trunk * long).backward()
        np.testing.assert_array_equal(x.grad, [2 * 2 * 16 * 2.0])


class TestInvariants:
    def test_a_chain_of_20000_needs_no_recursion(self):
        x = leaf(1.0)
        y = x
        for _ in range(20_000):
            y = y + 1.0
        y.backward()
        np.testing.assert_array_equal(x.grad, [1.0])

    def test_a_second_backward_over_a_used_graph_says_so(self):
        x = leaf(1.0)
        y = double(x)
        y.backward()
        with pytest.raises(RuntimeError, match="the graph behind double was used already and is freed"):
            y.backward()

    def test_activations_are_freed_during_backward_without_the_garbage_collector(self):
        alive_when_first_runs = []
        x = leaf(1.0)
        watched = []

        def keep(x):
            activation = np.ones(1000)
            watched.append(weakref.ref(activation))

            def pullback(grad):
                alive_when_first_runs.append(sum(ref() is not None for ref in watched))
                return (grad * activation[0],)

            return Tensor.from_op("keep", x.data * 1, (x,), pullback)

        gc.disable()
        try:
            y = keep(keep(keep(keep(x))))
            y.backward()
        finally:
            gc.enable()
        assert alive_when_first_runs == [4, 3, 2, 1]
        assert all(ref() is None for ref in watched)

    def test_an_inner_value_that_no_pullback_captures_is_freed_in_the_forward_pass(self):
        x = leaf(1.0)
        inner = double(x)
        reference = weakref.ref(inner.data)
        y = double(inner)
        del inner
        assert reference() is None
        y.backward()
        np.testing.assert_array_equal(x.grad, [4.0])

    def test_a_graph_makes_no_reference_cycle(self):
        gc.collect()
        gc.disable()
        try:
            y = double(double(leaf(1.0)))
            reference = weakref.ref(y)
            del y
            assert reference() is None
        finally:
            gc.enable()

    def test_inner_tensors_keep_no_gradient(self):
        x = leaf(1.0)
        y = double(x)
        double(y).backward()
        assert y.grad is None

    def test_grad_is_writable_contiguous_and_shared_with_nothing(self):
        x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
        given = np.ones(2)
        (x + y).backward(given)  # add hands the very same array to both
        assert not np.shares_memory(x.grad, y.grad)
        assert not np.shares_memory(x.grad, given)
        z = Tensor(np.ones((2, 3)), requires_grad=True)
        z.T.backward(np.broadcast_to(np.arange(2.0), (3, 2)))
        assert z.grad.flags.c_contiguous and z.grad.flags.writeable
        np.testing.assert_array_equal(z.grad, [[0, 0, 0], [1, 1, 1]])

    def test_sums_are_made_in_place_only_in_arrays_of_the_engine(self):
        x = leaf(1.0)
        y = double(x)
        given = np.ones(1)
        (y + y).backward(given)  # add hands `given` itself to y twice
        np.testing.assert_array_equal(given, [1.0])
        np.testing.assert_array_equal(x.grad, [4.0])

    def test_a_sum_of_parts_of_any_layout(self):
        x = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
        y = double(x)
        whole = np.arange(18.0).reshape(6, 3)
        for part in (whole[::3], whole[1::3], np.broadcast_to(whole[0], (2, 3)), whole.T.copy().T[4:]):
            y = Tensor.from_op("hand over", y.data, (y, y), lambda grad, part=part: (grad, part))
        kept = whole.copy()
        y.backward(np.zeros((2, 3)))
        parts = whole[::3] + whole[1::3] + whole[0] + whole[4:]
        np.testing.assert_array_equal(x.grad, 2 * parts)
        np.testing.assert_array_equal(whole, kept)

    @pytest.mark.parametrize(
        ("wrong", "text"),
        [
            (lambda g: (np.ones(3),), r"wrong: gradient 0 is float64 \(3,\), but its parent is float64 \(2,\)"),
            (lambda g: (np.ones(2, np.float32),), r"wrong: gradient 0 is float32 \(2,\), but its parent is float64"),
            (lambda g: (None,), "wrong: the pullback returned None for parent 0"),
            (lambda g: (g, g), "wrong: the pullback returned 2 gradients for 1 parents"),
        ],
    )
    def test_a_wrong_pullback_is_named(self, wrong, text):
        x = leaf(1.0, 2.0)
        y = Tensor.from_op("wrong", x.data, (x,), wrong)
        with pytest.raises(RuntimeError, match=text):
            y.backward(np.ones(2))

    def test_parents_without_requires_grad_are_not_asked_for(self):
        x, constant = leaf(1.0), Tensor([2.0])
        y = Tensor.from_op("partial", x.data, (x, None, constant), lambda grad: (grad, None, None))
        y.backward()
        np.testing.assert_array_equal(x.grad, [1.0])
        assert constant.grad is None


class TestNoGrad:
    def test_results_remember_nothing(self):
        with no_grad():
            y = double(leaf(1.0))
        assert not y.requires_grad
        with pytest.raises(RuntimeError, match="nothing this came from has requires_grad=True"):
            y.backward()

    def test_as_a_decorator_and_nested(self):
        @no_grad()
        def predict(x):
            with no_grad():
                double(x)
            return double(x)

        assert not predict(leaf(1.0)).requires_grad
        assert double(leaf(1.0)).requires_grad

    def test_is_left_after_an_error(self):
        with pytest.raises(ZeroDivisionError), no_grad():
            raise ZeroDivisionError
        assert double(leaf(1.0)).requires_grad


class TestTensor:
    @pytest.mark.parametrize("data", [1, 1.5, [1, 2], [1.0, 2.0], True, np.arange(3), np.ones(2, np.uint8)])
    def test_numbers_lists_and_integers_become_float32(self, data):
        assert Tensor(data).dtype == np.float32

    def test_float64_arrays_and_scalars_stay(self):
        assert Tensor(np.ones(2)).dtype == np.float64
        assert Tensor(np.float64(1.0)).dtype == np.float64
        assert Tensor(np.ones(2)).sum().dtype == np.float64

    @pytest.mark.parametrize("data", [np.ones(2, np.float16), np.ones(2, complex), np.array(["a"])])
    def test_other_dtypes_are_refused(self, data):
        with pytest.raises(TypeError, match="a tensor holds float32 or float64"):
            Tensor(data)

    def test_float16_is_for_a_gpu(self):
        with pytest.raises(TypeError, match="; float16 is for a GPU, use .astype[(]np.float32[)] here$"):
            Tensor(np.ones(2, np.float16))
        x = Tensor(emulated(np.ones(2, np.float16)), requires_grad=True)
        (2 * x + x).sum().backward()
        assert (x.dtype, x.grad.dtype, x.grad.get().tolist()) == (np.float16, np.float16, [3, 3])

    def test_a_tensor_of_a_tensor_is_refused(self):
        with pytest.raises(TypeError, match="is a Tensor already"):
            Tensor(Tensor(1.0))

    def test_python_numbers_do_not_change_the_dtype(self):
        x = Tensor(np.ones(2, np.float32), requires_grad=True)
        y = 1.5 + 2 * x / 3 - 1
        assert y.dtype == np.float32
        y.backward(np.ones(2))
        assert x.grad.dtype == np.float32

    def test_shape_size_len_item_repr(self):
        x = Tensor(np.zeros((2, 3)), requires_grad=True)
        assert (x.shape, x.ndim, x.size, len(x)) == ((2, 3), 2, 6, 2)
        assert Tensor([[7.0]]).item() == 7.0
        assert "requires_grad=True" in repr(x)
        with pytest.raises(ValueError, match=r"shape \(2, 3\) holds 6 numbers"):
            x.item()
        with pytest.raises(TypeError, match="has no length"):
            len(Tensor(1.0))

    def test_detach_shares_the_value_and_forgets_the_history(self):
        y = double(leaf(1.0))
        assert y.detach().data is y.data
        assert not y.detach().requires_grad

    def test_backward_needs_a_gradient_of_the_right_shape(self):
        y = double(leaf(1.0, 2.0))
        with pytest.raises(ValueError, match=r"the tensor has shape \(2,\); pass a grad"):
            y.backward()
        with pytest.raises(ValueError, match=r"grad has shape \(3,\), but the tensor has \(2,\)"):
            y.backward(np.ones(3))


class TestHelpers:
    @pytest.mark.parametrize("shape", [(), (1,), (4,), (3, 1), (1, 4), (2, 3, 4), (2, 1, 1)])
    def test_unbroadcast_is_the_adjoint_of_broadcasting(self, shape):
        rng = np.random.default_rng(0)
        a, g = rng.standard_normal(shape), rng.standard_normal((2, 3, 4))
        left = np.sum(np.broadcast_to(a, g.shape) * g)
        assert unbroadcast(g, shape).shape == shape
        assert left == pytest.approx(np.sum(a * unbroadcast(g, shape)), rel=1e-14)

    def test_as_tensor_keeps_tensors(self):
        x = leaf(1.0)
        assert as_tensor(x) is x
        assert as_tensor(2, like=x).dtype == np.float64

    def test_arithmetic_refuses_shapes_that_do_not_broadcast(self):
        with pytest.raises(ValueError, match=r"add: shapes \(2,\) and \(3,\) do not broadcast"):
            leaf(1.0, 2.0) + leaf(1.0, 2.0, 3.0)

    def test_an_array_on_the_left_makes_a_tensor(self):
        y = np.ones(2) - leaf(1.0, 2.0)
        assert isinstance(y, Tensor)
        np.testing.assert_array_equal(y.data, [0.0, -1.0])


def test_a_u_shape_runs_end_to_end_in_float32():
    rng = np.random.default_rng(1)
    x = Tensor(rng.standard_normal((2, 3, 8, 8)).astype(np.float32))
    weight = Tensor(rng.standard_normal((4, 3, 3, 3)).astype(np.float32), requires_grad=True)
    y = ops.leaky_relu(ops.conv2d(x, weight, padding=1))
    y = ops.interpolate(ops.max_pool2d(y, 2), scale_factor=2)
    (y * y).mean().backward()
    assert weight.grad.dtype == np.float32 and np.isfinite(weight.grad).all() and np.abs(weight.grad).max() > 0

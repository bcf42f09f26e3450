"""The gradient checker must catch wrong gradients and let right ones pass; it is tested with faults made on purpose."""

import numpy as np
import pytest

import minidepth
from minidepth import Tensor, no_grad, ops
from minidepth.gradient_check import check_adjoint, check_gradient
from minidepth.gradient_inputs import away_from
from minidepth.gradient_report import GradientError

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 3, 6, 5))
WEIGHT = RNG.standard_normal((4, 3, 3, 3))
BIAS = RNG.standard_normal(4)
SQUARE = RNG.standard_normal((4, 4))
KINKED = away_from(RNG, (3, 4), kinks=(0.0,))


def with_pullback(function, pullback):
    """`function` as one operation, whose gradients are ``pullback(grad, *right_gradients)``."""

    def spoiled(*inputs):
        leaves = [Tensor(x.data, requires_grad=True) for x in inputs]
        y = function(*leaves)

        def run(grad):
            y.backward(grad)
            return tuple(pullback(grad, *(leaf.grad for leaf in leaves)))

        return Tensor.from_op("spoiled", y.data, inputs, run)

    return spoiled


def conv(x, weight, bias):
    return ops.conv2d(x, weight, bias, padding=1)


def full_conv(x):
    """Every pixel of x meets every tap of the kernel."""
    return ops.conv2d(x, Tensor(WEIGHT), padding=2)


def batch_norm(x):
    return ops.batch_norm(x, None, None, bias=Tensor(np.ones(3)), training=True)


def correlate(grad, kernel):
    """dL/dx of the full convolution, for whatever kernel one takes for the right one."""
    return ops.conv_transpose2d(Tensor(grad), Tensor(np.ascontiguousarray(kernel)), padding=2).data


def changed(x, index, value):
    x = x.copy()
    x[index] = value
    return x


def row_sums(g):
    return np.broadcast_to(g, (4, 4)).sum(axis=1)


RIGHT = {  # name -> (function, inputs, is it linear)
    "conv": (conv, (X, WEIGHT, BIAS), True),
    "full conv": (full_conv, (X,), True),
    "batch norm": (batch_norm, (X,), False),
    "softmax": (lambda x: ops.softmax(x, 1), (SQUARE,), False),
    "leaky relu": (lambda x: ops.leaky_relu(x, 0.2), (KINKED,), False),
    "broadcast": (lambda x, y: x + y, (SQUARE, SQUARE[0]), True),
    "matmul": (lambda x, y: x @ y, (SQUARE, SQUARE[::-1]), True),
    "mean": (ops.mean, (SQUARE,), True),
}

FAULTS = {  # name -> (which of RIGHT, pullback)
    "0.1 % too large": ("conv", lambda g, x, w, b: (1.001 * x, w, b)),
    "0.1 % too small, weight only": ("conv", lambda g, x, w, b: (x, 0.999 * w, b)),
    "wrong sign": ("conv", lambda g, x, w, b: (-x, w, b)),
    "missing bias gradient": ("conv", lambda g, x, w, b: (x, w, 0 * b)),
    "bias of the first picture only": ("conv", lambda g, x, w, b: (x, w, g[0].sum(axis=(1, 2)))),
    "flipped taps in dL/dw": ("conv", lambda g, x, w, b: (x, w[:, :, ::-1, ::-1], b)),
    "flipped taps in dL/dx": ("full conv", lambda g, x: (correlate(g, WEIGHT[:, :, ::-1, ::-1]),)),
    "rows and columns exchanged": ("full conv", lambda g, x: (correlate(g, WEIGHT.swapaxes(2, 3)),)),
    "permuted input channels": ("conv", lambda g, x, w, b: (x[:, [1, 0, 2]], w, b)),
    "permuted output channels": ("full conv", lambda g, x: (correlate(g[:, [1, 0, 2, 3]], WEIGHT),)),
    "one wrong corner": ("conv", lambda g, x, w, b: (changed(x, (0, 0, 0, 0), 0.0), w, b)),
    "last column forgotten": ("conv", lambda g, x, w, b: (changed(x, (..., -1), 0.0), w, b)),
    "batch-norm returns zeros": ("batch norm", lambda g, x: (0 * x,)),
    "batch-norm as if the statistics were constant": (
        "batch norm",
        lambda g, x: (g / np.sqrt(X.var(axis=(0, 2, 3), keepdims=True) + 1e-5),),
    ),
    "softmax returns zeros": ("softmax", lambda g, x: (0 * x,)),
    "slope on the wrong side": ("leaky relu", lambda g, x: (np.where(KINKED > 0, 0.2 * g, g),)),
    "unbroadcast with the mean": ("broadcast", lambda g, x, y: (x, y / 4)),
    "unbroadcast over the wrong axis": ("broadcast", lambda g, x, y: (x, row_sums(g))),
    "unbroadcast keeps one row": ("broadcast", lambda g, x, y: (x, g[0])),
    "forgotten transpose": ("matmul", lambda g, x, y: (g @ SQUARE[::-1], y)),
    "mean without 1/n": ("mean", lambda g, x: (16 * x,)),
}


class TestFaults:
    @pytest.mark.parametrize("name", RIGHT)
    def test_right_gradients_pass(self, name):
        function, inputs, is_linear = RIGHT[name]
        same = with_pullback(function, lambda g, *right: right)
        assert check_gradient(function, *inputs).worst_error < 1e-8
        assert check_gradient(same, *inputs).worst_error < 1e-8
        if is_linear:
            assert check_adjoint(function, *inputs).worst_error < 1e-14
            assert check_adjoint(same, *inputs).worst_error < 1e-14

    @pytest.mark.parametrize("fault", FAULTS)
    def test_wrong_gradients_do_not(self, fault):
        name, pullback = FAULTS[fault]
        function, inputs, is_linear = RIGHT[name]
        for seed in range(5):
            report = check_gradient(with_pullback(function, pullback), *inputs, rng=seed)
            assert not report.ok
            assert report.worst_error > 1e-4  # a hundred times the tolerance: no matter of luck
            if is_linear:
                assert check_adjoint(with_pullback(function, pullback), *inputs, rng=seed).worst_error > 1e-4

    @pytest.mark.parametrize("fault", [fault for fault in FAULTS if FAULTS[fault][0] == "conv"])
    def test_only_the_wrong_input_is_accused(self, fault):
        function, inputs, _ = RIGHT["conv"]
        right = [np.ones(x.shape) for x in inputs]
        wrong = FAULTS[fault][1](np.ones((2, 4, 6, 5)), *right)
        report = check_gradient(with_pullback(function, FAULTS[fault][1]), *inputs)
        if "flipped" in fault or "permuted" in fault:  # on a gradient of ones these change nothing
            return
        for check, before, after in zip(report.inputs, right, wrong):
            assert (check.error > 1e-6) == (not np.array_equal(before, after))

    @pytest.mark.parametrize(
        "fault",
        [
            "flipped taps in dL/dx",
            "rows and columns exchanged",
            "permuted output channels",
            "batch-norm returns zeros",
            "softmax returns zeros",
        ],
    )
    def test_a_cotangent_of_ones_would_have_missed_these(self, fault):
        name, pullback = FAULTS[fault]
        function, inputs, _ = RIGHT[name]
        assert check_gradient(lambda x: with_pullback(function, pullback)(x).sum(), *inputs).ok


class TestReport:
    def test_gradcheck_is_a_public_function_that_returns_its_report(self):
        report = minidepth.gradcheck(lambda x, y: (x * y).sum(), [1.0, 2.0], np.array([3.0, 4.0], np.float32))
        assert report.ok
        assert report.kind == "finite difference"
        assert [check.name for check in report.inputs] == ["input 0 (2,)", "input 1 (2,)"]
        assert "ok" in str(report)

    def test_gradcheck_raises_and_says_which_input_and_by_what_factor(self):
        wrong = with_pullback(conv, FAULTS["0.1 % too small, weight only"][1])
        with pytest.raises(GradientError, match=r"input 1 \(4, 3, 3, 3\) .*is 0.999 times what it should be"):
            minidepth.gradcheck(wrong, X, WEIGHT, BIAS)

    @pytest.mark.parametrize(
        ("fault", "text"),
        [
            ("wrong sign", "-1 times"),
            ("mean without 1/n", "16 times"),
            ("missing bias gradient", "the gradient is zero, but the result depends on this input"),
            ("permuted input channels", "the gradient is wrong"),
        ],
    )
    def test_the_kind_of_fault_is_named(self, fault, text):
        name, pullback = FAULTS[fault]
        function, inputs, _ = RIGHT[name]
        assert text in str(check_gradient(with_pullback(function, pullback), *inputs))

    def test_a_gradient_where_there_should_be_none(self):
        constant = with_pullback(lambda x: ops.mean(x) * 0, lambda g, x: (np.ones((4, 4)),))
        assert "the gradient should be zero: the result does not depend" in str(check_gradient(constant, SQUARE))

    def test_an_input_drawn_with_the_same_seed_is_not_its_own_cotangent(self):
        x = np.random.default_rng(0).standard_normal((2, 3, 6, 5))
        assert check_gradient(batch_norm, x, rng=0).worst_error < 1e-9

    def test_the_same_seed_gives_the_same_report(self):
        assert check_gradient(conv, X, WEIGHT, BIAS, rng=3) == check_gradient(conv, X, WEIGHT, BIAS, rng=3)
        assert check_gradient(conv, X, WEIGHT, BIAS, rng=3) != check_gradient(conv, X, WEIGHT, BIAS, rng=4)

    def test_a_function_that_is_not_linear_fails_the_adjoint_identity(self):
        assert not check_adjoint(lambda x: x * x, X).ok
        assert check_adjoint(lambda x: 3 * x + 1, X).ok

    @pytest.mark.parametrize(("step", "low", "high"), [(1e-2, 3e-6, 3e-4), (1e-6, 0, 1e-9), (1e-10, 1e-7, 1e-5)])
    def test_the_step_sizes_behave_as_documented(self, step, low, high):
        assert low <= check_gradient(ops.exp, SQUARE, step=step, tolerance=1.0).worst_error <= high

    def test_a_gradient_that_is_zero_but_for_rounding_passes(self):
        def function(x, bias):
            return batch_norm(x + bias)

        bias = BIAS[:3, None, None]
        assert check_gradient(function, X, bias).worst_error < 1e-7
        shifted = with_pullback(function, lambda g, x, b: (x, b + 1e-4))
        assert not check_gradient(shifted, X, bias).ok


class TestWhatCannotBeChecked:
    @pytest.mark.parametrize(
        ("function", "text"),
        [
            (lambda x: (x, x), "returned tuple; it must return one Tensor"),
            (lambda x: x.data, "returned ndarray"),
            (lambda x: Tensor(x.data.astype(np.float32), requires_grad=True), "the result is float32"),
            (lambda x: x.detach() * 2, "does not lead back to any input"),
            (lambda x: ops.log(x), "6 of the 12 numbers in the result are not finite"),
            (lambda x: x * Tensor(np.random.default_rng().standard_normal(4)), "two calls gave two results"),
            (lambda x: ops.clip(x, min=0.0) ** 0.5, "6 of the 12 numbers in the gradient are not finite"),
            (lambda x: ops.sqrt(x - Tensor(KINKED) + 1e-8), "a step away from the input"),
        ],
    )
    def test_says_why(self, function, text):
        report = check_gradient(function, KINKED)
        assert not report.ok
        assert report.worst_error == np.inf
        assert text in str(report)

    def test_an_input_that_is_not_used(self):
        report = check_gradient(lambda x, y: x * 2, SQUARE, SQUARE)
        assert [check.error < 1e-6 for check in report.inputs] == [True, False]
        assert "no gradient arrived" in report.inputs[1].problem

    @pytest.mark.parametrize(
        ("wrong", "text"),
        [
            (lambda g, x: (x[:1],), r"spoiled: gradient 0 is float64 \(1, 4\), but its parent is float64 \(4, 4\)"),
            (lambda g, x: (x.astype(np.float32),), "spoiled: gradient 0 is float32"),
            (lambda g, x: (None,), "spoiled: the pullback returned None for parent 0"),
        ],
    )
    def test_wrong_shapes_and_dtypes_are_named_by_the_engine(self, wrong, text):
        with pytest.raises(RuntimeError, match=text):
            check_gradient(with_pullback(lambda x: x * 2, wrong), SQUARE)

    def test_inputs_that_cannot_be_differentiated(self):
        with pytest.raises(TypeError, match="input 1 has dtype int64, which cannot be differentiated; .*labels"):
            check_gradient(lambda x, y: x, SQUARE, np.arange(3))
        with pytest.raises(ValueError, match="input 0 is a Tensor of dtype float32 .*; pass its .data"):
            check_gradient(lambda x: x, Tensor(SQUARE.astype(np.float32), requires_grad=True))
        with pytest.raises(ValueError, match="with requires_grad=False"):
            check_gradient(lambda x: x, Tensor(SQUARE))
        with pytest.raises(ValueError, match="there are no inputs"):
            check_gradient(lambda: 1)


def test_parameters_are_checked_in_place_and_put_back():
    weight = Tensor(WEIGHT.copy(), requires_grad=True)
    weight.grad = np.ones(WEIGHT.shape)
    data, grad = weight.data, weight.grad
    for check in (check_gradient, check_adjoint):
        assert check(lambda x, w: ops.conv2d(x, weight), X, weight).ok  # noqa: B023
        assert weight.data is data
        assert weight.grad is grad
    np.testing.assert_array_equal(data, WEIGHT)
    np.testing.assert_array_equal(grad, 1.0)


def test_given_arrays_are_not_written_to():
    x = X.copy()
    x.flags.writeable = False
    assert check_gradient(batch_norm, x).ok


def test_it_works_inside_no_grad_only_by_saying_so():
    with no_grad():
        assert "does not lead back" in str(check_gradient(batch_norm, X))

"""What every operation keeps for backward: outputs rather than inputs where that suffices, and nothing else."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from kept import kept_by

from minidepth import Tensor, models, ops
from minidepth.losses.masked import where_valid
from minidepth.losses.pixel import mse

SHAPE = (2, 4, 32, 48)
WEIGHT = (4, 4, 3, 3)
CONSTANT = np.linspace(1, 2, int(np.prod(SHAPE)), dtype=np.float32).reshape(SHAPE)
FILTER = Tensor(np.ones(WEIGHT, np.float32))
MASK = np.random.default_rng(0).random(SHAPE) > 0.5
VECTOR = (4,)


def batch_norm(x, weight, bias):
    return ops.batch_norm(x, None, None, weight, bias, training=True)


def batch_norm_leaky_relu(x, weight, bias):
    return ops.batch_norm_leaky_relu(x, None, None, weight, bias, training=True)


def batch_norm_relu6(x, weight, bias):
    return ops.batch_norm_relu6(x, None, None, weight, bias, training=True)


# function, shapes of its inputs, which of them (by position) and whether the output y may be kept, and how many bytes
# beside those for each number of y
KEEPS = {
    "conv2d": (lambda x, w: ops.conv2d(x, w, padding=1), [SHAPE, WEIGHT], "01", 0),
    "conv2d, fixed filter": (lambda x: ops.conv2d(x, FILTER, padding=1), [SHAPE], "", 0.1),
    "conv2d, fixed picture": (lambda w: ops.conv2d(Tensor(CONSTANT), w, padding=1), [WEIGHT], "0", 4),
    "conv_transpose2d": (lambda x, w: ops.conv_transpose2d(x, w, stride=2), [SHAPE, WEIGHT], "01", 0),
    "conv_transpose2d, fixed filter": (lambda x: ops.conv_transpose2d(x, FILTER, stride=2), [SHAPE], "", 0.1),
    "batch_norm": (batch_norm, [SHAPE, VECTOR, VECTOR], "012", 0.1),
    "batch_norm_leaky_relu": (batch_norm_leaky_relu, [SHAPE, VECTOR, VECTOR], "012", 0.1),
    "batch_norm_relu6": (batch_norm_relu6, [SHAPE, VECTOR, VECTOR], "012", 0.1),
    "relu": (ops.relu, [SHAPE], "y", 0),
    "relu6": (ops.relu6, [SHAPE], "y", 0),
    "leaky_relu": (ops.leaky_relu, [SHAPE], "y", 0),
    "sigmoid": (ops.sigmoid, [SHAPE], "y", 0),
    "tanh": (ops.tanh, [SHAPE], "y", 0),
    "exp": (ops.exp, [SHAPE], "y", 0),
    "sqrt": (ops.sqrt, [SHAPE], "y", 0),
    "softmax": (lambda x: ops.softmax(x, 1), [SHAPE], "y", 0),
    "log_softmax": (lambda x: ops.log_softmax(x, 1), [SHAPE], "y", 0),
    "log": (ops.log, [SHAPE], "0", 0),
    "abs": (ops.abs, [SHAPE], "0", 0),
    "power": (lambda x: x**3, [SHAPE], "0", 0),
    "clip": (lambda x: ops.clip(x, -1, 1), [SHAPE], "", 1),
    "maximum": (ops.maximum, [SHAPE, SHAPE], "", 2),
    "max_pool2d": (lambda x: ops.max_pool2d(x, 2), [SHAPE], "", 1),
    "avg_pool2d": (lambda x: ops.avg_pool2d(x, 2), [SHAPE], "", 1),
    "interpolate": (lambda x: ops.interpolate(x, scale_factor=2, mode="bilinear"), [SHAPE], "", 0.2),
    "cat": (lambda x, w: ops.cat([x, w], dim=1), [SHAPE, SHAPE], "", 0),
    "pad": (lambda x: ops.pad(x, (1, 1, 1, 1)), [SHAPE], "", 0),
    "sobel": (ops.sobel, [SHAPE], "", 0),
    "where_valid": (lambda x: where_valid(x, MASK), [SHAPE], "", 1),
    "add": (lambda x, w: x + w, [SHAPE, SHAPE], "", 0),
    "subtract": (lambda x, w: x - w, [SHAPE, SHAPE], "", 0),
    "negative": (lambda x: -x, [SHAPE], "", 0),
    "multiply": (lambda x, w: x * w, [SHAPE, SHAPE], "01", 0),
    "multiply by a number": (lambda x: 3 * x, [SHAPE], "", 0.01),
    "multiply by a constant": (lambda x: x * CONSTANT, [SHAPE], "", 4),
    "divide": (lambda x, w: x / w, [SHAPE, SHAPE], "1y", 0),
    "divide by a number": (lambda x: x / 3, [SHAPE], "", 0.01),
    "divide a number": (lambda x: 3 / x, [SHAPE], "0y", 0),
    "matmul": (lambda x, w: x @ w, [(32, 48), (48, 64)], "01", 0),
    "matmul by a constant": (lambda x: x @ CONSTANT[0, 0].T, [(32, 48)], "", 8),
    "sum": (lambda x: x.sum(dim=1), [SHAPE], "", 0),
    "mean": (lambda x: x.mean(dim=1), [SHAPE], "", 0),
    "var": (lambda x: x.var(dim=1), [SHAPE], "0", 4),
    "max": (lambda x: x.max(dim=1), [SHAPE], "", 8),
    "reshape": (lambda x: x.reshape(-1), [SHAPE], "", 0),
    "permute": (lambda x: x.permute(0, 2, 3, 1), [SHAPE], "", 0),
    "getitem": (lambda x: x[:, :, 1:], [SHAPE], "", 0),
    "adaptive_avg_pool2d": (lambda x: ops.adaptive_avg_pool2d(x, (5, 7)), [SHAPE], "", 0),
    "pixel_shuffle": (lambda x: ops.pixel_shuffle(x, 2), [SHAPE], "", 0),
    "unpool_zeros": (ops.unpool_zeros, [SHAPE], "", 0),
    "linear": (lambda x, w: ops.linear(x, w), [(64, 48), (64, 48)], "01", 0),
    "linear, fixed weight": (lambda x: ops.linear(x, Tensor(CONSTANT[0, 0])), [(64, 48)], "", 4 * 32 * 48 / (64 * 32)),
    "dropout": (lambda x: ops.dropout(x, rng=0), [SHAPE], "", 1),
    "recompute": (lambda x: ops.recompute(ops.tanh, x), [SHAPE], "0", 0.01),
}


@pytest.mark.parametrize("name", KEEPS)
def test_an_operation_keeps_no_more_than_its_gradient_needs(name: str) -> None:
    function, shapes, may_keep, spare_bytes = KEEPS[name]
    rng = np.random.default_rng(0)
    inputs = [Tensor(rng.uniform(0.5, 2, shape).astype(np.float32), requires_grad=True) for shape in shapes]
    y = function(*inputs)
    kept = kept_by(y._node.pullback)
    known = {**{str(position): x.data for position, x in enumerate(inputs)}, "y": y.data}
    found = {label for label, array in known.items() if any(np.shares_memory(array, each) for each in kept)}
    others = [each for each in kept if not any(np.shares_memory(array, each) for array in known.values())]
    assert found <= set(may_keep)
    assert sum(array.nbytes for array in others) <= spare_bytes * y.size


@pytest.mark.parametrize("norm", [None, "batch"])
@pytest.mark.parametrize(("recompute", "spare_bytes"), [(False, 8), (True, 2 * 4 * 32 * 48 * 4)])
def test_values_of_a_network_are_freed_while_backward_runs(monkeypatch, norm, recompute, spare_bytes) -> None:
    """Without help from the garbage collector, what the walk has passed is gone, but for the loss, a single number.

    A part that is computed twice keeps its own dL/dy until its walk is done.
    """
    made: list[tuple[int, weakref.ref[np.ndarray]]] = []  # the value of every result, in the order of computation
    left_bytes: list[int] = []
    from_op = Tensor.from_op

    def bytes_alive(values) -> int:
        return sum(n_bytes for n_bytes, reference in values if reference() is not None)

    def watched_from_op(op, value, parents, pullback, **how):
        def watched(grad):
            left_bytes.append(bytes_alive(made[place + 1 :]))
            return pullback(grad)

        result = from_op(op, value, parents, watched, **how)
        place = len(made)
        if result.requires_grad:  # or it is a sum of gradients
            made.append((value.nbytes, weakref.ref(value)))
        return result

    model = models.UNet(base_channels=4, depth=2, norm=norm, activation="leaky_relu", rng=0, recompute=recompute)
    rng = np.random.default_rng(0)
    picture = Tensor(rng.standard_normal((2, 3, 32, 48)).astype(np.float32))
    depth_m = rng.standard_normal((2, 1, 32, 48)).astype(np.float32)
    monkeypatch.setattr(Tensor, "from_op", staticmethod(watched_from_op))
    gc.collect()
    gc.disable()
    try:
        loss = mse(model(picture), depth_m, np.ones(depth_m.shape, bool))
        assert bytes_alive(made) > 3 * spare_bytes
        loss.backward()
        del loss
        assert bytes_alive(made) == 0
    finally:
        gc.enable()
    assert len(left_bytes) > 20
    assert max(left_bytes) <= spare_bytes

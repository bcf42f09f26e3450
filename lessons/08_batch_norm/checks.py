"""Checks of lesson 8, against plain sums over the numbers of one channel and against finite differences."""

import math

import numpy as np

from minidepth.learn import check, own, replaces


def of_channel(x, c):
    """The numbers of a channel as a list."""
    return x[:, c].ravel().tolist()


def moments(x):
    """Mean and plain variance of each channel, by sums."""
    channels = [of_channel(x, c) for c in range(x.shape[1])]
    means = [math.fsum(numbers) / len(numbers) for numbers in channels]
    variances = [math.fsum((v - mean) ** 2 for v in numbers) / len(numbers) for numbers, mean in zip(channels, means)]
    return np.array(means), np.array(variances)


def reference(x, gamma, beta, eps):
    """Training mode, channel by channel."""
    y = np.zeros(x.shape)
    mean, var = moments(x)
    for c in range(x.shape[1]):
        y[:, c] = gamma[c] * (x[:, c] - mean[c]) / math.sqrt(var[c] + eps) + beta[c]
    return y


def inputs(t):
    """A batch whose channels have means and sizes of their own, and gains and shifts away from 1 and 0."""
    x = t.randn(3, 4, 2, 5) * t.uniform(0.5, 3, 4, 1, 1) + t.uniform(-4, 4, 4, 1, 1)
    return x, t.uniform(0.5, 2, 4), t.uniform(-3, 3, 4)


@check(
    "8.1",
    title="normalise",
    points=2,
    hints=[
        "Subtract the mean, divide by the root of var + eps, multiply by gamma, add beta; each is (C,).",
        "(C,) meets the last axis of (N, C, H, W), which is W; mean[:, None, None] is (C, 1, 1) and meets C.",
    ],
)
def formula(t):
    x, gamma, beta = inputs(t)
    mean, var = t.uniform(-4, 4, 4), t.uniform(0.1, 3, 4)
    expected = np.zeros(x.shape)
    for n, c, i, j in np.ndindex(*x.shape):
        expected[n, c, i, j] = gamma[c] * (x[n, c, i, j] - mean[c]) / math.sqrt(var[c] + 0.1) + beta[c]
    t.call("normalise", x, mean, var, gamma, beta, 0.1).close(expected, "y for eps = 0.1")


@check(
    "8.2",
    title="the two networks",
    points=3,
    hints=[
        "In evaluation the answer is what came in: running[0], running[1], running. Nothing is computed.",
        "In training the mean is x.mean(axis=(0, 2, 3)), one number for each channel; the variance likewise.",
        "M is x.size // x.shape[1]. The running variance moves towards var * M / (M - 1); you return var itself.",
    ],
)
def modes(t):
    x, _, _ = inputs(t)
    running = t.uniform(-1, 1, 4), t.uniform(0.5, 2, 4)
    mean, var = moments(x)
    m = x.size // 4
    answer = t.call("batch_statistics", x, running, 0.3, True)
    answer.item(0, 3).close(mean, "the mean in training mode")
    answer.item(1, 3).close(var, "the variance in training mode")
    new = answer.item(2, 3)
    new.item(0, 2).close(0.7 * running[0] + 0.3 * mean, "the running mean")
    new.item(1, 2).close(0.7 * running[1] + 0.3 * var * m / (m - 1), "the running variance")
    answer = t.call("batch_statistics", x, running, 0.3, False)
    answer.item(0, 3).close(running[0], "the mean in evaluation")
    answer.item(1, 3).close(running[1], "the variance in evaluation")
    answer.item(2, 3).close(running, "the running statistics after evaluation")


@check(
    "8.3",
    title="backward",
    points=3,
    hints=[
        "dbeta is the sum of g over everything but the channel; dgamma the same of g * xhat.",
        "Compute xhat and std = sqrt(var + eps) once more from x, with keepdims=True so that they fit.",
        "gx = gamma[:, None, None] * g, then the lesson's line; every mean is over axis=(0, 2, 3) with keepdims=True.",
    ],
)
def backward(t):
    x, gamma, beta = inputs(t)
    g = t.randn(*x.shape)
    expected, step = np.zeros(x.shape), 1e-5
    for place in np.ndindex(*x.shape):
        up, down = x.copy(), x.copy()
        up[place] += step
        down[place] -= step
        change = reference(up, gamma, beta, 0.1) - reference(down, gamma, beta, 0.1)
        expected[place] = (g * change).sum() / (2 * step)
    xhat = reference(x, np.ones(4), np.zeros(4), 0.1)
    answer = t.call("batch_norm_backward", g, x, gamma, 0.1)
    answer.item(0, 3).close(expected, "dx", 1e-5)
    answer.item(1, 3).close((g * xhat).sum(axis=(0, 2, 3)), "dgamma")
    answer.item(2, 3).close(g.sum(axis=(0, 2, 3)), "dbeta")


@replaces("BatchNorm2d", "8.1", "8.2", "8.3")
def batch_norm(yours, layer, x):
    """Your batch-norm in place of the library's."""
    running = layer.running_mean.data, layer.running_var.data
    mean, var, new = yours.batch_statistics(x.data, running, layer.momentum, layer.training)
    layer.running_mean.data[...], layer.running_var.data[...] = new
    y = yours.normalise(x.data, mean, var, layer.weight.data, layer.bias.data, layer.eps)
    parents = x, layer.weight, layer.bias
    return own("batch_norm", y, parents, lambda g: yours.batch_norm_backward(g, x.data, layer.weight.data, layer.eps))

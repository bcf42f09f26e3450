"""Checks of lesson 7: values one by one, the definition of a derivative, and statistics of many weights."""

import math

import numpy as np

from minidepth.learn import check, own, replaces


@check(
    "7.1",
    title="forward",
    points=2,
    hints=[
        "np.where(condition, a, b) takes a where the condition holds and b elsewhere.",
        "np.where(x > 0, x, slope * x)",
    ],
)
def forward(t):
    x = t.randn(2, 3, 5, 4)
    for slope in (0.1, 0.0, 1.7):
        expected = np.array([v if v > 0 else slope * v for v in x.ravel().tolist()]).reshape(x.shape)
        t.call("leaky_relu", x, slope).close(expected, f"y for slope {slope}")
    special = np.array([0.0, -0.0, math.nan, math.inf, -math.inf])
    t.call("leaky_relu", special, 0.1).close(
        np.array([0, 0, math.nan, math.inf, -math.inf]), "y of 0, -0, NaN, inf, -inf"
    )


@check(
    "7.2",
    title="backward",
    points=2,
    hints=[
        "Forward multiplies a positive number by 1 and any other by the slope. What does that make of a small change?",
        "np.where(x > 0, g, slope * g)",
    ],
)
def backward(t):
    x, g = t.randn(2, 3, 5, 4), t.randn(2, 3, 5, 4)
    for slope in (0.1, 0.0, 1.7):
        step = 1e-6
        up, down = (np.maximum(x + h, 0) + slope * np.minimum(x + h, 0) for h in (step, -step))
        expected = g * (up - down) / (2 * step)
        t.call("leaky_relu_backward", g, x, slope).close(expected, f"dx for slope {slope}", 1e-5)
    t.call("leaky_relu_backward", np.array([3.0, 5.0]), np.array([0.0, -0.0]), 0.1).close(
        np.array([0.3, 0.5]), "dx at x = 0, where the slope counts"
    )


def draw(yours, shape, slope, seed):
    """The learner's weights from a generator of that seed."""
    return yours.he_normal(shape, slope, np.random.default_rng(seed))


def same_twice(yours, shape, slope):
    """Whether two generators of one seed give the same weights."""
    return np.array_equal(draw(yours, shape, slope, 3), draw(yours, shape, slope, 3))


@check(
    "7.3",
    title="a good start",
    points=3,
    hints=[
        "Solve n v (1 + slope^2) / 2 = 1 for the variance v. rng.standard_normal has variance 1; multiply by sqrt(v).",
        "The fan-in of weights (O, C, KH, KW) is C * KH * KW: all that one output sums over. np.prod(shape[1:])",
    ],
)
def start(t):
    same = t.run(same_twice, (3, 4), 0.1).value
    t.that(same, "two generators of one seed give different weights: draw from rng alone")
    for shape, slope in [((40, 30, 3, 5), 0.5), ((300, 50), 0.0)]:
        fan_in = math.prod(shape[1:])
        expected = math.sqrt(2 / ((1 + slope**2) * fan_in))
        weights = t.run(draw, shape, slope, int(t.rng.integers(1 << 30))).array(shape, f"he_normal({shape}, {slope})")
        spread = float(weights.std())
        t.that(
            abs(spread / expected - 1) < 0.03,
            f"he_normal({shape}, {slope}): the weights deviate by {spread:.4f}, expected {expected:.4f}",
        )
        mean = float(weights.mean())
        t.that(abs(mean) < 5 * expected / math.sqrt(weights.size), f"the weights have a mean of {mean:.4f}, expected 0")
        beyond = float((np.abs(weights) > 2 * expected).mean())
        t.that(
            0.03 < beyond < 0.06, f"{beyond:.1%} of the weights are beyond two deviations; of a normal draw 4.6 % are"
        )


@replaces("LeakyReLU", "7.1", "7.2")
def layer(yours, layer, x):
    """Your leaky ReLU in place of the library's."""
    slope = layer.negative_slope
    y = yours.leaky_relu(x.data, slope)
    return own("leaky_relu", y, (x,), lambda g: (yours.leaky_relu_backward(g, x.data, slope),))

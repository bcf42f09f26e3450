"""Mistakes that students make in lesson 7."""

from minidepth.learn import Mutant

MUTANTS = [
    Mutant(
        "7.1",
        "slope missing",
        "slope * x",
        "0 * x",
        "everything negative becomes 0: that is the ReLU without its leak.",
    ),
    Mutant("7.1", "sides swapped", "x > 0", "x < 0", "the two sides are swapped: positive numbers stay as they are."),
    Mutant(
        "7.1",
        "absolute value",
        "slope * x",
        "-slope * x",
        "negative numbers come out positive; slope * x keeps their sign.",
    ),
    Mutant(
        "7.1", "slope itself", "slope * x", "slope", "negative numbers become the slope itself; multiply it with x."
    ),
    Mutant(
        "7.1",
        "larger of the two",
        "np.where(x > 0, x, slope * x)",
        "np.maximum(x, slope * x)",
        "the larger of x and slope * x is right only for slopes up to 1.",
    ),
    Mutant(
        "7.1",
        "slope on both sides",
        "np.where(x > 0, x, slope * x)",
        "slope * x",
        "the slope is on both sides: a straight line, and no bend.",
    ),
    Mutant(
        "7.1",
        "NaN removed",
        "np.where(x > 0, x, slope * x)",
        "np.nan_to_num(np.where(x > 0, x, slope * x), nan=0.0, posinf=np.inf, neginf=-np.inf)",
        "NaN becomes 0, which hides the mistake that made it.",
    ),
    Mutant(
        "7.2",
        "zero on the right",
        "x > 0",
        "x >= 0",
        "at exactly 0 the right side counts; here, as in PyTorch, the slope does.",
    ),
    Mutant(
        "7.2",
        "g missing",
        "np.where(x > 0, g, slope * g)",
        "np.where(x > 0, 1.0, slope)",
        "this is dy/dx alone; the chain rule multiplies it with g.",
    ),
    Mutant(
        "7.2", "sign of g", "x > 0", "g > 0", "it asks for the sign of g. Which side counts is decided by the input x."
    ),
    Mutant(
        "7.2", "no leak", "slope * g", "0 * g", "the leak is missing on the way back: silent units get no gradient."
    ),
    Mutant(
        "7.2",
        "times x",
        "np.where(x > 0, g, slope * g)",
        "np.where(x > 0, x, slope * x) * g",
        "this multiplies g with the value of the function; it should be the derivative.",
    ),
    Mutant(
        "7.2",
        "sides swapped",
        "np.where(x > 0, g, slope * g)",
        "np.where(x > 0, slope * g, g)",
        "the two sides are swapped.",
    ),
    Mutant(
        "7.2",
        "divided",
        "slope * g",
        "g / slope if slope else 0 * g",
        "the slope divides; forward multiplied by it, and so does backward.",
    ),
    Mutant(
        "7.3",
        "leak forgotten",
        "2 / (1 + slope**2) / fan_in",
        "2 / fan_in",
        "the slope is not looked at: what leaks through need not be made up for.",
    ),
    Mutant(
        "7.3",
        "no square root",
        "np.sqrt(2 / (1 + slope**2) / fan_in)",
        "(2 / (1 + slope**2) / fan_in)",
        "this multiplies by the variance; a deviation is its square root.",
    ),
    Mutant(
        "7.3",
        "fan-out",
        "np.prod(shape[1:])",
        "shape[0] * np.prod(shape[2:])",
        "it counts the outputs (fan-out); what one output sums over is the fan-in.",
    ),
    Mutant(
        "7.3",
        "channels alone",
        "np.prod(shape[1:])",
        "shape[1]",
        "only the channels count here; a convolution sums over KH * KW places as well.",
    ),
    Mutant(
        "7.3",
        "half forgotten",
        "2 / (1 + slope**2)",
        "1 / (1 + slope**2)",
        "the 2 is missing: the bend leaves only (1 + slope^2) / 2 of the mean square.",
    ),
    Mutant(
        "7.3",
        "uniform",
        "rng.standard_normal(shape) *",
        "rng.uniform(-(3**0.5), 3**0.5, shape) *",
        "the weights are drawn uniformly; the exercise asks for a normal distribution.",
    ),
    Mutant(
        "7.3",
        "generator ignored",
        "rng.standard_normal(shape)",
        "np.random.standard_normal(shape)",
        "the weights do not come from rng, so a run cannot be repeated.",
    ),
    Mutant(
        "7.3",
        "all weights",
        "np.prod(shape[1:])",
        "np.prod(shape)",
        "all weights are counted, but one output sums over its own only.",
    ),
]

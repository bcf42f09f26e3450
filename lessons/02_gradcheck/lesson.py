# ---
# minutes: 75
# seconds: 5
# ---

# %% [markdown]
# # 2. Is my gradient right?
#
# **Who checks the checker?**
#
# A wrong gradient does not crash. It trains, a little worse than it should, and you look for the fault in the learning
# rate, in the data, in yourself. So every backward function must be compared with something that cannot share its
# mistake: with its own forward function, a small step to either side. You build such a checker here. Then you try to
# fool it, because a checker that says yes to everything is worse than none.

# %%
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from minidepth.learn import open_page

page = open_page("02_gradcheck")
rng = np.random.default_rng(2)

# %% [markdown]
# ## Two ways to be off
#
# The slope of f at x is about (f(x + eps) - f(x - eps)) / (2 eps), the *central difference*. Try x^3 at 2 with eps =
# 0.1, where the slope is 12, against the one-sided (f(x + eps) - f(x)) / eps.

# %%
page.measured(within=1e-6, central=(2.1**3 - 1.9**3) / 0.2, one_sided=(2.1**3 - 2**3) / 0.1)

# %% [markdown]
# {{central:.2f}} against {{one_sided:.2f}}: a second run of the function buys a lot. What is left is the *truncation
# error*, about eps^2 f'''/6. So make eps tiny? Then f(x + eps) and f(x - eps) agree in nearly all their digits, those
# cancel, and what remains are the digits that were rounded. This *rounding error* is about (spacing of the numbers) /
# eps: it grows as eps shrinks. Somewhere in between lies the best you can do.
#
# ## Predict
#
# A float64 carries about 16 digits, a float32 about 7. How many of them are right in the best central difference?

# %%
page.guess("digits_64", None, "Right digits of a derivative in float64, with the best eps?")
page.guess("digits_32", None, "And in float32?")

# %% [markdown]
# ## Exercise 2.1: a gradient, number by number
#
# f takes an array and gives one number. Move one entry of x at a time, by eps in either direction, and leave x itself
# as it was.


# %%
def numerical_gradient(f: Callable[[np.ndarray], float], x: np.ndarray, eps: float = 1e-5) -> np.ndarray:
    """d f / d x for every entry of x, by central differences; of the shape of x, which may have several axes."""
    # BEGIN SOLUTION 2.1
    gradient = np.zeros(x.shape)
    for place in np.ndindex(x.shape):
        step = np.zeros(x.shape, x.dtype)
        step[place] = eps
        gradient[place] = (f(x + step) - f(x - step)) / (2 * eps)
    return gradient
    # END SOLUTION


# %% [markdown]
# Now measure both errors: the sum of exp over 40 numbers, whose gradient is exp, with eps from 0.1 down to 10^-12.

# %%
x, steps, errors = rng.uniform(0.5, 1.5, 40), 10.0 ** -np.arange(1, 13), {}
for dtype in ("float64", "float32"):
    gradients = [numerical_gradient(lambda z: np.exp(z).sum(), x.astype(dtype), eps) for eps in steps]
    errors[dtype] = np.array([np.median(np.abs(gradient / np.exp(x) - 1)) for gradient in gradients])

fig, ax = page.subplots(figsize=(6.5, 4))
for (dtype, error), marker in zip(errors.items(), "os"):
    ax.loglog(steps, error, marker + "-", label=dtype)
ax.loglog(steps[:5], steps[:5] ** 2 / 6, "k:", label="eps^2 / 6")
ax.set(xlabel="eps", ylabel="relative error of the gradient", ylim=(1e-12, 5))
ax.legend(frameon=False)
page.figure(
    fig,
    "two_valleys",
    alt="Relative error of a central difference against eps, both logarithmic: two valleys in the form of a V. To the "
    "right of each, the error follows eps squared over 6; to the left it grows as eps shrinks. The valley of float64 "
    "is deepest near 1e-5, that of float32 near 1e-2, and far less deep; from 1e-7 on float32 is all wrong.",
    table={"eps": steps, **errors},
)
best = {dtype: error.min() for dtype, error in errors.items()}
page.measured(within=0.2, digits_64=-np.log10(best["float64"]), digits_32=-np.log10(best["float32"]))
page.measured(within=10, eps_64=steps[errors["float64"].argmin()], eps_32=steps[errors["float32"].argmin()])
page.measured(within=0.5, wrong_32=100 * errors["float32"][5])

# %% [markdown]
# At best {{digits_64:.0f}} of 16 digits, at eps = {{eps_64:.0e}}, and {{digits_32:.0f}} of 7, at {{eps_32:.0e}}. So
# gradients are checked in float64, whatever the network runs in. With the eps of 1e-6 that does well there, float32 is
# {{wrong_32:.0f}} % off, and you would look for a mistake that is not in your code.
#
# ## One direction sees all
#
# Number by number takes 2 runs for each entry of x. A layer has thousands. But a function can also be moved along a
# *direction* v, an array like x: all entries at once, each by its own amount. Write J for the table of all slopes, the
# *Jacobian*: J[i, j] is the slope of output i towards input j. Then the outputs move by J v, and that takes 2 runs.
#
# ## Exercise 2.2: along a direction


# %%
def directional(f: Callable[[np.ndarray], np.ndarray], x: np.ndarray, v: np.ndarray, eps: float = 1e-6) -> np.ndarray:
    """J v, the slope of f (from array to array) at x along v, by a central difference; of the shape of f(x)."""
    # BEGIN SOLUTION 2.2
    return (f(x + eps * v) - f(x - eps * v)) / (2 * eps)
    # END SOLUTION


# %% [markdown]
# ## What backward claims
#
# Backward goes the other way. It is handed u = dL/dy, one number for each output: how much the loss moves with it. In
# lesson 1 that was the `grad` of a node; its proper name is *cotangent*. It gives back dL/dx, and by the two rules of
# lesson 1 (multiply along a path, add over paths) that is the sum over i of u[i] J[i, j], or J'u, with J' for J turned
# on its side. So such a function is called a *vector-Jacobian product*: `vjp(u, *inputs)` is a tuple with one gradient
# for each input.
#
# Nobody can afford J. But take any v and any u, and one number of it can be had in two ways:
#
#     sum of u * (J v)     two runs forward, by exercise 2.2
#     sum of v * (J'u)     one run backward
#
# They must agree. If a gradient is off by an array e, they differ by the sum of v * e, and for random v that is about
# as large as e itself: every entry is seen. A mistake of any size has next to no chance to hide from random u and v.
#
# ## Exercise 2.3: gradcheck
#
# Draw one u of the shape of the result. Then, for each input in turn, draw a v and move only that input. Use
# `rng.standard_normal(shape)`. The error is the difference of the two numbers, relative to the larger one of the first
# number and the length of the gradient (`np.linalg.norm`); but divide by no less than 0.001, as below that there is
# only rounding. (The check brings a `directional` of its own.)


# %%
class GradReport(NamedTuple):
    """The largest relative error, the place of the input that has it, and whether it is small enough."""

    max_rel: float
    worst_index: int
    ok: bool


TOLERANCE = 1e-6


def gradcheck(f: Callable, vjp: Callable, inputs: tuple, eps: float = 1e-6, rng=None) -> GradReport:
    """Compare vjp(u, *inputs), a gradient for each input, with f(*inputs), along one random direction for each."""
    rng = np.random.default_rng(0) if rng is None else rng
    # BEGIN SOLUTION 2.3
    u = rng.standard_normal(np.shape(f(*inputs)))
    gradients = vjp(u, *inputs)
    errors = []
    for i, (x, gradient) in enumerate(zip(inputs, gradients)):
        v = rng.standard_normal(x.shape)
        slope = directional(lambda moved, i=i: f(*inputs[:i], moved, *inputs[i + 1 :]), x, v, eps)
        forward, backward = (u * slope).sum(), (v * gradient).sum()
        errors.append(abs(forward - backward) / max(abs(forward), np.linalg.norm(gradient), 1e-3))
    worst = int(np.argmax(errors))
    return GradReport(float(errors[worst]), worst, bool(errors[worst] <= TOLERANCE))
    # END SOLUTION


# %% [markdown]
# ## The pitfall: a checker that is blind
#
# Here are three functions with right backward functions, and four wrong ones. *Standardise* takes the mean off and
# divides by the standard deviation (lesson 8 is about it), *softmax* turns numbers into shares of 1, and *blur* is a
# weighted mean of neighbours on a ring, with weights that are not symmetric.


# %%
def standardise(x):
    return (x - x.mean()) / x.std()


def standardise_vjp(u, x):
    y = standardise(x)
    return ((u - u.mean() - y * (u * y).mean()) / x.std(),)


def softmax(x):
    return np.exp(x) / np.exp(x).sum()


def softmax_vjp(u, x):
    p = softmax(x)
    return (p * (u - (u * p).sum()),)


def blur(x):
    return 0.6 * x + 0.3 * np.roll(x, 1) + 0.1 * np.roll(x, 2)


def blur_vjp(u, x):
    return (0.6 * u + 0.3 * np.roll(u, -1) + 0.1 * np.roll(u, -2),)


wrong = {
    "standardise: gives zeros": (standardise, lambda u, x: (0 * u,)),
    "standardise: variance forgotten": (standardise, lambda u, x: ((u - u.mean()) / x.std(),)),
    "softmax: plain mean": (softmax, lambda u, x: (softmax(x) * (u - u.mean()),)),
    "blur: turned round": (blur, lambda u, x: (blur(u),)),
}
x = rng.standard_normal(50)
for f, vjp in ((standardise, standardise_vjp), (softmax, softmax_vjp), (blur, blur_vjp)):
    print(f"{f.__name__:<12}", gradcheck(f, vjp, (x,)))

# %% [markdown]
# A common check calls `y.sum().backward()` and compares the gradient, entry by entry, with numerical differences of the
# sum. That is a cotangent of all ones. Of the four wrong ones, how many does it accept?

# %%
page.guess("blind_to", None, "How many of the four wrong backward functions pass with u = all ones?")
accepted = {"all ones": 0, "random": 0}
for name, (f, vjp) in wrong.items():
    difference = vjp(np.ones(50), x)[0] - numerical_gradient(lambda z, f=f: f(z).sum(), x)
    report = gradcheck(f, vjp, (x,))
    accepted["all ones"] += np.abs(difference).max() < 1e-6
    accepted["random"] += report.ok
    print(f"{name:<33} all ones: error {np.abs(difference).max():.0e}   random: error {report.max_rel:.0e}")
page.measured(blind_to=accepted["all ones"], random_blind_to=accepted["random"])

# %% [markdown]
# All ones: {{blind_to:.0f}} of 4 accepted. Random: {{random_blind_to:.0f}}. The sum of a standardised array is always 0
# and that of a softmax always 1, so no input moves it: J'u is 0, and a function that gives zeros is "right". And a blur
# hands each number the same sum of weights, whichever way round they are. Libraries that people learn from have been
# tested like that. It is the same with biases of 0 and gains of 1: when you test, start them at random values.
#
# ## What it cannot see
#
# Two more, so that you trust your checker for the right things. A cube that was meant to be a square, with the right
# backward function of a cube; and the bend of max(x, 0), right at the bend.

# %%
cube = gradcheck(lambda x: x**3, lambda u, x: (3 * u * x**2,), (x,))
at_the_bend = gradcheck(lambda x: np.maximum(x, 0), lambda u, x: (u * (x > 0),), (1e-8 * x,))
print("the cube:   ", cube, "\nat the bend:", at_the_bend)
page.measured(cube_ok=cube.ok, bend_ok=at_the_bend.ok)

# %% [markdown]
# The cube passes: a gradient check compares backward with forward, and it is for other tests to say whether forward is
# what you wanted. The bend fails though nothing is wrong: a step of eps goes over it. Keep test inputs away from bends.
#
# ## Exercise 2.4: no eps at all
#
# Blur is *linear*: it only adds and multiplies with constants. Such a function A is its own J, so the two numbers are
# the sum of A(x) * u and the sum of x * A'(u). No difference, no eps, no truncation; only the last digits may differ.
# This *adjoint test* suits convolution, padding and resizing. Draw x, then u; divide by the lengths of A(x) and u.


# %%
def adjoint_error(forward: Callable, backward: Callable, x_shape: tuple[int, ...], rng=None) -> float:
    """|sum of A(x) u - sum of x A'(u)| / (|A(x)| |u|) with A = forward, A' = backward, for random x and u."""
    rng = np.random.default_rng(0) if rng is None else rng
    # BEGIN SOLUTION 2.4
    x = rng.standard_normal(x_shape)
    y = forward(x)
    u = rng.standard_normal(y.shape)
    difference = (y * u).sum() - (x * backward(u)).sum()
    return float(abs(difference) / (np.linalg.norm(y) * np.linalg.norm(u)))
    # END SOLUTION


# %%
seeds = [np.random.default_rng(seed) for seed in range(20)]
right = max(adjoint_error(blur, lambda u: blur_vjp(u, x)[0], (50,), seed) for seed in seeds)
turned = min(adjoint_error(blur, blur, (50,), seed) for seed in seeds)
print(f"twenty draws: right, at most {right:.0e}; turned round, at least {turned:.0e}")
page.measured(within=0.2, adjoint_digits=-np.log10(right))

# %% [markdown]
# {{adjoint_digits:.0f}} digits agree, where the central difference had {{digits_64:.0f}}.
#
# ## What PyTorch does
#
# `torch.autograd.gradcheck(f, inputs)` wants float64, too, with eps = 1e-6. It fills in all of J, number by number;
# `fast_mode=True` compares along one random u and v, as you do. This library's `minidepth.gradcheck` is yours with more
# to say about what is wrong, and `minidepth gradcheck conv2d` in a terminal runs it on an operation.
#
# ## To think about
#
# If f understands complex numbers, the slope is also the imaginary part of f(x + i eps) / eps, with eps = 1e-20 if you
# like. Why is there no rounding valley? Try it on exp and on `abs`. A good answer names the subtraction that is not
# there, and what a function must not contain for the trick to work.

# ---
# minutes: 60
# seconds: 5
# ---

# %% [markdown]
# # 7. ReLU, leaks and good starts
#
# **Why did half my network stop learning?**
#
# A network without a bend is one big matrix, however many layers it has. The cheapest bend there is keeps what is
# positive and drops the rest: max(x, 0), the ReLU. It is also the one that can die. This lesson kills a few hundred of
# them on purpose, finds out why, and keeps the next ones alive in two ways: a leak, and a good start.

# %%
import numpy as np

from minidepth.learn import open_page

page = open_page("07_leaky_relu")

# %% [markdown]
# ## Two straight lines
#
#     ReLU        y = x   where x > 0, and 0 elsewhere
#     leaky ReLU  y = x   where x > 0, and slope * x elsewhere, with a slope such as 0.01 or 0.1
#
# The derivative is 1 on the right and the slope on the left. At 0 itself there is none, and one has to choose: here, as
# in PyTorch, 0 belongs to the left. With slope 0 the leaky ReLU is the ReLU, so write one function for both.
#
# ## Predict
#
# Inputs with mean 0 and variance 1 go through twenty layers y = relu(W x), 256 wide, and the weights are drawn with
# variance 1/256, which keeps the variance of W x equal to that of x. By what factor does the typical size of the
# numbers (the root of the mean square) shrink from the first layer to the last?

# %%
page.guess("shrunk", None, "Factor between the size of the numbers at first and after 20 layers?")

# %% [markdown]
# ## Exercise 7.1: forward


# %%
def leaky_relu(x: np.ndarray, slope: float) -> np.ndarray:
    """x where x > 0, slope * x elsewhere; NaN stays NaN."""
    # BEGIN SOLUTION 7.1
    return np.where(x > 0, x, slope * x)
    # END SOLUTION


# %% [markdown]
# ## Exercise 7.2: backward
#
# The chain rule for a function of single numbers: dL/dx = dL/dy * dy/dx, number by number.


# %%
def leaky_relu_backward(g: np.ndarray, x: np.ndarray, slope: float) -> np.ndarray:
    """g = dL/dy and the input x of forward -> dL/dx. At x = 0 the slope counts."""
    # BEGIN SOLUTION 7.2
    return np.where(x > 0, g, slope * g)
    # END SOLUTION


# %% [markdown]
# ## How large should the first weights be?
#
# One output is a sum over n inputs, y = w1 x1 + ... + wn xn. If the weights have mean 0 and variance v, and know
# nothing of the inputs, then the mean square of y is n v times the mean square of x. Then comes the bend. Half of the
# y are negative; a leaky ReLU multiplies these by the slope, so of the mean square
#
#     (1 + slope^2) / 2
#
# is left. A layer and its bend together multiply the mean square by n v (1 + slope^2) / 2. Above 1, twenty layers blow
# it up; below 1, they let it fade. So make it exactly 1 (He et al. 2015, arXiv:1502.01852).
#
# For a convolution with weights (O, C, KH, KW), n is what one output sums over: its *fan-in*. Which of the four numbers
# belong to it?
#
# ## Exercise 7.3: a good start


# %%
def he_normal(shape: tuple[int, ...], slope: float, rng: np.random.Generator) -> np.ndarray:
    """Normal weights of that shape, (out, in) or (O, C, KH, KW), that keep the mean square through layer and bend."""
    # BEGIN SOLUTION 7.3
    fan_in = np.prod(shape[1:])
    return rng.standard_normal(shape) * np.sqrt(2 / (1 + slope**2) / fan_in)
    # END SOLUTION


# %% [markdown]
# ## Twenty layers deep
#
# Three ways to draw the weights, twenty layers, no training at all. What is left of the signal?


# %%
def sizes_through(draw, slope: float, layers: int = 20, width: int = 256) -> list[float]:
    """Root mean square after each layer."""
    rng = np.random.default_rng(7)
    x, sizes = rng.standard_normal((width, 200)), []
    for _ in range(layers):
        x = leaky_relu(draw((width, width), rng) @ x, slope)
        sizes.append(float(np.sqrt((x**2).mean())))
    return sizes


def too_small(shape, rng):
    return rng.standard_normal(shape) / np.sqrt(shape[1])


def too_large(shape, rng):
    return rng.standard_normal(shape) * 2 / np.sqrt(shape[1])


starts = {
    "variance 1/n": sizes_through(too_small, 0.0),
    "variance 4/n": sizes_through(too_large, 0.0),
    "he_normal": sizes_through(lambda shape, rng: he_normal(shape, 0.0, rng), 0.0),
}
layers = list(range(1, 21))
fig, ax = page.subplots()
for (name, sizes), style in zip(starts.items(), ("-", "--", "-.")):
    ax.semilogy(layers, sizes, style, label=name)
    ax.annotate(name, (20, sizes[-1]), xytext=(4, 0), textcoords="offset points", va="center")
ax.set_xlim(1, 24)
ax.set_xticks([1, 5, 10, 15, 20])
ax.set_xlabel("layer")
ax.set_ylabel("root mean square of the numbers")
page.figure(
    fig,
    "sizes",
    alt="The size of the numbers over twenty ReLU layers, on a logarithmic scale. With weights of variance 1/n it "
    "falls to a thousandth, with 4/n it grows a thousandfold, with he_normal it stays near one.",
    table={"layer": layers, **starts},
)
page.measured(within=0.3, shrunk=starts["variance 1/n"][0] / starts["variance 1/n"][-1], kept=starts["he_normal"][-1])

# %% [markdown]
# With variance 1/n the numbers end {{shrunk:.0f}} times smaller than they began: the square root of 2 in each layer,
# for the half that the ReLU drops. With your weights their size after twenty layers is {{kept:.2f}}. Gradients on the
# way back meet the same matrices and fade or explode in the same way.
#
# ## The pitfall: units that die
#
# Now a training that is only a little too eager. One hidden layer of 64 units learns numbers around 3, as depths in
# metres are, with plain gradient steps and a learning rate of 0.1. In the first steps every unit is pushed in the
# same direction, since *all* predictions are too small; some are pushed so far that their input is negative for every
# example there is. A ReLU then gives 0 and its gradient is 0, for all examples, for ever: there is nothing left that
# could push it back. The unit is *dead*. Guess the share of dead units after 300 steps, and the same with a leak of
# 0.1.

# %%
page.guess("dead_percent", None, "Per cent of the ReLU units that never fire any more?")


def train(slope: float, mean: float = 3.0, scale: float = 1.0, rate: float = 0.1) -> tuple[list[float], list[float]]:
    """300 steps; after each one the share of units whose input is negative for all examples, and the squared error."""
    rng = np.random.default_rng(7)
    x = rng.standard_normal((8, 256))
    target = scale * (mean + np.sin(2 * x[:1]) + x[1:2] * x[2:3] / 2)
    w1, b1, w2, b2 = he_normal((64, 8), slope, rng), np.zeros((64, 1)), he_normal((1, 64), slope, rng), np.zeros((1, 1))
    silent, errors = [], []
    with np.errstate(all="ignore"):  # one of the experiments below is meant to blow up
        for _ in range(300):
            a = w1 @ x + b1
            h = leaky_relu(a, slope)
            wrong = w2 @ h + b2 - target
            errors.append(float((wrong**2).mean()))
            silent.append(float((a <= 0).all(axis=1).mean()))
            g = 2 * wrong / wrong.size
            ga = leaky_relu_backward(w2.T @ g, a, slope)
            w2, b2 = w2 - rate * g @ h.T, b2 - rate * g.sum(axis=1, keepdims=True)
            w1, b1 = w1 - rate * ga @ x.T, b1 - rate * ga.sum(axis=1, keepdims=True)
    return silent, errors


relu, leaky = train(0.0), train(0.1)
page.measured(within=0.5, dead_percent=100 * relu[0][-1], leaky_percent=100 * leaky[0][-1])
page.measured(within=0.5, error_relu=relu[1][-1], error_leaky=leaky[1][-1])

fig, (left, right) = page.subplots(1, 2, figsize=(9, 3.5))
for (silent, errors), name, style in ((relu, "ReLU", "-"), (leaky, "leaky, 0.1", "--")):
    left.plot(100 * np.array(silent), style, label=name)
    right.semilogy(errors, style, label=name)
left.set_ylabel("units that are negative\nfor every example, per cent")
right.set_ylabel("mean squared error")
for ax in (left, right):
    ax.set_xlabel("step")
    ax.legend(frameon=False)
page.figure(
    fig,
    "dead_units",
    alt="Left: within a few steps most of the ReLU units have negative inputs for every example, and stay so; with a "
    "leak it is a minority. Right: the error with ReLU stops falling early, with the leak it goes on falling.",
    table={
        "step": range(300),
        "silent ReLU": relu[0],
        "silent leaky": leaky[0],
        "error ReLU": relu[1],
        "error leaky": leaky[1],
    },
)

# %% [markdown]
# {{dead_percent:.0f}} % of the ReLU units are dead, and the error stays at {{error_relu:.2f}}. With a leak
# {{leaky_percent:.0f}} % are silent too, but they still get a tenth of a gradient, so they are not dead, and the
# error is {{error_leaky:.2f}}. The damage is done in the first steps, and nothing in the loss curve says so: it
# falls, and then it is simply worse than it could be.
#
# ## Metres, not millimetres
#
# Depth cameras give millimetres. The same training, with a target of 3000 in place of 3: which learning rates survive?

# %%
rates = [1e-1, 1e-2, 1e-3, 1e-4, 1e-5]
survived = [rate for rate in rates if np.isfinite(train(0.1, scale=1000.0, rate=rate)[1][-1])]
print("rates that end with a number:", survived or "none of them")
page.measured(blown_up=len(rates) - len(survived), rates=len(rates))

# %% [markdown]
# {{blown_up:.0f}} of {{rates:.0f}} rates end in NaN: errors a thousand times as large make steps a thousand times as
# large, into weights of size 1. Scale the target so that it is a few units large, and set the last bias to its mean:
# then the first steps need not push every unit in the same direction.
#
# ## What PyTorch does
#
# `torch.nn.functional.leaky_relu(x, negative_slope=0.01)` is your function. `torch.nn.Conv2d` does not draw He's
# weights by default, but `kaiming_uniform_` with a = sqrt(5): variance 1 / (3 fan_in), six times smaller than He's
# for a ReLU. With batch-norm behind every convolution (lesson 8) that does not matter; without it, it does.
# `minidepth train --init he` or `--init pytorch` lets you try.
#
# ## To think about
#
# A silent leaky unit learns with a tenth of the gradient. Why not take a slope of 0.9 and lose next to nothing? A good
# answer says what is left of the bend, what twenty such layers can compute, and what slope -1 would do.

# ---
# minutes: 50
# seconds: 4
# ---

# %% [markdown]
# # 6. Pooling: who gets the gradient?
#
# **What is the derivative of a choice?**
#
# On its way down a U-Net halves its picture four times, and each time it keeps the largest of four numbers and throws
# three away. Forward that is a line of NumPy. Backward it is a question of justice: the loss hands back one number for
# four inputs, of which one was chosen. Who gets it, and what about those who came second by nothing at all?

# %%
import numpy as np

from minidepth.learn import open_page

page = open_page("06_pooling")
rng = np.random.default_rng(6)

# %% [markdown]
# ## The derivative of a maximum
#
# Take y = max(3, 5). Make the 5 a little larger, and y grows by as much: dy/d(second) = 1. Make the 3 a little
# larger: nothing happens, dy/d(first) = 0. So the gradient goes to the winner, whole, and to nobody else. That is
# all, as long as there is one winner. With max(5, 5) there is no derivative: growing either one by a little raises y,
# lowering either one does nothing. Every program has to choose, and it may choose freely: any split g = a + b with a,
# b >= 0 is a
# *subgradient*. What it may not do is pay both in full.
#
# ## Predict
#
# A leaky or plain ReLU stands in front of the pool. After a plain ReLU half of all numbers are exactly 0. In what share
# of 2x2 windows, in per cent, are all four numbers 0, so that all four tie? (Each number is 0 with probability 1/2.)

# %%
page.guess("ties_percent", None, "Per cent of 2x2 windows whose maximum is shared?")

# %% [markdown]
# ## A worked example
#
# Windows of 2x2 over a picture of 4x4, side by side, none overlapping. With `reshape` each window gets axes of its own:
#
#     x (N, C, H, W)  ->  x.reshape(N, C, H/2, 2, W/2, 2)          axes 3 and 5 are the place in the window
#
# If H is odd there is a row left over. It is cut off first: no window that fits reaches it (lesson 4 met it, too).

# %%
x = np.arange(16.0).reshape(1, 1, 4, 4)
print(x[0, 0])
print("maxima:", x.reshape(1, 1, 2, 2, 2, 2).max(axis=(3, 5))[0, 0].tolist())

# %% [markdown]
# ## Exercise 6.1: forward, and remember who won
#
# Give back the maxima and, for each, the winner's place in its window, counted 0 to k*k - 1 row by row. Of several
# equal numbers the first one wins, as `argmax` has it.


# %%
def maxpool2d(x: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """x (N, C, H, W) -> maxima y (N, C, H // k, W // k), and winners, integers of the same shape."""
    # BEGIN SOLUTION 6.1
    n, c, h, w = x.shape
    p, q = h // k, w // k
    windows = x[:, :, : p * k, : q * k].reshape(n, c, p, k, q, k).transpose(0, 1, 2, 4, 3, 5)
    flat = windows.reshape(n, c, p, q, k * k)
    return flat.max(axis=-1), flat.argmax(axis=-1)
    # END SOLUTION


# %% [markdown]
# ## Exercise 6.2: the way back
#
# Put each number of g where its window's winner stood, and 0 everywhere else. The rows and columns that were cut off
# get 0 as well. A hint for the hand: build the windows flat, (N, C, P, Q, k*k), and then turn the reshaping of 6.1
# round.


# %%
def maxpool2d_backward(g: np.ndarray, winners: np.ndarray, x_shape: tuple[int, ...], k: int) -> np.ndarray:
    """g = dL/dy (N, C, P, Q) and the winners of 6.1 -> dL/dx of shape `x_shape`."""
    # BEGIN SOLUTION 6.2
    n, c, p, q = g.shape
    flat = np.zeros((n, c, p, q, k * k))
    np.put_along_axis(flat, winners[..., None], g[..., None], axis=-1)
    windows = flat.reshape(n, c, p, q, k, k).transpose(0, 1, 2, 4, 3, 5)
    dx = np.zeros(x_shape)
    dx[:, :, : p * k, : q * k] = windows.reshape(n, c, p * k, q * k)
    return dx
    # END SOLUTION


# %% [markdown]
# Two things must always hold. Nothing is lost on the way: the sum of dx is the sum of g. And dx has at most one number
# per window that is not 0.

# %%
x, g = rng.standard_normal((2, 3, 7, 9)), rng.standard_normal((2, 3, 3, 4))
y, winners = maxpool2d(x, 2)
dx = maxpool2d_backward(g, winners, x.shape, 2)
print("sums:", np.isclose(dx.sum(), g.sum()), "  numbers that are not 0:", np.count_nonzero(dx), "of", dx.size)

# %% [markdown]
# ## Exercise 6.3: and the mean?
#
# Average pooling chooses nobody: y is the mean of its window. How much does y grow when one of the k*k numbers does?
# `np.repeat` along two axes writes this in two lines.


# %%
def avgpool2d_backward(g: np.ndarray, x_shape: tuple[int, ...], k: int) -> np.ndarray:
    """g = dL/dy (N, C, P, Q) of a mean over windows of k x k -> dL/dx of shape `x_shape`."""
    # BEGIN SOLUTION 6.3
    dx = np.zeros(x_shape)
    p, q = g.shape[2:]
    dx[:, :, : p * k, : q * k] = np.repeat(np.repeat(g, k, axis=2), k, axis=3) / k**2
    return dx
    # END SOLUTION


# %% [markdown]
# ## Who gets it: a picture
#
# Six by six numbers, nine windows. On the left the winners, on the right where the gradient goes, for a maximum and for
# a mean. The same sum arrives in both; the maximum gives it to a few, the mean spreads it thin.

# %%
x, g = rng.integers(0, 10, (1, 1, 6, 6)).astype(float), np.ones((1, 1, 3, 3))
y, winners = maxpool2d(x, 2)
shares = maxpool2d_backward(g, winners, x.shape, 2), avgpool2d_backward(g, x.shape, 2)
fig, axes = page.subplots(1, 3, figsize=(9, 3.3))
titles = "picture, winners framed", "gradient of a maximum", "gradient of a mean"
for ax, values, title in zip(axes, (x, *shares), titles):
    ax.imshow(values[0, 0], cmap="Blues", vmin=0, vmax=14 if values is x else 1.6)
    ax.set_title(title)
    ax.set_xticks([1.5, 3.5], ["", ""])
    ax.set_yticks([1.5, 3.5], ["", ""])
    ax.grid(color="white", linewidth=3)
    for row, column in np.ndindex(6, 6):
        number = values[0, 0, row, column]
        ax.text(column, row, f"{number:g}", ha="center", va="center", color="black")
        if values is x and shares[0][0, 0, row, column]:
            left, right, top, bottom = column - 0.43, column + 0.43, row - 0.43, row + 0.43
            ax.plot([left, right, right, left, left], [top, top, bottom, bottom, top], color="#D55E00", linewidth=2)
page.figure(
    fig,
    "who_gets_it",
    alt="Three grids of 6 by 6. Left a picture of digits in which the largest of each 2 by 2 window is framed. "
    "Middle: the gradient of max pooling, 1 at the framed places and 0 elsewhere. "
    "Right: that of average pooling, 0.25 everywhere.",
    table={
        "row": [i for i in range(6) for _ in range(6)],
        "column": list(range(6)) * 6,
        "picture": x.ravel(),
        "gradient of a maximum": shares[0].ravel(),
        "gradient of a mean": shares[1].ravel(),
    },
)

# %% [markdown]
# ## The pitfall: paying everybody
#
# There is a tempting way to write backward without remembering anything: compare. `x == y` is true at the winner, so
# `g * (x == y)` puts the gradient there. With numbers from a continuous distribution that is even right. But a network
# does not pool such numbers, it pools what a ReLU has left.

# %%
activations = np.maximum(rng.standard_normal((4, 8, 32, 32)), 0)
g = rng.uniform(0.5, 1.5, (4, 8, 16, 16))
y, winners = maxpool2d(activations, 2)
windows = activations.reshape(4, 8, 16, 2, 16, 2)
tied = (windows == y[:, :, :, None, :, None]).sum(axis=(3, 5))
by_comparison = (windows == y[:, :, :, None, :, None]) * g[:, :, :, None, :, None]
page.measured(within=0.2, ties_percent=100 * float((tied > 1).mean()))
page.measured(within=0.2, paid=by_comparison.sum() / g.sum(), most=tied.max())

# %% [markdown]
# In {{ties_percent:.1f}} % of the windows several numbers share the maximum: all four are 0, which happens once in 16
# times. There comparison pays up to {{most:.0f}} times, and over the whole picture it hands out {{paid:.2f}} times
# what it was given. Those windows lie where the ReLU is dead, where the gradient would be stopped by the ReLU anyway,
# so that a training hides the mistake. With a leaky ReLU ties are rare; with pictures, which have flat areas and 256
# levels of grey, they are everywhere. A gradient check with random numbers finds nothing, as random numbers do not
# tie: *the inputs of a test must have what the real inputs have.*
#
# ## What PyTorch does
#
# `torch.nn.functional.max_pool2d(x, 2, return_indices=True)` remembers the winner's place in the whole picture, and
# of equal numbers takes the first, as you did. So does `minidepth/ops/max_pool2d.py`, which keeps the place in the
# window: one byte for each output and not eight.
#
# ## To think about
#
# A stride smaller than the window makes windows overlap, and one pixel can win in several of them. What has to change
# in 6.2? A good answer says which `=` becomes a `+=`, why `np.put_along_axis` is then no help, and what still holds
# of the two rules: that sums are kept, and that dx has at most one number per window.

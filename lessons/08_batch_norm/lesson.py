# ---
# minutes: 75
# seconds: 8
# ---

# %% [markdown]
# # 8. Batch-norm is two networks
#
# **Why does evaluation give another number than training said?**
#
# Batch-norm keeps the numbers of every channel near mean 0 and variance 1, whatever the weights before it do. Networks
# with it train faster and forgive bad starts. The price: what a picture becomes depends on which other pictures are in
# its batch. At test time that cannot be, so batch-norm does something else then. There are two networks in every such
# model, and this lesson is about the distance between them.

# %%
import numpy as np

from minidepth import gradcheck, ops
from minidepth.engine import Tensor
from minidepth.learn import open_page

page = open_page("08_batch_norm")

# %% [markdown]
# ## One channel at a time
#
# x is (N, C, H, W). For each channel take the mean and the variance over all M = N H W of its numbers, and
#
#     xhat = (x - mean) / sqrt(var + eps)            y = gamma xhat + beta
#
# eps, 1e-5 say, keeps a channel that is constant from dividing by 0. gamma and beta, one number for each channel, are
# learnt: the network can have any mean and size it likes back. What it can no longer have by accident is a bad one
# (Ioffe and Szegedy 2015, arXiv:1502.03167).
#
# A convolution in front needs no bias: any number added to a whole channel is subtracted again with its mean.
#
# ## Predict
#
# A small network is trained with batches of 4. Then new batches of 4 go through it twice: in training mode, where each
# batch is measured by its own mean and variance, and in evaluation mode. By what factor is the error that training mode
# shows larger, or smaller, than that of evaluation?

# %%
page.guess("gap_of_4", None, "Error in training mode over error in evaluation, batches of 4?")

# %% [markdown]
# ## Exercise 8.1: normalise
#
# Given the statistics, write the formula. `mean[:, None, None]` makes (C,) fit (N, C, H, W).


# %%
def normalise(
    x: np.ndarray, mean: np.ndarray, var: np.ndarray, gamma: np.ndarray, beta: np.ndarray, eps: float
) -> np.ndarray:
    """x (N, C, H, W), all others (C) -> y (N, C, H, W)."""
    # BEGIN SOLUTION 8.1
    xhat = (x - mean[:, None, None]) / np.sqrt(var + eps)[:, None, None]
    return gamma[:, None, None] * xhat + beta[:, None, None]
    # END SOLUTION


# %% [markdown]
# ## Two modes
#
# *Training:* the statistics are those of the batch. Besides, a running mean and variance follow along, for later:
#
#     running <- (1 - momentum) running + momentum (that of this batch)
#
# The variance of M numbers about their own mean comes out too small, by (M - 1) / M on average, since the mean was
# fitted to them. For y that does not matter, everybody uses the plain one. For the running variance, which stands for
# all the pictures there are, multiply by M / (M - 1).
#
# *Evaluation:* the statistics are the running ones, and nothing is changed. A picture's result depends on the picture.
#
# ## Exercise 8.2: the two networks


# %%
def batch_statistics(
    x: np.ndarray, running: tuple[np.ndarray, np.ndarray], momentum: float, train: bool
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Mean and variance (C) to normalise x with, and the new (running mean, running variance)."""
    # BEGIN SOLUTION 8.2
    if not train:
        return running[0], running[1], running
    mean, var = x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))
    m = x.size // x.shape[1]
    new_mean = (1 - momentum) * running[0] + momentum * mean
    new_var = (1 - momentum) * running[1] + momentum * var * m / (m - 1)
    return mean, var, (new_mean, new_var)
    # END SOLUTION


# %% [markdown]
# ## The way back
#
# In training mode mean and variance depend on x as well, so a change of one number moves *every* output of its channel.
# Written out that takes a page; the result takes a line. With gx = gamma g, the gradient that reaches xhat,
#
#     dx = (gx - mean(gx) - xhat mean(gx xhat)) / sqrt(var + eps)
#
# means over the M numbers of the channel. Read it like this: xhat has mean 0 and mean square 1, whatever x does. A
# gradient that asks for another mean (its first part) or another size (its second part) asks for the impossible, and is
# taken away. What is left has sum 0, and sum 0 against xhat: a check that costs a line.
#
# gamma and beta are easy: y = gamma xhat + beta, summed over all places where they appear.
#
# ## Exercise 8.3: backward


# %%
def batch_norm_backward(
    g: np.ndarray, x: np.ndarray, gamma: np.ndarray, eps: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dL/dx, dL/dgamma, dL/dbeta of training mode, from g = dL/dy (N, C, H, W)."""
    # BEGIN SOLUTION 8.3
    axes = (0, 2, 3)
    std = np.sqrt(x.var(axis=axes, keepdims=True) + eps)
    xhat = (x - x.mean(axis=axes, keepdims=True)) / std
    gx = gamma[:, None, None] * g
    dx = (gx - gx.mean(axis=axes, keepdims=True) - xhat * (gx * xhat).mean(axis=axes, keepdims=True)) / std
    return dx, (g * xhat).sum(axis=axes), g.sum(axis=axes)
    # END SOLUTION


# %% [markdown]
# ## The check that sees nothing
#
# Ask the engine to check your gradient, with random numbers in place of g. Then look at what a check with g = 1
# everywhere, which is `y.sum().backward()`, would have seen.


# %%
def my_batch_norm(x: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """Training mode as an operation of the engine."""
    mean, var, _ = batch_statistics(x.data, (np.zeros(x.shape[1]), np.ones(x.shape[1])), 0.1, True)
    y = normalise(x.data, mean, var, gamma.data, beta.data, 1e-5)
    return Tensor.from_op("my_bn", y, (x, gamma, beta), lambda g: batch_norm_backward(g, x.data, gamma.data, 1e-5))


rng = np.random.default_rng(8)
x, gamma, beta = rng.standard_normal((3, 2, 4, 5)), rng.uniform(0.5, 2, 2), rng.standard_normal(2)
print(gradcheck(my_batch_norm, x, gamma, beta))
dx, _, _ = batch_norm_backward(np.ones(x.shape), x, gamma, 1e-5)
print("largest number of dx for g = 1:", np.abs(dx).max())
page.measured(within=1e9, seen_by_ones=max(np.abs(dx).max(), 1e-17))

# %% [markdown]
# With g = 1 the right dx is 0 (here {{seen_by_ones:.0e}}, rounding): the sum of a channel of y is M beta, whatever x
# is. So `return np.zeros_like(x)` passes that check, and so does forgetting the variance term. Several courses check
# with ones.
#
# ## The pitfall: the distance between the two
#
# A network of one hidden layer learns a function of eight numbers, with batch-norm inside. Batches of 2, 4, ... 64;
# then the same batches are looked at in both modes.


# %%
def run(batch: int, steps: int = 300, sorted_by_room: bool = False) -> tuple[float, float]:
    """Mean squared error in training mode and in evaluation mode, on new batches, of a network trained for `steps`."""
    rng = np.random.default_rng(8)
    w1, w2, b2 = rng.standard_normal((16, 8)) / 2, rng.standard_normal((1, 16)) / 3, 0.0
    gamma, beta, running = np.ones(16), np.zeros(16), (np.zeros(16), np.ones(16))

    def draw():
        x = rng.standard_normal((8, batch))
        target = np.sin(2 * x[0]) + x[1] * x[2] / 2 + x[3]
        brightness = rng.standard_normal(1 if sorted_by_room else batch)
        return x + brightness, target  # how bright a room is says nothing about the target

    def forward(x, train):
        a = (w1 @ x).T[:, :, None, None]  # (batch, 16, 1, 1)
        mean, var, new = batch_statistics(a, running, 0.1, train)
        z = normalise(a, mean, var, gamma, beta, 1e-5)
        return a, z, (w2 @ np.maximum(z[:, :, 0, 0], 0).T + b2)[0], new

    for _ in range(steps):
        x, target = draw()
        a, z, y, running = forward(x, True)
        g = 2 * (y - target)[None] / batch
        gz = ((w2.T @ g).T * (z[:, :, 0, 0] > 0))[:, :, None, None]
        ga, dgamma, dbeta = batch_norm_backward(gz, a, gamma, 1e-5)
        w2, b2 = w2 - 0.05 * g @ np.maximum(z[:, :, 0, 0], 0), b2 - 0.05 * g.sum()
        w1, gamma, beta = w1 - 0.05 * ga[:, :, 0, 0].T @ x.T, gamma - 0.05 * dgamma, beta - 0.05 * dbeta
    errors = []
    for _ in range(max(1, 2048 // batch)):
        x, target = draw()
        errors.append([((forward(x, train)[2] - target) ** 2).mean() for train in (True, False)])
    return tuple(np.mean(errors, axis=0).tolist())


sizes = [2, 4, 8, 16, 32, 64]
mixed = np.array([run(batch) for batch in sizes])
fig, ax = page.subplots()
ax.plot(sizes, mixed[:, 0], "o-", label="training mode")
ax.plot(sizes, mixed[:, 1], "s--", label="evaluation")
ax.set_xscale("log", base=2)
ax.set_xticks(sizes, [str(size) for size in sizes])
ax.set_xlabel("pictures in a batch")
ax.set_ylabel("mean squared error")
ax.legend(frameon=False)
page.figure(
    fig,
    "gap",
    alt="Error against batch size from 2 to 64. Both curves fall; that of training mode lies above that of evaluation, "
    "most at batches of 4 and 8, and the two come together at 64.",
    table={"batch": sizes, "training mode": mixed[:, 0], "evaluation": mixed[:, 1]},
)
page.measured(within=0.15, gap_of_4=mixed[1, 0] / mixed[1, 1], gap_of_64=mixed[-1, 0] / mixed[-1, 1])
page.measured(within=0.4, small_over_large=mixed[0, 1] / mixed[-1, 1])

# %% [markdown]
# With batches of 4 training mode shows {{gap_of_4:.2f}} times the error of evaluation, with 64 {{gap_of_64:.2f}}
# times. Four numbers are a poor estimate of a mean and a worse one of a variance, so in training every picture is
# measured with a shaking ruler. The network that you get to use is the other one. With batches of 2 the two are close
# again, and both are bad: the error in evaluation is {{small_over_large:.1f}} times that of batches of 64, since the
# gradients were measured with the shaking ruler, too, and the running statistics, which remember some ten batches,
# shake as well. A large picture helps as much as a large batch: M counts pixels.
#
# So evaluation is better? Not if the batches lie. Leave the data in the order in which they were filmed, and every
# batch comes from one room, with its own brightness. The batch's own mean takes the brightness away, exactly, and
# training looks wonderful. Evaluation has one mean for all rooms.

# %%
page.guess("lie", None, "Error in evaluation over error in training mode, when each batch of 16 is one room?")
train_error, eval_error = run(16, sorted_by_room=True)
page.measured(within=1.0, lie=eval_error / train_error)

# %% [markdown]
# Now evaluation is {{lie:.1f}} times worse than training said, and nothing in the training log shows it. Shuffle. And
# look at the error in evaluation mode while you train, as `minidepth train` does on its validation frames.
#
# ## What PyTorch does
#
# `torch.nn.BatchNorm2d(C, eps=1e-5, momentum=0.1)`, and `model.train()` or `model.eval()` choose the network. Its
# momentum is the share of the new batch, as here; Keras calls 0.9 what PyTorch calls 0.1. A frozen layer that is left
# in training mode goes on updating its running statistics: freezing gamma and beta is not enough.

# %%
layer_y = ops.batch_norm(Tensor(x), None, None, Tensor(gamma), Tensor(beta), training=True)
print(
    "same as the library:", np.allclose(layer_y.numpy(), my_batch_norm(Tensor(x), Tensor(gamma), Tensor(beta)).numpy())
)

# %% [markdown]
# ## To think about
#
# You train on two machines, each with half of the batch, and add their gradients. Is that the same as one machine with
# the whole batch? A good answer says which of the formulas above sees the whole batch, what the machines would have to
# tell each other and when (once forward, once backward), and why nobody noticed as long as batches were large.

# ---
# minutes: 80
# seconds: 6
# ---

# %% [markdown]
# # 13. Optimisers
#
# **Which way, and how far?**
#
# Backward says which way the loss falls. It does not say how far that holds. An optimiser is the few lines that turn
# a gradient into a step, and each of the few lines is there because somebody's training went wrong without it. You
# write two of them, see what each line is for, and then take lines out again to see what breaks.

# %%
import numpy as np

from minidepth import nn
from minidepth.engine import Tensor
from minidepth.learn import open_page

page = open_page("13_optimisers")

# %% [markdown]
# ## A narrow valley
#
# Take the loss (w0^2 + 40 w1^2) / 2: flat along w0, forty times as steep along w1. Its gradient is (w0, 40 w1). A plain
# step w - lr g multiplies w0 by 1 - lr, and w1 by 1 - 40 lr. Above lr = 2/40 the second one is below -1, and w1 grows
# for ever. So the steep direction sets the rate, and the flat one, where all the way lies, crawls.
#
# *Momentum* gives the point a speed v (Polyak 1964):
#
#     v <- momentum v + g            w <- w - lr v
#
# Across the valley the gradients change their sign and cancel in v. Along it they add up, to g / (1 - momentum) in the
# end: with 0.8, steps five times as long. Momentum 0 is the plain step. Momentum 1 is a ball without friction: you have
# met it in lesson 3, as the gradients that nobody had set to zero.
#
# ## Predict
#
# The same rate, 0.045, without momentum and with 0.8, from (-4, 1) until the loss stays below 0.01. How many times
# fewer steps are needed with momentum? And then a question about Adam, further down: if you multiply a loss by 1000,
# how many times longer does Adam's first step become?

# %%
page.guess("fewer", None, "Steps without momentum over steps with it?")
page.guess("longer", None, "Length of Adam's first step for 1000 times the loss, over that for the loss?")

# %% [markdown]
# ## Exercise 13.1: a step with momentum
#
# Return new arrays; leave w, g and v as they are. (The library changes them in place, to save memory. Here it would
# make your experiments change each other.)


# %%
def sgd_step(w: np.ndarray, g: np.ndarray, v: np.ndarray, lr: float, momentum: float) -> tuple[np.ndarray, np.ndarray]:
    """One step: weight w, gradient g and speed v, all of one shape -> the new w and the new v."""
    # BEGIN SOLUTION 13.1
    v = momentum * v + g
    return w - lr * v, v
    # END SOLUTION


# %% [markdown]
# ## One rate for each weight
#
# In a network, gradients of some weights are thousands of times those of others. Adam (Kingma and Ba 2015,
# arXiv:1412.6980) keeps two running means for each weight, of g and of g^2, with b1 = 0.9 and b2 = 0.999:
#
#     m <- b1 m + (1 - b1) g            v <- b2 v + (1 - b2) g^2
#
# Both begin at 0, so the first ones are far too small: after one step m is 0.1 g. Written out, m is the sum over the
# steps i = 1 ... t of (1 - b1) b1^(t - i) g_i, and these factors add up to 1 - b1^t. Divide by that, and m is a proper
# *weighted mean* of all gradients so far. This is the *bias correction*:
#
#     mhat = m / (1 - b1^t)             vhat = v / (1 - b2^t)             w <- w - lr mhat / (sqrt(vhat) + eps)
#
# t counts steps, and the first one is 1. eps only guards against a division by 0. mhat / sqrt(vhat) has no unit: a
# weight whose gradient always has the same sign moves by lr in each step, be the gradient large or small, and one whose
# gradient is noise hardly moves. *Which way* comes from the gradient; *how far* from you.
#
# ## Weight decay, twice
#
# Large weights make a network jumpy, so people pull all weights towards 0 a little, by `weight_decay`. There are two
# ways to say so. The old one adds weight_decay w^2 / 2 to the loss (an *L2 penalty*). The other shrinks the weights by
# itself; it is called *decoupled*, and makes AdamW out of Adam (Loshchilov and Hutter 2019, arXiv:1711.05101):
#
#     L2            g <- g + weight_decay w         before m and v see g
#     decoupled     w <- (1 - lr weight_decay) w    before the step; g is left alone
#
# For plain steps the two are the same. For Adam they are not, and below you measure how far apart.
#
# ## Exercise 13.2: Adam


# %%
def adam_step(
    w: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, t: int, lr: float, betas=(0.9, 0.999), eps=1e-8,
    weight_decay=0.0, decoupled=False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Step number t, from 1: weight, gradient and the two running means -> the new w, m and v."""
    # BEGIN SOLUTION 13.2
    if decoupled:
        w = (1 - lr * weight_decay) * w
    else:
        g = g + weight_decay * w
    m = betas[0] * m + (1 - betas[0]) * g
    v = betas[1] * v + (1 - betas[1]) * g**2
    mhat, vhat = m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)
    return w - lr * mhat / (np.sqrt(vhat) + eps), m, v
    # END SOLUTION


# %% [markdown]
# ## Three paths


# %%
def walk(kind: str, lr: float, momentum: float = 0.0, steps: int = 150) -> np.ndarray:
    """The places that an optimiser visits in the valley, (steps + 1, 2)."""
    w, zero = np.array([-4.0, 1.0]), np.zeros(2)
    places, m, v = [w], zero, zero
    for t in range(1, steps + 1):
        g = np.array([1.0, 40.0]) * w
        if kind == "Adam":
            w, m, v = adam_step(w, g, m, v, t, lr)
        else:
            w, v = sgd_step(w, g, v, lr, momentum)
        places.append(w)
    return np.array(places)


def steps_needed(path: np.ndarray) -> int:
    """Until the loss stays below 0.01."""
    return int(np.flatnonzero((path**2 @ [1, 40]) / 2 > 0.01).max()) + 1


paths = {"plain": walk("SGD", 0.045), "momentum 0.8": walk("SGD", 0.045, 0.8), "Adam": walk("Adam", 0.2)}
needed = {name: steps_needed(path) for name, path in paths.items()}
page.measured(within=0.1, fewer=needed["plain"] / needed["momentum 0.8"], plain=needed["plain"], adam=needed["Adam"])
page.measured(within=0.1, adam_most=max(steps_needed(walk("Adam", rate)) for rate in (0.1, 0.2, 0.3, 0.4, 0.5)))
one, thousand = (adam_step(np.zeros(3), k * np.array([0.3, -2, 5]), 0, 0, 1, 0.01)[0] for k in (1, 1000))
page.measured(longer=np.abs(thousand).max() / np.abs(one).max())

fig, axes = page.subplots(3, 1, figsize=(7, 6), sharex=True)
x, y = np.meshgrid(np.linspace(-4.4, 1.6, 200), np.linspace(-1.2, 1.2, 100))
for ax, (name, path), color in zip(axes, paths.items(), ("#0072B2", "#D55E00", "#009E73")):
    ax.contour(x, y, (x**2 + 40 * y**2) / 2, [0.1, 0.5, 2, 5, 10, 20], colors="#BBBBBB", linewidths=0.8)
    ax.plot(*path[:40].T, "o-", color=color, markersize=3, linewidth=1)
    ax.set(title=f"{name}: {needed[name]} steps until the loss stays below 0.01", ylabel="w1")
axes[-1].set_xlabel("w0")
page.figure(
    fig, "valley",
    alt="Three paths of 40 steps through a valley that is long along w0 and narrow along w1. The plain one zigzags "
    "across the valley in shrinking hops and is not at the end yet; with momentum it swings past the end and comes "
    "back; Adam goes down diagonally, overshoots along the valley and returns.",
    table={"step": range(151), **{f"w{i}, {name}": path[:, i] for name, path in paths.items() for i in (0, 1)}},
)  # fmt: skip

# %% [markdown]
# Momentum needs {{fewer:.1f}} times fewer steps. Adam needs {{adam:.0f}}, about as many as plain steps with
# {{plain:.0f}}. But its rate did not have to be found with an eye on the number 40: with any from 0.1 to 0.5 it takes
# at most {{adam_most:.0f}}. And 1000 times the loss makes its first step {{longer:.2f}} times as long. Metres or
# millimetres, Adam does not care; plain steps at the same rate would blow up.
#
# ## Exercise 13.3: a rate that changes
#
# At the start the weights are far off and v knows little: begin with short steps. At the end, noise keeps the weights
# trembling by about lr: end with short steps. Count steps from 0. During the *warm-up* the rate rises evenly, to lr in
# its last step (so the first step is already lr / warmup). Then comes half a cosine, from lr down to nearly 0:
#
#     lr (1 + cos(pi s)) / 2            s = (steps since the warm-up) / (steps after the warm-up)


# %%
def warmup_cosine(step: int, total: int, lr: float, warmup: int) -> float:
    """The rate of step number `step`, 0 <= step < total; the first `warmup` steps, perhaps 0, are warm-up."""
    # BEGIN SOLUTION 13.3
    if step < warmup:
        return lr * (step + 1) / warmup
    share = (step - warmup) / (total - warmup)
    return lr * (1 + np.cos(np.pi * share)) / 2
    # END SOLUTION


# %% [markdown]
# ## Exercise 13.4: no step too far
#
# One strange picture can make a gradient a hundred times as long as usual. *Clipping* shortens it: take the length of
# *all* gradients together, as if they were one long vector, and where it exceeds `max_norm`, multiply them all by the
# same number. The way stays, the length does not (Pascanu, Mikolov and Bengio 2013, arXiv:1211.5063).


# %%
def clip_by_norm(grads: list[np.ndarray], max_norm: float) -> tuple[list[np.ndarray], float]:
    """The gradients, shortened together to max_norm where they are longer, and their length before."""
    # BEGIN SOLUTION 13.4
    norm = np.sqrt(sum((g**2).sum() for g in grads))
    factor = max_norm / max(norm, max_norm)
    return [factor * g for g in grads], float(norm)
    # END SOLUTION


# %% [markdown]
# ## The pitfall: one line less
#
# *Without bias correction.* m is 10 times too small in the first step, and v 1000 times; sqrt(v) is 32 times too small.
# Too small over far too small is too long. How much, and for how long? Let the gradient be 1 all the time.

# %%
page.guess("too_long", None, "Without correction: how many times too long is the longest step?")
ts = np.arange(1, 201)
too_long = (1 - 0.9**ts) / np.sqrt(1 - 0.999**ts)  # m over sqrt(v) for g = 1
page.measured(too_long=too_long.max(), longest_at=ts[too_long.argmax()], still=too_long[-1])
with np.errstate(all="ignore"):
    print("counting from 0, the first step gives", adam_step(np.ones(1), np.ones(1), 0, 0, np.float64(0), 0.01)[0])

# %% [markdown]
# {{too_long:.1f}} times, in step {{longest_at:.0f}}, and still {{still:.1f}} times in step 200. Nothing says so; a
# network that begins with trained weights may be thrown out of them, and a warm-up hides it. Counting t from 0 at least
# hurts at once: 1 - b1^0 is 0, and every weight becomes NaN.
#
# *L2 taken for decoupled decay.* Two hundred weights get gradients that are noise of size 10, and two hundred noise of
# size 0.1. All begin at 1; decay 0.1, rate 0.001, 2000 steps. What is left of them?

# %%
page.guess("l2_large", None, "L2: what is left of weights with large gradients?")
page.guess("l2_small", None, "L2: what is left of weights with small gradients?")
left = {}
for decoupled in (False, True):
    rng, size = np.random.default_rng(13), np.repeat([10, 0.1], 200)
    w, m, v = np.ones(400), 0, 0
    for t in range(1, 2001):
        noise = size * rng.standard_normal(400)
        w, m, v = adam_step(w, noise, m, v, t, 0.001, weight_decay=0.1, decoupled=decoupled)
    left[decoupled] = w[:200].mean(), w[200:].mean()
page.measured(within=0.2, l2_large=left[False][0], l2_small=left[False][1])
page.measured(within=0.1, decoupled_large=left[True][0], decoupled_small=left[True][1])

# %% [markdown]
# Decoupled: {{decoupled_large:.2f}} and {{decoupled_small:.2f}}, whatever the gradients. L2: {{l2_large:.2f}} and
# {{l2_small:.2f}}. The penalty went through Adam's division like every gradient: weights that are shaken hard are
# pulled about ten times less than you asked for, and quiet ones about ten times more.
#
# *Decay on gains and biases.* A network with batch-norm predicts depths around 4 m, and its last bias begins there.
# Your functions train it with a strong decoupled decay of 1: once on everything, once on the convolutions' weights
# alone.


# %%
def train(decay_all: bool, steps: int = 300) -> tuple[float, float, float]:
    """Squared error at the end, mean gain of the batch-norm, and the last bias."""
    rng = np.random.default_rng(13)
    x = rng.standard_normal((4, 3, 8, 10)).astype(np.float32)
    target = 4 + np.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:] / 2
    net = nn.Sequential(nn.Conv2d(3, 16, 1, rng=rng), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 1, 1, rng=rng))
    net[3].bias.data[...] = 4
    params = list(net.parameters())
    means, squares = [0] * len(params), [0] * len(params)
    for step in range(steps):
        wrong = net(Tensor(x)) - target
        loss = (wrong * wrong).mean()
        for p in params:
            p.grad = None
        loss.backward()
        grads, _ = clip_by_norm([p.grad for p in params], 10.0)
        lr = warmup_cosine(step, steps, 0.01, 20)
        for i, (p, g) in enumerate(zip(params, grads)):
            decay = 1.0 if decay_all or p.data.ndim > 1 else 0.0
            new = adam_step(p.data, g, means[i], squares[i], step + 1, lr, weight_decay=decay, decoupled=True)
            p.data[...], means[i], squares[i] = new
    return loss.item(), float(net[1].weight.data.mean()), float(net[3].bias.data[0])


everything, matrices = train(True), train(False)
page.measured(within=0.3, bias_all=everything[2], bias=matrices[2], gain_all=everything[1], gain=matrices[1])
page.measured(within=0.6, error_ratio=everything[0] / matrices[0])

# %% [markdown]
# With decay on everything the last bias ends at {{bias_all:.2f}} m, otherwise at {{bias:.2f}} m, and the mean gain at
# {{gain_all:.2f}} in place of {{gain:.2f}}. To pull a last bias towards 0 is to say that rooms are 0 metres deep. The
# rest of the network has to make up for it, and the error is {{error_ratio:.1f}} times as large. (In front of a
# batch-norm, decay on the weights does no such thing: their size is divided out again. See lesson 8.)
#
# ## What PyTorch does
#
# `torch.optim.SGD(momentum=)` is your `sgd_step`; Keras keeps -lr v in place of v, which is the same until lr changes.
# `torch.optim.Adam(weight_decay=)` is L2, `AdamW` is decoupled, with 0.01 unless you say otherwise, on *everything*:
# to spare gains and biases, you hand it two groups of parameters. This library's `Adam` and `AdamW` are the same, and
# so is its `clip_grad_norm_`. `minidepth train --optimizer` and `--schedule` choose; `minidepth mine on 13.2` gives
# the U-Net your Adam.
#
# ## To think about
#
# Adam keeps two arrays beside each weight, plain steps none. For a network of 30 million weights that is 240 MB. Which
# of the two would you rather give up, and what could stand in for it? A good answer says what each one is for, what
# happens to the valley without it, and whether all weights of a row might share one number.

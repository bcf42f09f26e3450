# ---
# minutes: 70
# seconds: 4
# ---

# %% [markdown]
# # 3. Tensors and broadcasting
#
# **Where does a gradient go when an array was stretched?**
#
# In lesson 1 a node held a number. From here on it holds an array, a *tensor* as people say. Arrays of different shapes
# meet, and NumPy stretches the smaller one without a word. On the way back somebody has to undo that: you.

# %%
import numpy as np

from minidepth.learn import open_page

page = open_page("03_broadcasting")

# %% [markdown]
# ## A stretch is a copy
#
# A bias b of shape (3,) is added to an array of shape (2, 3). NumPy acts as if b were written down twice, one copy
# for each row. That is *broadcasting*. Shapes are laid side by side so that their *last* axes meet; an axis that is
# missing, or that has length 1, is repeated until it fits. (3,) meets (2, 3) as (1, 3), and becomes (2, 3).
#
# What is dL/db[0]? The loss grows with b[0] by way of the first row, and by way of the second. Lesson 1 had the rule:
# a number that is used twice gets the sum. So:
#
# * copied forward, summed on the way back;
# * summed forward, copied on the way back.
#
# That is the whole lesson. The rest is to find out which numbers are copies of which. (The *vjp* in the names below is
# lesson 2's vector-Jacobian product: what comes from behind, times the slopes.)
#
# ## A worked example
#
# b = [10, 20, 30] is stretched over two rows. From behind comes g = dL/dy = [[1, 2, 3], [4, 5, 6]]. b[0] went to both
# rows of the first column, so it gets 1 + 4: the gradient is [5, 7, 9], in the shape of b, as it always must be.
#
# ## Predict
#
# A convolution makes 8 pictures of 16 channels, (8, 16, 24, 32), and adds a bias (16, 1, 1). How many numbers of g are
# added up for one number of the bias's gradient?

# %%
page.guess("summed", None, "Numbers of g that go into one number of the bias's gradient?")

# %% [markdown]
# ## Exercise 3.1: undo a stretch
#
# Two things may have happened to the array: axes were put in front, and axes of length 1 were repeated. Take back the
# first, then the second, and mind the shape. Return an array of its own, also where nothing was stretched. A sum of
# two arrays hands g to both of them: if both got the *same* array, whoever adds to one would change the other.


# %%
def unbroadcast(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """g = dL/dy for a y of the shape of g, to which an array of shape `shape` was stretched -> its gradient."""
    # BEGIN SOLUTION 3.1
    while g.ndim > len(shape):
        g = g.sum(axis=0)
    for axis, length in enumerate(shape):
        if length == 1:
            g = g.sum(axis=axis, keepdims=True)
    return g.copy()
    # END SOLUTION


# %%
page.measured(summed=unbroadcast(np.ones((8, 16, 24, 32)), (16, 1, 1))[0, 0, 0])

# %% [markdown]
# Every number of the bias's gradient is the sum of {{summed:.0f}} others.
#
# ## A test without a formula
#
# Stretching is *linear*: a matrix S of zeros and ones would do it, and the way back is that matrix turned on its side,
# S'. (Nobody writes it down.) For any v of the small shape and any u of the large one,
#
#     sum of u * (S v)   =   sum of (S' u) * v
#
# Both sides add up the same products, in another order. So no second implementation is needed, and no small step. This
# is the *adjoint identity*; the next cell asks it of your function with 200 pairs of shapes.

# %%
rng, worst = np.random.default_rng(3), 0.0
for _ in range(200):
    large = tuple(int(n) for n in rng.integers(1, 5, rng.integers(0, 5)))  # up to four axes
    small = tuple(n if rng.random() < 0.5 else 1 for n in large)[int(rng.integers(0, len(large) + 1)) :]
    v, u = rng.standard_normal(small), rng.standard_normal(large)
    there, back = (u * np.broadcast_to(v, large)).sum(), (unbroadcast(u, small) * v).sum()
    worst = max(worst, abs(there - back) / np.sqrt((u**2).sum() * (v**2).sum()))
page.measured(within=1e3, worst=max(worst, 1e-17))

# %% [markdown]
# The largest difference is {{worst:.0e}}: rounding, and nothing else.
#
# ## Products of matrices
#
# y = a b, with a (n, k) and b (k, m). The number y[i, j] is the sum over l of a[i, l] b[l, j]. So a[i, l] appears in
# the whole row i of y, each time with the factor b[l, j]:
#
#     dL/da[i, l] = sum over j of g[i, j] b[l, j]        dL/da = g b'
#     dL/db[l, j] = sum over i of a[i, l] g[i, j]        dL/db = a' g
#
# No need to learn that by heart: g is (n, m), b is (k, m), and there is one way to get (n, k) out of them. But do not
# trust shapes alone. With square matrices everything fits, the wrong formula too.
#
# NumPy's `@` multiplies *stacks* of matrices as well: (5, n, k) @ (5, k, m) is five products. The axes before the last
# two are stretched like those of any other operation: (5, n, k) @ (k, m) uses the same b five times.
#
# ## Exercise 3.2: the gradients of a product
#
# For stacks, "turned on its side" means that the *last two* axes change places: `b.swapaxes(-1, -2)`. Then undo the
# stretch, with 3.1.


# %%
def matmul_vjp(g: np.ndarray, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """dL/da and dL/db for y = a @ b; a (..., n, k), b (..., k, m), g = dL/dy (..., n, m)."""
    # BEGIN SOLUTION 3.2
    da = g @ b.swapaxes(-1, -2)
    db = a.swapaxes(-1, -2) @ g
    return unbroadcast(da, a.shape), unbroadcast(db, b.shape)
    # END SOLUTION


# %% [markdown]
# ## Exercise 3.3: the gradient of a mean
#
# Now the other direction. `x.mean(axis)` takes many numbers to one. Each of them moves the mean by 1/count, so each of
# them gets g/count, with `count` how many numbers went into one mean. The axis is gone from g: put it back
# (`np.expand_dims(g, axis)`), or g will be stretched along another one. With equal sizes nobody would complain.


# %%
def mean_vjp(g: np.ndarray, shape: tuple[int, ...], axis: int | tuple[int, ...]) -> np.ndarray:
    """dL/dx for y = x.mean(axis), with x of shape `shape`, and g = dL/dy of that shape without the axis or axes."""
    # BEGIN SOLUTION 3.3
    stretched = np.broadcast_to(np.expand_dims(g, axis), shape)
    count = stretched.size / g.size
    return stretched / count
    # END SOLUTION


# %% [markdown]
# ## Exercise 3.4: the gradient of rows that were picked
#
# `x[index]`, with an array of row numbers, is a copy as well, and one row may be picked twice. To enlarge a picture by
# nearest neighbours is just that: index = [0, 0, 1, 1, 2, 2]. So each row of x gets the sum of the g of all its copies.
#
# There is a trap in NumPy. `dx[index] += g` reads all rows, adds, and writes all rows. A row that was picked twice is
# written twice, and the last one wins. Add one after the other: with a loop, or `np.ufunc.at`.


# %%
def pick_vjp(g: np.ndarray, index: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """dL/dx for y = x[index], with x of shape `shape`, index an array of row numbers, and g = dL/dy."""
    # BEGIN SOLUTION 3.4
    dx = np.zeros(shape)
    np.add.at(dx, index, g)
    return dx
    # END SOLUTION


# %% [markdown]
# ## Shapes, there and back
#
# A stack of 8 arrays goes through one layer, y = x w + b, and a mean. Blue arrows go forward, red ones back; all shapes
# come from running your functions. Compare the two in each box: they are the same, always.

# %%
x, w, b = rng.standard_normal((8, 5, 4)), rng.standard_normal((4, 3)), rng.standard_normal(3)
product = x @ w
y = product + b
m = y.mean(axis=1)
dm = rng.standard_normal(m.shape)
dy = mean_vjp(dm, y.shape, 1)
db, dproduct = unbroadcast(dy, b.shape), unbroadcast(dy, product.shape)
dx, dw = matmul_vjp(dproduct, x, w)

boxes = {
    "x": (0, 0, x, dx), "w": (1, 1, w, dw), "x w": (1, 0, product, dproduct), "b": (2, 1, b, db),
    "x w + b": (2, 0, y, dy), "mean over axis 1": (3, 0, m, dm),
}  # fmt: skip
ways = {
    "x": "g w'", "w": "x' g, and the\nsum over axis 0", "x w": "as it is", "b": "sum over\naxes 0 and 1",
    "x w + b": "copied to 5,\ndivided by 5",
}  # fmt: skip
fig, ax = page.subplots(figsize=(9, 3.8))
for name, (column, row, there, back) in boxes.items():
    text = f"{name}\n{there.shape}\ngradient {back.shape}"
    ax.text(column, row, text, ha="center", va="center", bbox={"boxstyle": "round", "fc": "white", "ec": "#777777"})
for name, words in ways.items():
    place = np.array(boxes[name][:2])
    along, aside = np.array([[1, 0], [0, 0.1]] if place[1] == 0 else [[0, -1], [-0.1, 0]])
    for side, ends, color in ((aside, (0.7, 0.3), "#0072B2"), (-aside, (0.3, 0.7), "#D55E00")):
        head, tail = (place + end * along + side for end in ends)
        ax.annotate("", head, tail, arrowprops={"arrowstyle": "->", "color": color, "lw": 2})
    ax.text(*(place + along / 2 - 1.6 * aside), words, color="#A84A00", ha="center" if along[0] else "left", va="top")
ax.set(xlim=(-0.5, 3.5), ylim=(-0.6, 1.3))
ax.axis("off")
page.figure(
    fig, "there_and_back",
    alt="Boxes with an arrow there and one back: x (8, 5, 4) and w (4, 3) make x w (8, 5, 3), b (3,) is added, and the "
    "mean over axis 1 is (8, 3). Each gradient has the shape of its box: the mean's is copied to 5 and divided by 5, "
    "those of b and w are summed over the axes along which they were stretched.",
    table={"array": list(boxes), "shape": [box[2].shape for box in boxes.values()],
           "shape of its gradient": [box[3].shape for box in boxes.values()]},
)  # fmt: skip

# %% [markdown]
# ## The pitfall: a slate that is never wiped
#
# Gradients are sums: an array that is used twice gets two shares. So engines *add* to the gradient that is there, and
# somebody has to set it to zero before each step: `zero_grad()`. Forget it, and step 100 goes along the sum of a
# hundred gradients, 99 of which are old. Below is a small network, by your functions alone, with and without that
# line. What do you expect: an error, NaN, or a loss that rises?

# %%
page.guess("times_worse", None, "Loss without wiping over loss with it, after 400 steps?")


def train(wipe: bool = True, column: bool = True) -> tuple[list[float], np.ndarray, np.ndarray]:
    """400 steps of a network with 16 hidden units: the losses, the last predictions, the targets."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((64, 4))
    target = 1 + np.sin(2 * x[:, 0]) + x[:, 1] * x[:, 2] / 2
    target = target[:, None] if column else target
    w1, b1, w2, b2 = rng.standard_normal((4, 16)) / 2, np.zeros(16), rng.standard_normal((16, 1)) / 4, np.zeros(1)
    weights, losses = [w1, b1, w2, b2], []
    for step in range(400):
        if wipe or step == 0:
            grads = [np.zeros(weight.shape) for weight in weights]
        hidden = np.tanh(x @ w1 + b1)
        y = hidden @ w2 + b2
        wrong = y - target
        losses.append(float((wrong**2).mean()))
        dy = unbroadcast(2 * wrong * mean_vjp(np.ones(()), wrong.shape, (0, 1)), y.shape)
        dhidden, dw2 = matmul_vjp(dy, hidden, w2)
        da = dhidden * (1 - hidden**2)
        news = matmul_vjp(da, x, w1)[1], unbroadcast(da, b1.shape), dw2, unbroadcast(dy, b2.shape)
        for weight, grad, new in zip(weights, grads, news):
            grad += new
            weight -= 0.1 * grad
    return losses, y, target


wiped, y, target = train()
never, _, _ = train(wipe=False)
fig, ax = page.subplots()
ax.semilogy(wiped, label="wiped before each step")
ax.semilogy(never, "--", label="never wiped")
ax.set(xlabel="step", ylabel="loss")
ax.legend(frameon=False)
page.figure(
    fig, "never_wiped",
    alt="Loss over 400 steps, logarithmic. With gradients set to zero it falls smoothly to a few hundredths; without, "
    "it falls at first, too, and then swings up and down for ever, several times higher.",
    table={"step": range(400), "wiped": wiped, "never wiped": never},
)  # fmt: skip
page.measured(within=0.3, at_first=wiped[0], with_wiping=wiped[-1])
page.measured(within=1.0, without=np.mean(never[-100:]), times_worse=np.mean(never[-100:]) / wiped[-1])

# %% [markdown]
# The loss begins at {{at_first:.2f}} and ends at {{with_wiping:.3f}}. Without wiping it ends around {{without:.2f}},
# {{times_worse:.0f}} times as much. And it *has fallen*: no error, no NaN; for a while it was even ahead. That is why
# nobody notices. It swings because a sum of all gradients is a speed: this network is a ball in a bowl without
# friction. Lesson 13 puts the friction in, and calls it momentum.
#
# ## A stretch that nobody asked for
#
# The network gives a column, (64, 1). Hand it targets of shape (64,), as a file of numbers would have them.

# %%
losses, lazy_y, lazy_target = train(column=False)
print("shape of y - target:", (lazy_y - lazy_target).shape)
page.measured(within=0.3, spread_right=y.std() / target.std(), loss_of_lazy=losses[-1], variance=target.var())
page.measured(within=2.0, spread=lazy_y.std() / lazy_target.std())

# %% [markdown]
# Every prediction is compared with every target, 64 x 64 of them. The best answer to that question is the same number
# for all, the mean: the spread of the predictions is {{spread:.2f}} times that of the targets (with a column:
# {{spread_right:.2f}}). The loss falls to {{loss_of_lazy:.2f}}, the variance of the targets ({{variance:.2f}}), and
# stays. Your gradients were all correct. It was the question that had been stretched.
#
# ## What PyTorch does
#
# It broadcasts by the same rules, sums on the way back, and adds to `.grad` until `optimizer.zero_grad()`.
# `torch.nn.functional.mse_loss` warns where the two shapes differ. Its `index_add_` is `np.add.at`; on a GPU the
# order of those additions is not fixed, so two runs may differ in the last digits. In this library, `unbroadcast` is
# in `minidepth/engine.py`; it returns g itself where nothing was stretched, and the engine is careful instead.
#
# ## To think about
#
# (64, n, k) @ (k, m): your `matmul_vjp` makes 64 matrices (k, m), one for each array of the stack, and then adds them
# up. How could db come from a *single* product of two matrices, with no stack in memory? A good answer reshapes both a
# and g, says which axes it puts together, and why the sum over the stack then is part of the product.

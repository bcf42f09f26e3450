# ---
# minutes: 75
# seconds: 10
# ---

# %% [markdown]
# # 4. Convolution in seven loops
#
# **What does one output pixel see?**
#
# A U-Net is twenty-three convolutions and some plumbing. So it pays to have seen one from the inside: no library
# call, no trick, seven loops that you could follow with a finger. They are slow, and that is fine. Lesson 5 makes
# them fast, and this lesson is what it will be compared with.

# %%
import time

import numpy as np

from minidepth import gradcheck, ops
from minidepth.engine import Tensor
from minidepth.learn import open_page

page = open_page("04_convolution")

# %% [markdown]
# ## A window that slides
#
# Put a small grid of weights, the *kernel*, on a corner of the picture. Multiply each weight with the pixel below it,
# add everything up, and write the sum down: that is one output pixel. Slide the window on by `stride` pixels, and do it
# again. A frame of `pad` zeros around the picture lets the window reach over the edge.
#
# Pictures have channels and come in batches, so `x` is (N, C, H, W): N pictures with C channels. There is a kernel for
# every pair of an output channel o and an input channel c, so `w` is (O, C, KH, KW), and each output channel has one
# number `b[o]` of its own. With xp for the padded x,
#
#     y[n, o, i, j] = b[o] + sum over c, a, k of  w[o, c, a, k] * xp[n, c, stride i + a, stride j + k]
#
# Count the letters: n, o, i, j, c, a, k. Seven loops.

# %% [markdown]
# ## Predict
#
# A picture is 7 pixels high, the kernel is 3, stride 2, no padding. How many rows does the output have? And with a
# picture of 8? Write down both before you go on, in place of `None`.

# %%
page.guess("rows_of_7", None, "Rows of the output for 7 rows?")
page.guess("rows_of_8", None, "Rows of the output for 8 rows?")

# %% [markdown]
# ## Exercise 4.1: how large is the output?
#
# The window stands at 0, stride, 2 stride, ... as long as it lies inside the padded picture. How many places are that?


# %%
def output_size(n: int, k: int, stride: int = 1, pad: int = 0) -> int:
    """How many places a window of k pixels has on n pixels with `pad` zeros at either end."""
    # BEGIN SOLUTION 4.1
    return (n + 2 * pad - k) // stride + 1
    # END SOLUTION


# %%
page.measured(rows_of_7=output_size(7, 3, stride=2), rows_of_8=output_size(8, 3, stride=2))

# %% [markdown]
# Both give {{rows_of_7:.0f}}. For 8 rows the last one is never looked at: no window that fits begins where it would
# need to. That is not rounding, it is a row of pixels that has no influence on anything, and the gradient that comes
# back for it must be zero. Half of all home-made convolutions get that corner wrong.
#
# ## A worked example
#
# Three pixels, a kernel of two: with x = [1, 2, 4] and w = [10, 1], the output is [1*10 + 2*1, 2*10 + 4*1] = [12,
# 24]. Mathematicians turn the kernel round first and call *that* convolution; what networks do is a *correlation*.
# Nobody in this field turns it, and a network would learn the turned kernel just as well. But a program that turns it
# in one place and not in another is wrong.
#
# ## Exercise 4.2: forward
#
# Write the seven loops, or fewer: `(window * w[o]).sum()` does three of them at once.


# %%
def conv2d_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int = 1, pad: int = 0) -> np.ndarray:
    """x (N, C, H, W), w (O, C, KH, KW), b (O) -> y (N, O, P, Q), as in the formula above."""
    # BEGIN SOLUTION 4.2
    pictures, _, height, width = x.shape
    out_channels, _, kh, kw = w.shape
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    y = np.zeros((pictures, out_channels, output_size(height, kh, stride, pad), output_size(width, kw, stride, pad)))
    for n in range(pictures):
        for o in range(out_channels):
            for i in range(y.shape[2]):
                for j in range(y.shape[3]):
                    window = xp[n, :, stride * i : stride * i + kh, stride * j : stride * j + kw]
                    y[n, o, i, j] = (window * w[o]).sum() + b[o]
    return y
    # END SOLUTION


# %% [markdown]
# ## The way back
#
# Somebody hands you g = dL/dy, one number for each output pixel: how much the loss grows when that pixel grows. Read
# the formula once more and ask of each input where it appears.
#
# * `b[o]` appears in every pixel of channel o, with the factor 1. So dL/db[o] is the sum of g over that channel.
# * `w[o, c, a, k]` appears in every pixel (n, i, j) of channel o, with the factor xp[n, c, stride i + a, stride j + k].
# * `xp[n, c, u, v]` appears wherever a window covers it: in all (o, i, j) with u = stride i + a and v = stride j + k.
#
# You need not solve that for i and j. Walk over the *outputs* as you did before, and let each one give back to what
# it had looked at: where forward has read `xp[...]` times `w`, backward adds g times w to `dxp[...]`, and g times xp
# to `dw`. Then cut the frame of padding off.
#
# ## Exercise 4.3: the gradient of the picture


# %%
def conv2d_grad_x(g: np.ndarray, w: np.ndarray, x_shape: tuple[int, ...], stride: int = 1, pad: int = 0) -> np.ndarray:
    """dL/dx, of shape `x_shape`, from g = dL/dy (N, O, P, Q)."""
    # BEGIN SOLUTION 4.3
    pictures, channels, height, width = x_shape
    out_channels, _, kh, kw = w.shape
    dxp = np.zeros((pictures, channels, height + 2 * pad, width + 2 * pad))
    for n in range(pictures):
        for o in range(out_channels):
            for i in range(g.shape[2]):
                for j in range(g.shape[3]):
                    top, left = stride * i, stride * j
                    dxp[n, :, top : top + kh, left : left + kw] += g[n, o, i, j] * w[o]
    return dxp[:, :, pad : pad + height, pad : pad + width]
    # END SOLUTION


# %% [markdown]
# ## Exercise 4.4: the gradients of the kernel and of the bias


# %%
def conv2d_grad_w(
    g: np.ndarray, x: np.ndarray, w_shape: tuple[int, ...], stride: int = 1, pad: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """dL/dw, of shape `w_shape`, and dL/db, from g = dL/dy (N, O, P, Q)."""
    # BEGIN SOLUTION 4.4
    kh, kw = w_shape[2:]
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dw = np.zeros(w_shape)
    for n in range(g.shape[0]):
        for o in range(g.shape[1]):
            for i in range(g.shape[2]):
                for j in range(g.shape[3]):
                    top, left = stride * i, stride * j
                    dw[o] += g[n, o, i, j] * xp[n, :, top : top + kh, left : left + kw]
    return dw, g.sum(axis=(0, 2, 3))
    # END SOLUTION


# %% [markdown]
# ## Your convolution as an operation
#
# Put the three functions together, and the engine's own gradient check can look at them: it compares what your backward
# says with what your forward does, for random pictures and random g.


# %%
def my_conv2d(x: Tensor, w: Tensor, b: Tensor, stride: int = 1, pad: int = 0) -> Tensor:
    """The seven loops as an operation of the engine."""

    def pullback(g):
        return (
            conv2d_grad_x(g, w.data, x.shape, stride, pad),
            *conv2d_grad_w(g, x.data, w.shape, stride, pad),
        )

    return Tensor.from_op("my_conv2d", conv2d_forward(x.data, w.data, b.data, stride, pad), (x, w, b), pullback)


# %%
rng = np.random.default_rng(4)
x, w, b = rng.standard_normal((2, 3, 6, 5)), rng.standard_normal((4, 3, 3, 3)), rng.standard_normal(4)
print(gradcheck(lambda x, w, b: my_conv2d(x, w, b, stride=2, pad=1), x, w, b))

# %% [markdown]
# ## What one pixel sees
#
# Send a single 1 back from the middle of the output, through one, two and three convolutions with 3x3 kernels. Where
# the gradient of the picture is not zero, that output pixel has looked: its *receptive field*.

# %%
fields = []
ones = np.ones((1, 1, 3, 3))
seen = np.zeros((1, 1, 15, 15))
seen[0, 0, 7, 7] = 1
for _ in range(3):
    seen = conv2d_grad_x(seen, ones, seen.shape, pad=1)
    fields.append(seen[0, 0])

fig, axes = page.subplots(1, 3, figsize=(8, 3))
for layers, (ax, field) in enumerate(zip(axes, fields), 1):
    ax.imshow(field > 0, cmap="Blues", vmax=1.5)
    ax.set_title(
        f"{layers} layer{'s' if layers > 1 else ''}: {int((field > 0).sum() ** 0.5)} x {int((field > 0).sum() ** 0.5)}"
    )
    ax.set_xticks([0, 7, 14])
    ax.set_yticks([0, 7, 14])
page.figure(
    fig,
    "receptive_field",
    alt="Three pictures of 15 by 15 pixels. After one 3x3 convolution an output pixel depends on a square of 3 by 3 "
    "input pixels in the middle, after two on 5 by 5, after three on 7 by 7.",
    table={"layers": [1, 2, 3], "side of the receptive field": [int((field > 0).sum() ** 0.5) for field in fields]},
)
page.measured(field_of_3=(fields[2] > 0).sum() ** 0.5)

# %% [markdown]
# Three layers see {{field_of_3:.0f}} pixels, so to see 100 one would need 50 layers. That is why a U-Net halves its
# pictures: after four halvings every step of the window is 16 pixels wide.
#
# ## The pitfall: a test that cannot fail
#
# Here are four mistakes that people make, and two tests. The careless one takes one picture with one channel and a
# kernel that looks the same when it is turned round. The careful one takes random numbers, two pictures, three channels
# in and four out, a height that is not the width, and a stride that does not divide. How many of the four does the
# careless test let pass?

# %%
page.guess("let_pass", None, "How many of the four mistakes does the careless test let pass?")


def flipped(g, w, x_shape, stride, pad):
    return conv2d_grad_x(g, w[:, :, ::-1, ::-1], x_shape, stride, pad)


def transposed(g, w, x_shape, stride, pad):
    return conv2d_grad_x(g, w.transpose(0, 1, 3, 2), x_shape, stride, pad)


def only_first_picture(g, w, x_shape, stride, pad):
    dx = np.zeros(x_shape)
    dx[:1] = conv2d_grad_x(g[:1], w, (1, *x_shape[1:]), stride, pad)
    return dx


def channels_mixed_up(g, w, x_shape, stride, pad):
    return conv2d_grad_x(g, w[:, ::-1], x_shape, stride, pad)


mistakes = [flipped, transposed, only_first_picture, channels_mixed_up]
blur = np.array([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]])[None, None]
careless = rng.standard_normal((1, 1, 6, 6)), blur, (1, 1, 6, 6), 1, 1
careful = rng.standard_normal((2, 4, 3, 4)), rng.standard_normal((4, 3, 3, 3)), (2, 3, 6, 8), 2, 1
passed = {
    name: [np.allclose(wrong(*test), conv2d_grad_x(*test)) for wrong in mistakes]
    for name, test in {"careless": careless, "careful": careful}.items()
}
for wrong, *results in zip(mistakes, *passed.values()):
    print(f"{wrong.__name__:<20}", *(f"{name}: {'passes' if ok else 'caught':<8}" for name, ok in zip(passed, results)))
page.measured(let_pass=sum(passed["careless"]), careful_let_pass=sum(passed["careful"]))

# %% [markdown]
# The careless test lets {{let_pass:.0f}} of 4 pass, the careful one {{careful_let_pass:.0f}}. All checks of these
# lessons are of the careful kind, and so should yours be.
#
# ## What it costs

# %%
x, w, b = rng.standard_normal((1, 8, 24, 24)), rng.standard_normal((8, 8, 3, 3)), np.zeros(8)
page.guess("times_slower", None, "How many times slower than the library are the loops?")
start = time.perf_counter()
y = conv2d_forward(x, w, b, pad=1)
loops_s = time.perf_counter() - start
with_library = []
for _ in range(5):
    start = time.perf_counter()
    expected = ops.conv2d(Tensor(x), Tensor(w), Tensor(b), padding=1)
    with_library.append(time.perf_counter() - start)
print("same result:", np.allclose(y, expected.numpy()))
page.measured(within=9, times_slower=loops_s / min(with_library))

# %% [markdown]
# The loops take about {{times_slower:.0f}} times as long as the library's `conv2d`. The arithmetic is the same; the
# difference is Python, which needs longer to find out what to multiply than to multiply it.
#
# ## What PyTorch does
#
# `torch.nn.functional.conv2d(x, w, b, stride, padding)` is this function, kernel not turned, rows that do not fit left
# out in the same way. It adds `dilation`, gaps between the weights of the window, and `groups`, channels that do not
# see each other. Both are in `minidepth/ops/conv2d.py`, which reads like what you have just written.
#
# ## To think about
#
# The gradient of the picture is itself a convolution of g: with which kernel, which padding, and what has to be done to
# g when the stride is 2? Try it on paper with the three pixels from above. A good answer names the turned kernel, the
# padding k - 1 - pad, and the zeros between the numbers of g. Lesson 9 builds a decoder on it.

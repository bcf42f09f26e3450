# ---
# minutes: 75
# seconds: 6
# ---

# %% [markdown]
# # 5. Convolution as one matrix product
#
# **Why is a copy nine times larger faster?**
#
# The loops of lesson 4 are right and slow. A processor can do thirty thousand million multiplications a second, if
# somebody hands it two large matrices; the people who write matrix products have spent forty years on that. So let us
# turn the convolution into one. The trick is to copy the picture nine times, which sounds like the opposite of fast.

# %%
import time

import numpy as np

from minidepth.learn import open_page

page = open_page("05_im2col")
rng = np.random.default_rng(5)

# %% [markdown]
# ## A column for every window
#
# An output pixel is the sum of products of a window with the kernel. Write every window as a *column* of C k k
# numbers, put the columns side by side, and write the kernel of each output channel as a *row* of C k k numbers. Then
# all output pixels of all channels are one matrix product:
#
#     (O, C k k)  @  (C k k, P Q)  =  (O, P Q)
#
# The copy that makes the columns is called *im2col*. Row (c, a, b) of it holds, for every output pixel (i, j), the
# pixel xp[c, stride i + a, stride j + b] of the padded picture: which is xp[c], shifted by (a, b) and taken every
# `stride` pixels. So there is no loop over pixels, just k*k slices.
#
# ## Predict
#
# Convolutions of 3x3, 8 channels to 8, a picture of 24x24. How many times as fast as the loops is the product, the copy
# included?

# %%
page.guess("faster", None, "Time of the loops over the time of im2col and product?")

# %% [markdown]
# ## Exercise 5.1: im2col
#
# For the slice of (a, b): rows a, a + stride, ... and as many as there are output rows, which is
# `xp[:, :, a : a + stride * p : stride, ...]`.


# %%
def im2col(x: np.ndarray, k: int, stride: int = 1, pad: int = 0) -> np.ndarray:
    """x (N, C, H, W) -> columns (N, C * k * k, P * Q), rows in the order (c, a, b), columns in the order (i, j)."""
    # BEGIN SOLUTION 5.1
    n, c, h, w = x.shape
    p, q = (h + 2 * pad - k) // stride + 1, (w + 2 * pad - k) // stride + 1
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    columns = np.empty((n, c, k, k, p, q))
    for a in range(k):
        for b in range(k):
            columns[:, :, a, b] = xp[:, :, a : a + stride * p : stride, b : b + stride * q : stride]
    return columns.reshape(n, c * k * k, p * q)
    # END SOLUTION


# %% [markdown]
# ## The way back, without any calculus
#
# im2col only copies. If a pixel was copied to nine places, and the loss hands back a number for each copy, then the
# pixel gets their sum. That is *col2im*: the same slices, the other way round, with `+=`.
#
# Copying is a linear map A, and col2im is its transpose, or *adjoint*. There is a test for adjoints that needs no
# epsilon, no finite difference, no tolerance worth the name: for any x and any y,
#
#     sum(A x * y)  =  sum(x * A' y)
#
# to the last digits. Two random arrays, one line, and a wrong index has nowhere to hide.
#
# ## Exercise 5.2: col2im


# %%
def col2im(columns: np.ndarray, x_shape: tuple[int, ...], k: int, stride: int = 1, pad: int = 0) -> np.ndarray:
    """Columns as im2col makes them -> an array of shape `x_shape`, in which each pixel is the sum of its copies."""
    # BEGIN SOLUTION 5.2
    n, c, h, w = x_shape
    p, q = (h + 2 * pad - k) // stride + 1, (w + 2 * pad - k) // stride + 1
    windows = columns.reshape(n, c, k, k, p, q)
    xp = np.zeros((n, c, h + 2 * pad, w + 2 * pad))
    for a in range(k):
        for b in range(k):
            xp[:, :, a : a + stride * p : stride, b : b + stride * q : stride] += windows[:, :, a, b]
    return xp[:, :, pad : pad + h, pad : pad + w]
    # END SOLUTION


# %%
x, y = rng.standard_normal((2, 3, 6, 8)), rng.standard_normal((2, 27, 12))
left, right = (im2col(x, 3, 2, 1) * y).sum(), (x * col2im(y, x.shape, 3, 2, 1)).sum()
print(f"<A x, y> = {left:.12f}, <x, A' y> = {right:.12f}, relative difference {abs(left / right - 1):.0e}")

# %% [markdown]
# ## Exercise 5.3: the convolution
#
# Two lines are left: the product, and the bias. `@` multiplies a stack of matrices, one for each picture.


# %%
def conv2d_forward(x: np.ndarray, w: np.ndarray, b: np.ndarray, stride: int = 1, pad: int = 0) -> np.ndarray:
    """x (N, C, H, W), w (O, C, k, k), b (O) -> y (N, O, P, Q), by im2col."""
    # BEGIN SOLUTION 5.3
    k = w.shape[2]
    p, q = (x.shape[2] + 2 * pad - k) // stride + 1, (x.shape[3] + 2 * pad - k) // stride + 1
    y = w.reshape(len(w), -1) @ im2col(x, k, stride, pad) + b[:, None]
    return y.reshape(len(x), len(w), p, q)
    # END SOLUTION


# %% [markdown]
# ## Exercise 5.4: backward
#
# With the kernel as a matrix M (O, C k k), the columns X (C k k, P Q) and the gradient as G (O, P Q): y = M X. A
# product has two gradients, and you know them from lesson 3: dM = G X' and dX = M' G. Then dX goes through col2im.


# %%
def conv2d_backward(
    g: np.ndarray, x: np.ndarray, w: np.ndarray, stride: int = 1, pad: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dL/dx, dL/dw, dL/db from g = dL/dy (N, O, P, Q), by matrix products."""
    # BEGIN SOLUTION 5.4
    k = w.shape[2]
    g_matrix = g.reshape(*g.shape[:2], -1)
    columns = im2col(x, k, stride, pad)
    dw = (g_matrix @ columns.transpose(0, 2, 1)).sum(axis=0).reshape(w.shape)
    dx = col2im(w.reshape(len(w), -1).T @ g_matrix, x.shape, k, stride, pad)
    return dx, dw, g.sum(axis=(0, 2, 3))
    # END SOLUTION


# %% [markdown]
# ## How fast?


# %%
def by_loops(x, w):
    """Lesson 4, one picture, no padding."""
    k = w.shape[2]
    y = np.zeros((len(x), len(w), x.shape[2] - k + 1, x.shape[3] - k + 1))
    for n, o, i, j in np.ndindex(*y.shape):
        y[n, o, i, j] = (x[n, :, i : i + k, j : j + k] * w[o]).sum()
    return y


def seconds(work, calls):
    """The shortest of several calls."""
    times = []
    for _ in range(calls):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


x, w, b = rng.standard_normal((1, 8, 24, 24)), rng.standard_normal((8, 8, 3, 3)), np.zeros(8)
print("same result:", np.allclose(by_loops(x, w), conv2d_forward(x, w, b)))
page.measured(within=9, faster=seconds(lambda: by_loops(x, w), 3) / seconds(lambda: conv2d_forward(x, w, b), 20))

# %% [markdown]
# About {{faster:.0f}} times. The arithmetic is the same, and there is even more to copy. What has changed is who does
# it: one call that multiplies for a while, in place of thousands that multiply 72 numbers and then ask Python what
# comes next.
#
# ## What it costs

# %%
height, width, channels = 240, 320, 32
picture_mb = channels * height * width * 4 / 1e6
columns_mb = im2col(np.zeros((1, 1, height, width)), 3, 1, 1).size * channels * 4 / 1e6
page.measured(picture_mb=picture_mb, columns_mb=columns_mb)
print(f"{picture_mb:.1f} MB become {columns_mb:.1f} MB")

ones = np.ones((1, 1, 10, 10))
counts = {stride: col2im(im2col(ones, 3, stride), ones.shape, 3, stride) for stride in (1, 2)}
fig, axes = page.subplots(1, 2, figsize=(8, 3.8))
for ax, (stride, count) in zip(axes, counts.items()):
    ax.imshow(count[0, 0], cmap="Blues", vmin=0, vmax=14)
    ax.set_title(f"copies of each pixel, 3x3, stride {stride}")
    ax.set_xticks([])
    ax.set_yticks([])
    for (row, column), number in np.ndenumerate(count[0, 0]):
        ax.text(column, row, f"{number:g}", ha="center", va="center")
page.figure(
    fig,
    "copies",
    alt="Two grids of 10 by 10 with the number of windows that hold each pixel. With stride 1 it is 9 inside, less "
    "towards the edges and 1 in the corners. With stride 2 it is a pattern of 1, 2 and 4, "
    "and 0 in the last row and column.",
    table={
        "row": [i for i in range(10) for _ in range(10)],
        "column": list(range(10)) * 10,
        "stride 1": counts[1][0, 0].ravel(),
        "stride 2": counts[2][0, 0].ravel(),
    },
)
page.measured(most_copies=counts[1].max(), fewest_copies=counts[1].min())

# %% [markdown]
# A layer of 32 channels at 240x320, {{picture_mb:.1f}} MB in float32, becomes {{columns_mb:.1f}} MB. That is why the
# fast paths of `minidepth/ops/cpu/` make the columns for a small tile at a time, so that they never leave the cache.
#
# The figure also shows what col2im is *not*: the inverse of im2col. `col2im(im2col(x))` gives each pixel times the
# number of its copies, from {{fewest_copies:.0f}} in a corner to {{most_copies:.0f}} inside. Remember the pattern on
# the right, 1, 2, 4: it comes back in lesson 9 as a checkerboard in depth maps.
#
# ## The pitfall: a view that forgets
#
# NumPy can make the columns without copying at all: a view with strides that let windows overlap. Reading it is fine,
# and so one is tempted to write backward with it, too: add the gradient of the windows to a view of dx, and let the
# overlap do the sum. Add 1 to every number of the view. A pixel inside the picture is in nine windows: what does it
# get?

# %%
page.guess("got", None, "What is added to a pixel inside when 1 is added to every number of the view?")
picture = np.zeros((10, 10))
view = np.lib.stride_tricks.sliding_window_view(picture, (3, 3), writeable=True)
view += 1.0
page.measured(within=8, got=picture[5, 5])
page.measured(should_get=col2im(np.ones((1, 9, 64)), (1, 1, 10, 10), 3)[0, 0, 5, 5])

# %% [markdown]
# It got {{got:.0f}}, and should have got {{should_get:.0f}}. `view += 1` first reads the numbers, adds, and writes them
# back, nine times 1 to the same place; how many of the nine are seen by the next read is nobody's promise, and another
# version of NumPy may give another number. `sliding_window_view` is read-only unless one insists, and this is why.
#
# ## What PyTorch does
#
# `torch.nn.functional.unfold` is im2col and `fold` is col2im, in this order of rows. On a CPU its convolutions cut the
# picture into tiles; on a GPU the columns are made in the small memory beside each processor and never written out
# ("implicit GEMM"). The name im2col is from Caffe (Jia et al. 2014); the idea is older (Chellapilla et al. 2006).
#
# ## To think about
#
# A 1x1 convolution needs no copy at all: why? And a kernel of 7x7 with 3 input channels: is the copy still worth it? A
# good answer counts bytes copied against multiplications saved from Python, for both.

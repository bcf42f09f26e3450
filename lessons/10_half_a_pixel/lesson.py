# ---
# minutes: 55
# seconds: 4
# ---

# %% [markdown]
# # 10. Half a pixel
#
# **Where is the centre of a pixel?**
#
# Lesson 9 ended with good advice: do not stamp, enlarge the picture and convolve. Enlarging looks like a job for
# children: a number between two numbers is a bit of both. Yet programs have disagreed about it for decades, always by
# half a pixel. A U-Net enlarges four times in a row, and half a pixel at the bottom is eight at the top.

# %%
import numpy as np

from minidepth import ops
from minidepth.data.rooms import RoomsDataset
from minidepth.engine import Tensor
from minidepth.learn import open_page

page = open_page("10_half_a_pixel")
rng = np.random.default_rng(10)

# %% [markdown]
# ## A pixel is a square
#
# A row of n pixels is a strip cut into n pieces of equal length. Pixel r reaches from r to r + 1, so its centre is at
# r + 1/2. Now cut *the same strip* into m pieces. The centre of the new pixel r is at (r + 1/2) n / m in the old
# measure, and that is the centre of the old pixel number
#
#     u[r] = (r + 1/2) n / m - 1/2                 half a pixel: m pieces of the same strip
#
# which is usually not a whole number: it lies between two old pixels. The other answer in use takes pixels for points.
# It lays the first on the first and the last on the last, and divides what is between them evenly:
#
#     u[r] = r (n - 1) / (m - 1)                   align_corners: the ends stay where they are
#
# And then there is what everybody writes at the first try: u[r] = r n / m. Call it the *naive* grid.
#
# ## Predict
#
# A picture has a bright spot. Double the picture four times with the naive grid. By how many pixels of the large
# picture is the spot off where it should be? And with align_corners, if the spot is at a quarter of the width?

# %%
page.guess("naive_4", None, "Shift after four naive doublings, in pixels? Left is negative.")
page.guess("align_4", None, "And with align_corners?")

# %% [markdown]
# ## Exercise 10.1: where to look
#
# If there is one new pixel only, align_corners puts it on the first old one, u = 0.


# %%
def source_coordinates(n_in: int, n_out: int, align_corners: bool = False) -> np.ndarray:
    """For each of n_out new pixels its place u among n_in old ones: (n_out,); may be below 0 or above n_in - 1."""
    # BEGIN SOLUTION 10.1
    if align_corners:
        return np.arange(n_out) * (n_in - 1) / max(n_out - 1, 1)
    return (np.arange(n_out) + 0.5) * n_in / n_out - 0.5
    # END SOLUTION


# %%
print("3 -> 6, half a pixel: ", source_coordinates(3, 6))
print("3 -> 6, align_corners:", source_coordinates(3, 6, align_corners=True))

# %% [markdown]
# ## Between two pixels
#
# At u = 1.25 the value is 3/4 of pixel 1 and 1/4 of pixel 2. With left = floor(u) and f = u - left:
#
#     y[r] = (1 - f) x[left] + f x[left + 1]
#
# Below 0 and above n - 1 there is nobody to ask on one side. Then the pixel at the edge counts, alone: put u back to
# the nearest of 0 and n - 1 first.
#
# Every y is a weighted sum of the x, so there is a matrix A with y = A x, two weights in each row. Small pictures can
# afford to write it out, and it will pay on the way back.
#
# ## Exercise 10.2: the weights


# %%
def weights(u: np.ndarray, n_in: int) -> np.ndarray:
    """Places u (n_out,) among n_in pixels -> the matrix A (n_out, n_in) with y = A x. Each of its rows sums to 1."""
    # BEGIN SOLUTION 10.2
    u = np.clip(u, 0, n_in - 1)
    left = np.floor(u).astype(int)
    right = np.minimum(left + 1, n_in - 1)
    f, rows = u - left, np.arange(len(u))
    matrix = np.zeros((len(u), n_in))
    matrix[rows, left] += 1 - f
    matrix[rows, right] += f
    return matrix
    # END SOLUTION


# %%
print(weights(source_coordinates(3, 6), 3))

# %% [markdown]
# ## Exercise 10.3: resize a picture
#
# A picture has two directions, and they do not know of each other: resize the columns of numbers with one matrix, and
# the rows with another. `A @ x` multiplies the last two axes of x, for all pictures and channels at once.


# %%
def resize_bilinear(x: np.ndarray, size: tuple[int, int], align_corners: bool = False) -> np.ndarray:
    """x (N, C, H, W) -> y (N, C, *size)."""
    # BEGIN SOLUTION 10.3
    rows = weights(source_coordinates(x.shape[2], size[0], align_corners), x.shape[2])
    columns = weights(source_coordinates(x.shape[3], size[1], align_corners), x.shape[3])
    return rows @ x @ columns.T
    # END SOLUTION


# %%
x = rng.standard_normal((2, 3, 5, 7))
for size in [(10, 14), (8, 3)]:
    same = np.allclose(resize_bilinear(x, size), ops.interpolate(Tensor(x), size, mode="bilinear").numpy())
    print(f"(5, 7) -> {size}: same as the library: {same}")

# %% [markdown]
# ## Exercise 10.4: the way back
#
# Here is a tempting thought: enlarging made g too large, so resize g down, and there is dL/dx. It has the right shape,
# it even looks right. It is wrong. Backward is not the way back of the *picture*; each x gets what its shares in all
# the y have earned, added up. With y = A x, that is A transposed. (Lesson 9 called it the adjoint.)


# %%
def resize_bilinear_backward(g: np.ndarray, in_size: tuple[int, int], align_corners: bool = False) -> np.ndarray:
    """g = dL/dy (N, C, P, Q) -> dL/dx (N, C, *in_size)."""
    # BEGIN SOLUTION 10.4
    rows = weights(source_coordinates(in_size[0], g.shape[2], align_corners), in_size[0])
    columns = weights(source_coordinates(in_size[1], g.shape[3], align_corners), in_size[1])
    return rows.T @ g @ columns
    # END SOLUTION


# %% [markdown]
# The adjoint test, for all x and g: the sum of resize(x) * g is the sum of x * backward(g). Once for the transposed
# matrix, once for the tempting thought.

# %%
g = rng.standard_normal((2, 3, 10, 14))
there = (resize_bilinear(x, (10, 14)) * g).sum()
page.measured(within=1e-3, ratio_tempting=(x * resize_bilinear(g, (5, 7))).sum() / there)
print("transposed: the two sums differ by", abs((x * resize_bilinear_backward(g, (5, 7))).sum() / there - 1))
page.measured(gift=resize_bilinear_backward(np.ones((1, 1, 10, 14)), (5, 7)).sum() / (5 * 7))

# %% [markdown]
# The tempting thought gives {{ratio_tempting:.2f}} times the right sum. Its mistake is not subtle: with g = 1
# everywhere an old pixel earns {{gift:.0f}} on average, as it went into so many new ones; resizing g gives it 1.
#
# ## The pitfall: four levels up
#
# A bump at a quarter of a strip of 16 pixels, doubled four times. How far is it from where it belongs?

# %%
grids = {
    "half a pixel": source_coordinates,
    "align_corners": lambda n_in, n_out: source_coordinates(n_in, n_out, align_corners=True),
    "naive": lambda n_in, n_out: np.arange(n_out) * n_in / n_out,
}
start = np.exp(-((np.arange(16) - 3.5) ** 2))
centre = (np.arange(16) + 0.5) @ start / start.sum() / 16  # as a share of the width
shifts = {}
fig, axes = page.subplots(1, 3, figsize=(9, 3.6), sharey=True)
for ax, (name, grid) in zip(axes, grids.items()):
    bump, shifts[name] = start, [0.0]
    for level in range(5):
        if level:
            bump = weights(grid(len(bump), 2 * len(bump)), len(bump)) @ bump
            shifts[name].append((np.arange(len(bump)) + 0.5) @ bump / bump.sum() - centre * len(bump))
        place = (np.arange(len(bump)) + 0.5) / len(bump)
        ax.plot(place, 4 - level + 0.8 * bump, color=f"C{level}")
        ax.text(0.5, 4.25 - level, f"{len(bump)} pixels:\n{shifts[name][level]:+.2f}", fontsize=8, ha="right")
    ax.axvline(centre, color="black", linewidth=0.8, linestyle=":")
    ax.set(title=name, xlabel="place, as a share of the width", xlim=(0.12, 0.5), yticks=[])
    ax.spines["left"].set_visible(False)
page.figure(
    fig,
    "drift",
    alt="A bump in a strip of 16 pixels, doubled four times on three grids, with its shift in pixels. With half a "
    "pixel it stays on the dotted line, with align_corners it drifts to the left, with the naive grid twice as far.",
    table={"level": range(5), **shifts},
)
page.measured(naive_1=shifts["naive"][1], naive_4=shifts["naive"][4], align_1=shifts["align_corners"][1])
page.measured(align_4=shifts["align_corners"][4], top_4=3.5 * (256 - 1) / (16 - 1) + 0.5 - 256 * centre)
page.measured(half_4=abs(round(shifts["half a pixel"][4], 2)))

# %% [markdown]
# Naive: {{naive_1:.2f}} pixels after one doubling, {{naive_4:.1f}} after four. Each doubling doubles the shift there is
# and adds another half. With align_corners it is {{align_1:.2f}} and {{align_4:.1f}} here, nothing in the middle, and
# the other way round on the right: the picture is stretched. (By the formula the top of the bump moves by
# {{top_4:.1f}}. What is measured is its centre of mass, and the new pixels fall unevenly on the old ones.) With half a
# pixel it is {{half_4:.0f}}.
#
# Is that worth a lesson? Take depth maps of rooms, halve them four times by means over 2x2 pixels, as average pooling
# does, and double them four times. Nothing is learnt, and only the grids differ. Where does the wall stand afterwards?

# %%
depths = np.stack([RoomsDataset(8, (64, 96))[i].depth_m for i in range(8)])[:, None].astype(float)
small = depths.reshape(8, 1, 4, 16, 6, 16).mean(axis=(3, 5))
errors_m = {}
for name, grid in grids.items():
    large = small
    for _ in range(4):
        height, width = large.shape[2:]
        rows, columns = weights(grid(height, 2 * height), height), weights(grid(width, 2 * width), width)
        large = rows @ large @ columns.T
    errors_m[name] = float(np.abs(large - depths).mean())
    print(f"{name:<14} mean error {errors_m[name]:.3f} m")
page.measured(within=0.05, naive_ratio=errors_m["naive"] / errors_m["half a pixel"])
page.measured(within=0.05, align_ratio=errors_m["align_corners"] / errors_m["half a pixel"])

# %% [markdown]
# The naive grid is wrong by {{naive_ratio:.2f}} times as many metres as half a pixel, align_corners by
# {{align_ratio:.2f}} times. A trained network can learn to lean the other way, in every layer, with weights that it
# could have used for something better. And in a U-Net the enlarged picture is laid beside one that has *not* moved
# (lesson
# 11), so that the edges of the two do not meet.
#
# ## What PyTorch does
#
# `torch.nn.functional.interpolate(x, size, mode="bilinear", align_corners=False)` is your function; until version 0.4
# (2018) it was align_corners=True, so old weights want the old grid. TensorFlow 1 had the naive grid by default, and
# TensorFlow 2 has half a pixel. When somebody's network gives slightly blurred, slightly shifted maps in your program,
# look here first. `minidepth/ops/interpolate.py` keeps two weights a pixel in place of the matrix.
#
# ## To think about
#
# Shrink a picture by 8 with your function. How many old pixels does a new one look at, and what becomes of a thin
# bright line? A good answer counts them, says what average pooling does differently, and names what should be done to
# the picture before it is shrunk.

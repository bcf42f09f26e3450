# ---
# minutes: 80
# seconds: 5
# ---

# %% [markdown]
# # 12. Losses that mean metres
#
# **What does the network think is a good depth map?**
#
# A network wants exactly one thing: a smaller loss. Whatever the loss does not see, the network does not care about.
# So before training for an hour, look at what the number rewards. This lesson builds three losses for depth, draws
# what each one sees, and looks into the hole in the middle of every depth map: pixels for which the camera does not
# know.

# %%
import numpy as np

from minidepth.data.rooms import render
from minidepth.learn import open_page

page = open_page("12_losses")

# %% [markdown]
# ## Pixels that do not count
#
# A depth camera has holes: dark things, shiny things, the shadow beside every edge. In the file such a pixel is 0, or
# NaN, which is neither near nor far. A mask `valid` says which pixels are measured, and a loss is a mean over *those*:
#
#     mse = sum over valid of (pred - gt)^2 / number of valid pixels
#
# Its gradient is 2 (pred - gt) / number of valid pixels where valid, and 0 elsewhere. If no pixel is valid, both are 0.
#
# ## Predict
#
# A room: depths evenly spread from 2 to 7 metres, so that the best constant guess is their mean, 4.5 m. Now a fifth
# of the pixels are holes, stored as 0, and somebody forgets the mask. What is the best constant then?

# %%
page.guess("with_holes_m", None, "The best constant for MSE, when 20 % of the depths read 0 m?")

# %%
rng = np.random.default_rng(12)
depth_m = rng.uniform(2, 7, 10_000)
holes = rng.uniform(size=depth_m.shape) < 0.2
with_holes_m, without_m = np.where(holes, 0.0, depth_m).mean(), depth_m[~holes].mean()
page.measured(within=0.02, with_holes_m=with_holes_m, without_m=without_m)

# %% [markdown]
# {{with_holes_m:.2f}} m in place of {{without_m:.2f}} m, everywhere. The network learns to be a metre too near, and
# every other sign of the training looks healthy.
#
# ## Exercise 12.1: the masked MSE
#
# A word of warning: `(pred - gt)**2 * valid` is no mask. If gt is NaN in a hole, then NaN * 0 is NaN, and one hole eats
# the whole loss. Choose with `np.where`, *before* you compute.


# %%
def masked_mse(pred: np.ndarray, gt: np.ndarray, valid: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean squared error over valid pixels, and its gradient with respect to pred; (N, 1, H, W) each, valid is bool."""
    # BEGIN SOLUTION 12.1
    error = np.where(valid, pred - gt, 0.0)
    count = max(int(valid.sum()), 1)
    return float((error**2).sum() / count), 2 * error / count
    # END SOLUTION


# %% [markdown]
# ## Exercise 12.2: its root
#
# People report the RMSE, sqrt(mse), since it is in metres. As a loss it has a trap: the derivative of sqrt(m) is 1 /
# (2 sqrt(m)), and for a perfect prediction that is infinity, times a gradient of 0: NaN. Where the error is 0, let
# the gradient be 0. There nothing is left to improve.


# %%
def rmse(pred: np.ndarray, gt: np.ndarray, valid: np.ndarray) -> tuple[float, np.ndarray]:
    """Root of the mean squared error over valid pixels, in metres, and its gradient with respect to pred."""
    # BEGIN SOLUTION 12.2
    error = np.where(valid, pred - gt, 0.0)
    count = max(int(valid.sum()), 1)
    root = float(np.sqrt((error**2).sum() / count))
    return root, error / (count * root) if root > 0 else np.zeros_like(error)
    # END SOLUTION


# %% [markdown]
# ## Edges
#
# For MSE a blurred edge is a few wrong pixels among thousands. People mind it more; so one compares slopes as well.
# Sobel's filter measures the slope along a row, smoothed across rows:
#
#     -1  0  1
#     -2  0  2          and the same turned by 90 degrees for the slope along a column
#     -1  0  1
#
# The loss is the mean of |Sobel(pred - gt)| over the pixels where it can be known: the filter looks at 3x3 pixels, so
# all nine must be valid, and the border of the picture, where it would look outside, is left out.
#
# ## Exercise 12.3: slopes and where they are known
#
# Give back the two slopes of a map (H, W), (H - 2, W - 2) each, and where they may be used.


# %%
def slopes(depth: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sobel's slope along x and along y of a map (H, W), and where all nine pixels are valid: (H - 2, W - 2) each."""
    # BEGIN SOLUTION 12.3
    d = np.where(valid, depth, 0.0)
    rows = d[:-2] + 2 * d[1:-1] + d[2:]
    columns = d[:, :-2] + 2 * d[:, 1:-1] + d[:, 2:]
    known = np.ones((depth.shape[0] - 2, depth.shape[1] - 2), bool)
    for a in range(3):
        for b in range(3):
            known &= valid[a : a + known.shape[0], b : b + known.shape[1]]
    return rows[:, 2:] - rows[:, :-2], columns[2:] - columns[:-2], known
    # END SOLUTION


# %% [markdown]
# ## Which way a surface faces
#
# Two walls can be equally far and face different ways. A pixel (u, v) with depth d is the point
#
#     P = d * ((u - cx) / fx, (v - cy) / fy, 1)
#
# in metres, with focal lengths fx, fy and the picture's centre (cx, cy) in pixels. The step to the right neighbour,
# P(u+1, v) - P(u, v), and the step to the one below both lie in the surface; their cross product is at right angles
# to it. Divide by its length, and turn it towards the camera, z below 0: that is the *normal*. On a flat wall it is
# the same everywhere, however slanted the wall is, and that is what makes it such a good judge of flatness.
#
# ## Exercise 12.4: normals from depth


# %%
def normals(depth: np.ndarray, fx: float, fy: float, cx: float, cy: float) -> np.ndarray:
    """depth (H, W) in metres -> unit normals (H - 1, W - 1, 3), towards the camera (z < 0)."""
    # BEGIN SOLUTION 12.4
    v, u = np.indices(depth.shape)
    points = depth[..., None] * np.stack([(u - cx) / fx, (v - cy) / fy, np.ones(depth.shape)], axis=-1)
    right = points[:-1, 1:] - points[:-1, :-1]
    down = points[1:, :-1] - points[:-1, :-1]
    n = np.cross(down, right)
    return n / np.linalg.norm(n, axis=-1, keepdims=True)
    # END SOLUTION


# %% [markdown]
# ## What each loss sees
#
# A room that the program invents, and a prediction that is typical of a young network: a little blurred, and an
# eighth too far.

# %%
room = render(np.random.default_rng(3), (96, 128))
truth = room.depth_m.astype(np.float64)
valid = np.ones(truth.shape, bool)
blurred = truth.copy()
for _ in range(6):
    padded = np.pad(blurred, 1, mode="edge")
    blurred = (padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:] + padded[1:-1, 1:-1]) / 5
predicted = 1.12 * blurred
focal, cx, cy = 104.0, 63.5, 47.5
cosine = (normals(predicted, focal, focal, cx, cy) * normals(truth, focal, focal, cx, cy)).sum(axis=-1)
angle = np.degrees(np.arccos(np.clip(cosine, -1, 1)))
along_x, along_y, known = slopes(predicted - truth, valid)
maps = {
    "true depth, m": truth,
    "squared error, m2": (predicted - truth) ** 2,
    "difference of slopes, m": np.abs(along_x) + np.abs(along_y),
    "angle between normals, degrees": angle,
}
fig, axes = page.subplots(2, 2, figsize=(9, 6.2))
for ax, (title, values) in zip(axes.ravel(), maps.items()):
    image = ax.imshow(values, cmap="viridis_r" if values is truth else "magma", vmax=np.percentile(values, 98))
    ax.set_title(title)
    ax.set_axis_off()
    fig.colorbar(image, ax=ax, shrink=0.85)
page.figure(
    fig,
    "what_each_sees",
    alt="Four maps of one room. The true depth; the squared error, which is large on far walls and at deep edges; the "
    "difference of slopes, lines along the edges of things and little else; the angle between normals, lines along "
    "edges and wherever two walls meet, near or far.",
    table={
        "map": list(maps),
        "mean": [float(np.mean(values)) for values in maps.values()],
        "largest": [float(np.max(values)) for values in maps.values()],
    },
)
worst = np.sort(maps["squared error, m2"].ravel())[::-1]
edges = np.sort(maps["difference of slopes, m"].ravel())[::-1]
page.measured(within=0.3, mse_tenth=100 * worst[: worst.size // 10].sum() / worst.sum())
page.measured(within=0.3, slope_tenth=100 * edges[: edges.size // 10].sum() / edges.sum())

# %% [markdown]
# Of the squared error, the worst tenth of the pixels makes up {{mse_tenth:.0f}} %; the rest lies on the far walls,
# where an eighth is a lot, and near things hardly count. Of the difference of slopes the worst tenth makes up
# {{slope_tenth:.0f}} %: edges, and nothing on a wall that is too far as a whole. The angle finds every corner, near
# or far, and does not mind at all that the room is too large. The three look at different things, and papers add them
# with weights that somebody has tried out (Hu et al. 2019, arXiv:1803.08673, add all three).
#
# If you have NYU Depth V2, look at real rooms as well (in its CSV files somebody has filled the holes). How much of the
# squared error of the best constant comes from the tenth of the pixels that is farthest away?

# %%
for frame in page.nyu_frames(3):
    depths = frame.depth_m[frame.valid]
    error, far = (depths - depths.mean()) ** 2, depths > np.quantile(depths, 0.9)
    print(f"NYU: best constant {depths.mean():.2f} m; {error[far].sum() / error.sum():.0%} of its error is far away")

# %% [markdown]
# ## The pitfall: zero times not-a-number

# %%
gt = truth.copy()
gt[10:20, 30:50] = np.nan
hole = ~np.isnan(gt)
multiplied = float((((predicted - gt) ** 2) * hole).sum() / hole.sum())
chosen, gradient = masked_mse(predicted, gt, hole)
print(f"multiplied by the mask: {multiplied}      chosen with np.where: {chosen:.4f}")
print("the gradient is finite:", np.isfinite(gradient).all())
with np.errstate(all="ignore"):
    naive = np.float64(0.5) / np.sqrt(np.float64(0)) * 0.0
page.measured(nan_multiplied=float(np.isnan(multiplied)), nan_root=float(np.isnan(naive)))
print(
    "the gradient of sqrt at a perfect fit, without care:", naive, "     with care:", rmse(truth, truth, valid)[1].max()
)

# %% [markdown]
# ## What PyTorch does
#
# `torch.nn.functional.mse_loss` has no mask; people index with it, `mse_loss(pred[valid], gt[valid])`, which copies, or
# multiply, which meets NaN. The gradient of `torch.sqrt` at 0 is infinite, and times 0 it is NaN: the usual way out is
# sqrt(x + eps), which pays with a small error everywhere. In `minidepth/losses/` every loss takes (prediction, target,
# valid), chooses before it computes, and is written as text: `--loss "mse+gradient+normal"`.
#
# ## To think about
#
# A loss in log(depth) asks for the same *ratio* everywhere: 10 cm at 1 m weigh as much as 1 m at 10 m. For which robot
# would you choose it, and for which the plain MSE? A good answer names what each robot does with the map, and what the
# loss does to a prediction that is not positive.

# ---
# minutes: 80
# seconds: 20
# ---

# %% [markdown]
# # 9. Transposed convolution and its checkerboard
#
# **Why are there squares in my depth map?**
#
# Half of a U-Net goes down, and everybody explains that half. The other half makes a large picture out of a small one,
# and how it does so can be seen with the naked eye. You will write the most popular way up, find out why it leaves a
# chessboard on the wall, and build an instrument that says in one number how bad it is.

# %%
import numpy as np

from minidepth import nn, no_grad, ops, optim
from minidepth.data.rooms import RoomsDataset
from minidepth.engine import Tensor
from minidepth.learn import open_page

page = open_page("09_conv_transpose")
rng = np.random.default_rng(9)

# %% [markdown]
# ## A stamp instead of a window
#
# A convolution *gathers*: every output pixel looks at a window of inputs. Turned round, it *scatters*: every input
# pixel presses the kernel onto the output like a stamp, weighted with its own value, the next one `stride` further on.
# Where stamps overlap, they add up; at the end `pad` rows and columns are cut off at each side:
#
#     y[n, o, stride i + a - pad, stride j + b - pad] += x[n, c, i, j] * w[c, o, a, b]      for all n, o, c, i, j, a, b
#
# H input rows become stride (H - 1) + KH - 2 pad + output_pad of them. `output_pad` adds rows and columns at the end:
# a convolution with stride 2 makes as many rows out of 7 as out of 8, so on the way back one has to say which. Note
# that w is (C, O, KH, KW): channels of the input first. In one dimension, with x = [1, 2], w = [10, 20, 30], stride 2:
#
#     1 presses   10  20  30
#     2 presses           20  40  60        y = [10, 20, 50, 40, 60]
#
# ## Predict
#
# Far from the edges, with stride 2: how many stamps of 3 x 3 reach the output pixel that gets the most?

# %%
page.guess("most", None, "Most stamps on one pixel, kernel 3, stride 2?")

# %% [markdown]
# ## Exercise 9.1: press the stamps
#
# All pictures and channels in one go: `np.einsum("nc,coab->noab", x[:, :, i, j], w)` is what pixel (i, j) presses.


# %%
def conv_transpose2d(x: np.ndarray, w: np.ndarray, stride: int = 1, pad: int = 0, output_pad: int = 0) -> np.ndarray:
    """x (N, C, H, W), w (C, O, KH, KW) -> y (N, O, stride (H - 1) + KH - 2 pad + output_pad, ...), see above."""
    # BEGIN SOLUTION 9.1
    kh, kw = w.shape[2:]
    rows, columns = stride * (x.shape[2] - 1) + kh, stride * (x.shape[3] - 1) + kw
    y = np.zeros((len(x), w.shape[1], rows + output_pad, columns + output_pad))
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            top, left = stride * i, stride * j
            y[:, :, top : top + kh, left : left + kw] += np.einsum("nc,coab->noab", x[:, :, i, j], w)
    return y[:, :, pad : y.shape[2] - pad, pad : y.shape[3] - pad]
    # END SOLUTION


# %% [markdown]
# ## Have we met?
#
# The formula is, to the letter, the gradient of the picture in a convolution (lesson 4). Write a convolution as a
# matrix, y = A x: its gradient is A transposed times g, and so is your function. Hence the name. (It is no inverse;
# "deconvolution" promises what nobody can keep.) For all u and v,
#
#     sum of (A u) * v  =  sum of u * (A transposed v)
#
# That is the *adjoint test*. It needs no small step, as a difference quotient does, so it holds to the last digits.

# %%
u, v, w = rng.standard_normal((2, 3, 7, 9)), rng.standard_normal((2, 4, 4, 5)), rng.standard_normal((4, 3, 3, 3))
down, up = ops.conv2d(Tensor(u), Tensor(w), stride=2, padding=1).numpy(), conv_transpose2d(v, w, stride=2, pad=1)
print(f"the two sums differ by {abs((down * v).sum() / (u * up).sum() - 1):.1g} of their size")

# %% [markdown]
# ## Exercise 9.2: the way back
#
# Forward, pixel (i, j) has pressed x * w on a window of y. It gets back g * w, summed over that window; the stamp gets
# back g * x, summed over all pixels and pictures. Give g its frame of `pad` first.


# %%
def conv_transpose2d_backward(g: np.ndarray, x: np.ndarray, w: np.ndarray, stride: int = 1, pad: int = 0) -> tuple:
    """g = dL/dy (N, O, P, Q) -> dL/dx and dL/dw, with the shapes of x and w."""
    # BEGIN SOLUTION 9.2
    kh, kw = w.shape[2:]
    framed = np.pad(g, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    dx, dw = np.zeros(x.shape), np.zeros(w.shape)
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            window = framed[:, :, stride * i : stride * i + kh, stride * j : stride * j + kw]
            dx[:, :, i, j] = np.einsum("noab,coab->nc", window, w)
            dw += np.einsum("noab,nc->coab", window, x[:, :, i, j])
    return dx, dw
    # END SOLUTION


# %% [markdown]
# ## Four filters in one
#
# With stride 2, an output pixel in an even row only ever meets the rows a = 0, 2, 4, ... of the stamp, one in an odd
# row only a = 1, 3, ... The same for columns. So the kernel is really four small ones, its *phases*. Give it a flat
# wall, x = 1 everywhere: each output pixel is the sum of the weights of its phase, and nothing makes these sums agree.
#
# ## Exercise 9.3: what becomes of a flat wall?


# %%
def phase_sums(w: np.ndarray, stride: int) -> np.ndarray:
    """w (C, O, KH, KW) -> (C, O, stride, stride); at a, b the sum of all w[c, o, a + stride m, b + stride n]."""
    # BEGIN SOLUTION 9.3
    sums = np.zeros((*w.shape[:2], stride, stride))
    for a, b in np.ndindex(stride, stride):
        sums[:, :, a, b] = w[:, :, a::stride, b::stride].sum(axis=(2, 3))
    return sums
    # END SOLUTION


# %%
fig, axes = page.subplots(2, 3, figsize=(7, 4.8))
table = {"row": np.repeat(range(4), 4), "column": list(range(4)) * 4}
for (row, column), ax in np.ndenumerate(axes):
    k, name = column + 2, ("ones", "random weights")[row]
    stamp = np.ones((1, 1, k, k)) if row == 0 else rng.uniform(0, 1, (1, 1, k, k))
    wall = conv_transpose2d(np.ones((1, 1, 8, 8)), stamp, stride=2)[0, 0, 4:8, 4:8]
    ax.imshow(wall, cmap="Blues", vmin=0, vmax=1.6 * wall.max())
    for i, j in np.ndindex(wall.shape):
        ax.text(j, i, f"{wall[i, j]:.{row}f}", ha="center", va="center")
    ax.set(title=f"kernel {k}, {name}", xticks=[], yticks=[])
    table[f"kernel {k}, {name}"] = wall.ravel()
page.figure(
    fig,
    "flat_wall",
    alt="A flat wall after kernels 2, 3, 4. Ones: even, but for 3 (4, 2, 2, 1). Random: a pattern of period 2 in all.",
    table=table,
)
counts = {k: phase_sums(np.ones((1, 1, k, k)), 2).ravel() for k in (2, 3, 4)}
page.measured(most=counts[3].max(), fewest=counts[3].min(), of_4=counts[4].max())

# %% [markdown]
# With kernel 3 a pixel gets {{most:.0f}}, 2 or {{fewest:.0f}} stamps, with kernel 4 always {{of_4:.0f}}. Hence the
# well-known advice: *make the kernel a multiple of the stride* (Odena, Dumoulin and Olah 2016, who go on to recommend
# resizing instead). The lower row says what is left to go wrong.
#
# ## An instrument
#
# A pattern that repeats every s pixels has, besides its mean, the frequencies 1/s, 2/s, ... 1/2 cycles a pixel and no
# others. In a room nothing is special about these. So compare the power there with the power *beside*. `row_power` is
# given: for each frequency k/W, the squared size of the Fourier coefficient, averaged over the rows. Its bell-shaped
# window keeps a pattern from leaking further than to k - 1 and k + 1.


# %%
def row_power(y: np.ndarray) -> np.ndarray:
    """y (H, W) -> power at the frequencies 0/W, 1/W .. 1/2: (W // 2 + 1,)."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(y.shape[1]) / y.shape[1])
    return (np.abs(np.fft.rfft((y - y.mean(axis=1, keepdims=True)) * window)) ** 2).mean(axis=0)


# %% [markdown]
# ## Exercise 9.4: grid excess
#
# The lines of the grid are k = W j / s for j = 1 .. s/2. For each: 10 log10 of power[k] over the mean of power[k - 2]
# and power[k + 2]; at the last line, k = W/2, nothing lies above, so power[k - 2] alone. The answer is the mean over
# the lines, in decibels: 0 is nothing special, 10 is ten times what belongs there.


# %%
def grid_excess(y: np.ndarray, s: int) -> float:
    """The excess of power in the rows of y (H, W) on the grid of period s (even, and W is a multiple of it), in dB."""
    # BEGIN SOLUTION 9.4
    power, last = row_power(y), y.shape[1] // 2
    excess = []
    for k in range(y.shape[1] // s, last + 1, y.shape[1] // s):
        above = power[k + 2] if k < last else power[k - 2]
        excess.append(10 * np.log10(power[k] / ((power[k - 2] + above) / 2)))
    return float(np.mean(excess))
    # END SOLUTION


# %% [markdown]
# ## The pitfall: "just take kernel 4"
#
# Six ways up in the same small network: twice down, twice up, 30 steps on 24 small rooms, three starts. Too little to
# see depth well, and enough to see the grid. *Equal phases* is kernel 2 with four equal weights at the start (Aitken et
# al. 2017, arXiv:1707.02937): until training pulls them apart, that is copying. Is kernel 4 a cure?

# %%
page.guess("trained_k4", None, "Grid excess of kernel 4 after training, in dB?")
rooms = [RoomsDataset(32, (64, 64))[i] for i in range(32)]
images = np.stack([room.image for room in rooms]).transpose(0, 3, 1, 2).astype(np.float32) / 255
depths = np.stack([room.depth_m for room in rooms])[:, None].astype(np.float32)


def build(name: str, rng: np.random.Generator) -> nn.Module:
    def convolve(a, b):
        return nn.Sequential(nn.Conv2d(a, b, 3, padding=1, init="he", rng=rng), nn.BatchNorm2d(b), nn.LeakyReLU(0.1))

    def enlarge(a, b):
        if name in ("bilinear", "nearest"):
            resize = nn.Upsample(scale_factor=2, mode=name)
            return nn.Sequential(resize, nn.Conv2d(a, b, 3, padding=1, init="he", rng=rng))
        k, pad, output_pad = {"kernel 3": (3, 1, 1), "kernel 4": (4, 1, 0)}.get(name, (2, 0, 0))
        layer = nn.ConvTranspose2d(a, b, k, 2, pad, output_pad, init="he", rng=rng)
        if name == "equal phases":
            layer.weight.data[:] = layer.weight.data[:, :, :1, :1]
        return layer

    act = nn.LeakyReLU(0.1)
    down = [convolve(3, 6), nn.MaxPool2d(2), convolve(6, 12), nn.MaxPool2d(2), convolve(12, 12)]
    network = nn.Sequential(*down, enlarge(12, 6), act, enlarge(6, 6), act, nn.Conv2d(6, 1, 1, init="he", rng=rng))
    network[-1].bias.data[:] = depths.mean()
    return network


def look(network: nn.Module) -> tuple[np.ndarray, float]:
    """Maps of eight rooms not trained on; excess of period 4 (twice up by 2), mean of rows and columns."""
    network.eval()
    with no_grad():
        maps = network(Tensor(images[24:])).numpy()[:, 0]
    return maps, float(np.mean([grid_excess(y, 4) for one in maps for y in (one, one.T)]))


# %%
names = ["bilinear", "nearest", "equal phases", "kernel 2", "kernel 3", "kernel 4"]
maps, excess = {}, {name: [] for name in names}
for name in names:
    for seed in range(3):
        draw = np.random.default_rng(seed)
        network = build(name, draw)
        before, excess_before = look(network)
        optimizer = optim.Adam(network.parameters(), lr=5e-3)
        network.train()
        for _ in range(30):
            chosen = draw.choice(24, 4, replace=False)
            loss = ((network(Tensor(images[chosen])) - Tensor(depths[chosen])) ** 2).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        after, excess_after = look(network)
        maps[name] = before, after  # of the last start
        excess[name].append((excess_before, excess_after))
    print(f"{name:<13}", "  ".join(f"{one:5.1f} ->{other:5.1f} dB" for one, other in excess[name]))
untrained, trained = ({name: float(np.mean(excess[name], axis=0)[i]) for name in names} for i in range(2))

# %%
fig, axes = page.subplots(2, 6, figsize=(10, 3.9))
for name, column in zip(names, axes.T):
    for ax, one, title in zip(column, maps[name], (f"{name}\nuntrained", "30 steps")):
        ax.imshow(one[1], cmap="viridis")
        ax.set(title=title, xticks=[], yticks=[])
page.figure(
    fig,
    "decoders",
    alt="Depth maps of six decoders. Kernels 2, 3, 4 show squares, above untrained and below after 30 steps.",
    table={"way up": names, "untrained, dB": untrained.values(), "30 steps, dB": trained.values()},
)
fig, ax = page.subplots(figsize=(7, 3.6))
shown = {"truth": depths[24:, 0], **{name: maps[name][1] for name in ("bilinear", "kernel 2", "kernel 4")}}
spectra = {name: 10 * np.log10(np.mean([row_power(one) for one in some], axis=0)) for name, some in shown.items()}
for (name, power), style in zip(spectra.items(), ("-", "--", "-", "-.")):
    ax.plot(np.arange(1, 33) / 64, power[1:], style, label=name, marker="o", markevery=[15, 31])
ax.set(xlabel="frequency, cycles a pixel", ylabel="power, dB", xticks=[0, 1 / 8, 1 / 4, 3 / 8, 1 / 2])
ax.legend(frameon=False)
page.figure(
    fig,
    "spectrum",
    alt="Power over frequency: at the marks, 1/4 and 1/2, kernels 2 and 4 have peaks, truth and bilinear have none.",
    table={"cycles a pixel": np.arange(33) / 64, **spectra},
)
page.measured(within=0.3, before=untrained["kernel 4"], **{f"trained_k{k}": trained[f"kernel {k}"] for k in (2, 3, 4)})
page.measured(within=0.3, apart=min(trained[name] for name in names[3:]) - max(trained[name] for name in names[:3]))

# %% [markdown]
# Kernel 4 begins at {{before:.0f}} dB. Trained, kernels 2, 3 and 4 are at {{trained_k2:.0f}}, {{trained_k3:.0f}} and
# {{trained_k4:.0f}}: three starts do not tell which is worst. An even *number* of stamps is no cure, as the phases have
# different sums. The other ways up are at least {{apart:.0f}} dB below. But equal phases gives blocks, and blocks of 4
# equal pixels have next to *no* power at 1/4 and 1/2: a small number says "no peaks", not "a good map". After longer
# trainings, in `benchmarks/RESULTS.md`, the grid is fainter, and still there.
#
# ## What PyTorch does
#
# `torch.nn.functional.conv_transpose2d(x, w, b, stride, padding, output_padding)` is your function with a bias. Its
# layer, `ConvTranspose2d`, starts from random weights in all phases alike, hence with a checkerboard.
#
# ## To think about
#
# What does dL/dx of a 3x3 convolution with stride 2 look like, and who would mind? A good answer says which pixels get
# 4, 2 or 1 shares, and thinks of pictures that are made by following dL/dx.

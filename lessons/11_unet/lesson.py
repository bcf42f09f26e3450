# ---
# minutes: 75
# seconds: 12
# ---

# %% [markdown]
# # 11. U-Net: what the skips carry
#
# **What is lost at the bottom, and who brings it back?**
#
# At the bottom of a U-Net one number stands for a patch as wide as a chair. It may know of the chair, not where its
# leg ends. So every stage on the way up is handed the map of its own size from the way down: a *skip*.

# %%
from collections.abc import Callable

import numpy as np

from minidepth import models, ops, optim
from minidepth.engine import Tensor
from minidepth.learn import open_page

page = open_page("11_unet")

# %% [markdown]
# ## The plan
#
#     x -> [down.0] ------------- skip -------------> [merge.1] -> head -> y       c channels
#             | pool                                      | up.1
#          [down.1] ------------- skip -------------> [merge.0]                    2c channels
#             | pool                                      | up.0
#             +-----------------> [bottom] ---------------+                        4c channels
#
# A box is two 3x3 convolutions, each with a ReLU. Every pooling halves height and width, and the next box doubles the
# channels. Every `up`, a transposed convolution with a 2x2 kernel and stride 2, doubles height and width and halves the
# channels. Then skip and enlarged map are stacked, the skip first, and the next box sees both. The plan has two levels,
# the paper four (Ronneberger, Fischer and Brox 2015, arXiv:1505.04597).
#
# ## Predict
#
# With two levels, how many pixels of one row does an output pixel see? And the paper's network, four levels from 64
# channels, 1 channel in and 2 out: how many million parameters?

# %%
page.guess("field", None, "Side of the receptive field for two levels?")
page.guess("paper_millions", None, "Millions of parameters of the paper's network?")

# %% [markdown]
# ## Exercise 11.1: match the sizes
#
# A map of 45x61 is pooled to 22x30, and enlarged to 44x60. On a skip of 45x61 that cannot be stacked. Pooling dropped
# the *last* row and column (lesson 6), so what is missing is at the bottom and on the right, and zeros do. Where the
# enlarged map is too large, cut there. Whoever fills in at the top shifts everything by a pixel.


# %%
def match_size(up: np.ndarray, skip: np.ndarray) -> np.ndarray:
    """`up` (N, C, H, W) with the height and width of `skip`: cut, or filled with zeros, at the bottom and the right."""
    # BEGIN SOLUTION 11.1
    height, width = skip.shape[2:]
    up = up[:, :, :height, :width]
    return np.pad(up, ((0, 0), (0, 0), (0, height - up.shape[2]), (0, width - up.shape[3])))
    # END SOLUTION


# %% [markdown]
# ## Exercise 11.2: the gradient of the stack
#
# Stacking copies each number once, so backward hands each gradient to where its number came from. In a U-Net both parts
# have the same shape: if you swap them, no program will complain.


# %%
def concat_backward(g: np.ndarray, skip_channels: int) -> tuple[np.ndarray, np.ndarray]:
    """g (N, C, H, W) of the stack [skip, up] -> (dL/dskip, dL/dup), the skip having the first `skip_channels`."""
    # BEGIN SOLUTION 11.2
    return g[:, :skip_channels], g[:, skip_channels:]
    # END SOLUTION


# %% [markdown]
# ## The building blocks
#
# Look at `fitted`: the gradient of filling with zeros is cutting. So its backward is `match_size` again.


# %%
def convs(x: Tensor, params: dict[str, Tensor], box: str) -> Tensor:
    """Two 3x3 convolutions that keep the size, each with a ReLU."""
    for conv in (f"{box}.conv1", f"{box}.conv2"):
        x = ops.relu(ops.conv2d(x, params[f"{conv}.weight"], params[f"{conv}.bias"], padding=1))
    return x


def pool(x: Tensor) -> Tensor:
    return ops.max_pool2d(x, 2)


def up(x: Tensor, params: dict[str, Tensor], name: str) -> Tensor:
    """Twice the height and width, half the channels."""
    return ops.conv_transpose2d(x, params[f"{name}.weight"], params[f"{name}.bias"], stride=2)


def join(skip: Tensor, x: Tensor, backward: Callable = concat_backward) -> Tensor:
    """What happens where a skip meets the map from below: the two as one, the channels of the skip first."""
    fitted = Tensor.from_op("fit", match_size(x.data, skip.data), (x,), lambda g: (match_size(g, x.data),))
    both = np.concatenate([skip.data, fitted.data], axis=1)
    return Tensor.from_op("join", both, (skip, fitted), lambda g: backward(g, skip.shape[1]))


# %% [markdown]
# ## Exercise 11.3: the U-Net
#
# Down through the boxes "down.0", "down.1", ..., through "bottom", and up again: "up.0", meet the skip, "merge.0", and
# so on. Last comes the head, a 1x1 convolution with params["head.weight"] and params["head.bias"] and no ReLU. How skip
# and map meet, `meet(skip, x)`, is a parameter, since you will want to break it later.


# %%
def unet_forward(x: Tensor, params: dict[str, Tensor], levels: int, meet: Callable = join) -> Tensor:
    """x (N, C, H, W) -> (N, K, H, W): down `levels` times and up again, with the blocks above."""
    # BEGIN SOLUTION 11.3
    skips = []
    for i in range(levels):
        x = convs(x, params, f"down.{i}")
        skips.append(x)
        x = pool(x)
    x = convs(x, params, "bottom")
    for i in range(levels):
        x = up(x, params, f"up.{i}")
        x = meet(skips.pop(), x)
        x = convs(x, params, f"merge.{i}")
    return ops.conv2d(x, params["head.weight"], params["head.bias"])
    # END SOLUTION


# %%
def library_unet(levels: int, init: str = "he") -> models.UNet:
    return models.UNet(in_channels=1, base_channels=6, depth=levels, init=init, rng=11)


rng, network = np.random.default_rng(11), library_unet(3)
params, x = dict(network.named_parameters()), Tensor(rng.standard_normal((1, 1, 48, 64)).astype(np.float32))
print("as the library's:", np.allclose(unet_forward(x, params, 3).data, network(x).data, atol=1e-4))
print("45x61 gives", unet_forward(Tensor(x.data[:, :, :45, :61]), params, 3).shape)

# %% [markdown]
# ## Exercise 11.4: count the parameters
#
# A convolution from i to o channels with a k x k kernel has k k i o weights and o biases, a transposed one as many.


# %%
def parameter_count(channels: int, out: int, base: int, levels: int) -> int:
    """Weights and biases of the U-Net above, with `base` channels in its first box."""
    # BEGIN SOLUTION 11.4
    widths = [base * 2**level for level in range(levels + 1)]
    layers = [(base, out, 1)]
    for before, width in zip([channels, *widths], widths):
        layers += [(before, width, 3), (width, width, 3)]
    for width in widths[:-1]:
        layers += [(2 * width, width, 2), (2 * width, width, 3), (width, width, 3)]
    return sum(k * k * i * o + o for i, o, k in layers)
    # END SOLUTION


# %% [markdown]
# ## What one pixel sees
#
# Follow an output pixel back. A box widens what it sees by 2 on each side. `up` leads from pixel i to pixel i // 2, a
# pooling from pixel i to the pixels 2i and 2i + 1. Then ask the network: send a 1 back, and look where the picture gets
# a gradient. Max-pooling hands it to one pixel of four, so 48 pictures vote; positive weights keep every ReLU on.


# %%
def seen_by(pixel: int, levels: int) -> tuple[int, int]:
    """First and last row that a row of the output depends on."""
    first, last = pixel, pixel
    for _ in range(levels):
        first, last = (first - 2) // 2, (last + 2) // 2  # merge, up
    first, last = first - 2, last + 2  # bottom
    for _ in range(levels):
        first, last = 2 * first - 2, 2 * last + 1 + 2  # pool, down
    return first, last


page.measured(paper_millions=parameter_count(1, 2, 64, 4) / 1e6)
positive = {name: Tensor(abs(p.data) / 4) for name, p in library_unet(2).named_parameters()}
x = Tensor(rng.uniform(size=(48, 1, 64, 64)).astype(np.float32), requires_grad=True)
y = unet_forward(x, positive, 2)
one = np.zeros(y.shape)
one[:, :, 32, 32] = 1
y.backward(one)
heat = x.grad.mean(axis=(0, 1))
rows, (first, last) = np.flatnonzero(heat.sum(axis=1)), seen_by(32, 2)
page.measured(field=rows[-1] - rows[0] + 1, predicted=last - first + 1)
page.measured(within=0.3, in_the_middle=heat[28:37, 28:37].sum() / heat.sum())

# %% [markdown]
# The paper's network has {{paper_millions:.2f}} million parameters. An output pixel of ours sees {{field:.0f}} rows, as
# predicted ({{predicted:.0f}}), but {{in_the_middle:.0%}} of the gradient is in the middle 9 x 9 pixels. What a pixel
# *can* see and what it looks at differ (Luo et al. 2016, arXiv:1701.04128).
#
# ## The pitfalls, side by side
#
# Four ways to meet: as it should be; without the skip; with a skip that was taken after the pooling, and enlarged until
# it fits; with a backward that hands out its two parts in the wrong order. None of them crashes. First, look backward:
# send a random gradient through four levels, with He's first weights (lesson 7), and with PyTorch's, which are smaller
# by the root of 6.

# %%
ways = {
    "join": join,
    "no_skip": lambda skip, x: join(skip * 0.0, x),
    "after_pooling": lambda skip, x: join(ops.interpolate(pool(skip), scale_factor=2, mode="nearest"), x),
    "swapped": lambda skip, x: join(skip, x, lambda g, channels: concat_backward(g, channels)[::-1]),
}


def gradient_sizes(meet: Callable, init: str) -> dict[str, float]:
    """Root mean square of the gradient of each box's first kernel."""
    params, rng = dict(library_unet(4, init=init).named_parameters()), np.random.default_rng(5)
    for name in params:
        params[name].data *= not name.endswith("bias")  # biases of 0 in both
    y = unet_forward(Tensor(rng.standard_normal((4, 1, 48, 64)).astype(np.float32)), params, 4, meet)
    y.backward(rng.standard_normal(y.shape))
    kernels = {name[:-13]: p for name, p in params.items() if name.endswith("conv1.weight")}
    return {box: float(np.sqrt((p.grad**2).mean())) for box, p in kernels.items()}


sizes = {f"{init}, {way}": gradient_sizes(ways[way], init) for init in ("he", "pytorch") for way in ("join", "no_skip")}
fig, (left, right) = page.subplots(1, 2, figsize=(9, 3.8))
image = left.imshow(np.log10(heat / heat.max() + 1e-6), cmap="magma", vmin=-5)
fig.colorbar(image, ax=left, label="log10 of what the middle pixel looks at")
for (label, row), style in zip(sizes.items(), ("C0o-", "C0o--", "C1s-", "C1s--")):
    right.semilogy(list(row), list(row.values()), style, label=label)
right.tick_params(axis="x", rotation=60)
right.set_ylabel("gradient of the first kernel")
right.legend(frameon=False, fontsize=8)
page.figure(
    fig,
    "field_and_gradients",
    alt="Left: gradient of a picture for one output pixel, bright in the middle and 0 outside of 44 by 44 pixels. "
    "Right: size of the gradient in each box; with PyTorch's weights and without skips it is tiny in every box.",
    table={"box": list(row), **{label: list(values.values()) for label, values in sizes.items()}},
)
he, he_without, torch, torch_without = (values["down.0"] for values in sizes.values())
page.measured(within=1.0, he_ratio=he / he_without, torch_ratio=torch / torch_without)

# %% [markdown]
# With PyTorch's weights each convolution shrinks the gradient. Without skips down.0 has some twenty behind it, with
# them four: {{torch_ratio:.0e}} times the gradient. With He's weights it is {{he_ratio:.1f}} times. What skips carry
# *forward*, no weights can replace: train all four to say how far poles are, one pixel wide, the nearer the brighter.

# %%
page.guess("no_skip", None, "Error without skips, over the error with them?")


def poles(rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
    depth = np.full((count, 1, 32, 32), 4, np.float32)
    for picture in depth[:, 0]:
        for near in np.linspace(3.5, 1.5, 9):
            top, left = rng.integers(0, 32, 2)
            picture[top : top + rng.integers(4, 25), left] = near
    return Tensor((2 / depth - 0.8).astype(np.float32)), Tensor(depth)


def error_m(meet: Callable) -> float:
    """Mean absolute error in metres after 100 steps of Adam."""
    rng, params = np.random.default_rng(12), dict(library_unet(2).named_parameters())
    params["head.bias"].data[:] = 3.0
    opt = optim.Adam(list(params.values()), lr=1e-2)
    for _ in range(100):
        picture, depth = poles(rng, 4)
        error = unet_forward(picture, params, 2, meet) - depth
        opt.zero_grad()
        (error * error).mean().backward()
        opt.step()
    picture, depth = poles(rng, 16)
    return float(np.abs(unet_forward(picture, params, 2, meet).data - depth.data).mean())


errors = {way: error_m(meet) for way, meet in ways.items()}
page.measured(within=2.0, **{way: error / errors["join"] for way, error in errors.items()}, right_m=errors["join"])

# %% [markdown]
# The right network is off by {{right_m:.2f}} m. Without skips it is {{no_skip:.1f}} times that: the poles are lost at
# the bottom, and nobody brings them back. After the pooling, {{after_pooling:.1f}} times: a pole is there, but two
# pixels wide. With swapped gradients, {{swapped:.1f}} times, and nothing but the loss shows it.
#
# ## What PyTorch does
#
# `torch.cat([skip, up], dim=1)` splits its gradient as yours does. PyTorch itself has no U-Net. Of those in circulation
# some crop the skip, as the paper does, and some pad the map. `minidepth.models.UNet` refuses odd sizes.
#
# ## To think about
#
# ResNets *add* what they carry over, a U-Net stacks it. What does adding save, in numbers from exercise 11.4, and what
# does it ask of the two maps? A good answer counts the weights of a merge's first convolution, sees that a sum is a
# stack whose next layer treats both halves alike, and says what the backward of the sum hands out.

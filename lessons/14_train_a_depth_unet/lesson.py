# ---
# minutes: 90
# seconds: 30
# ---

# %% [markdown]
# # 14. Train a depth U-Net
#
# **Does it work, and how would I know?**
#
# Here everything comes together. One picture goes in, a distance for each pixel comes out. Getting a loss to fall is
# the easy part. This lesson is about the other one: knowing what you have when it has fallen.

# %%
from collections.abc import Callable

import numpy as np

from minidepth import draw, losses, models, nn, optim, schedule
from minidepth.data import Batch, network_input
from minidepth.data.rooms import render_room
from minidepth.data.rooms.scene import random_room
from minidepth.engine import Tensor, no_grad
from minidepth.learn import open_page

page = open_page("14_train_a_depth_unet")

# %% [markdown]
# ## Rooms on moving day
#
# The library invents rooms, and looks at them with the holes of a Kinect, where `valid` is False. A network needs
# hours for sofas, and you have seconds, so the furniture has not arrived yet. No test room is a training room. With
# MINIDEPTH_SECOND_RUN=1 and MINIDEPTH_DATA as in lesson 12, the script runs on the real rooms of NYU Depth V2.


# %%
def frames(seed: int, count: int, furnished: bool = False) -> tuple[Batch, list[np.ndarray]]:
    """`count` rooms: image (N, 3, H, W), depth_m and valid (N, 1, H, W) as one batch, and the pictures as they are."""
    if page.second_run and not furnished:
        return page.nyu_batch(count, "test" if seed else "train", (32, 40))
    views = []
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        room, camera = random_room(rng)
        empty = room._replace(pieces=room.pieces[:0])
        views.append(render_room(room if furnished else empty, camera, (32, 40), rng, kinect=True))
    images = np.stack([network_input(view.image) for view in views])
    depths, valid = np.stack([view.depth_m[None] for view in views]), np.stack([view.valid[None] for view in views])
    return Batch(images, depths, valid), [view.image for view in views]


train, _ = frames(seed=0, count=320)
test, test_pictures = frames(seed=1, count=48)

# %% [markdown]
# ## Four numbers
#
# With p the prediction and t the truth in metres, over the valid pixels of all pictures together:
#
#     abs_rel    mean |p - t| / t                 how far off, as a share of the distance
#     rmse       sqrt(mean (p - t)^2)             in metres; large errors count most
#     delta1     share of max(p/t, t/p) < 1.25    larger is better
#     log10      mean |log10 p - log10 t|         half as far costs as much as twice as far
#
# p is clamped to 0.001 .. 10 m first: -0.2 m has no logarithm. (Eigen, Puhrsch and Fergus 2014, arXiv:1406.2283.)
#
# ## Exercise 14.1: the four numbers


# %%
def evaluate(pred: np.ndarray, gt: np.ndarray, valid: np.ndarray) -> dict[str, float]:
    """abs_rel, rmse, delta1 and log10 over the valid pixels; all (N, 1, H, W), valid bool. Holes may hold anything."""
    # BEGIN SOLUTION 14.1
    p, t = np.clip(pred[valid], 0.001, 10), gt[valid]
    return {
        "abs_rel": float((np.abs(p - t) / t).mean()),
        "rmse": float(np.sqrt(((p - t) ** 2).mean())),
        "delta1": float((np.maximum(p / t, t / p) < 1.25).mean()),
        "log10": float(np.abs(np.log10(p) - np.log10(t)).mean()),
    }
    # END SOLUTION


# %% [markdown]
# What does no knowledge score? Here are two predictions that never look at the picture: the median of all depths, and
# for each place in the picture the median depth *there*, which knows that the floor is below.


# %%
def abs_rel(pred: float | np.ndarray, batch: Batch) -> float:
    """AbsRel of a prediction, of one map for all pictures, or of one number for all pixels."""
    return evaluate(np.broadcast_to(pred, batch.depth_m.shape), batch.depth_m, batch.valid)["abs_rel"]


one_number = float(np.median(train.depth_m[train.valid]))
one_map = np.nanmedian(np.where(train.valid, train.depth_m, np.nan), axis=0).astype(np.float32)
page.measured(within=0.05, number=abs_rel(one_number, test), blind_map=abs_rel(one_map, test))

# %% [markdown]
# Blind, one number is off by {{number:.0%}}, a map by {{blind_map:.0%}}. Alone, an AbsRel says nothing.
#
# ## Predict
#
# The library's U-Net with some 60,000 parameters, batches of 8, 200 steps. What will its AbsRel be as a share of the
# blind map's? 1 means that it has learnt nothing that the map does not know.

# %%
page.guess("net_over_map", None, "AbsRel of the network over that of the blind map?")


class DepthNet(nn.Module):
    """The library's U-Net; it says how much farther each pixel is than the blind map has it."""

    def __init__(self) -> None:
        self.unet = models.build("unet", base_channels=6, depth=3, norm="batch", up="bilinear", rng=0)
        self.unet.head.weight.data *= 0.1  # begin near the map
        self.map = nn.Buffer(one_map)

    def forward(self, x: Tensor) -> Tensor:
        return self.unet(x) + Tensor(self.map.data)


# %% [markdown]
# ## Exercise 14.2: one step
#
# Ask the network, in training mode. Let `loss` compare its answer with batch.depth_m where batch.valid is True. Forget
# the old gradients, send the new ones back, take a step. Return the loss *before* the step as a plain number: a Tensor
# would keep the memory of the whole network alive for as long as you keep it in your list.


# %%
def train_step(model: nn.Module, batch: Batch, opt: optim.Adam, loss: Callable) -> float:
    """One step on batch.image; the loss before it. loss(prediction, depth_m, valid) is a Tensor of one number."""
    # BEGIN SOLUTION 14.2
    model.train()
    prediction = model(Tensor(batch.image))
    value = loss(prediction, batch.depth_m, batch.valid)
    opt.zero_grad()
    value.backward()
    opt.step()
    return value.item()
    # END SOLUTION


# %% [markdown]
# ## First test: learn two pictures by heart
#
# Before you spend an hour on a thousand rooms, spend two seconds on two. A network with more parameters than they have
# pixels must be able to learn them by heart. If it cannot, something is broken: the loss, the mask, a gradient. Below,
# once as it should be, and once with an optimiser that was given the parameters of the head only.


# %%
def part(batch: Batch, chosen: np.ndarray, mirror: bool = False) -> Batch:
    """Some frames of a batch, mirrored or not."""
    return Batch(*(np.ascontiguousarray(field[chosen][..., :: -1 if mirror else 1]) for field in batch[:3]))


def left_over(model: nn.Module, trained: nn.Module) -> float:
    """Loss after 50 steps on two pictures, as a share of the first, when only `trained` is."""
    opt = optim.Adam(trained.parameters(), lr=1e-2)
    values = [train_step(model, part(train, np.array([0, 1])), opt, losses.l1) for _ in range(50)]
    return values[-1] / values[0]


all_of_it, head = DepthNet(), DepthNet()
page.measured(within=0.6, left=left_over(all_of_it, all_of_it), left_head=left_over(head, head.unet.head))

# %% [markdown]
# {{left:.0%}} of the error are left, {{left_head:.0%}} with the head alone. Both losses fall, and on a thousand rooms
# both would look like learning. Two pictures tell them apart.
#
# ## The pitfall: a test that has been seen
#
# Depth data come as videos, thirty frames a second. Split those *frames* at random, and nearly every test frame has a
# neighbour in the training part that was taken a blink earlier. What is that worth to a method that understands nothing
# at all? An album looks for the most similar picture that it knows, and hands out that picture's depth.
#
# ## Exercise 14.3: a split that does not leak
#
# Keep all frames of a room together. Give back the numbers of the frames; another seed draws other rooms.


# %%
def split_by_room(room_of: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Frames to train and to test on. Frame i shows room room_of[i]; round(share * rooms) rooms are drawn to test."""
    # BEGIN SOLUTION 14.3
    rooms = np.random.default_rng(seed).permutation(np.unique(room_of))
    test_rooms = rooms[: round(share * len(rooms))]
    in_test = np.isin(room_of, test_rooms)
    return np.flatnonzero(~in_test), np.flatnonzero(in_test)
    # END SOLUTION


# %%
def album(seen: Batch, asked: Batch) -> float:
    nearest = [int(((seen.image - picture) ** 2).sum(axis=(1, 2, 3)).argmin()) for picture in asked.image]
    return abs_rel(np.where(seen.valid, seen.depth_m, one_number)[nearest], asked)


pan = [(0, 0), (0, 2), (0, 4), (1, 6), (2, 8), (2, 10)]  # windows of 28 x 30, as a camera that turns sees them
video = Batch(*(np.concatenate([field[:60, :, y : y + 28, x : x + 30] for y, x in pan]) for field in train[:3]))
room_of = np.tile(np.arange(60), len(pan))
page.guess("leak", None, "AbsRel of the album when split by room, over that when split by frame?")

unknown, known = np.split(np.random.default_rng(14).permutation(len(room_of)), [72])
leaky = album(part(video, known), part(video, unknown))
known, unknown = split_by_room(room_of, 0.2, seed=14)
honest = album(part(video, known), part(video, unknown))
page.measured(within=0.3, leaky=leaky, honest=honest, leak=honest / leaky)

# %% [markdown]
# Split by frame, the album is off by {{leaky:.0%}}: remember that until you see the network's number. Split by room it
# is off by {{honest:.0%}}, {{leak:.1f}} times as much, and hardly better than the blind map. Large networks are good
# albums. NYU Depth V2 is split by scene for that reason.
#
# ## Training
#
# All rooms, each batch mirrored or not by chance, and two losses of lesson 12: squared error, and slopes.
# The learning rate rises for a third of the time and then falls, so that training does not end in the middle of a jump.


# %%
@no_grad()
def predict(model: nn.Module, images: np.ndarray) -> np.ndarray:
    """Depth in metres, in evaluation mode, and without remembering anything for backward."""
    return model.eval()(Tensor(images)).numpy()


rng, model, loss = np.random.default_rng(14), DepthNet(), losses.build("mse+gradient")
rate = schedule.build("one-cycle", lr=1e-2, total_steps=200)
opt = optim.Adam(model.parameters())
for step in range(200):
    opt.lr = rate(step)
    batch = part(train, rng.choice(len(train.image), 8, replace=False), mirror=rng.random() < 0.5)
    value = train_step(model, batch, opt, loss)
    if step % 25 == 0:
        print(f"step {step:3}: loss {value:.2f}, AbsRel on test rooms {abs_rel(predict(model, test.image), test):.3f}")

prediction = predict(model, test.image)
net, full = abs_rel(prediction, test), frames(seed=2, count=32, furnished=True)[0]
page.measured(within=0.3, net=net, net_over_map=net / abs_rel(one_map, test))
page.measured(within=0.3, on_train=abs_rel(predict(model, train.image), train))
page.measured(within=1.0, furnished=abs_rel(predict(model, full.image), full), furnished_map=abs_rel(one_map, full))

fig, grid = page.subplots(3, 4, figsize=(9, 4.9))
low_m, high_m = draw.depth_range_m([test.depth_m[:3], prediction[:3]])
for i, row in enumerate(grid):
    truth_m = np.where(test.valid[i, 0], test.depth_m[i, 0], np.nan)
    draw.show_image(row[0], test_pictures[i], "" if i else "picture")
    draw.show_depth(row[1], truth_m, low_m, high_m, "" if i else "true depth")
    draw.show_depth(row[2], prediction[i, 0], low_m, high_m, "" if i else "predicted depth")
    draw.show(row[3], prediction[i, 0] - truth_m, draw.ERROR_COLORS, -1, 1, "" if i else "error")
draw.add_scale(fig, grid[:, :3], "depth in m", grid[0, 1].images[0])
draw.add_scale(fig, grid[:, 3:], "error in m, red: too far", grid[0, 3].images[0], share=0.15, extend="both")
page.figure(
    fig,
    "rooms",
    alt="Three empty rooms, a row each: picture, true depth, predicted depth, and error from -1 to 1 m. The "
    "predictions are soft, but walls, corners and floor are where they are in the truth.",
    table={"room": [0, 1, 2], "AbsRel": [abs_rel(prediction[[i]], part(test, np.array([i]))) for i in range(3)]},
)

# %% [markdown]
# These are the first three test rooms, not the best three. Over all of them AbsRel is {{net:.3f}}, which is
# {{net_over_map:.2f}} times that of the map; on the training rooms {{on_train:.3f}}, so this is no album. Then the
# furniture arrives, and the same network is asked about rooms of a kind that it has never seen: {{furnished:.2f}},
# where the map of empty rooms has {{furnished_map:.2f}}. All of that is true. A test says how a network does on what
# it is made of, and nothing more.
#
# ## Another pitfall: help from the answer
#
# One picture does not tell a room from its doll's house. So many papers first scale each prediction until its median
# is that of the *truth*. For methods that cannot know metres that is fair. It is easily left on.


# %%
def scaled(pred: np.ndarray, batch: Batch) -> np.ndarray:
    """Each picture times what gives it the median of the truth."""
    return np.array([p * np.median(t[v]) / np.median(p[v]) for p, t, v in zip(pred, batch.depth_m, batch.valid)])


map_scaled = abs_rel(scaled(np.broadcast_to(one_map, test.depth_m.shape), test), test)
page.measured(within=0.3, map_scaled=map_scaled, net_scaled=abs_rel(scaled(prediction, test), test))

# %% [markdown]
# The map falls from {{blind_map:.3f}} to {{map_scaled:.3f}} and has still not seen a picture, the network from
# {{net:.3f}} to {{net_scaled:.3f}}. A scaled number beside one that is not says nothing at all.
#
# ## What PyTorch does
#
# `train_step` is line for line the loop of every PyTorch program. `torch.no_grad()` and `model.eval()` are two things
# there, too, and evaluating needs both. `minidepth train` is this lesson with furniture and larger pictures, `--data`
# with a folder of NYU Depth V2 the same on real rooms, and `minidepth mine train` trains on the functions you wrote.
#
# ## To think about
#
# Someone shows you a depth network with an AbsRel of 0.08. What do you ask before you believe it? A good answer names
# a blind map on the same frames, the split, median scaling, the pixels that counted, the network's mode, and how often
# the test part was looked at before that number was chosen.

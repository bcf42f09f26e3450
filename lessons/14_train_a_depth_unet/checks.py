"""Checks of lesson 14: metrics by a loop over pixels, steps against a gradient in closed form, splits by their sets."""

import math
from types import SimpleNamespace

import numpy as np

from minidepth import losses, nn, optim
from minidepth.data import Batch
from minidepth.learn import check


def by_pixels(pred, gt, valid):
    """The four metrics, one pixel at a time."""
    rows = []
    for p, t, known in zip(pred.ravel().tolist(), gt.ravel().tolist(), valid.ravel().tolist()):
        if known:
            p = min(max(p, 0.001), 10.0)
            rows.append((abs(p - t) / t, (p - t) ** 2, max(p / t, t / p) < 1.25, abs(math.log10(p / t))))
    abs_rel, square, delta1, log10 = (math.fsum(column) / len(rows) for column in zip(*rows))
    return {"abs_rel": abs_rel, "rmse": math.sqrt(square), "delta1": delta1, "log10": log10}


@check(
    "14.1",
    title="four numbers for a depth map",
    points=3,
    hints=[
        "Choose the pixels first: p = np.clip(pred[valid], 0.001, 10) and t = gt[valid]. What is left are two flat "
        "arrays, and all four numbers are means over them.",
        "delta1 is the share of pixels with np.maximum(p / t, t / p) < 1.25; the mean of an array of bools is a share.",
        "rmse: square, mean, then the root, once for all pixels. log10: np.abs(np.log10(p) - np.log10(t)).mean().",
    ],
)
def metrics(t):
    gt = t.uniform(1, 6, 3, 1, 5, 7)
    pred = gt * t.uniform(0.6, 1.7, *gt.shape)
    valid = t.uniform(0, 1, *gt.shape) < t.uniform(0.3, 0.9, 3, 1, 1, 1)  # pictures with many holes and with few
    pred[~valid] *= t.uniform(2, 4)
    t.call("evaluate", pred, gt, valid).close(by_pixels(pred, gt, valid), "three pictures with holes")
    pred = pred.copy()
    pred[0, 0, :2], pred[1, 0, 3] = -0.5, 14.0
    t.call("evaluate", pred, gt, valid).close(by_pixels(pred, gt, valid), "predictions below 0 m and above 10 m")
    holes = np.where(valid, gt, np.nan)
    t.call("evaluate", pred, holes, valid).close(by_pixels(pred, gt, valid), "holes that are NaN")


class Weighted(nn.Module):
    """One number for each channel, and a bias; it writes down in which mode it was asked."""

    def __init__(self, weight, bias, modes):
        self.weight, self.bias, self.note = nn.Parameter(weight), nn.Parameter(bias), SimpleNamespace(modes=modes)

    def forward(self, x):
        self.note.modes.append("training" if self.training else "evaluation")
        return (x * self.weight).sum(dim=1, keepdim=True) + self.bias


def three_steps(mine, x, depth_m, valid, weight, bias, lr):
    """Three steps of plain gradient descent: what they returned, the modes, and the weights at the end."""
    modes: list[str] = []
    model = Weighted(weight.copy(), bias.copy(), modes)
    opt = optim.SGD(model.parameters(), lr=lr)
    batch, returned = Batch(x, depth_m, valid), []
    for number in range(3):
        model.train(number == 2)  # as an evaluation before it has left it
        returned.append(mine.train_step(model, batch, opt, losses.l1))
    forgotten = model.weight.grad is None  # right before the next step, too; it tells two mistakes apart
    return returned, modes, model.weight.data.copy(), model.bias.data.copy(), forgotten


def steps_by_hand(x, depth_m, valid, weight, bias, lr):
    """The same for the mean absolute error, whose gradient is the mean over valid pixels of sign(error) times x."""
    weight, bias, values = weight.copy(), bias.copy(), []
    known = valid[:, 0]
    for _ in range(3):
        error = (np.einsum("nchw,coq->nhw", x, weight) + bias - depth_m[:, 0])[known]
        values.append(np.abs(error).mean())
        signs, pixels = np.sign(error), x.transpose(0, 2, 3, 1)[known]
        weight -= lr * (signs @ pixels / len(signs))[:, None, None]
        bias -= lr * signs.mean()
    return values, weight, bias


@check(
    "14.2",
    title="one step of training",
    points=3,
    hints=[
        "Six lines: mode, forward, forget, backward, step, return. Gradients add up until somebody forgets them.",
        "prediction = model(Tensor(batch.image)); value = loss(prediction, batch.depth_m, batch.valid) is a Tensor.",
        "model.train() first. Then opt.zero_grad(), value.backward(), opt.step(), in that order. Return value.item().",
    ],
)
def steps(t):
    x, valid = t.randn(3, 4, 5, 6), t.uniform(0, 1, 3, 1, 5, 6) < 0.7
    depth_m = np.where(valid, t.uniform(1, 6, 3, 1, 5, 6), 0.0)
    weight, bias, lr = t.randn(4, 1, 1), t.uniform(2, 3, 1), 0.2
    expected, new_weight, new_bias = steps_by_hand(x, depth_m, valid, weight, bias, lr)
    answer = t.run(three_steps, x, depth_m, valid, weight, bias, lr)
    returned = answer.item(0, 5)
    returned.item(0, 3).close(expected[0], "the loss of the first step")
    modes = answer.item(1, 5).value
    t.that(
        modes == ["training"] * 3,
        f"the network was asked in {modes[0]} mode in the first step; a training step asks it once, in training mode"
        if modes
        else "the network was not asked at all",
    )
    returned.close(expected, "the losses of three steps")
    answer.item(2, 5).close(new_weight, "the weights after three steps")
    answer.item(3, 5).close(new_bias, "the bias after three steps")


def numbers_in(t, answer, place, what):
    """A part of a split as a list of whole numbers."""
    value = answer.item(place, 2).value
    good = isinstance(value, (np.ndarray, list)) and np.asarray(value).dtype.kind in "iu" and np.ndim(value) == 1
    t.that(good, f"{what} must be an array of frame numbers, such as np.flatnonzero gives")
    return [int(number) for number in value]


@check(
    "14.3",
    title="a split that does not leak",
    points=2,
    hints=[
        "Draw rooms, not frames: np.unique(room_of) are the rooms, and a generator's permutation puts them in any "
        "order.",
        "The first round(share * number of rooms) of them are the test rooms. np.isin(room_of, test_rooms) says of "
        "each frame whether it is in one of them.",
        "in_test = np.isin(room_of, test_rooms); return np.flatnonzero(~in_test), np.flatnonzero(in_test).",
    ],
)
def split(t):
    rooms = 3 * np.arange(4, 18) + 1
    room_of = np.repeat(rooms, t.rng.integers(1, 7, len(rooms)))
    room_of = np.concatenate([room_of, rooms[::2]])  # the camera came back
    tests = []
    for seed in (3, 4):
        answer = t.call("split_by_room", room_of, 0.25, seed)
        train, test = numbers_in(t, answer, 0, "train"), numbers_in(t, answer, 1, "test")
        t.that(sorted(train + test) == list(range(len(room_of))), "each frame belongs to one part, and to one only")
        both = {int(room_of[i]) for i in train} & {int(room_of[i]) for i in test}
        t.that(not both, f"room {min(both, default=0)} is in both parts, as are {len(both) - 1} others")
        tests.append(sorted({int(room_of[i]) for i in test}))
        t.that(len(tests[-1]) == 4, f"{len(tests[-1])} of 14 rooms are in the test part; share 0.25 asks for 4")
    t.that(tests[0] != tests[1], "seed 3 and seed 4 give the same test rooms")
    t.that(tests[0] != sorted(rooms.tolist())[-4:], "the test rooms are the last four, so they were not drawn")
    again = t.call("split_by_room", room_of, 0.25, 3)
    again.item(1, 2)
    t.that(
        sorted({int(room_of[i]) for i in numbers_in(t, again, 1, "test")}) == tests[0],
        "seed 3 gives another split the second time",
    )

"""Checks of lesson 12: loops over pixels, finite differences, planes whose normal is known, and holes full of NaN."""

import math

import numpy as np

from minidepth.learn import check, own, replaces
from minidepth.learn.compare import difference


def case(t, shape=(2, 1, 5, 7)):
    """Prediction, truth with NaN in its holes, and mask."""
    pred, gt = t.uniform(1, 6, *shape), t.uniform(1, 6, *shape)
    valid = t.rng.uniform(size=shape) < 0.7
    return pred, np.where(valid, gt, math.nan), valid


def pairs(pred, gt, valid):
    """(prediction, truth) of the valid pixels."""
    return [(p, q) for p, q, ok in zip(pred.ravel().tolist(), gt.ravel().tolist(), valid.ravel().tolist()) if ok]


def mean_square(pred, gt, valid):
    """By a loop."""
    found = [(p - q) ** 2 for p, q in pairs(pred, gt, valid)]
    return math.fsum(found) / len(found)


def gradient(function, pred, step=1e-6):
    """Central differences, pixel by pixel."""
    found = np.zeros(pred.shape)
    for place in np.ndindex(*pred.shape):
        up, down = pred.copy(), pred.copy()
        up[place] += step
        down[place] -= step
        found[place] = (function(up) - function(down)) / (2 * step)
    return found


def check_loss(t, name, by_loop):
    """Value and gradient with holes; nothing valid; and pixels in holes, which must not matter."""
    pred, gt, valid = case(t)
    answer = t.call(name, pred, gt, valid)
    answer.item(0, 2).close(by_loop(pred, gt, valid), "the loss, with NaN in the holes of gt")
    expected = gradient(lambda p: by_loop(p, gt, valid), pred)
    answer.item(1, 2).close(expected, "its gradient", 1e-5)
    nothing = t.call(name, pred, gt, np.zeros(pred.shape, bool))
    nothing.item(0, 2).close(0.0, "the loss where no pixel is valid")
    nothing.item(1, 2).close(np.zeros(pred.shape), "its gradient where no pixel is valid")


@check(
    "12.1",
    title="masked MSE",
    points=3,
    hints=[
        "error = np.where(valid, pred - gt, 0.0): from here on every number is finite, whatever the holes held.",
        "Divide by the number of valid pixels, not of all; max(count, 1) keeps an empty mask from dividing by 0.",
        "The gradient of a mean of squares is 2 error / count.",
    ],
)
def mse(t):
    check_loss(t, "masked_mse", mean_square)


@check(
    "12.2",
    title="its root",
    points=2,
    hints=[
        "d sqrt(m) = dm / (2 sqrt(m)), and dm is the gradient of 12.1: the twos cancel.",
        "Where the root is 0, give back zeros instead of dividing.",
    ],
)
def root(t):
    check_loss(t, "rmse", lambda pred, gt, valid: math.sqrt(mean_square(pred, gt, valid)))
    pred, _, _ = case(t)
    perfect = t.call("rmse", pred, pred, np.ones(pred.shape, bool))
    perfect.item(1, 2).close(np.zeros(pred.shape), "the gradient of a perfect fit")


@check(
    "12.3",
    title="slopes and where they are known",
    points=3,
    hints=[
        "Smooth first: d[:-2] + 2 d[1:-1] + d[2:] adds three rows with weights 1, 2, 1. Then take right minus left.",
        "The slope along y is the same with rows and columns exchanged: below minus above.",
        "known is the AND of nine shifted pieces of valid: valid[a : a + H - 2, b : b + W - 2] for a, b in 0, 1, 2.",
    ],
)
def sobel(t):
    depth, valid = t.uniform(1, 6, 6, 9), np.ones((6, 9), bool)
    valid[2, 6] = valid[5, 0] = False
    depth[~valid] = math.nan
    kernel = np.array([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    x, y, known = np.zeros((4, 7)), np.zeros((4, 7)), np.zeros((4, 7), bool)
    for i, j in np.ndindex(4, 7):
        window = depth[i : i + 3, j : j + 3]
        x[i, j], y[i, j], known[i, j] = (
            (window * kernel).sum(),
            (window * kernel.T).sum(),
            valid[i : i + 3, j : j + 3].all(),
        )
    answer = t.call("slopes", depth, valid)
    for place, expected, what in ((0, x, "x"), (1, y, "y")):
        given = answer.item(place, 3).array((4, 7), f"the slope along {what}")
        t.that(np.isfinite(given).all(), f"the slope along {what} is NaN beside a hole: choose with np.where first")
        found = difference(np.where(known, given, 0.0), np.where(known, expected, 0.0), 1e-9)
        t.that(not found, f"the slope along {what}, where it is known: {found[0] if found else ''}", *found[1:])
    answer.item(2, 3).close(known, "where all nine pixels are valid")


@check(
    "12.4",
    title="normals from depth",
    points=3,
    hints=[
        "v, u = np.indices(depth.shape) gives the row and the column of every pixel.",
        "np.cross(down, right) points towards the camera, np.cross(right, down) away from it: x is right, y is down.",
        "Divide by np.linalg.norm(n, axis=-1, keepdims=True).",
    ],
)
def surface(t):
    fx, fy, cx, cy = 9.0, 7.0, 3.4, 2.2
    v, u = np.indices((5, 7))
    rays = np.stack([(u - cx) / fx, (v - cy) / fy, np.ones((5, 7))], axis=-1)
    for _ in range(2):  # a plane n . P = c has the normal n, however it is slanted
        n = np.array([t.uniform(-0.5, 0.5), t.uniform(-0.5, 0.5), -1.0])
        n /= np.linalg.norm(n)
        depth = -2.0 / (rays @ n)
        expected = np.broadcast_to(n, (4, 6, 3))
        t.call("normals", depth, fx, fy, cx, cy).close(np.array(expected), "the normals of a slanted plane", 1e-9)
    t.call("normals", np.full((3, 4), 2.5), fx, fy, cx, cy).close(
        np.array(np.broadcast_to([0.0, 0.0, -1.0], (2, 3, 3))), "the normals of a wall that faces the camera", 1e-9
    )


@replaces("loss", "12.1")
def loss(yours, prediction, depth_m, valid):
    """Your masked MSE in place of the library's loss."""
    value, grad = yours.masked_mse(prediction.data, depth_m, valid)
    return own("masked_mse", value, (prediction,), lambda g: (g * grad,))

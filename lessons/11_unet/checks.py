"""Checks of lesson 11, against loops, a U-Net that calls itself, and layers listed one by one."""

import numpy as np

from minidepth.engine import Tensor
from minidepth.learn import check


@check(
    "11.1",
    title="match the sizes",
    points=2,
    hints=[
        "The top left corners lie on each other; what is missing or too much is at the bottom and the right.",
        "Cut first: up[:, :, :height, :width] is harmless where `up` is smaller than that.",
        "Then fill: np.pad(up, ((0, 0), (0, 0), (0, height - up.shape[2]), (0, width - up.shape[3]))).",
    ],
)
def sizes(t):
    for height, width in ((7, 9), (4, 6), (8, 5), (5, 8), (6, 7)):
        up, skip = t.randn(2, 4, 6, 7), t.randn(2, 3, height, width)
        expected = np.zeros((2, 4, height, width))
        for n, c, i, j in np.ndindex(*expected.shape):
            if i < 6 and j < 7:
                expected[n, c, i, j] = up[n, c, i, j]
        t.call("match_size", up, skip).close(expected, f"a map of 6x7 for a skip of {height}x{width}")


@check(
    "11.2",
    title="the gradient of the stack",
    points=2,
    hints=[
        "Stacking is copying: the gradient of each number goes back to where the number came from.",
        "The skip lies in the channels 0 to skip_channels - 1 of the stack, the map from below in all others.",
        "g[:, :skip_channels] is the skip's part; the other is g[:, skip_channels:].",
    ],
)
def split(t):
    for channels in (2, 4):
        g = t.randn(3, 6, 4, 5)
        to_skip, to_up = np.zeros((3, channels, 4, 5)), np.zeros((3, 6 - channels, 4, 5))
        for n, c, i, j in np.ndindex(*g.shape):
            if c < channels:
                to_skip[n, c, i, j] = g[n, c, i, j]
            else:
                to_up[n, c - channels, i, j] = g[n, c, i, j]
        answer = t.call("concat_backward", g, channels)
        answer.item(0, 2).close(to_skip, f"the gradient of the skip, the first {channels} of 6 channels")
        answer.item(1, 2).close(to_up, f"the gradient of the map from below, the last {6 - channels} of 6 channels")


def plain_convs(x, p, stage):
    """Two convolutions and ReLUs, as a sum over the nine places of a kernel."""
    for i in "12":
        w, b = p[f"{stage}.conv{i}.weight"], p[f"{stage}.conv{i}.bias"]
        xp = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        h, v = x.shape[2:]
        taps = [
            np.einsum("nchw,oc->nohw", xp[:, :, a : a + h, k : k + v], w[:, :, a, k])
            for a in range(3)
            for k in range(3)
        ]
        x = np.maximum(sum(taps) + b[:, None, None], 0)
    return x


def plain_unet(x, p, level, levels):
    """What comes out of a level: the picture goes down, comes back from the level below, and is merged."""
    if level == levels:
        return plain_convs(x, p, "bottom")
    skip = plain_convs(x, p, f"down.{level}")
    h, v = skip.shape[2] // 2, skip.shape[3] // 2
    pooled = np.max([skip[:, :, a : 2 * h : 2, k : 2 * v : 2] for a in (0, 1) for k in (0, 1)], axis=0)
    below, back = plain_unet(pooled, p, level + 1, levels), levels - 1 - level
    w, b = p[f"up.{back}.weight"], p[f"up.{back}.bias"]
    large = np.zeros((len(x), w.shape[1], *skip.shape[2:]))
    large[:, :, : 2 * h, : 2 * v] = b[:, None, None]
    for a, k in np.ndindex(2, 2):
        large[:, :, a : 2 * h : 2, k : 2 * v : 2] += np.einsum("nchw,co->nohw", below, w[:, :, a, k])
    return plain_convs(np.concatenate([skip, large], axis=1), p, f"merge.{back}")


def unet_of(mine, x, names, arrays, levels):
    """The learner's network on plain arrays."""
    params = {name: Tensor(array) for name, array in zip(names, arrays)}
    return mine.unet_forward(Tensor(x), params, levels).numpy()


def random_params(t, channels, out, base, levels):
    """Weights and biases that are all different from 0."""
    p = {}

    def two(stage, before, width):
        for i, (a, b) in enumerate(((before, width), (width, width)), 1):
            p[f"{stage}.conv{i}.weight"] = t.randn(b, a, 3, 3) * (2 / (9 * a)) ** 0.5
            p[f"{stage}.conv{i}.bias"] = t.uniform(0, 0.5, b)

    before = channels
    for level in range(levels):
        width = base * 2**level
        two(f"down.{level}", before, width)
        two(f"merge.{levels - 1 - level}", 2 * width, width)
        p[f"up.{levels - 1 - level}.weight"] = t.randn(2 * width, width, 2, 2) / width**0.5
        p[f"up.{levels - 1 - level}.bias"] = t.uniform(0, 0.5, width)
        before = width
    two("bottom", before, base * 2**levels)
    p["head.weight"], p["head.bias"] = t.randn(out, base, 1, 1), t.randn(out)
    return p


@check(
    "11.3",
    title="the U-Net",
    points=3,
    hints=[
        "Two loops over the levels, and a list of skips between them, of which the last one in is the first one out.",
        "A skip is what comes out of `convs`, before `pool`. On the way up: up, meet(skips.pop(), x), convs.",
        'Boxes: f"down.{i}", "bottom", f"up.{i}", f"merge.{i}", i from 0 both ways. The last line is '
        'ops.conv2d(x, params["head.weight"], params["head.bias"]).',
    ],
)
def network(t):
    for levels, height, width in ((1, 5, 6), (2, 12, 8), (2, 13, 11)):
        p = random_params(t, 3, 2, 2, levels)
        x = t.randn(2, 3, height, width)
        top = plain_unet(x, p, 0, levels)
        expected = np.einsum("nchw,oc->nohw", top, p["head.weight"][:, :, 0, 0]) + p["head.bias"][:, None, None]
        answer = t.run(unet_of, x, list(p), list(p.values()), levels)
        answer.close(expected, f"{levels} level{'s' if levels > 1 else ''}, pictures of {height}x{width}")


def layers(channels, out, base, levels):
    """(inputs, outputs, kernel) of every layer."""
    rows, width = [], base
    rows += [(channels, width, 3), (width, width, 3)]
    for _ in range(levels):
        rows += [(width, 2 * width, 3), (2 * width, 2 * width, 3)]
        rows += [(2 * width, width, 2), (2 * width, width, 3), (width, width, 3)]
        width *= 2
    return [*rows, (base, out, 1)]


@check(
    "11.4",
    title="count the parameters",
    points=2,
    hints=[
        "Make a list of (i, o, k) of all layers of the plan, box by box, and add up k * k * i * o + o.",
        "The widths are base, 2 base, 4 base, ... A level has two convolutions on the way down. On the way up it has "
        "an `up` from twice its width, and a merge whose first convolution sees two maps of its width.",
        "For width w on the way up: (2w, w, 2x2), (2w, w, 3x3), (w, w, 3x3). The head is 1x1 from base to out.",
    ],
)
def count(t):
    for case in ((3, 2, 5, 1), (1, 2, 64, 4), (3, 1, 6, 3), (2, 3, t.choose([4, 7, 10]), 2)):
        expected = sum(k * k * i * o + o for i, o, k in layers(*case))
        t.call("parameter_count", *case).close(expected, "parameter_count({}, {}, {}, {})".format(*case), 0)

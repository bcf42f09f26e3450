"""Checks of lesson 10: centres of intervals, tents in place of neighbours and fractions, pictures one by one."""

import numpy as np

from minidepth.learn import check, own, replaces


def place(r, n_in, n_out, align_corners):
    """Where new pixel r lies among the old ones."""
    if align_corners:
        return np.linspace(0, n_in - 1, n_out)[r]
    edges = np.linspace(0, n_in, n_out + 1)
    return (edges[r] + edges[r + 1]) / 2 - 0.5


def tents(places, n_in):
    """Old pixel i has a tent over i - 1 .. i + 1, one high; what lies outside is moved to the edge."""
    return np.array([[max(0.0, 1 - abs(min(max(u, 0), n_in - 1) - i)) for i in range(n_in)] for u in places])


def share(n_in, n_out, align_corners):
    """What old pixel i gives to new pixel r: (n_out, n_in)."""
    return tents([place(r, n_in, n_out, align_corners) for r in range(n_out)], n_in)


def resized(x, size, align_corners):
    """What `resize_bilinear` should give."""
    rows, columns = share(x.shape[2], size[0], align_corners), share(x.shape[3], size[1], align_corners)
    return np.einsum("ri,sj,ncij->ncrs", rows, columns, x)


CASES = [((5, 7), (8, 17)), ((6, 4), (4, 7)), ((3, 1), (1, 4))]
"""Old size, new size: up, one down and one up, single pixels."""


@check(
    "10.1",
    title="where to look",
    points=2,
    hints=[
        "Half a pixel: pixel r has its centre at r + 0.5. A new pixel is n_in / n_out old ones long.",
        "Go to the centre (+ 0.5), change the measure (* n_in / n_out), and from a centre back to a number (- 0.5).",
        "align_corners: from 0 to n_out - 1 there are n_out - 1 steps, and n_in - 1 old pixels to go.",
    ],
)
def coordinates(t):
    for align_corners in (True, False):
        for n_in, n_out in [(5, 8), (9, 4), (4, 1), (1, 3)]:
            expected = np.array([place(r, n_in, n_out, align_corners) for r in range(n_out)])
            what = f"u for {n_in} -> {n_out} pixels, align_corners={align_corners}"
            t.call("source_coordinates", n_in, n_out, align_corners=align_corners).close(expected, what, atol=1e-9)


@check(
    "10.2",
    title="the weights",
    points=3,
    hints=[
        "u = np.clip(u, 0, n_in - 1) first. Then left = np.floor(u).astype(int), and its weight is 1 - (u - left).",
        "At u = n_in - 1 there is no pixel on the right; its weight is 0, so any pixel will do: np.minimum(left + 1, "
        "n_in - 1).",
        "matrix[np.arange(len(u)), left] += 1 - f sets one number in each row. Left and right may be the same pixel, "
        "so it is +=.",
    ],
)
def matrix(t):
    inside = np.append(t.uniform(0, 5, 8), [0.0, 2.0, 4.4])
    before, behind = np.append(t.uniform(-2, 2, 6), -0.4), np.append(t.uniform(3, 7, 6), [5.3, 5.0])
    for u, where in [(inside, "between pixels"), (before, "around the first pixel"), (behind, "around the last pixel")]:
        t.call("weights", u, 6).close(tents(u, 6), f"the weights of places {where}")
    t.call("weights", np.array([-0.25, 0.25]), 1).close(np.ones((2, 1)), "the weights among one pixel only")


@check(
    "10.3",
    title="resize a picture",
    points=2,
    hints=[
        "rows = weights(source_coordinates(H, size[0], align_corners), H) is (size[0], H). Columns have one, too.",
        "rows @ x turns (N, C, H, W) into (N, C, size[0], W). For the last axis multiply from the right, transposed.",
    ],
)
def resize(t):
    for align_corners in (False, True):
        for old, new in CASES:
            x = t.randn(2, 3, *old)
            what = f"y for {old} -> {new}, align_corners={align_corners}"
            t.call("resize_bilinear", x, new, align_corners=align_corners).close(resized(x, new, align_corners), what)


@check(
    "10.4",
    title="the way back",
    points=3,
    hints=[
        "x[n, c, i, j] went into y[n, c, r, s] with the weight rows[r, i] * columns[s, j]. So what comes back to it?",
        "y = rows @ x @ columns.T. For one direction, y = A x, the gradient is A.T @ g.",
        "rows and columns are the matrices of 10.3, made from in_size and the size of g: rows.T @ g @ columns",
    ],
)
def backward(t):
    for align_corners in (False, True):
        for old, new in CASES:
            g = t.randn(2, 3, *new)
            # y is linear in x: the gradient is what each unit picture would give, weighted with g.
            units = np.eye(old[0] * old[1]).reshape(-1, 1, *old)
            expected = np.array([(g * resized(unit[None], new, align_corners)).sum(axis=(2, 3)) for unit in units])
            expected = np.moveaxis(expected, 0, -1).reshape(2, 3, *old)
            what = f"dx for {old} -> {new}, align_corners={align_corners}"
            t.call("resize_bilinear_backward", g, old, align_corners=align_corners).close(expected, what)


@replaces("Upsample", "10.1", "10.2", "10.3", "10.4")
def upsample(yours, layer, x):
    """Your bilinear enlargement in place of the library's."""
    align_corners, old = bool(layer.align_corners), x.shape[2:]
    new = layer.size or tuple(int(n * layer.scale_factor) for n in old)
    y = yours.resize_bilinear(x.data, new, align_corners)
    return own("upsample", y, (x,), lambda g: (yours.resize_bilinear_backward(g, old, align_corners),))

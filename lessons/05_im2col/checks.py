"""Checks of lesson 5: adjoints without any epsilon, windows by loops, and the lines of Python that ran."""

import sys

import numpy as np

from minidepth.learn import check, own, replaces

CASES = [(3, 2, 1), (2, 1, 0), (3, 3, 2), (1, 1, 0)]
"""Kernel, stride, padding; on 7x10 pictures rows and columns are left over."""
SHAPE = (2, 3, 7, 10)


def windows(x, k, stride, pad):
    """(n, i, j, window (C, k, k)) for every output pixel, by loops."""
    xp = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    for n in range(len(x)):
        for i, top in enumerate(range(0, xp.shape[2] - k + 1, stride)):
            for j, left in enumerate(range(0, xp.shape[3] - k + 1, stride)):
                yield n, i, j, xp[n, :, top : top + k, left : left + k]


def size(k, stride, pad):
    """Rows and columns of the output for pictures of SHAPE."""
    return len(range(0, SHAPE[2] + 2 * pad - k + 1, stride)), len(range(0, SHAPE[3] + 2 * pad - k + 1, stride))


def columns_of(x, k, stride, pad):
    """What im2col should give."""
    p, q = size(k, stride, pad)
    columns = np.zeros((len(x), x.shape[1] * k * k, p * q))
    for n, i, j, window in windows(x, k, stride, pad):
        columns[n, :, i * q + j] = window.ravel()
    return columns


def picture_of(columns, k, stride, pad):
    """What col2im should give: every copy goes back to the pixel that it came from, found by numbering the pixels."""
    numbers = np.arange(1.0, np.prod(SHAPE) + 1).reshape(SHAPE)
    places = columns_of(numbers, k, stride, pad).astype(int)
    sums = np.zeros(np.prod(SHAPE) + 1)
    np.add.at(sums, places, columns)
    return sums[1:].reshape(SHAPE)  # number 0 is the padding


def by_windows(x, w, b, stride, pad):
    """A convolution by loops."""
    y = np.zeros((len(x), len(w), *size(w.shape[2], stride, pad)))
    for n, i, j, window in windows(x, w.shape[2], stride, pad):
        y[n, :, i, j] = (window * w).sum(axis=(1, 2, 3)) + b
    return y


def lines_run(mine):
    """How many lines of the learner's Python im2col runs for a picture of 40 x 40."""
    count = 0

    def trace(frame, event, argument):
        nonlocal count
        count += event == "line"
        return trace

    sys.settrace(trace)
    try:
        mine.im2col(np.zeros((1, 2, 40, 40)), 3, 1, 1)
    finally:
        sys.settrace(None)
    return count < 500


@check(
    "5.1",
    title="im2col",
    points=3,
    hints=[
        "Pad first. Then make an array (N, C, k, k, P, Q) and fill its part [:, :, a, b] with a slice of the padded x.",
        "The slice of (a, b) is xp[:, :, a : a + stride * p : stride, b : b + stride * q : stride].",
        "At the end, reshape (N, C, k, k, P, Q) to (N, C * k * k, P * Q): no transpose is needed.",
    ],
)
def columns(t):
    for k, stride, pad in CASES:
        x = t.randn(*SHAPE)
        what = f"the columns for k = {k}, stride {stride}, pad {pad}"
        t.call("im2col", x, k, stride=stride, pad=pad).close(columns_of(x, k, stride, pad), what)
    t.that(
        t.run(lines_run).value,
        "right, but with a loop over pixels: it runs hundreds of lines of Python for a picture of 40 x 40.",
        "Loop over the k * k places of the window and copy a whole slice for each.",
    )


@check(
    "5.2",
    title="col2im, its adjoint",
    points=3,
    hints=[
        "Turn every line of im2col round: what it read from a slice of xp is now added to that slice.",
        "Begin with zeros of the padded size, use += as windows overlap, and cut the frame off at the end.",
    ],
)
def adjoint(t):
    for k, stride, pad in CASES:
        given = t.randn(2, 3 * k * k, int(np.prod(size(k, stride, pad))))
        what = f"the sums for k = {k}, stride {stride}, pad {pad}"
        t.call("col2im", given, SHAPE, k, stride=stride, pad=pad).close(picture_of(given, k, stride, pad), what, 1e-12)


@check(
    "5.3",
    title="the convolution",
    points=2,
    hints=[
        "w.reshape(O, -1) is the matrix of kernels: its rows are in the order (c, a, b), like those of im2col.",
        "The bias is (O,), and the product (N, O, P * Q): b[:, None] fits.",
    ],
)
def forward(t):
    for k, stride, pad in CASES:
        x, w, b = t.randn(*SHAPE), t.randn(4, 3, k, k), t.randn(4)
        what = f"y for k = {k}, stride {stride}, pad {pad}"
        t.call("conv2d_forward", x, w, b, stride=stride, pad=pad).close(by_windows(x, w, b, stride, pad), what)


@check(
    "5.4",
    title="backward",
    points=3,
    hints=[
        "G is g.reshape(N, O, P * Q). To transpose a stack of matrices, swap the last two axes: X.transpose(0, 2, 1).",
        "G @ X' is one (O, C k k) for each picture; the kernel serves all pictures, so they are summed.",
        "dx = col2im(w.reshape(O, -1).T @ G, x.shape, k, stride, pad)",
    ],
)
def backward(t):
    for k, stride, pad in CASES:
        x, w = t.randn(*SHAPE), t.randn(4, 3, k, k)
        g = t.randn(2, 4, *size(k, stride, pad))
        dw = np.zeros(w.shape)
        flat = np.zeros((2, 3 * k * k, g[0, 0].size))
        for n, i, j, window in windows(x, k, stride, pad):
            dw += g[n, :, i, j][:, None, None, None] * window
            flat[n, :, i * g.shape[3] + j] = np.tensordot(g[n, :, i, j], w, 1).ravel()
        dx = picture_of(flat, k, stride, pad)
        answer = t.call("conv2d_backward", g, x, w, stride=stride, pad=pad)
        answer.item(0, 3).close(dx, f"dx for k = {k}, stride {stride}, pad {pad}")
        answer.item(1, 3).close(dw, f"dw for k = {k}, stride {stride}, pad {pad}")
        answer.item(2, 3).close(g.sum(axis=(0, 2, 3)), "db")


@replaces("Conv2d", "5.1", "5.2", "5.3", "5.4")
def conv2d(yours, layer, x):
    """Your matrix products in place of the library's convolution."""
    w, b = layer.weight, layer.bias
    (stride, _), (pad, _) = layer.stride, layer.padding
    bias = np.zeros(len(w.data)) if b is None else b.data
    y = yours.conv2d_forward(x.data, w.data, bias, stride, pad)
    parents = (x, w) if b is None else (x, w, b)
    return own("conv2d", y, parents, lambda g: yours.conv2d_backward(g, x.data, w.data, stride, pad))

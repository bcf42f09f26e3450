"""Checks of lesson 6, against plain loops over windows and against finite differences."""

import numpy as np

from minidepth.learn import check, own, replaces


def windows_of(x, k):
    """((n, c, i, j), window) for every window, by loops."""
    for n, c, i, j in np.ndindex(*x.shape[:2], x.shape[2] // k, x.shape[3] // k):
        yield (n, c, i, j), x[n, c, i * k : (i + 1) * k, j * k : (j + 1) * k]


def pooled(x, k):
    """Maxima and winners, by loops."""
    shape = (*x.shape[:2], x.shape[2] // k, x.shape[3] // k)
    y, winners = np.zeros(shape), np.zeros(shape, int)
    for place, window in windows_of(x, k):
        numbers = window.ravel().tolist()
        y[place], winners[place] = max(numbers), numbers.index(max(numbers))
    return y, winners


@check(
    "6.1",
    title="forward, and who won",
    points=3,
    hints=[
        "Cut off what does not fit: x[:, :, : p * k, : q * k] with p = H // k and q = W // k.",
        "After reshape(n, c, p, k, q, k) the two axes of a window are 3 and 5. Bring them together with transpose, "
        "then make them one axis.",
        "flat = windows.reshape(n, c, p, q, k * k); its max and argmax along the last axis are the answer.",
    ],
)
def forward(t):
    for shape, k in [((2, 3, 7, 11), 3), ((2, 3, 6, 8), 2)]:
        x = t.randn(*shape)
        y, winners = pooled(x, k)
        answer = t.call("maxpool2d", x, k)
        answer.item(0, 2).close(y, f"the maxima for k = {k}")
        answer.item(1, 2).close(winners, f"the winners for k = {k}", 0)
    flat = np.maximum(t.randn(1, 2, 4, 6), 0) * 0.0
    t.call("maxpool2d", flat, 2).item(1, 2).close(np.zeros((1, 2, 2, 3)), "the winners where all numbers are equal", 0)


@check(
    "6.2",
    title="the way back",
    points=3,
    hints=[
        "flat = np.zeros((n, c, p, q, k * k)) has a place for every number of every window.",
        "np.put_along_axis(flat, winners[..., None], g[..., None], axis=-1) puts each g where its winner is.",
        "Then undo the reshaping of 6.1: reshape to (n, c, p, q, k, k), swap axes 3 and 4, reshape to the picture.",
    ],
)
def backward(t):
    for shape, k in [((2, 3, 8, 11), 3), ((2, 3, 6, 8), 2)]:
        x = t.randn(*shape)
        y, winners = pooled(x, k)
        g = t.randn(*y.shape)
        expected = np.zeros(shape)
        for (n, c, i, j), window in windows_of(x, k):
            row, column = np.unravel_index(int(np.argmax(window)), (k, k))
            expected[n, c, i * k + row, j * k + column] = g[n, c, i, j]
        t.call("maxpool2d_backward", g, winners, shape, k).close(expected, f"dx for k = {k}")


@check(
    "6.3",
    title="the gradient of a mean",
    points=2,
    hints=[
        "Each of the k*k numbers moves the mean by 1 / k**2 of what it moves itself.",
        "np.repeat(np.repeat(g, k, axis=2), k, axis=3) makes every number of g a block of k x k.",
    ],
)
def mean(t):
    for shape, k in [((2, 3, 8, 11), 3), ((2, 3, 6, 8), 2)]:
        g = t.randn(*shape[:2], shape[2] // k, shape[3] // k)
        expected = np.zeros(shape)
        for (n, c, i, j), _ in windows_of(np.zeros(shape), k):
            expected[n, c, i * k : (i + 1) * k, j * k : (j + 1) * k] = g[n, c, i, j] / (k * k)
        t.call("avgpool2d_backward", g, shape, k).close(expected, f"dx for k = {k}")


@replaces("MaxPool2d", "6.1", "6.2")
def max_pool2d(yours, layer, x):
    """Your pool in place of the library's."""
    k = layer.kernel_size if isinstance(layer.kernel_size, int) else layer.kernel_size[0]
    y, winners = yours.maxpool2d(x.data, k)
    return own("max_pool2d", y, (x,), lambda g: (yours.maxpool2d_backward(g, winners, x.shape, k),))

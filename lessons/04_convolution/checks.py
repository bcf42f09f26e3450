"""Checks of lesson 4, against two ways to compute a convolution that share nothing with the lesson's loops."""

import numpy as np

from minidepth.learn import check, own, replaces


def as_matrix(x_shape, w, stride, pad):
    """The convolution as one big matrix from all numbers of x to all numbers of y, made entry by entry."""
    n, c, h, width = x_shape
    o, _, kh, kw = w.shape
    p, q = len(range(0, h + 2 * pad - kh + 1, stride)), len(range(0, width + 2 * pad - kw + 1, stride))
    matrix = np.zeros((n, o, p, q, n, c, h, width))
    for i, j, a, k in np.ndindex(p, q, kh, kw):
        u, v = stride * i + a - pad, stride * j + k - pad
        if 0 <= u < h and 0 <= v < width:
            for picture in range(n):
                matrix[picture, :, i, j, picture, :, u, v] = w[:, :, a, k]
    return matrix.reshape(n * o * p * q, -1), (n, o, p, q)


def forward_by_matrix(x, w, b, stride, pad):
    """What `conv2d_forward` should give."""
    matrix, shape = as_matrix(x.shape, w, stride, pad)
    return (matrix @ x.ravel()).reshape(shape) + b[:, None, None]


def by_fourier(x, w):
    """A convolution with stride 1 and no padding, by Fourier transforms."""
    h, width = x.shape[2:]
    spectrum = np.einsum("ncuv,ocuv->nouv", np.fft.fft2(x), np.conj(np.fft.fft2(w, (h, width))))
    return np.fft.ifft2(spectrum).real[:, :, : h - w.shape[2] + 1, : width - w.shape[3] + 1]


CASES = [(1, 0, (3, 3)), (2, 1, (3, 3)), (3, 2, (3, 2))]
"""Stride, padding, kernel: 6x8 pictures then leave rows and columns over that no window reaches."""

SIZES = [(40, 8, 3, 7), (5, 3, 1, 0), (9, 5, 2, 0), (7, 3, 2, 1), (8, 3, 3, 0), (8, 3, 2, 1), (6, 2, 3, 2)]
"""Pixels, kernel, stride, padding."""


@check(
    "4.1",
    title="how large is the output?",
    points=1,
    hints=[
        "The last window begins at n + 2 pad - k or before. How many multiples of stride are there from 0 to that?",
        "From 0 to m there are m // stride + 1 multiples of stride.",
    ],
)
def size(t):
    for n, k, stride, pad in SIZES:
        places = len(range(0, n + 2 * pad - k + 1, stride))
        t.call("output_size", n, k, stride=stride, pad=pad).close(places, f"output_size({n}, {k}, {stride}, {pad})", 0)


@check(
    "4.2",
    title="forward",
    points=3,
    hints=[
        "Which pixels does the window of output pixel (i, j) cover? Its first row in the padded picture is stride * i.",
        "Pad once, before the loops: np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad))). The window of all channels "
        "is xp[n, :, stride*i : stride*i + kh, stride*j : stride*j + kw].",
        "y[n, o, i, j] = (window * w[o]).sum() + b[o]",
    ],
)
def forward(t):
    x, w, b = t.randn(2, 3, 6, 8), t.randn(4, 3, 3, 2), t.randn(4)
    for stride, pad, kernel in CASES:
        w = t.randn(4, 3, *kernel)
        what = f"y for stride {stride}, pad {pad}"
        t.call("conv2d_forward", x, w, b, stride=stride, pad=pad).close(forward_by_matrix(x, w, b, stride, pad), what)
    t.call("conv2d_forward", x, w, 0 * b).close(by_fourier(x, w), "y, compared with Fourier transforms", 1e-9)


@check(
    "4.3",
    title="the gradient of the picture",
    points=3,
    hints=[
        "dx is a sum over every output that looked at this pixel. Walk over the outputs and let each one give back.",
        "Where forward read xp[n, :, top : top+kh, left : left+kw], backward adds g[n, o, i, j] * w[o] to the same "
        "place of dxp. Windows overlap, so it is +=.",
        "dxp has the size of the padded picture; at the end, cut pad rows and columns off at each side.",
    ],
)
def grad_x(t):
    for stride, pad, kernel in reversed(CASES):
        w = t.randn(4, 3, *kernel)
        matrix, shape = as_matrix((2, 3, 6, 8), w, stride, pad)
        g = t.randn(*shape)
        expected = (matrix.T @ g.ravel()).reshape(2, 3, 6, 8)
        what = f"dx for stride {stride}, pad {pad}"
        t.call("conv2d_grad_x", g, w, (2, 3, 6, 8), stride=stride, pad=pad).close(expected, what)


@check(
    "4.4",
    title="the gradients of kernel and bias",
    points=3,
    hints=[
        "The bias of a channel is added to every pixel of it, in every picture of the batch.",
        "Where forward multiplied the window xp[n, :, top : top+kh, left : left+kw] with w[o], backward adds "
        "g[n, o, i, j] * window to dw[o].",
    ],
)
def grad_w(t):
    for stride, pad, kernel in reversed(CASES):
        x, shape = t.randn(2, 3, 6, 8), (4, 3, *kernel)
        g = t.randn(*as_matrix(x.shape, np.zeros(shape), stride, pad)[1])
        # y is linear in w: the gradient is what each unit kernel would give, weighted with g.
        units = np.eye(int(np.prod(shape))).reshape(-1, *shape)
        zero = np.zeros(4)
        expected = np.array([(g * forward_by_matrix(x, unit, zero, stride, pad)).sum() for unit in units]).reshape(
            shape
        )
        answer = t.call("conv2d_grad_w", g, x, shape, stride=stride, pad=pad)
        answer.item(0, 2).close(expected, f"dw for stride {stride}, pad {pad}")
        answer.item(1, 2).close(g.sum(axis=(0, 2, 3)), "db")


@replaces("Conv2d", "4.2", "4.3", "4.4")
def conv2d(yours, layer, x):
    """Your loops in place of the library's convolution."""
    w, b = layer.weight, layer.bias
    (stride, _), (pad, _) = layer.stride, layer.padding
    bias = np.zeros(len(w.data)) if b is None else b.data

    def pullback(g):
        dx = yours.conv2d_grad_x(g, w.data, x.shape, stride, pad)
        return dx, *yours.conv2d_grad_w(g, x.data, w.shape, stride, pad)

    y = yours.conv2d_forward(x.data, w.data, bias, stride, pad)
    return own("conv2d", y, (x, w) if b is None else (x, w, b), pullback)

"""Checks of lesson 9, against matrices made entry by entry, Fourier sums by hand, and planted patterns."""

import numpy as np

from minidepth.learn import check, own, replaces


def sizes(x_shape, w_shape, stride, pad, output_pad):
    """Rows and columns of y."""
    return tuple(stride * (n - 1) + k - 2 * pad + output_pad for n, k in zip(x_shape[2:], w_shape[2:]))


def as_matrix(x_shape, w, stride, pad, output_pad=0):
    """A convolution's matrix, from pictures like y to pictures like x, one picture; its transpose is what is asked."""
    c, o, kh, kw = w.shape
    p, q = sizes(x_shape, w.shape, stride, pad, output_pad)
    matrix = np.zeros((c, *x_shape[2:], o, p, q))
    for i, j, a, b in np.ndindex(*x_shape[2:], kh, kw):
        u, v = stride * i + a - pad, stride * j + b - pad
        if 0 <= u < p and 0 <= v < q:
            matrix[:, i, j, :, u, v] = w[:, :, a, b]
    return matrix.reshape(c * x_shape[2] * x_shape[3], -1), (o, p, q)


CASES = [(3, 1, 2, (4, 5)), (2, 2, 1, (3, 4)), (3, 0, 2, (2, 3)), (1, 1, 0, (3, 2))]
"""Stride, pad, output_pad, kernel: overlaps, gaps, and no stride at all. No two mistakes share a size in the first."""


@check(
    "9.1",
    title="press the stamps",
    points=3,
    hints=[
        "Make room for everything first: stride (H - 1) + KH + output_pad rows. Cut off what pad says at the very end.",
        "Pixel (i, j) presses on rows stride * i to stride * i + KH of that room. Stamps overlap, so it is +=.",
        "y[:, :, top : top + kh, left : left + kw] += np.einsum('nc,coab->noab', x[:, :, i, j], w); at the end "
        "y[:, :, pad : y.shape[2] - pad, pad : y.shape[3] - pad]",
    ],
)
def stamps(t):
    for stride, pad, output_pad, kernel in CASES:
        x, w = t.randn(2, 3, 4, 5), t.randn(3, 2, *kernel)
        matrix, shape = as_matrix(x.shape, w, stride, pad, output_pad)
        expected = (x.reshape(2, -1) @ matrix).reshape(2, *shape)
        what = f"y for stride {stride}, pad {pad}, output_pad {output_pad}"
        t.call("conv_transpose2d", x, w, stride=stride, pad=pad, output_pad=output_pad).close(expected, what)


@check(
    "9.2",
    title="the way back",
    points=3,
    hints=[
        "np.pad(g, ((0, 0), (0, 0), (pad, pad), (pad, pad))) undoes the cut. Then pixel (i, j) has the same window as "
        "in 9.1.",
        "dx[:, :, i, j] is a sum over o, a, b of window times w; dw adds up, over n and all pixels, window times x.",
        "np.einsum('noab,coab->nc', window, w) for dx, dw += np.einsum('noab,nc->coab', window, x[:, :, i, j])",
    ],
)
def backward(t):
    for stride, pad, output_pad, kernel in CASES:
        x, w = t.randn(2, 3, 4, 5), t.randn(3, 2, *kernel)
        matrix, shape = as_matrix(x.shape, w, stride, pad, output_pad)
        g = t.randn(2, *shape)
        dx = (g.reshape(2, -1) @ matrix.T).reshape(x.shape)
        # y is linear in w: the gradient is what each unit stamp would give, weighted with g.
        units = np.eye(w.size).reshape(-1, *w.shape)
        dw = [
            (g.reshape(2, -1) * (x.reshape(2, -1) @ as_matrix(x.shape, unit, stride, pad, output_pad)[0])).sum()
            for unit in units
        ]
        answer = t.call("conv_transpose2d_backward", g, x, w, stride=stride, pad=pad)
        what = f"for stride {stride}, pad {pad}"
        answer.item(0, 2).close(dx, f"dx {what}")
        answer.item(1, 2).close(np.reshape(dw, w.shape), f"dw {what}")


@check(
    "9.3",
    title="what becomes of a flat wall",
    points=2,
    hints=[
        "Which weights belong to the phase a = 1, b = 0 of a 4x4 kernel with stride 2? Rows 1 and 3, columns 0 and 2.",
        "w[:, :, a::stride, b::stride] are the weights of a phase. Sum over its last two axes.",
    ],
)
def phases(t):
    for kernel, stride in [((5, 4), 3), ((3, 4), 2), ((2, 2), 2)]:
        w = t.randn(3, 2, *kernel)
        # A flat wall through the matrix of a transposed convolution; one period of it, far from the edges.
        expected = np.zeros((3, 2, stride, stride))
        for c in range(3):
            matrix, shape = as_matrix((1, 1, 6, 6), w[c : c + 1], stride, 0)
            wall = matrix.sum(axis=0).reshape(shape)
            expected[c] = wall[:, 3 * stride : 4 * stride, 3 * stride : 4 * stride]
        t.call("phase_sums", w, stride).close(
            expected, f"the sums of a {kernel[0]}x{kernel[1]} kernel, stride {stride}"
        )


def power_at(y, k):
    """Power of the rows of y at frequency k/W, as sums over cosines and sines."""
    n = np.arange(y.shape[1])
    windowed = (y - y.mean(axis=1, keepdims=True)) * np.sin(np.pi * n / len(n)) ** 2
    cosine, sine = windowed @ np.cos(2 * np.pi * k * n / len(n)), windowed @ np.sin(2 * np.pi * k * n / len(n))
    return float((cosine**2 + sine**2).mean())


def excess_at(y, k):
    """Of one line, in dB; what lies above W/2 is the mirror image of what lies below."""
    return 10 * np.log10(2 * power_at(y, k) / (power_at(y, k - 2) + power_at(y, k + 2)))


@check(
    "9.4",
    title="grid excess",
    points=3,
    hints=[
        "power = row_power(y) has W // 2 + 1 numbers, and power[k] belongs to the frequency k/W. Which k has 1/s?",
        "The lines are range(W // s, W // 2 + 1, W // s). The last of them is W // 2, and power[k + 2] is not there.",
        "10 * np.log10(power[k] / ((power[k - 2] + above) / 2)) for each line, and np.mean of these.",
    ],
)
def excess(t):
    for (height, width), s in [((12, 64), 8), ((10, 48), 4), ((9, 40), 2)]:
        y = 3 + t.randn(height, width)
        expected = np.mean([excess_at(y, width * j // s) for j in range(1, s // 2 + 1)])
        t.call("grid_excess", y, s).close(expected, f"the excess of noise ({height}, {width}) on the grid of {s}")
    planted = t.randn(200, 64) + 2 * (-1.0) ** np.arange(64)
    found = t.call("grid_excess", planted, 2).number("the excess of a planted grid")
    # The window gathers the pattern's 64 numbers into one line, and takes 3/2 of the noise with it: 1 + 2/3 * 64 a^2.
    expected = 10 * np.log10(1 + 128 / 3 * 2**2)
    t.that(
        abs(found - expected) < 1.5,
        f"noise of deviation 1 with 2, -2, 2, -2 on it has about {expected:.1f} dB on the grid of 2, yours {found:.1f}",
    )


@replaces("ConvTranspose2d", "9.1", "9.2")
def layer(yours, layer, x):
    """Your stamps in place of the library's."""
    w, b = layer.weight, layer.bias
    (stride, _), (pad, _), (output_pad, _) = layer.stride, layer.padding, layer.output_padding

    def pullback(g):
        return *yours.conv_transpose2d_backward(g, x.data, w.data, stride, pad), g.sum(axis=(0, 2, 3))

    y = yours.conv_transpose2d(x.data, w.data, stride, pad, output_pad)
    if b is None:
        return own("conv_transpose2d", y, (x, w), pullback)
    return own("conv_transpose2d", y + b.data[:, None, None], (x, w, b), pullback)

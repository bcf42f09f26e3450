"""What the operations are to compute, in plain Python loops: the oracles of the tests.

Nothing is imported from the package, nothing is fast, and every formula is the one of the textbook: one output number
at a time, with an `if` where the picture ends. Arrays are NumPy's only because tests hold arrays. Sizes, strides and
the like are pairs (rows, columns).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

Pair = tuple[int, int]


def each(function: Callable[[float], float], x: np.ndarray) -> np.ndarray:
    """`function` of every number."""
    y = np.empty(x.shape)
    for place in np.ndindex(*x.shape):
        y[place] = function(float(x[place]))
    return y


def conv2d(x, weight, bias=None, stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1) -> np.ndarray:
    n_pictures, channels, height, width = x.shape
    outputs, per_group, i_size, j_size = weight.shape
    rows = (height + 2 * padding[0] - dilation[0] * (i_size - 1) - 1) // stride[0] + 1
    columns = (width + 2 * padding[1] - dilation[1] * (j_size - 1) - 1) // stride[1] + 1
    y = np.zeros((n_pictures, outputs, rows, columns))
    for n, o, r, c in np.ndindex(*y.shape):
        group = o // (outputs // groups)
        total = 0.0 if bias is None else bias[o]
        for k, i, j in np.ndindex(per_group, i_size, j_size):
            u = r * stride[0] + i * dilation[0] - padding[0]
            v = c * stride[1] + j * dilation[1] - padding[1]
            if 0 <= u < height and 0 <= v < width:
                total += weight[o, k, i, j] * x[n, group * per_group + k, u, v]
        y[n, o, r, c] = total
    return y


def conv_transpose2d(
    x, weight, bias=None, stride=(1, 1), padding=(0, 0), output_padding=(0, 0), groups=1, dilation=(1, 1)
) -> np.ndarray:
    n_pictures, channels, height, width = x.shape
    _, per_group, i_size, j_size = weight.shape
    rows = (height - 1) * stride[0] - 2 * padding[0] + dilation[0] * (i_size - 1) + output_padding[0] + 1
    columns = (width - 1) * stride[1] - 2 * padding[1] + dilation[1] * (j_size - 1) + output_padding[1] + 1
    y = np.zeros((n_pictures, per_group * groups, rows, columns))
    for n, k, r, c in np.ndindex(*x.shape):
        group = k // (channels // groups)
        for o, i, j in np.ndindex(per_group, i_size, j_size):
            u = r * stride[0] + i * dilation[0] - padding[0]
            v = c * stride[1] + j * dilation[1] - padding[1]
            if 0 <= u < rows and 0 <= v < columns:
                y[n, group * per_group + o, u, v] += weight[k, o, i, j] * x[n, k, r, c]
    if bias is not None:
        for o in range(len(bias)):
            y[:, o] += bias[o]
    return y


def pooled_length(length: int, window: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> int:
    """How many windows there are: those that lie inside; with ceil_mode also one that starts inside and sticks out."""
    span = dilation * (window - 1) + 1
    count = 0
    while count * stride + span <= length + 2 * padding:
        count += 1
    sticks_out = (count - 1) * stride + span < length + 2 * padding
    if ceil_mode and sticks_out and count * stride < length + padding:
        count += 1
    return count


def max_pool2d(x, window, stride, padding=(0, 0), dilation=(1, 1), ceil_mode=False) -> np.ndarray:
    height, width = x.shape[2:]
    size = [pooled_length(x.shape[2 + a], window[a], stride[a], padding[a], dilation[a], ceil_mode) for a in (0, 1)]
    y = np.empty((*x.shape[:2], *size))
    for n, c, r, q in np.ndindex(*y.shape):
        best = -math.inf
        for i, j in np.ndindex(*window):
            u = r * stride[0] + i * dilation[0] - padding[0]
            v = q * stride[1] + j * dilation[1] - padding[1]
            if 0 <= u < height and 0 <= v < width:
                best = max(best, x[n, c, u, v])
        y[n, c, r, q] = best
    return y


def avg_pool2d(x, window, stride, padding=(0, 0), ceil_mode=False, count_include_pad=True) -> np.ndarray:
    height, width = x.shape[2:]
    size = [pooled_length(x.shape[2 + a], window[a], stride[a], padding[a], 1, ceil_mode) for a in (0, 1)]
    y = np.empty((*x.shape[:2], *size))
    for n, c, r, q in np.ndindex(*y.shape):
        total, inside, padded = 0.0, 0, 0
        for i, j in np.ndindex(*window):
            u, v = r * stride[0] + i - padding[0], q * stride[1] + j - padding[1]
            padded += u < height + padding[0] and v < width + padding[1]
            if 0 <= u < height and 0 <= v < width:
                total += x[n, c, u, v]
                inside += 1
        y[n, c, r, q] = total / (padded if count_include_pad else inside)
    return y


def adaptive_avg_pool2d(x, size) -> np.ndarray:
    y = np.empty((*x.shape[:2], *size))
    for n, c, r, q in np.ndindex(*y.shape):
        rows = [u for u in range(x.shape[2]) if _touches(u, r, x.shape[2], size[0])]
        columns = [v for v in range(x.shape[3]) if _touches(v, q, x.shape[3], size[1])]
        y[n, c, r, q] = math.fsum(x[n, c, u, v] for u in rows for v in columns) / (len(rows) * len(columns))
    return y


def _touches(pixel, part, length, count) -> bool:
    """Whether a pixel, from `pixel` to `pixel` + 1 out of `length`, overlaps with part number `part` out of `count`."""
    return pixel * count < (part + 1) * length and (pixel + 1) * count > part * length


def pixel_shuffle(x, r) -> np.ndarray:
    y = np.empty((x.shape[0], x.shape[1] // (r * r), x.shape[2] * r, x.shape[3] * r))
    for n, c, h, w in np.ndindex(*y.shape):
        y[n, c, h, w] = x[n, c * r * r + (h % r) * r + w % r, h // r, w // r]
    return y


def unpool_zeros(x, stride) -> np.ndarray:
    y = np.empty((*x.shape[:2], x.shape[2] * stride[0], x.shape[3] * stride[1]))
    for n, c, h, w in np.ndindex(*y.shape):
        y[n, c, h, w] = 0.0 if h % stride[0] or w % stride[1] else x[n, c, h // stride[0], w // stride[1]]
    return y


def batch_norm(x, weight, bias, eps, mean=None, var=None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """y, and the mean and the variance (divided by n) of each channel: those given, or those of the batch."""
    channels = x.shape[1]
    values = [[float(x[place]) for place in np.ndindex(*x.shape) if place[1] == c] for c in range(channels)]
    if mean is None:
        mean = np.array([math.fsum(v) / len(v) for v in values])
        var = np.array([math.fsum((a - m) ** 2 for a in v) / len(v) for v, m in zip(values, mean)])
    y = np.empty(x.shape)
    for place in np.ndindex(*x.shape):
        c = place[1]
        y[place] = weight[c] * (x[place] - mean[c]) / math.sqrt(var[c] + eps) + bias[c]
    return y, mean, var


def linear(x, weight, bias=None) -> np.ndarray:
    y = np.zeros((*x.shape[:-1], len(weight)))
    for *place, o in np.ndindex(*y.shape):
        products = [weight[o, i] * x[(*place, i)] for i in range(x.shape[-1])]
        y[(*place, o)] = math.fsum(products) + (0.0 if bias is None else bias[o])
    return y


def softmax(x, dim) -> np.ndarray:
    """Each row by itself, as e^x / sum of e^x (the numbers of the tests are small)."""
    y = np.empty(x.shape)
    for place in np.ndindex(*x.shape):
        row = [float(x[place[:dim] + (k,) + place[dim + 1 :]]) for k in range(x.shape[dim])]
        y[place] = math.exp(x[place]) / math.fsum(math.exp(a) for a in row)
    return y


def interpolate(x, size, mode, align_corners=False, scale=None) -> np.ndarray:
    """`scale` (rows, columns) is how many times larger the picture gets, where that was asked for instead of a size."""
    y = np.empty((*x.shape[:2], *size))
    for n, c, r, q in np.ndindex(*y.shape):
        taps = [
            _interpolation_taps(place, x.shape[2 + a], size[a], mode, align_corners, scale and scale[a])
            for a, place in enumerate((r, q))
        ]
        y[n, c, r, q] = sum(wu * wv * x[n, c, u, v] for u, wu in taps[0] for v, wv in taps[1])
    return y


def _interpolation_taps(place, inputs, outputs, mode, align_corners, scale) -> list[tuple[int, float]]:
    """(input, weight) pairs of one output along one axis."""
    step = inputs / outputs if scale is None else 1 / scale
    if mode == "nearest":
        exact = scale is None or outputs in (inputs, 2 * inputs)  # PyTorch's exception
        return [(place * inputs // outputs if exact else min(math.floor(place * step), inputs - 1), 1.0)]
    if inputs == outputs:  # PyTorch's other exception
        at = float(place)
    elif align_corners:
        at = 0.0 if outputs == 1 else place * (inputs - 1) / (outputs - 1)
    else:
        at = min(max((place + 0.5) * step - 0.5, 0.0), inputs - 1.0)  # the edge pixel goes on outside the picture
    below = min(math.floor(at), inputs - 1)
    above = min(below + 1, inputs - 1)
    return [(below, 1 - (at - below)), (above, at - below)]


def pad(x, widths, mode, value=0.0) -> np.ndarray:
    """`widths`: (before, after) for each dimension, the first dimension first."""
    y = np.full([n + a + b for n, (a, b) in zip(x.shape, widths)], float(value))
    for place in np.ndindex(*y.shape):
        source = [p - before for p, (before, _) in zip(place, widths)]
        if mode == "replicate":
            source = [min(max(s, 0), n - 1) for s, n in zip(source, x.shape)]
        if mode == "reflect":
            source = [n - 1 - abs(n - 1 - abs(s)) for s, n in zip(source, x.shape)]
        if all(0 <= s < n for s, n in zip(source, x.shape)):
            y[place] = x[tuple(source)]
    return y


SOBEL_X = [[1, 0, -1], [2, 0, -2], [1, 0, -1]]
SOBEL_Y = [[1, 2, 1], [0, 0, 0], [-1, -2, -1]]


def sobel(x, padding) -> np.ndarray:
    """All channels of gx, then all channels of gy."""
    channels, height, width = x.shape[1:]
    first, rows, columns = (1, height - 2, width - 2) if padding == "valid" else (0, height, width)
    y = np.zeros((len(x), 2 * channels, rows, columns))
    for n, k, r, c in np.ndindex(*y.shape):
        taps = SOBEL_X if k < channels else SOBEL_Y
        for i, j in np.ndindex(3, 3):
            u, v = r + first + i - 1, c + first + j - 1
            if padding == "replicate":
                u, v = min(max(u, 0), height - 1), min(max(v, 0), width - 1)
            if 0 <= u < height and 0 <= v < width:
                y[n, k, r, c] += taps[i][j] * x[n, k % channels, u, v]
    return y


def reduce(function: Callable[[list[float]], float], x, axes, keepdim=False) -> np.ndarray:
    """`function` of the list of numbers that share a place in the result, in reading order."""
    shape = [1 if a in axes else n for a, n in enumerate(x.shape)]
    lists: dict[tuple[int, ...], list[float]] = {place: [] for place in np.ndindex(*shape)}
    for place in np.ndindex(*x.shape):
        lists[tuple(0 if a in axes else p for a, p in enumerate(place))].append(float(x[place]))
    y = np.empty(shape)
    for place, values in lists.items():
        y[place] = function(values)
    return y if keepdim else y.reshape([n for a, n in enumerate(x.shape) if a not in axes])


def variance(values: list[float], unbiased: bool = True) -> float:
    centre = math.fsum(values) / len(values)
    return math.fsum((v - centre) ** 2 for v in values) / (len(values) - (1 if unbiased else 0))

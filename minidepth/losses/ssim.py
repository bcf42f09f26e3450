"""SSIM, the structural similarity: two pictures agree if brightness, contrast and pattern agree in every small window.

Mean mu, variance var and covariance cov are taken in a Gaussian window w (sigma 1.5, its weights add up to 1):

        (2 mu_p mu_t + C1) (2 cov + C2)
    S = ------------------------------------------------        C1 = (k1 L)^2, C2 = (k2 L)^2, -1 <= S <= 1
        (mu_p^2 + mu_t^2 + C1) (var_p + var_t + C2)

and each loss is a mean over the n windows of the batch that see valid pixels only; the window never leaves the picture.

                    window   k1      k2     L     1/n sum of
    ssim            11       0.01    0.03   1     1 - S        for maps from 0 to 1, and depth in metres. Recommended.
    ssim:logits     11       0.01    0.03   1     1 - S        of sigmoid(prediction), for masks
    ssim:densedepth 11       0.01    0.03   100   (1 - S)/2    Alhashim and Wonka (2018), for 10 m / depth, 1 to 100
    ssim:002        11       0.01    0.03   1     (1 - S)/2    github.com/kyovchev: the same for depth from 0 to 1
    ssim:000b       7        1e-4    9e-4   256   1 - S        depth example of keras.io: these k are squares already
    ssim:004        11       0.01    0.03   255   1 - S        an L for bytes on maps from 0 to 1, so S is 1 everywhere

The published clip of (1 - S)/2 to 0..1 is left out: it never bites. In metres, L = 1 means that differences below
k2 L = 3 cm count as noise.

**Computed** from the difference d = p - t and the sum s = p + t, as var_p + var_t = (var_s + var_d)/2 and
2 cov = var_p + var_t - var_d, and so for the means:

    1 - S = a + b - ab      a = mu_d^2 / ((mu_s^2 + mu_d^2)/2 + C1)      b = var_d / ((var_s + var_d)/2 + C2)

That is 4 maps to filter and not 5, and exactly 0 for a perfect fit. A variance is the mean of the squares less the
square of the mean, where digits cancel: so d and s are first moved to have the mean 0 in each picture, which changes no
variance. Value and gradient come from one pass over a picture (7 filters), each on one core, and only the gradient, of
the size of the prediction, is kept for backward.

Source: Wang, Bovik, Sheikh and Simoncelli, Image Quality Assessment: From Error Visibility to Structural Similarity
(2004).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minidepth.backend import Array, cuda, empty, empty_like, kernel
from minidepth.cuda import Grid, constant, launch
from minidepth.engine import Tensor
from minidepth.losses.gaussian import complete, slide
from minidepth.losses.masked import check_maps, keep_valid, squash
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.threads import run_tiles, scratch

SIGMA = 1.5


class Setting(NamedTuple):
    """A row of the table above."""

    window: int = 11
    k1: float = 0.01
    k2: float = 0.03
    range: float = 1.0
    """L: the distance from the smallest to the largest value that there can be."""
    weight: float = 1.0
    """The factor of 1 - S."""

    @property
    def constants(self) -> tuple[float, float]:
        """C1 and C2."""
        return (self.k1 * self.range) ** 2, (self.k2 * self.range) ** 2


DENSEDEPTH = Setting(range=100.0, weight=0.5)
KYOVCHEV = Setting(weight=0.5)
KERAS = Setting(window=7, k1=1e-4, k2=9e-4, range=256.0)
BYTES = Setting(range=255.0)


def ssim(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Mean of 1 - S with L = 1.

    Args:
        prediction: (N, 1, H, W), at least as large as the window.
        target: (N, 1, H, W); what stands at invalid pixels (0, nan, inf) is never looked at.
        valid: bool (N, 1, H, W). A window counts where all its pixels are valid; with none left the loss is 0.
    """
    return _ssim("ssim", prediction, target, valid, Setting())


def ssim_logits(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """`ssim` of sigmoid(prediction), for a mask: the prediction is logits, the target 0 to 1."""
    return _ssim("ssim:logits", squash(prediction, valid), target, valid, Setting())


def ssim_densedepth(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Mean of (1 - S)/2 with L = 100, for inverse depth from 1 to 100. Arguments as for `ssim`."""
    return _ssim("ssim:densedepth", prediction, target, valid, DENSEDEPTH)


def ssim_002(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Mean of (1 - S)/2 with L = 1, for depth from 0 to 1. Arguments as for `ssim`."""
    return _ssim("ssim:002", prediction, target, valid, KYOVCHEV)


def ssim_000b(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Mean of 1 - S with a 7x7 window and the constants of the depth example of keras.io. Arguments as for `ssim`."""
    return _ssim("ssim:000b", prediction, target, valid, KERAS)


def ssim_004(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Mean of 1 - S with L = 255, almost 0 for maps from 0 to 1: as it was published. Arguments as for `ssim`."""
    return _ssim("ssim:004", prediction, target, valid, BYTES)


def _ssim(name: str, prediction: Tensor, target: Array, valid: Array, setting: Setting) -> Tensor:
    """The mean of weight * (1 - S) over the windows that see valid pixels only."""
    check_maps(name, prediction, target, valid)
    (height, width), size = prediction.shape[2:], setting.window
    if min(height, width) < size:
        raise ValueError(f"{name}: the picture is {height}x{width}, smaller than the window of {size}x{size}")
    value, grad_x = forward(prediction.data, target, valid, setting, prediction.requires_grad)
    return Tensor.from_op("ssim", value, (prediction,), lambda grad: (np.multiply(grad_x, grad, out=grad_x),))


@kernel
def forward(x: Array, y: Array, valid: Array, setting: Setting, want_grad: bool) -> tuple[Array, Array | None]:
    """weight (1 - S), mean over the windows that count, and its gradient for x (N, 1, H, W), or None."""
    x, y = keep_valid(x, valid), keep_valid(y, valid).astype(x.dtype, copy=False)
    counts = complete(valid, setting.window)
    grad_x = pool.empty(x.shape, x.dtype) if want_grad else None
    scale = setting.weight / max(int(np.count_nonzero(counts)), 1)
    totals = [0.0] * len(x)

    def picture(n: int) -> None:
        grad = None if grad_x is None else grad_x[n, 0]
        totals[n] = _picture(x[n, 0], y[n, 0], counts[n, 0], scale, setting, grad)

    run_tiles(picture, len(x))
    return np.array(sum(totals), x.dtype), grad_x


def _picture(x: Array, y: Array, counts: Array, scale: float, setting: Setting, grad: Array | None) -> float:
    """The sum of scale (1 - S) over the windows of one picture, and its gradient for x into `grad`."""
    size, dtype, (c1, c2) = setting.window, x.dtype, setting.constants
    maps = scratch("ssim_maps", (4, *x.shape), dtype)  # d, s, d^2, s^2
    np.subtract(x, y, out=maps[0])
    np.add(x, y, out=maps[1])
    centre = maps[:2].mean(axis=(1, 2), keepdims=True)
    maps[:2] -= centre
    np.multiply(maps[:2], maps[:2], out=maps[2:])
    means = slide(maps, size, SIGMA, scratch("ssim_means", (4, *counts.shape), dtype))
    moved, squares = means[:2], means[2:]  # of d and s

    var_d, var_s = np.maximum(squares - moved * moved, 0)  # below 0 only by rounding
    mu_d, mu_s = moved + centre
    light = 0.5 * (mu_d * mu_d + mu_s * mu_s) + c1
    contrast = 0.5 * (var_d + var_s) + c2
    a, b = mu_d * mu_d / light, var_d / contrast
    total = scale * float(np.sum((a + b - a * b) * counts, dtype=np.float64))
    if grad is None:
        return total

    # dL/d(mean of d) + dL/d(mean of s), as d and s grow with x alike; dL/d(mean of d^2); dL/d(mean of s^2)
    framed = scratch("ssim_framed", (3, *(n + size - 1 for n in x.shape)), dtype)
    framed.fill(0)
    of_mean, of_d, of_s = framed[:, size - 1 : 1 - size, size - 1 : 1 - size]
    share = counts * dtype.type(scale)
    slope = share * (1 - a) / contrast  # dL/db / contrast
    np.multiply(slope, 1 - 0.5 * b, out=of_d)
    np.multiply(slope, -0.5 * b, out=of_s)
    np.multiply(share * (1 - b) / light, mu_d * (2 - a) - a * mu_s, out=of_mean)
    of_mean -= 2 * (moved[0] * of_d + moved[1] * of_s)
    back = slide(framed, size, SIGMA, scratch("ssim_means", (3, *x.shape), dtype))
    np.multiply(maps[:2], back[1:], out=maps[:2])
    np.add(maps[0], maps[1], out=grad)
    grad *= 2
    grad += back[0]
    return total


@cuda(forward)
def forward_cuda(x: Array, y: Array, valid: Array, setting: Setting, want_grad: bool) -> tuple[Array, Array | None]:
    y, (n, _, height, width) = y.astype(x.dtype, copy=False), x.shape
    size, tile = setting.window, constant("ssim", "TILE")
    rows, columns = height - size + 1, width - size + 1
    grid = Grid((-(-columns // tile), -(-rows // tile), n), (tile * tile, 1, 1))
    sums = empty((grid.blocks[0] * grid.blocks[1] * n, 2), x)
    slopes = empty((3, n, rows, columns), x) if want_grad else None
    launch("ssim_windows", grid, x, y, valid, sums, slopes, height, width, size, SIGMA, *setting.constants)
    value, share = empty((), x), empty((), x)
    launch("masked_mean", Grid((1, 1, 1), (256, 1, 1)), sums, value, share, setting.weight, 0, len(sums))
    if not want_grad:
        return value, None
    grid, grad_x = Grid((-(-width // tile), -(-height // tile), n), (tile * tile, 1, 1)), empty_like(x)
    launch("ssim_grad_x", grid, x, y, valid, slopes, share, grad_x, height, width, size, SIGMA)
    return value, grad_x

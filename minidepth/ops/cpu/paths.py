"""Which way to compute a convolution: what each way can do, and the rule that picks one.

Every way is a module with the three functions of `ops/conv2d.py`, under the same names and with the same arguments:
``forward``, ``grad_x`` and ``grad_weight``, and ``backward`` where both gradients together cost less. The
rule looks at shapes only, so that a layer always takes the same way and a run gives the same bits again.
``minidepth bench conv`` prints the table that justifies it.
"""

from __future__ import annotations

import math
from functools import lru_cache
from types import ModuleType

from minidepth.ops.cpu import depthwise, patch_gemm, pointwise, row_gemm, row_winograd, spread_gemm, tile_gemm, winograd

Pair = tuple[int, int]

FEW_OUTPUTS = 4
SOME_INPUTS = 16
SOME_PIXELS = 200
"""From so many inputs for each output on, and pixels of a picture, `spread_gemm` adds up less than others copy."""
SOME_CHANNELS = 32 * 32
"""Input times output channels from which on `row_winograd`, with half the products, wins back its transforms."""
MANY_CHANNELS = 64 * 64
"""And from which on `winograd` does, with a quarter of the products."""
MORE_CHANNELS = 64 * 128
"""From here on it is ahead of `row_winograd`, too."""
CACHED_ROW = 64 * 160
"""Numbers in a row of all channels up to which two groups of rows of `row_winograd` fit the cache and share a row."""
MANY_PIXELS = 1000
"""Pixels of a batch from which on `winograd` wins back its transform of the kernel as well."""
LONG_ROW = 60
"""Pixels in a row from which on the products of `row_gemm`, one for each row, are large enough."""
SHORT_ROW = 24
"""Pixels in a row below which those products are too small where there are many channels."""
LARGE_WEIGHT = 1 << 18
"""Numbers of a weight that no longer fits a core's cache, where it has to be packed anew for each of those products."""

LIMITING = (depthwise, pointwise, row_gemm, tile_gemm)
"""Those whose ``forward`` takes `limits` as well, see finish.py."""


def able(weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int) -> list[ModuleType]:
    """The modules that can convolve with weight (O, C/groups, I, J); `tile_gemm` always can."""
    kernel = weight_shape[2:]
    every_pixel = stride == (1, 1) and dilation == (1, 1) and groups == 1
    can = {
        depthwise: weight_shape[:2] == (groups, 1) and groups > 1,
        pointwise: every_pixel and kernel == (1, 1) and padding == (0, 0),
        patch_gemm: kernel == stride and padding == (0, 0) and dilation == (1, 1) and groups == 1,
        row_gemm: every_pixel and padding[0] < kernel[0] and padding[1] < kernel[1],
        row_winograd: every_pixel and kernel[0] == 3 and padding[0] < 3 and padding[1] < kernel[1],
        winograd: every_pixel and padding == (1, 1) and kernel == (3, 3),
        spread_gemm: stride == (1, 1) and groups == 1 and _within(padding, kernel, dilation),
        tile_gemm: True,
    }
    return [path for path in can if can[path]]


@lru_cache(maxsize=1024)
def choose(
    x_shape: tuple[int, ...], weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> ModuleType:
    """The module that convolves x (N, C, H, W) with weight (O, C/groups, I, J) fastest."""
    paths = able(weight_shape, stride, padding, dilation, groups)
    for path in (depthwise, pointwise, patch_gemm):
        if path in paths:
            return path
    few_outputs = weight_shape[1] >= max(FEW_OUTPUTS * weight_shape[0], SOME_INPUTS)
    if spread_gemm in paths and few_outputs and x_shape[2] * x_shape[3] >= SOME_PIXELS:
        return spread_gemm
    channels, pixels = weight_shape[0] * weight_shape[1], x_shape[0] * x_shape[2] * x_shape[3]
    cached = x_shape[1] * x_shape[3] <= CACHED_ROW
    if row_winograd in paths and SOME_CHANNELS <= channels < MORE_CHANNELS and x_shape[3] >= LONG_ROW and cached:
        return row_winograd
    if winograd in paths and channels >= MANY_CHANNELS and pixels >= MANY_PIXELS:
        return winograd
    large_weight = math.prod(weight_shape) > LARGE_WEIGHT
    tiny_products = x_shape[3] < SHORT_ROW and channels >= MANY_CHANNELS
    if row_gemm in paths and (x_shape[3] >= LONG_ROW or not (large_weight or tiny_products)):
        return row_gemm
    return tile_gemm


def _within(padding: Pair, kernel: tuple[int, ...], dilation: Pair) -> bool:
    """Whether every window of the padded picture reaches into the picture."""
    return all(p <= d * (k - 1) for p, k, d in zip(padding, kernel, dilation))

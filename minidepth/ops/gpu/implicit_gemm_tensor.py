"""Convolution as a matrix product on tensor cores: `implicit_gemm_tensor.cu` and `implicit_gemm_weight_tensor.cu`.

For float16, whose weights are float32 and rounded to float16 for the product, and for float32 with factors rounded to
TF32. Any stride, padding, dilation and groups. dL/dweight is float32 and comes in parts, which are added up in order.
"""

from __future__ import annotations

import math

from minidepth.backend import Array, empty, xp
from minidepth.cuda import Grid, constant, flat, launch
from minidepth.ops.conv_sizes import NO_LIMITS, Limits, Pair, dtype_of_sums, numbers, output_size
from minidepth.ops.gpu.sum_parts import sum_parts

ENOUGH_BLOCKS = 132
"""As many as a large GPU has multiprocessors. Where tiles are fewer than this, smaller ones are taken."""
BLOCKS = 1024
"""Of the weight's gradient, which is small, so that each of some 130 multiprocessors has several."""
LEAST_PIXELS = 512
"""That a block of the weight's gradient adds up, so that adding up the parts stays little beside it."""

TILES = {
    "implicit_gemm_tensor": "TILE",
    "implicit_gemm_tensor_middle": "MIDDLE_TILE",
    "implicit_gemm_tensor_narrow": "NARROW_TILE",
}
"""Kernel -> the constant of implicit_gemm_tensor.cu that says how many outputs are in its tiles; the largest first."""


def forward(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    limits: Limits | None = None,
) -> Array:
    """The product of the weight and the patches of x."""
    y = empty((len(x), len(weight), *output_size("conv2d", x.shape, weight.shape, stride, padding, dilation)), x)
    sizes = numbers(x.shape, weight.shape, stride, padding, dilation, groups)
    _launch(x, weight, bias, y, y.shape[2:], sizes, False, limits or NO_LIMITS)
    return y


def grad_x(
    grad: Array,
    weight: Array,
    x_shape: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    bias: Array | None = None,
) -> Array:
    """The product of the weight and the patches of the gradient, for every stride-th pixel at a time."""
    result = empty(x_shape, grad)
    sizes = numbers(x_shape, weight.shape, stride, padding, dilation, groups)
    part = -(-x_shape[2] // stride[0]), -(-x_shape[3] // stride[1])
    _launch(grad, weight, bias, result, part, sizes, True, NO_LIMITS)
    return result


def grad_weight(
    grad: Array, x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """The product of the gradient and the patches of x, summed over parts of the pixels and then over the parts."""
    stem, (rows, columns), channels = "implicit_gemm_weight_tensor", grad.shape[2:], weight_shape[1]
    name = stem if weight_shape[0] // groups > constant(stem, "NARROW_TILE") else f"{stem}_narrow"
    prefix = "" if name == stem else "NARROW_"
    outputs, across = constant(stem, f"{prefix}TILE"), constant(stem, f"{prefix}WARPS_ACROSS")
    pixels = constant(stem, "CHUNKS") * 16 // x.itemsize
    width = _tile_columns(pixels, rows, columns)
    tile, pairs = (pixels // width, width), across * constant(stem, "PAIRS")
    taps, eights = _taps_of_a_block(weight_shape[2:], tile, stride, dilation, x.itemsize, pairs)
    eights = min(eights, -(-channels // 8))
    blocks = -(-channels // (8 * eights)) * (math.prod(weight_shape[2:]) // math.prod(taps))
    lines = -(-weight_shape[0] // groups // outputs) * groups
    tiles = len(x) * -(-rows // tile[0]) * -(-columns // tile[1])
    if tiles == 0:
        return xp(grad).zeros(weight_shape, dtype_of_sums(grad))
    each = max(LEAST_PIXELS // pixels, -(-tiles * blocks * lines // BLOCKS))
    parts = empty((-(-tiles // each), *weight_shape), grad, dtype_of_sums(grad))
    sizes = numbers(x.shape, weight_shape, stride, padding, dilation, groups)
    grid = Grid((blocks, lines, len(parts)), (constant(stem, "THREADS"), 1, 1))
    launch(name, grid, grad, x, parts, *sizes, width, *taps, eights, each)
    return sum_parts(parts)


def _taps_of_a_block(
    kernel: tuple[int, ...], tile: Pair, stride: Pair, dilation: Pair, itemsize: int, pairs: int
) -> tuple[Pair, int]:
    """How many taps down and across, and how many times 8 channels, a block of the weight's gradient takes.

    All taps, or a row of them, or one: as there is room for the pixels that they meet, see `span` in region.cuh.
    """
    stem, taps, eights = "implicit_gemm_weight_tensor", (1, 1), 0
    for taps in ((kernel[0], kernel[1]), (1, kernel[1]), (1, 1)):
        down, across = (
            ((results - 1) * s + (k - 1) * d) // (s if k == 1 or d % s == 0 else 1) + 1
            for results, s, k, d in zip(tile, stride, taps, dilation)
        )
        rows = down * (across + 2) * 8 * itemsize // 16  # of 16 bytes, for 8 channels
        eights = min(constant(stem, "REGION") // rows, pairs // math.prod(taps))
        if eights:
            break
    return taps, eights


def _tile_columns(pixels: int, rows: int, columns: int) -> int:
    """How wide a tile of so many pixels is to be, so that few go over the edge of a picture: 16, or else 32, or 8."""
    return min((16, 32, 8), key=lambda width: -(-rows // (pixels // width)) * -(-columns // width))


def _launch(
    read: Array,
    weight: Array,
    bias: Array | None,
    result: Array,
    part: Pair,
    sizes: tuple[int, ...],
    adjoint: bool,
    limits: Limits,
) -> None:
    """Launch a product of the weight with patches of `read`; `part` of dL/dx, or all of y, is so high and so wide."""
    stem, groups, taps = "implicit_gemm_tensor", sizes[-1], math.prod(weight.shape[2:])
    channels, outputs = read.shape[1] // groups, result.shape[1] // groups
    steps = (taps, weight.shape[1] * taps) if adjoint else (weight.shape[1] * taps, taps)
    pixels, threads = constant(stem, "PIXELS"), constant(stem, "THREADS")
    columns = _tile_columns(pixels, *part)
    blocks = len(read) * -(-part[0] // (pixels // columns)) * -(-part[1] // columns)
    blocks *= math.prod(sizes[9:11]) if adjoint else 1  # one part of dL/dx for each place in a stride
    name, tile = _tile(outputs, blocks * groups)
    tiles, slices = -(-outputs // tile), -(-channels // (32 // read.itemsize))
    laid_out = empty((groups * tiles * slices * taps * tile * 32 // read.itemsize,), read)
    rows = flat(laid_out.nbytes // 16)
    launch(f"{stem}_weights", rows, weight, laid_out, groups, outputs, channels, taps, *steps, tile)
    grid = Grid((blocks * tiles, groups, 1), (threads, 1, 1))
    launch(name, grid, read, laid_out, bias, result, *sizes, int(adjoint), columns, *limits)


def _tile(outputs: int, blocks: int) -> tuple[str, int]:
    """The kernel and the outputs in its tile, for so many tiles of pixels: the largest that is full, and is enough."""
    sizes = [(name, constant("implicit_gemm_tensor", kind)) for name, kind in TILES.items()]
    for name, tile in sizes:
        if tile <= outputs and blocks * -(-outputs // tile) >= ENOUGH_BLOCKS:
            return name, tile
    return sizes[-1]

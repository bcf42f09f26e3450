"""Convolution as a matrix product with patches that are never written down, see `implicit_gemm.cu`.

Any stride, padding, dilation and groups. The weight is laid out anew for each product, so that the kernel reads it side
by side; it is small beside the pictures. dL/dweight comes in parts, which are added up in their order.
"""

from __future__ import annotations

import math

from minidepth.backend import Array, empty, xp
from minidepth.cuda import Grid, constant, launch
from minidepth.ops.conv_sizes import NO_LIMITS, Limits, Pair, numbers, output_size
from minidepth.ops.gpu.sum_parts import sum_parts

tf32 = False
"""Whether factors in float32 are rounded to TF32 instead, see `paths` and `implicit_gemm_tensor`."""

FEW_CHANNELS = 32
"""Up to so many outputs, two narrow tiles are less work than one wide one that is half empty."""
BLOCKS = 1024
"""Of a product with a small result, so that each of some 130 multiprocessors has several."""
LEAST_PIXELS = 512
"""That a block of the weight's gradient adds up, so that adding up the parts stays little beside it."""


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
    arguments = _laid_out(weight, groups, (0, 3, 2, 1)), bias, y
    sizes = numbers(x.shape, weight.shape, stride, padding, dilation, groups)
    _launch("forward", x, arguments, len(weight) // groups, y.size // len(weight), 1, sizes, limits or NO_LIMITS)
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
    arguments = _laid_out(weight, groups, (0, 3, 1, 2)), bias, result
    pixels = x_shape[0] * -(-x_shape[2] // stride[0]) * -(-x_shape[3] // stride[1])
    sizes = numbers(x_shape, weight.shape, stride, padding, dilation, groups)
    _launch("grad_x", grad, arguments, weight.shape[1], pixels, math.prod(stride), sizes, NO_LIMITS)
    return result


def grad_weight(
    grad: Array, x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """The product of the gradient and the patches of x, summed over parts of the pixels and then over the parts."""
    stem = "implicit_gemm_weight"
    rows, columns = weight_shape[0] // groups, math.prod(weight_shape[1:])
    narrow = rows <= FEW_CHANNELS
    prefix = "NARROW_" if narrow else ""
    tile = constant(stem, f"{prefix}TILE_ROWS"), constant(stem, f"{prefix}TILE_COLUMNS")
    tiles = -(-columns // tile[1]), -(-rows // tile[0]) * groups
    pixels, step = len(x) * math.prod(grad.shape[2:]), constant(stem, "STEP")
    each = max(LEAST_PIXELS, -(-pixels * math.prod(tiles) // BLOCKS))
    each = -(-each // step) * step
    parts = empty((max(1, -(-pixels // each)), *weight_shape), grad)
    sizes = numbers(x.shape, weight_shape, stride, padding, dilation, groups)
    grid = Grid((*tiles, len(parts)), (constant(stem, "THREADS"), 1, 1))
    launch(stem + ("_narrow" if narrow else ""), grid, grad, x, parts, *sizes, each)
    return sum_parts(parts)


def _launch(
    what: str,
    read: Array,
    arguments: tuple[Array | None, ...],
    channels: int,
    pixels: int,
    times: int,
    sizes: tuple[int, ...],
    limits: Limits,
) -> None:
    """Launch a product with patches of `read` that makes `channels` by `pixels` numbers in each group, `times` over."""
    stem, narrow = "implicit_gemm", channels <= FEW_CHANNELS
    tile, threads = constant(stem, "NARROW_TILE" if narrow else "TILE"), constant(stem, "THREADS")
    blocks = -(-pixels // threads), -(-channels // tile) * sizes[-1], times
    name = f"{stem}_{what}{'_narrow' if narrow else ''}"
    launch(name, Grid(blocks, (threads, 1, 1)), read, *arguments, *sizes, *limits)


def _laid_out(weight: Array, groups: int, axes: tuple[int, ...]) -> Array:
    """weight (O, C/G, I, J) -> (G, O/G, C/G, I*J), and that in the order of `axes`."""
    parts = weight.reshape(groups, len(weight) // groups, weight.shape[1], -1)
    return xp(weight).ascontiguousarray(parts.transpose(axes))

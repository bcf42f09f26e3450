"""The matrix product, for all operations that are one: ``a @ b``, linear.

    y[m, n] = sum over k of  a[m, k] b[k, n]  +  bias[n]          for every matrix of a batch

With g = dL/dy the gradients are products of transposed matrices, which may be handed in as they lie:

    dL/da = g b^T          dL/db = a^T g

On the CPU it is BLAS, see ops/cpu/product.py; on a GPU one of the kernels of product.cu. Cost: M N K multiply-adds.
"""

from __future__ import annotations

import math

import numpy as np

from minidepth.backend import Array, cuda, empty, kernel, xp
from minidepth.cuda import Grid, aligned, constant, flat, launch
from minidepth.ops.cpu.product import product as blas_product

SIDE = {"product_shared": "SMALL", "product_registers": "MIDDLE", "product_registers_8x8": "LARGE"}
"""Kernel -> the constant of product.cu that says how many numbers there are along a side of what a block computes."""

ENOUGH_BLOCKS = 128
"""So many keep a large GPU busy: it has as many multiprocessors. One figure for all GPUs, so that all round alike."""
LEAST_PART = 512
"""Fewest numbers along k in a part of a sum: with fewer, adding up the parts would cost more than is gained."""


@kernel
def product(
    a: Array,
    b: Array,
    transpose_a: bool = False,
    transpose_b: bool = False,
    bias: Array | None = None,
    single: bool = False,
) -> Array:
    """(..., M, K) @ (..., K, N) + (N,) -> (..., M, N).

    Args:
        a, b: matrices; their sizes before the last two broadcast.
        transpose_a, transpose_b: whether that one is handed in as (..., K, M), as (..., N, K).
        bias: added to every row, or None.
        single: of float16, which a GPU has: give the sums as they are, in float32. Where one of a and b is float16, the
            other may be float32, a parameter, and is rounded; bias is float32.
    """
    y = blas_product(a.swapaxes(-1, -2) if transpose_a else a, b.swapaxes(-1, -2) if transpose_b else b)
    if bias is not None:
        y += bias
    return y


@cuda(product, half=True)
def product_cuda(
    a: Array,
    b: Array,
    transpose_a: bool = False,
    transpose_b: bool = False,
    bias: Array | None = None,
    version: str | None = None,
    parts: int = 1,
    single: bool = False,
) -> Array:
    """`product` by the kernel `version`, which may cut the sum over k into `parts`; without one, `choose` says how."""
    m, k = (a.shape[-1], a.shape[-2]) if transpose_a else a.shape[-2:]
    n = b.shape[-2] if transpose_b else b.shape[-1]
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    if "float16" in (a.dtype, b.dtype):
        a, b = (x.astype("float16", copy=False) for x in (a, b))
    y = empty((*batch, m, n), a, "float32" if single else None)
    if math.prod(b.shape[:-2]) == 1 and not transpose_a:  # one b for all: they are the rows of one large matrix
        batch, m = (), math.prod(batch) * m
        a, b = a.reshape(m, k), b.reshape(b.shape[-2:])
    a, b = (_one_or_all(x, batch) for x in (a, b))
    sizes = [math.prod(batch), m, n, k]
    sizes += [*((1, m) if transpose_a else (k, 1)), m * k if math.prod(a.shape[:-2]) > 1 else 0]
    sizes += [*((k, 1) if transpose_b else (1, n)), k * n if math.prod(b.shape[:-2]) > 1 else 0]
    if a.dtype == "float16":
        return _in_half(a, b, bias, y, sizes)
    if version is None:
        version, parts = choose(*sizes[:4])
    if version == "product_naive":
        launch(version, flat(y.size), a, b, bias, y, *sizes)
        return y
    threads, blocks = constant("product", "THREADS"), _blocks(version, *sizes[:3])
    if version == "product_shared":
        launch(version, Grid((blocks, 1, 1), (threads, 1, 1)), a, b, bias, y, *sizes)
        return y
    step = constant("product", "MIDDLE_DEPTH")
    part_k = -(-k // (parts * step)) * step
    parts = -(-k // max(1, part_k))  # rounding up may have left nothing for the last ones
    if parts <= 1:
        launch(version, Grid((blocks, 1, 1), (threads, 1, 1)), a, b, bias, y, *sizes, part_k)
        return y
    of_parts = empty((parts, *y.shape), a)
    launch(version, Grid((blocks * parts, 1, 1), (threads, 1, 1)), a, b, None, of_parts, *sizes, part_k)
    launch("product_add_parts", flat(y.size), of_parts, bias, y, parts, y.size, n)
    return y


def _in_half(a: Array, b: Array, bias: Array | None, y: Array, sizes: list[int]) -> Array:
    """y, from factors in float16, by the tensor cores; where its tiles are few and the sums long, in parts."""
    (batches, m, n, k), side = sizes[:4], constant("product_half", "TILE")
    blocks, step = batches * -(-m // side) * -(-n // side), 8 * constant("product_half", "CHUNKS")
    parts = 1 if blocks >= ENOUGH_BLOCKS else max(1, min(2 * ENOUGH_BLOCKS // max(1, blocks), k // LEAST_PART))
    part_k = -(-k // (parts * step)) * step
    parts = max(1, -(-k // max(1, part_k)))
    grid = Grid((blocks * parts, 1, 1), (constant("product_half", "THREADS"), 1, 1))
    if parts == 1 and y.dtype == "float16":
        launch("product_half", grid, a, b, bias, y, None, *sizes, part_k)
        return y
    of_parts = empty((parts, *y.shape), a, "float32")
    launch("product_half", grid, a, b, None, None, of_parts, *sizes, part_k)
    sums = empty(y.shape, a, "float32")
    launch("product_add_parts", flat(y.size), of_parts, bias, sums, parts, y.size, n)
    return sums.astype(y.dtype, copy=False)


def choose(batches: int, m: int, n: int, k: int) -> tuple[str, int]:
    """The kernel, and in how many parts: the largest tiles of which there are enough, else the sum over k is cut.

    Two blocks for each multiprocessor then: while one waits at a barrier, the other computes.
    """
    for version in ("product_registers_8x8", "product_registers"):
        blocks = _blocks(version, batches, m, n)
        if blocks >= ENOUGH_BLOCKS:
            return version, 1
    return version, max(1, min(2 * ENOUGH_BLOCKS // max(1, blocks), k // LEAST_PART))


def _blocks(version: str, batches: int, m: int, n: int) -> int:
    side = constant("product", SIDE[version])
    return batches * -(-m // side) * -(-n // side)


def _one_or_all(x: Array, batch: tuple[int, ...]) -> Array:
    """Matrices of which there is one, or as many as the batch has, and which begin where four can be read at once."""
    if math.prod(x.shape[:-2]) not in (1, math.prod(batch)):
        x = xp(x).ascontiguousarray(xp(x).broadcast_to(x, (*batch, *x.shape[-2:])))
    return x if aligned(x) else x.copy()

"""Bilinear enlargement of a picture to exactly twice its size, the way up in a U-Net, and its adjoint.

Along one axis, with pixels as squares, every x[k] becomes two numbers, each a quarter of the way to a neighbour:

    y[2k]     = (3 x[k] + x[k-1]) / 4        y[0]  = x[0]         at the ends the pixel itself
    y[2k + 1] = (3 x[k] + x[k+1]) / 4        y[-1] = x[-1]

and with g = dL/dy:    dL/dx[k] = (3 (g[2k] + g[2k+1]) + g[2k-1] + g[2k+2]) / 4

The weights are the same everywhere, so shifted views do for all pixels at once what the general kernel in
`ops/interpolate.py` does by looking up places and weights. A row is shifted as if the next one were its continuation;
what that makes of its two ends is written over. Both divisions by 4 are one by 16, of the smaller picture.

Cost: 3 multiplications or additions per output, in about half the time of the general kernel.
"""

from __future__ import annotations

import numpy as np

from minidepth.backend import Array
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.elementwise import Block, run_blocks
from minidepth.ops.cpu.threads import scratch

Pair = tuple[int, int]

BLOCK_ELEMENTS = 1 << 18
"""Numbers of the larger picture in a block. Calls are many and short, so larger blocks than elsewhere measured best."""


def fits(x_shape: tuple[int, ...], size: Pair, scales: tuple[float | None, float | None]) -> bool:
    """Whether `size` is twice that of x (N, C, H, W), by no other factor, and x has at least 2 rows and columns."""
    doubled = size == (2 * x_shape[2], 2 * x_shape[3]) and all(scale in (None, 2) for scale in scales)
    return doubled and min(x_shape[2:]) >= 2


def forward(x: Array) -> Array:
    """x (N, C, H, W) -> (N, C, 2H, 2W)."""
    n, channels, height, width = x.shape
    y = pool.empty((n, channels, 2 * height, 2 * width), x.dtype)

    def task(planes: Block) -> None:
        count = x[planes].size // (height * width)
        small = scratch("small", x[planes].shape, x.dtype)
        wide = scratch("wide", (count, height, 2 * width), x.dtype)
        np.multiply(x[planes], 1 / 16, out=small)
        _double(small.reshape(-1, width, 1), wide)
        _double(wide, y[planes])

    run_blocks(task, (n, channels), BLOCK_ELEMENTS // (4 * height * width))
    return y


def grad_x(grad: Array) -> Array:
    """grad (N, C, 2H, 2W) -> (N, C, H, W)."""
    n, channels, height, width = (*grad.shape[:2], grad.shape[2] // 2, grad.shape[3] // 2)
    result = pool.empty((n, channels, height, width), grad.dtype)

    def task(planes: Block) -> None:
        count = result[planes].size // (height * width)
        wide = scratch("wide", (count, height, 2 * width), grad.dtype)
        _halve(grad[planes], wide)
        _halve(wide, result[planes].reshape(-1, width, 1))
        result[planes] *= 1 / 16

    run_blocks(task, (n, channels), BLOCK_ELEMENTS // (4 * height * width))
    return result


def _double(x: Array, y: Array) -> None:
    """x (A, L, B) -> y, which holds (A, 2L, B) in any shape: 4 times the formula above, along L."""
    a, length, b = x.shape
    y = y.reshape(a * length, 2, b)
    three = np.multiply(x, 3, out=scratch("three", x.shape, x.dtype)).reshape(-1, b)
    flat = x.reshape(-1, b)
    np.add(three[1:], flat[:-1], out=y[1:, 0])
    np.add(three[:-1], flat[1:], out=y[:-1, 1])
    y = y.reshape(a, length, 2, b)
    np.multiply(x[:, 0], 4, out=y[:, 0, 0])
    np.multiply(x[:, -1], 4, out=y[:, -1, 1])


def _halve(g: Array, result: Array) -> None:
    """The adjoint of `_double`: result (A, L, B), and g, which holds (A, 2L, B)."""
    a, length, b = result.shape
    g, total = g.reshape(a * length, 2, b), result.reshape(-1, b)
    np.add(g[:, 0], g[:, 1], out=total)
    total *= 3
    total[1:] += g[:-1, 1]
    total[:-1] += g[1:, 0]
    g = g.reshape(a, length, 2, b)
    result[:, 0] = 4 * g[:, 0, 0] + 3 * g[:, 0, 1] + g[:, 1, 0]
    result[:, -1] = g[:, -2, 1] + 3 * g[:, -1, 0] + 4 * g[:, -1, 1]

"""Winograd's convolution: 3x3 kernels with a quarter of the multiplications.

Cut the output into tiles of m x m. A tile needs (m + 2) x (m + 2) inputs d, and with the kernel g it is

    Y = A^T [ (G g G^T) (B^T d B) ] A         with the product in the middle taken number by number

for three fixed matrices. Between the small transforms a tile costs (m + 2)^2 multiplications in place of 9 m^2: 16 in
place of 36 for m = 2, 36 in place of 144 for m = 4. Summed over channels, the middle is one matrix product for each of
the K = (m + 2)^2 positions, over all P tiles of a strip:

    V = B^T d B  (K, C, P)        U = G g G^T  (K, O, C)        M = U V  (K, O, P)        Y = A^T M A

The gradients are the exact adjoint of the same maps, run backwards, so that one transform of dL/dy serves both:

    dM = A dY A^T                 dV = U^T dM, dx = B dV B^T                  dU = dM V^T, dg = G^T dU G

The V of the forward pass serves here again where it is small enough to be kept.

A strip is a few rows of tiles of one picture. All strips of a batch, or as many as CHUNK_BYTES allow, take each step
together: first all are transformed, then come the products, position by position, so that the part of U that one needs
stays in a core's cache, and then all are transformed back.

Cost: the transforms go over x some 7 times and over y 4 times, which is why Winograd pays only for many channels.
Accuracy: B and A of m = 4 hold numbers up to 8, which costs float32 about one digit: with 64 channels y and both
gradients are off by 2e-6 of their size (root mean square), against 3e-7 for the direct sum; with m = 2 they are equal.
Source: Winograd (1980); Lavin and Gray, "Fast algorithms for convolutional neural networks" (2016), arXiv:1509.09308.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from minidepth.backend import Array
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.threads import run_tiles, scratch
from minidepth.ops.cpu.winograd_transforms import (
    transform_input,
    transform_input_adjoint,
    transform_kernel,
    transform_kernel_adjoint,
    transform_output,
    transform_output_adjoint,
)

Pair = tuple[int, int]
Step = Callable[[int, slice, Array], None]

STRIP_BYTES = 1 << 22
"""Size of V and M of a strip."""
FEWEST_TILES = 64
"""Products with fewer columns are slow, so a strip has at least so many tiles where the picture has."""
CHUNK_BYTES = 1 << 26
"""Size of V and M of the strips that go together."""
KEEP_BYTES = 1 << 25
"""V takes 9/4 of the memory of x; up to this size it is kept for backward, which is a fifth quicker for it."""
BLOCK_BYTES = 1 << 20
"""What a thread transforms at a time."""


class Strips:
    """The strips of N pictures of H x W: index -> (picture, first row). `down` rows of tiles each, P tiles."""

    def __init__(self, n: int, channels: int, height: int, width: int, itemsize: int, m: int) -> None:
        rows, across, k = -(-height // m), -(-width // m), m + 2
        most = max(1, STRIP_BYTES // (k * k * channels * across * itemsize), -(-FEWEST_TILES // across))
        self.per_picture = -(-rows // most)
        self.down = -(-rows // self.per_picture)  # equal strips rather than a short one at the end
        self.per_picture = -(-rows // self.down)
        self.count, self.height, self.size = n * self.per_picture, self.down * m, self.down * across
        self.block = max(1, BLOCK_BYTES // (k * k * self.size * itemsize))
        together = max(1, CHUNK_BYTES // (k * k * channels * self.size * itemsize))
        together = -(-self.count // -(-self.count // together))
        self.chunks = [range(i, min(self.count, i + together)) for i in range(0, self.count, together)]

    def __getitem__(self, index: int) -> tuple[int, int]:
        picture, strip = divmod(index, self.per_picture)
        return picture, strip * self.height

    def run(self, step: Step, chunk: range, values: Array) -> None:
        """Do one step of the strips of a chunk, a few channels at a time: values (strips, K, channels, P)."""
        channels = [slice(c, c + self.block) for c in range(0, values.shape[2], self.block)]
        tasks = [(place, part) for place in range(len(chunk)) for part in channels]
        run_tiles(lambda t: step(chunk[tasks[t][0]], tasks[t][1], values[tasks[t][0]]), len(tasks))


def forward(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int, m: int = 4
) -> Array:
    """x (N, C, H, W), weight (O, C, 3, 3) -> y (N, O, H, W); for stride 1 and padding 1."""
    return forward_and_keep(x, weight, bias, stride, padding, dilation, groups, m)[0]


def forward_and_keep(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int, m: int = 4
) -> tuple[Array, Array | None]:
    """`forward`, and V for `backward`, which then needs no x; None where V is too large to be kept."""
    (n, channels, height, width), out, dtype = x.shape, len(weight), x.dtype
    strips, u = Strips(n, channels + out, height, width, x.itemsize, m), transform_kernel(weight, m)
    y = pool.empty((n, out, height, width), dtype)

    def from_x(index: int, part: slice, v: Array) -> None:
        picture, top = strips[index]
        transform_input(x[picture, part], top, strips.down, m, v[:, part])

    def to_y(index: int, part: slice, product: Array) -> None:
        picture, top = strips[index]
        transform_output(product[:, part], None if bias is None else bias[part], top, strips.down, m, y[picture, part])

    for chunk in strips.chunks:
        v = pool.empty((len(chunk), len(u), channels, strips.size), dtype)
        product = pool.empty((len(chunk), len(u), out, strips.size), dtype)
        strips.run(from_x, chunk, v)
        run_tiles(partial(_multiply, u, v, product), len(u))
        strips.run(to_y, chunk, product)
    return y, v if len(strips.chunks) == 1 and v.nbytes <= KEEP_BYTES else None


def backward(
    grad: Array,
    x: Array | None,
    weight: Array,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    m: int = 4,
    transformed: Array | None = None,
) -> tuple[Array, Array]:
    """dL/dx (N, C, H, W) and dL/dweight (O, C, 3, 3) from grad (N, O, H, W), and from x or V, which is overwritten."""
    (n, out, height, width), channels, dtype = grad.shape, weight.shape[1], grad.dtype
    strips, u = Strips(n, channels + out, height, width, grad.itemsize, m), transform_kernel(weight, m)
    grad_x = pool.empty((n, channels, height, width), dtype)
    edges = pool.empty((strips.count, channels, 2, width), dtype)

    def from_grad(index: int, part: slice, product: Array) -> None:
        picture, top = strips[index]
        transform_output_adjoint(grad[picture, part], top, strips.down, m, product[:, part])

    def from_x(index: int, part: slice, v: Array) -> None:
        picture, top = strips[index]
        transform_input(x[picture, part], top, strips.down, m, v[:, part])  # type: ignore[index]

    def to_x(index: int, part: slice, grad_v: Array) -> None:
        picture, top = strips[index]
        transform_input_adjoint(grad_v[:, part], top, strips.down, m, grad_x[picture, part], edges[index, part])

    def position(v: Array, product: Array, first: bool, k: int) -> None:
        total, part = scratch("winograd_total", u.shape[1:], dtype), scratch("winograd_part", u.shape[1:], dtype)
        np.matmul(product[0, k], v[0, k].T, out=total)
        for index in range(1, len(v)):
            total += np.matmul(product[index, k], v[index, k].T, out=part)
        np.matmul(u[k].T, product[:, k], out=v[:, k])
        grad_u[k] = total if first else np.add(grad_u[k], total, out=total)

    grad_u = u if len(strips.chunks) == 1 else pool.empty(u.shape, dtype)  # U may be overwritten once it is used
    for chunk in strips.chunks:
        product = pool.empty((len(chunk), len(u), out, strips.size), dtype)
        strips.run(from_grad, chunk, product)
        if transformed is None:
            v = pool.empty((len(chunk), len(u), channels, strips.size), dtype)
            strips.run(from_x, chunk, v)
        else:
            v = transformed
        run_tiles(partial(position, v, product, chunk[0] == 0), len(u))
        strips.run(to_x, chunk, v)
    _add_edges(grad_x, edges, strips)
    return grad_x, transform_kernel_adjoint(grad_u, m)


def _multiply(u: Array, v: Array, product: Array, k: int) -> None:
    np.matmul(u[k], v[:, k], out=product[:, k])


def _add_edges(grad_x: Array, edges: Array, strips: Strips) -> None:
    """Add what every strip but the first of a picture sends to the two rows around its upper edge."""

    def picture(n: int) -> None:
        for strip in range(1, strips.per_picture):
            rows = grad_x[n, :, strip * strips.height - 1 : strip * strips.height + 1]
            rows += edges[n * strips.per_picture + strip, :, : rows.shape[1]]

    run_tiles(picture, len(grad_x))


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
    """dL/dx alone: dL/dy convolved with the turned kernel, input and output channels exchanged."""
    turned = np.ascontiguousarray(weight[:, :, ::-1, ::-1].swapaxes(0, 1))
    return forward(grad, turned, bias, stride, padding, dilation, groups)


def grad_weight(
    grad: Array, x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """dL/dweight alone."""
    return backward(grad, x, np.zeros(weight_shape, x.dtype), stride, padding, dilation, groups)[1]

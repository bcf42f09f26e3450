"""The three small linear maps of Winograd's convolution (see `winograd.py`) and their adjoints, for a strip of tiles.

    V = B^T d B       input tiles of k x k numbers          transform_input,  transform_input_adjoint
    U = G g G^T       kernels of 3 x 3 numbers              transform_kernel, transform_kernel_adjoint
    Y = A^T M A       output tiles of m x m numbers         transform_output, transform_output_adjoint

with k = m + 2. A map goes along one axis of the tiles and then along the other: each time it is one product of a small
matrix with all the numbers there are. The numbers must lie in memory so that this works, with the position in the tile
as the outermost axis; bringing them there is the other half of the cost. Letters in the shapes:

    t, q   row and column of a tile; T rows of Q tiles are a strip, P = T Q
    i, j   row and column in a tile
    K = k^2, positions in a transformed tile

Where the last tiles stick out of the picture they see zeros, and what they put there is dropped.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import as_strided

from minidepth.backend import Array
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.threads import run_slices, scratch

# The matrices of F(m x m, 3 x 3) for the points 0, 1, -1 (and 2, -2 for m = 4) and infinity.
_B_T: dict[int, list[list[float]]] = {
    2: [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]],
    4: [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
}
_G: dict[int, list[list[float]]] = {
    2: [[1, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [0, 0, 1]],
    4: [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
}
_A_T: dict[int, list[list[float]]] = {
    2: [[1, 1, 1, 0], [0, 1, -1, -1]],
    4: [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]],
}
KERNELS_AT_ONCE = 1 << 14


@cache
def matrix(name: str, m: int, dtype: np.dtype) -> Array:
    """ "B^T", "G" or "A^T" as above, or the transpose of one: "B", "G^T", "A"."""
    known = {"B^T": _B_T, "G": _G, "A^T": _A_T}
    if name in known:
        return np.array(known[name][m], dtype)
    other = name.removesuffix("^T") if name.endswith("^T") else name + "^T"
    return np.ascontiguousarray(matrix(other, m, dtype).T)


def transform_kernel(weight: Array, m: int) -> Array:
    """weight (O, C, 3, 3) -> U (K, O, C)."""
    (out, channels), k, g = weight.shape[:2], m + 2, matrix("G", m, weight.dtype)
    u = pool.empty((k * k, out, channels), weight.dtype)

    def some(part: slice) -> None:
        n = (part.stop - part.start) * channels
        taps = scratch("winograd_1", (3, 3, n), weight.dtype)
        np.copyto(taps, weight[part].reshape(n, 3, 3).transpose(1, 2, 0))
        rows = scratch("winograd_2", (k, 3, n), weight.dtype)
        np.matmul(g, taps.reshape(3, -1), out=rows.reshape(k, -1))
        np.matmul(g, rows, out=u.reshape(k, k, out * channels)[..., part.start * channels : part.stop * channels])

    run_slices(some, out, step=max(1, KERNELS_AT_ONCE // channels))
    return u


def transform_kernel_adjoint(grad_u: Array, m: int) -> Array:
    """dU (K, O, C) -> dL/dweight (O, C, 3, 3)."""
    (_, out, channels), k, g_t = grad_u.shape, m + 2, matrix("G^T", m, grad_u.dtype)
    grad = pool.empty((out, channels, 3, 3), grad_u.dtype)

    def some(part: slice) -> None:
        n = (part.stop - part.start) * channels
        block = grad_u.reshape(k, k, out * channels)[..., part.start * channels : part.stop * channels]
        rows = scratch("winograd_2", (k, 3, n), grad_u.dtype)
        np.matmul(g_t, block, out=rows)
        taps = scratch("winograd_1", (3, 3, n), grad_u.dtype)
        np.matmul(g_t, rows.reshape(k, -1), out=taps.reshape(3, -1))
        np.copyto(grad[part].reshape(n, 3, 3), taps.transpose(2, 0, 1))

    run_slices(some, out, step=max(1, KERNELS_AT_ONCE // channels))
    return grad


def transform_input(x: Array, top: int, down: int, m: int, v: Array) -> None:
    """The strip of `down` rows of tiles that begins at row `top` of x (C, H, W), into v (K, C, P)."""
    (channels, height, width), k, rows, across = x.shape, m + 2, m * down + 2, -(-x.shape[2] // m)
    b_t = matrix("B^T", m, x.dtype)
    # taps[j, r, c, q] = x[c, top + r - 1, m q + j - 1]: what column j of every tile looks at
    taps = scratch("winograd_1", (k, rows, channels, across), x.dtype)
    first, last, whole = max(0, 1 - top), min(rows, height + 1 - top), width // m
    inside = x[:, top + first - 1 : top + last - 1]
    columns = inside[..., : m * whole].reshape(channels, last - first, whole, m)
    np.copyto(taps[1 : m + 1, first:last, :, :whole], columns.transpose(3, 1, 0, 2))
    if whole < across:
        taps[1 : m + 1, :, :, whole] = 0
        for j in range(width - m * whole):
            taps[1 + j, first:last, :, whole] = inside[..., m * whole + j].T
    taps[0, :, :, 0] = taps[m + 1, :, :, -1] = 0
    taps[0, :, :, 1:] = taps[m, :, :, :-1]
    taps[m + 1, :, :, :-1] = taps[1, :, :, 1:]
    if first > 0 or last < rows:
        taps[:, :first] = taps[:, last:] = 0
    along = scratch("winograd_2", taps.shape, x.dtype)
    np.matmul(b_t, taps.reshape(k, -1), out=along.reshape(k, -1))
    # tiles[j, i, c, t, q] = along[j, m t + i, c, q]: a tile shares two rows with the next
    tiles = scratch("winograd_1", (k, k, channels, down, across), x.dtype)
    j_step, r_step, c_step, q_step = along.strides
    np.copyto(tiles, as_strided(along, tiles.shape, (j_step, r_step, c_step, m * r_step, q_step)))
    np.matmul(b_t, tiles.reshape(k, k, -1), out=v.reshape(k, k, -1).swapaxes(0, 1))


def transform_input_adjoint(grad_v: Array, top: int, down: int, m: int, grad_x: Array, edge: Array) -> None:
    """From grad_v (K, C, P) to the rows of grad_x (C, H, W) that belong to the strip.

    A strip looks two rows into the strip above it. Their share goes to `edge` (C, 2, W), to be added later.
    """
    channels, height, across, k, rows = *grad_x.shape[:2], -(-grad_x.shape[2] // m), m + 2, m * down + 2
    b = matrix("B", m, grad_x.dtype)
    tiles = scratch("winograd_1", (k, k, channels, down, across), grad_x.dtype)  # (j, i, c, t, q)
    np.matmul(b, grad_v.reshape(k, k, -1).swapaxes(0, 1), out=tiles.reshape(k, k, -1))
    along = scratch("winograd_2", (k, rows, channels, across), grad_x.dtype)
    # Row m t + i gets position i of tile t; rows that two tiles share get position i - m of the next one, too.
    whole = along[:, : m * down].reshape(k, down, m, channels, across)
    np.copyto(whole.transpose(0, 2, 3, 1, 4), tiles[:, :m])
    along[:, m * down :] = 0
    for i in (m, m + 1):
        along[:, i::m][:, :down] += tiles[:, i].swapaxes(1, 2)
    taps = scratch("winograd_1", along.shape, grad_x.dtype)
    np.matmul(b, along.reshape(k, -1), out=taps.reshape(k, -1))
    # Position j of tile q is column m q + j - 1: 1 to m are all columns, and the outer two those of the tiles beside.
    taps[m, :, :, :-1] += taps[0, :, :, 1:]
    taps[1, :, :, 1:] += taps[m + 1, :, :, :-1]
    first, last = (1 if top == 0 else 2), min(rows, height + 1 - top)  # row r of the strip is row top + r - 1
    for j in range(m):
        columns = grad_x[:, top + first - 1 : top + last - 1, j::m]
        np.copyto(columns, taps[j + 1, first:last, :, : columns.shape[2]].swapaxes(0, 1))
        np.copyto(edge[:, :, j::m], taps[j + 1, :2, :, : columns.shape[2]].swapaxes(0, 1))


def transform_output(product: Array, bias: Array | None, top: int, down: int, m: int, y: Array) -> None:
    """From M (K, O, P) to the rows of y (O, H, W) that belong to the strip, plus bias (O,)."""
    k, across, a_t = m + 2, -(-y.shape[2] // m), matrix("A^T", m, y.dtype)
    rows = scratch("winograd_1", (k, m, len(y), down, across), y.dtype)  # (j, i, o, t, q)
    np.matmul(a_t, product.reshape(k, k, -1).swapaxes(0, 1), out=rows.reshape(k, m, -1))
    tiles = scratch("winograd_2", (m, *rows.shape[1:]), y.dtype)
    np.matmul(a_t, rows.reshape(k, -1), out=tiles.reshape(m, -1))
    if bias is not None:
        tiles += bias[:, None, None]
    for part, inside in _pairs(tiles, y, top):
        np.copyto(inside, part)


def transform_output_adjoint(grad: Array, top: int, down: int, m: int, product: Array) -> None:
    """From the strip's rows of grad (O, H, W) to dM (K, O, P)."""
    k, across, a = m + 2, -(-grad.shape[2] // m), matrix("A", m, grad.dtype)
    tiles = scratch("winograd_2", (m, m, len(grad), down, across), grad.dtype)  # (j, i, o, t, q)
    if top + m * down > grad.shape[1] or m * across > grad.shape[2]:
        tiles.fill(0)
    for part, inside in _pairs(tiles, grad, top):
        np.copyto(part, inside)
    rows = scratch("winograd_1", (k, *tiles.shape[1:]), grad.dtype)
    np.matmul(a, tiles.reshape(m, -1), out=rows.reshape(k, -1))
    np.matmul(a, rows.reshape(k, m, -1), out=product.reshape(k, k, -1).swapaxes(0, 1))


def _pairs(tiles: Array, picture: Array, top: int) -> list[tuple[Array, Array]]:
    """Pairs of a part of tiles (j, i, o, t, q) and its place in a picture (O, H, W): row top + m t + i, column m q + j.

    One pair for each j, as long copies are the quick ones; and one for each row of the last tiles if they stick out.
    """
    m, down = len(tiles), tiles.shape[3]
    whole = min(down, (picture.shape[1] - top) // m)  # rows of tiles that lie inside as a whole
    inside = picture[:, top : top + m * whole].reshape(len(picture), whole, m, picture.shape[2])
    inside = inside.transpose(2, 0, 1, 3)  # (i, o, t, .)
    pairs = []
    for j in range(m):
        columns = inside[..., j::m]
        pairs.append((tiles[j, :, :, :whole, : columns.shape[3]], columns))
        for i in range(picture.shape[1] - top - m * whole if whole < down else 0):
            row = picture[:, top + m * whole + i, j::m]
            pairs.append((tiles[j, i, :, whole, : row.shape[1]], row))
    return pairs

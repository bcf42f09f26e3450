"""How a convolution is cut: output pixels in tiles, input channels in blocks. Sizes depend on shapes alone."""

from __future__ import annotations

import numpy as np

from minidepth.backend import Array
from minidepth.ops.cpu.threads import scratch

Pair = tuple[int, int]


class PixelTiles:
    """Output pixels in tiles of at most about `most` each: index -> (pictures, rows).

    A tile is some rows of one picture, or all rows of several pictures where they are small. All tiles have nearly the
    same size, rather than a short one at the end for which a thread would have to wait.
    """

    def __init__(self, pictures: int, rows: int, columns: int, most: int) -> None:
        self._n, self._rows = pictures, rows
        self._pictures = max(1, _even_share(pictures, most // (rows * columns)))
        self._height = _even_share(rows, most // columns) if self._pictures == 1 else rows
        self._per_picture = -(-rows // self._height)
        self.largest = self._pictures * self._height * columns

    def __len__(self) -> int:
        return -(-self._n // self._pictures) * self._per_picture

    def __getitem__(self, index: int) -> tuple[slice, slice]:
        group, tile = divmod(index, self._per_picture)
        first, row = group * self._pictures, tile * self._height
        return slice(first, min(self._n, first + self._pictures)), slice(row, min(self._rows, row + self._height))


class ChannelBlocks:
    """Input channels in blocks of at most about `most` each: index -> (channels, groups, channels within each group).

    With one group a block is some of its channels; with several it is some whole groups.
    """

    def __init__(self, channels: int, groups: int, most: int) -> None:
        self._groups, self._per_group = groups, channels // groups
        self._total = groups if groups > 1 else channels
        self._share = max(1, _even_share(self._total, most // self._per_group if groups > 1 else most))

    def __len__(self) -> int:
        return -(-self._total // self._share)

    def __getitem__(self, index: int) -> tuple[slice, slice, slice]:
        first = index * self._share
        last = min(self._total, first + self._share)
        if self._groups == 1:
            return slice(first, last), slice(0, 1), slice(first, last)
        return slice(first * self._per_group, last * self._per_group), slice(first, last), slice(0, self._per_group)


def output_size(
    x_shape: tuple[int, ...], weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair
) -> Pair:
    """(R, S) of a convolution whose kernel is known to fit; `conv2d` has checked it."""
    rows, columns = (
        (size + 2 * p - d * (k - 1) - 1) // s + 1
        for size, k, s, p, d in zip(x_shape[2:], weight_shape[2:], stride, padding, dilation)
    )
    return rows, columns


def _even_share(total: int, most: int) -> int:
    """The size of equal shares of `total` that are as large as `most` allows, and at least 1."""
    shares = -(-total // max(1, most))
    return -(-total // max(1, shares))


def pixel_matrix(tile: Array, name: str) -> Array:
    """(n, C, rows, S) -> (C, n*rows*S): a view of one picture; several lie apart and are copied to scratch `name`."""
    if len(tile) == 1:
        return tile[0].reshape(tile.shape[1], -1)
    matrix = scratch(name, (tile.shape[1], len(tile), *tile.shape[2:]), tile.dtype)
    np.copyto(matrix, tile.swapaxes(0, 1))
    return matrix.reshape(len(matrix), -1)


def multiply(kernels: Array, matrix: Array, out: Array) -> None:
    """out (..., O, pixels) = kernels (..., O, K) times matrix (..., K, pixels)."""
    if kernels.shape[-1] == 1:  # NumPy's matmul has a slow loop of its own for a column times a row
        np.multiply(kernels, matrix, out=out)
    else:
        np.matmul(kernels, matrix, out=out)


def multiply_into(tile: Array, kernels: Array, matrix: Array) -> None:
    """The same for a tile (n, O, rows, S) of pictures, whose pixels need not lie one after another."""
    shape = (*kernels.shape[:-1], matrix.shape[-1])
    if len(tile) == 1 and tile.strides[2:] == (tile.shape[3] * tile.itemsize, tile.itemsize):
        multiply(kernels, matrix, out=tile.reshape(shape))
    else:
        out = scratch("product", shape, tile.dtype)
        multiply(kernels, matrix, out)
        np.copyto(tile.swapaxes(0, 1), out.reshape(tile.shape[1], len(tile), *tile.shape[2:]))

"""One launch for all parameters: how a kernel finds arrays that lie anywhere in the memory of a GPU.

A network has a hundred arrays, and most are so small that a launch (10 us in Python, 2 us on the GPU) takes longer than
its work. So a kernel gets two tables, and every block of it works on one *chunk* of one array:

    addresses   (rows, arrays)   where the weights, the gradients and each running sum begin
    chunks      (blocks, 3)      for each block: which array, its first number, and the one behind its last

The other way is to lay all weights, gradients and running sums into one long array each, of which the parameters are
views; a kernel is then as plain as that of leaky ReLU. But somebody who had kept ``network.state_dict()`` from before,
the live arrays, would hold what no step changes any more, and the gradients, which autograd makes anew in each step,
would have to be copied together: 8 bytes a weight more, to the 28 that Adam moves. The table of addresses takes 50 us
of Python for a hundred arrays. Against it speaks that no compiler and no signature checks an address: so the dtypes are
compared before, and the emulator knows the arrays by their addresses and looks at every access all the same.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from minidepth.backend import Array, xp
from minidepth.cuda import Grid, launch

CHUNK = 2048
"""Numbers in a chunk: 8 for each thread, and enough blocks for all of a GPU from a million weights on."""


def chunks(arrays: Sequence[Array]) -> Array:
    """The table of that name, on the GPU of `arrays`."""
    return _chunks(tuple(array.size for array in arrays), xp(arrays[0]), int(arrays[0].device))


@functools.lru_cache(maxsize=16)
def _chunks(sizes: tuple[int, ...], lib: Any, device: int) -> Array:
    pieces = [(n, start) for n, size in enumerate(sizes) for start in range(0, size, CHUNK)]
    table = [(n, start, min(start + CHUNK, sizes[n])) for n, start in pieces]
    return lib.asarray(np.array(table, np.int32).reshape(-1, 3))


def addresses(*rows: Sequence[Any]) -> Array:
    """The table of that name, on the GPU of the arrays; those in a column have one size.

    Raises:
        ValueError: the arrays have several dtypes.
    """
    if len(kinds := {array.dtype for row in rows for array in row}) > 1:
        names = sorted(str(kind) for kind in kinds)
        raise ValueError(f"parameters and gradients on a GPU must have one dtype, not {' and '.join(names)}")
    table = tuple(tuple(array.data.ptr for array in row) for row in rows)
    return _table(table, "int64", xp(rows[0][0]), int(rows[0][0].device))


def numbers_of(numbers: tuple[int, ...], like: Array) -> Array:
    """Those numbers, on the GPU of `like`."""
    return _table(numbers, "int32", xp(like), int(like.device))


@functools.lru_cache(maxsize=16)
def _table(numbers: tuple[Any, ...], dtype: str, lib: Any, device: int) -> Array:
    """A small array that is copied to the GPU once: in a steady training, memory is used again at the same places."""
    return lib.asarray(np.array(numbers, dtype))


def launch_chunks(name: str, arrays: Sequence[Array], table: Array, *others: Any) -> None:
    """Launch `name` with a block for each chunk of `arrays`, which are a row of the `table` of addresses."""
    blocks = chunks(arrays)
    grid = Grid((len(blocks), 1, 1), (256, 1, 1))
    launch(name, grid, table, blocks, len(arrays), *others, real=arrays[0].dtype.name)

"""Gradient clipping: no step longer than it should be, in the direction it has.

    norm = sqrt(sum of the squares of all gradients)        g <- g max_norm / (norm + 1e-6) where that makes it shorter

The 1e-6 is PyTorch's. One long step, from one strange batch, can throw away what many short ones have learnt. Source:
Pascanu, Mikolov and Bengio (2013), arXiv:1211.5063.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from minidepth.backend import Array, cuda, empty, kernel
from minidepth.cuda import Grid, launch
from minidepth.nn import Parameter
from minidepth.ops.cpu.threads import run_tiles
from minidepth.optim.loss_scaler import LossScaler
from minidepth.optim.multi_tensor import addresses, chunks, launch_chunks
from minidepth.optim.optimizer import tiles_of


def clip_grad_norm_(params: Iterable[Parameter], max_norm: float, scaler: LossScaler | None = None) -> float | Array:
    """Shorten the gradients in place so that all of them together have at most the norm `max_norm`.

    Args:
        params, max_norm: as above.
        scaler: where the gradients are those of a loss that it has scaled, they stay scaled, but the norm is that of
            the gradients without. It tells the scaler at once whether they are finite.

    Returns:
        The norm before; on a GPU as an array of shape (), for which nobody waits until it is read. Where it is not
        finite, the gradients become NaN, and so will the weights, unless a scaler skips the step.

    Raises:
        ValueError: `max_norm` is not above 0, or a gradient does not lie in one piece in memory.

    Cost: one read of all gradients, and one more read and write where they are too long; no memory.
    """
    if not max_norm > 0:
        raise ValueError(f"clip_grad_norm_: max_norm is {max_norm}; it must be above 0")
    grads = [parameter.grad for parameter in params if parameter.grad is not None]
    for index, grad in enumerate(grads):
        if not grad.flags.c_contiguous:
            raise ValueError(f"clip_grad_norm_: gradient {index} ({grad.shape}) must be contiguous in memory")
    if not grads:
        return 0.0
    norm = shorten(grads[0], grads, max_norm, None if scaler is None else scaler.state)
    if scaler is not None:
        scaler.look(norm)
    return norm[0]


@kernel
def shorten(first: Array, grads: list[Array], max_norm: float, state: Array | None) -> Array:
    """Shorten the gradients `grads`, of which `first` is one, and return their norm before, and the factor.

    Where there is a `state` of a scaler, its first number is what the gradients are multiplied by already.
    """
    rows = [grad.reshape(-1) for grad in grads]
    tiles = tiles_of({index: row.size for index, row in enumerate(rows)})
    squares = np.zeros(len(tiles))  # of each tile, added up in tile order: the same bits on any number of threads

    def add_squares(number: int) -> None:
        for index, part in tiles[number]:
            g = rows[index][part]
            squares[number] += np.dot(g, g)  # BLAS: fifteen times as fast as squares and their sum

    def multiply(number: int) -> None:
        for index, part in tiles[number]:
            rows[index][part] *= factor

    run_tiles(add_squares, len(tiles))
    norm = float(np.sqrt(squares.sum())) / (1.0 if state is None else float(state[0]))
    factor = max_norm / (norm + 1e-6)
    if not factor >= 1:  # also where it is NaN
        run_tiles(multiply, len(tiles), products=False)
    return np.array([norm, factor])


@cuda(shorten)
def shorten_cuda(first: Array, grads: list[Array], max_norm: float, state: Array | None) -> Array:
    table, blocks = addresses(grads), len(chunks(grads))
    sums, norm = empty((blocks,), first), empty((2,), first)  # norm and factor
    launch_chunks("clip_squares", grads, table, sums)
    launch("clip_norm", Grid((1, 1, 1), (256, 1, 1)), sums, norm, state, max_norm, blocks)
    launch_chunks("clip_shorten", grads, table, norm)
    return norm

"""Dropout: in training, every number is set to 0 with probability p, and the others make up for it.

    y = x keep / (1 - p)          dL/dx = dL/dy keep / (1 - p)          keep = 0 with probability p, else 1

So the expected value of y is x, and in evaluation nothing is to be done ("inverted" dropout).

The mask is made of a key, two numbers drawn from `rng`, and nothing else: number k in memory order is kept where the
k-th float32 that NumPy's generator Philox makes of that key is at least p. Philox counts: what comes k-th is a function
of key and k, with no state to hand on. So each thread of a GPU makes its own random numbers, and no mask is brought
there; and yet the same numbers go on every machine and device, for any number of threads, and in float64.

Cost: one random number, one read and one write per number; the mask is kept for backward, one byte a number.
Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting" (2014); Salmon et al.,
"Parallel random numbers: as easy as 1, 2, 3" (2011) for Philox.
"""

from __future__ import annotations

import numpy as np

from minidepth.backend import Array, cuda, empty, empty_like, kernel
from minidepth.cuda import constant, flat, launch
from minidepth.engine import Tensor
from minidepth.ops.cpu.elementwise import elementwise


def dropout(x: Tensor, p: float = 0.5, training: bool = True, rng: np.random.Generator | int | None = None) -> Tensor:
    """Zeros with probability `p` in place of numbers of x; the rest is multiplied by 1 / (1 - p).

    Args:
        x: any shape.
        p: from 0 up to, but not, 1.
        training: whether to do anything; in evaluation x itself comes back.
        rng: where the mask's key is drawn from: a generator, a seed, or None for numbers that nobody can repeat.
            Inside `recompute` both runs must draw the same: give a seed that does not change, or use `nn.Dropout`.
    """
    if not 0 <= p < 1:
        raise ValueError(f"dropout: p is {p}; it must be at least 0 and below 1")
    if not training or p == 0:
        return x
    keep = mask(x.data, p, *np.random.default_rng(rng).integers(-(2**63), 2**63, 2).tolist())

    def pullback(grad: Array) -> tuple[Array]:
        return (masked(grad, keep, 1 / (1 - p)),)

    return Tensor.from_op("dropout", masked(x.data, keep, 1 / (1 - p)), (x,), pullback)


@kernel
def mask(x: Array, p: float, key_0: int, key_1: int) -> Array:
    """For every number of x whether it is kept; the numbers of the key are int64, because kernels take these."""
    key = np.array([key_0, key_1]).view(np.uint64)
    return np.random.Generator(np.random.Philox(key=key)).random(x.shape, np.float32) >= np.float32(p)


@kernel
def masked(x: Array, keep: Array, factor: float) -> Array:
    """x keep factor, which is its own adjoint."""

    def block(x: Array, keep: Array, out: Array) -> None:
        np.multiply(x, keep, out=out)
        np.multiply(out, factor, out=out)

    return elementwise(block, x, keep)


@cuda(mask, half=True)
def mask_cuda(x: Array, p: float, key_0: int, key_1: int) -> Array:
    keep = empty(x.shape, x, bool)
    launch("dropout_mask", flat(-(-x.size // constant("dropout", "EACH"))), keep, p, key_0, key_1, x.size)
    return keep


@cuda(masked, half=True)
def masked_cuda(x: Array, keep: Array, factor: float) -> Array:
    y = empty_like(x)
    launch("dropout_masked", flat(x.size), x, keep, y, factor, x.size)
    return y

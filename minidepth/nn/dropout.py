"""Dropout as a layer: it must draw another mask at every call, and yet a run must be repeatable.

So the layer keeps a seed and counts the masks that it drew; both are one buffer, which is saved with the weights. The
key of mask number k, of which ops/dropout.py makes the mask, comes from ``default_rng((seed, k))`` whatever was drawn
elsewhere: a run that is resumed goes on with the mask that it would have drawn, and a part that backward runs again
(`ops.recompute`) gets the mask of its first run. Seed and count stay on the CPU when the network moves to a GPU, so
nobody waits for them.
"""

from __future__ import annotations

import numpy as np

from minidepth import ops
from minidepth.engine import Tensor
from minidepth.nn.init import Rng
from minidepth.nn.module import Buffer, Module
from minidepth.ops.recompute import once


class Dropout(Module):
    """In training, zeros with probability `p` in place of numbers, the rest times 1 / (1 - p); else the identity.

    Args:
        p: from 0 up to, but not, 1.
        rng: the seed of the masks is drawn from it.
    """

    def __init__(self, p: float = 0.5, *, rng: Rng = None) -> None:
        if not 0 <= p < 1:
            raise ValueError(f"Dropout: p is {p}; it must be at least 0 and below 1")
        self.p = p
        self.seed_and_count = Buffer(np.array([np.random.default_rng(rng).integers(2**63), 0], np.int64))

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        return ops.dropout(x, self.p, rng=np.random.default_rng(once(self._next)))

    def _next(self) -> tuple[int, int]:
        """The seed of this mask, which is counted."""
        seed, count = self.seed_and_count.data.tolist()
        self.seed_and_count.data[1] += 1
        return seed, count

    def extra_repr(self) -> str:
        return f"p={self.p}"

"""Stochastic gradient descent.

With weight w, gradient g, learning rate lr and b starting at 0:

    g <- g + weight_decay w
    b <- momentum b + g
    w <- w - lr b                        nesterov: w <- w - lr (g + momentum b)

as in PyTorch. Keras keeps lr b in place of b, which is the same until lr changes. Sources: Polyak (1964), Nesterov
(1983).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from minidepth.backend import Array
from minidepth.nn import Parameter
from minidepth.ops.cpu.threads import scratch
from minidepth.optim.optimizer import Optimizer


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum (plain or Nesterov's) where asked for."""

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        if not 0 <= momentum < 1 or (nesterov and not momentum):
            raise ValueError(f"SGD: momentum is {momentum}; it must lie in [0, 1), and above 0 for nesterov")
        self.momentum, self.nesterov = momentum, nesterov
        self.sums = ("momentum_buffer",) if momentum else ()
        super().__init__(params, lr, weight_decay)

    def rule(self, w: Array, g: Array, step: int, lr: float, *sums: Array) -> None:
        g = self.decayed(w, g)
        change = scratch("optim_change", w.shape, w.dtype)
        if not self.momentum:
            w -= np.multiply(g, lr, out=change)
            return
        (b,) = sums
        b *= self.momentum
        b += g
        if self.nesterov:
            np.multiply(b, self.momentum, out=change)
            change += g
            change *= lr
        else:
            np.multiply(b, lr, out=change)
        w -= change

    def rule_on_gpu(self, lr: float) -> tuple[Any, ...]:
        return "sgd_step", lr, self.weight_decay, self.momentum, self.nesterov

"""RMSprop: each weight's gradient over the root of its own mean square.

With weight w, gradient g, learning rate lr, and v, b starting at 0:

    PyTorch    g <- g + weight_decay w
               v <- alpha v + (1 - alpha) g^2
               b <- momentum b + g / (sqrt(v) + eps)
               w <- w - lr b
    Keras      b <- momentum b + lr g / sqrt(v + eps)
               w <- w - b

Keras calls alpha rho. There is no correction of the first steps as in Adam: v starts at 0 and so the first step is
1 / sqrt(1 - alpha) times as long, ten times with PyTorch's alpha. Source: Tieleman and Hinton, lecture 6.5 of "Neural
networks for machine learning" (2012); the forms of PyTorch 2 and Keras 3.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from minidepth.backend import Array
from minidepth.nn import Parameter
from minidepth.ops.cpu.threads import scratch
from minidepth.optim.optimizer import Optimizer


class RMSprop(Optimizer):
    """RMSprop; weight decay is added to the gradient, as in PyTorch.

    Args:
        params: what to train.
        lr: learning rate.
        alpha: how much of the past the mean square keeps: 0.99 where None, and 0.9 with `keras`.
        eps: 1e-8 where None, and 1e-7 with `keras`.
        weight_decay: pull of the weights towards 0.
        momentum: how much of the last step goes into the next.
        keras: the formula of Keras.
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-2,
        alpha: float | None = None,
        eps: float | None = None,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        keras: bool = False,
    ) -> None:
        alpha = (0.9 if keras else 0.99) if alpha is None else alpha
        eps = (1e-7 if keras else 1e-8) if eps is None else eps
        if not (0 <= alpha < 1 and 0 <= momentum < 1 and eps >= 0):
            raise ValueError(
                f"RMSprop: alpha ({alpha}) and momentum ({momentum}) must lie in [0, 1), and eps ({eps}) be at least 0"
            )
        self.alpha, self.eps, self.momentum, self.keras = alpha, eps, momentum, keras
        self.sums = ("square_avg", "momentum_buffer") if momentum else ("square_avg",)
        super().__init__(params, lr, weight_decay)

    def rule(self, w: Array, g: Array, step: int, lr: float, *sums: Array) -> None:
        g = self.decayed(w, g)
        v, *buffers = sums
        change = scratch("optim_change", w.shape, w.dtype)
        np.multiply(g, g, out=change)  # v <- alpha v + (1 - alpha) g^2
        change *= 1 - self.alpha
        v *= self.alpha
        v += change
        if self.keras:
            np.add(v, self.eps, out=change)
            np.sqrt(change, out=change)
        else:
            np.sqrt(v, out=change)
            change += self.eps
        np.divide(g, change, out=change)
        if self.keras:
            change *= lr
        for b in buffers:  # b <- momentum b + change
            b *= self.momentum
            b += change
            change[...] = b
        if not self.keras:
            change *= lr
        w -= change

    def rule_on_gpu(self, lr: float) -> tuple[Any, ...]:
        return "rmsprop_step", lr, self.weight_decay, self.alpha, 1 - self.alpha, self.eps, self.momentum, self.keras

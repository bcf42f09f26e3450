"""Adam, and AdamW.

With weight w, gradient g, learning rate lr, step number t (from 1), and m, v, V starting at 0:

    Adam     g <- g + weight_decay w
             m <- m + (1 - beta1) (g - m)        the mean gradient
             v <- beta2 v + (1 - beta2) g^2      its mean square
             V <- max(V, v) with amsgrad, else V <- v
             w <- w - lr / (1 - beta1^t)  m / (sqrt(V / (1 - beta2^t)) + eps)
    AdamW    w <- (1 - lr weight_decay) w, then as Adam without decay

PyTorch and Keras differ in eps alone: PyTorch adds it to the corrected root, as above, Keras to sqrt(V), so that early
steps are smaller where gradients are tiny:

    Keras    w <- w - lr sqrt(1 - beta2^t) / (1 - beta1^t)  m / (sqrt(V) + eps)

Sources: Kingma and Ba (2015), arXiv:1412.6980; Reddi, Kale and Kumar (2018), arXiv:1904.09237 (AMSGrad);
Loshchilov and Hutter (2019), arXiv:1711.05101 (AdamW).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from minidepth.backend import Array, empty
from minidepth.cuda import flat, launch
from minidepth.nn import Parameter
from minidepth.ops.cpu.threads import scratch
from minidepth.optim.optimizer import Optimizer


class Adam(Optimizer):
    """Adam; its weight decay is added to the gradient, as in PyTorch.

    Args:
        params: what to train.
        lr: learning rate.
        betas: how much of the past the mean gradient and its mean square keep.
        eps: 1e-8 where None, and 1e-7 with `keras`.
        weight_decay: pull of the weights towards 0.
        amsgrad: divide by the largest mean square so far, so that the steps of a weight never grow again.
        keras: eps as Keras has it.
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float | None = None,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        keras: bool = False,
    ) -> None:
        if eps is None:
            eps = 1e-7 if keras else 1e-8
        if not (0 <= betas[0] < 1 and 0 <= betas[1] < 1 and eps >= 0):
            raise ValueError(f"{type(self).__name__}: betas {betas} must lie in [0, 1), and eps ({eps}) be at least 0")
        self.betas, self.eps, self.keras = betas, eps, keras
        self.sums = ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if amsgrad else ("exp_avg", "exp_avg_sq")
        super().__init__(params, lr, weight_decay)

    def rule(self, w: Array, g: Array, step: int, lr: float, *sums: Array) -> None:
        self.adam(w, self.decayed(w, g), step, lr, *sums)

    def adam(self, w: Array, g: Array, step: int, lr: float, m: Array, v: Array, *largest: Array) -> None:
        """The step of Adam itself, for a gradient that has its decay already; `largest` is V with amsgrad."""
        beta1, beta2 = self.betas
        change = scratch("optim_change", w.shape, w.dtype)
        np.subtract(g, m, out=change)  # m <- m + (1 - beta1) (g - m)
        change *= 1 - beta1
        m += change
        np.multiply(g, g, out=change)  # v <- beta2 v + (1 - beta2) g^2
        change *= 1 - beta2
        v *= beta2
        v += change
        for past in largest:  # V <- max(V, v)
            v = np.maximum(past, v, out=past)
        root = (1 - beta2**step) ** 0.5
        np.sqrt(v, out=change)  # w <- w - lr root / (1 - beta1^t)  m / (sqrt(V) + eps root)
        change += self.eps if self.keras else self.eps * root
        np.divide(m, change, out=change)
        change *= lr * root / (1 - beta1**step)
        w -= change

    def count_on_gpu(self, which: Array, unscale: Array | None, lr: float) -> tuple[Array, ...]:
        n = which.size
        rates = empty((n, 2), self.params[0].data)
        launch("adam_count", flat(n), self.steps, which, unscale, rates, lr, *self.betas, self.eps, self.keras, n)
        return (rates,)

    def rule_on_gpu(self, lr: float) -> tuple[Any, ...]:
        return self.adam_on_gpu(shrink=1, decay=self.weight_decay)

    def adam_on_gpu(self, shrink: float, decay: float) -> tuple[Any, ...]:
        """`adam` for weights that are first multiplied by `shrink`, with `decay` times them added to the gradient."""
        beta1, beta2 = self.betas
        return "adam_step", shrink, decay, 1 - beta1, beta2, 1 - beta2, len(self.sums) == 3


class AdamW(Adam):
    """Adam with decoupled weight decay: the weights shrink by themselves, whatever the gradient."""

    def __init__(
        self,
        params: Iterable[Parameter],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float | None = None,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        keras: bool = False,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, keras)

    def rule(self, w: Array, g: Array, step: int, lr: float, *sums: Array) -> None:
        w *= 1 - lr * self.weight_decay
        self.adam(w, g, step, lr, *sums)

    def rule_on_gpu(self, lr: float) -> tuple[Any, ...]:
        return self.adam_on_gpu(shrink=1 - lr * self.weight_decay, decay=0)

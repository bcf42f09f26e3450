"""The depth network of the Keras examples: residual double convolutions, 1,966,465 numbers.

    x                                                                       y in -1 .. 1
    |                                                                       |
    [residual 16] ---------------------------------------------> cat [block 16] 1x1 tanh
    | max-pool                                                              | nearest x2
    [residual 32] ----------------------------------------> cat [block 32]
    | max-pool                                                     | nearest x2
    [residual 64] -------------------------------> cat [block 64]
    | max-pool                                            | nearest x2
    [residual 128] ---------------------> cat [block 128]
    | max-pool                                   | nearest x2
    +------------ conv 256 -- conv 256 ----------+

A block is twice: 3x3 convolution, batch-norm, leaky ReLU. A residual block adds to that the raw result of its first
convolution. At the bottom there is no batch-norm. 1,964,545 numbers are trained, 1,920 are moving statistics.

A tanh ends at 1: with it, depth has to be learnt as a share of the largest depth, and ``head="sigmoid"`` would do that
without the half of its range that means nothing. Source: keras.io, "Monocular depth estimation", V. Basu (2021); the
text of a course that uses it puts batch-norm behind the leaky ReLU, which is ``order="act-norm"``.
"""

from __future__ import annotations

import numpy as np

from minidepth import ops
from minidepth.engine import Tensor
from minidepth.models.check import check_at_least_one, check_choice, check_picture
from minidepth.models.conv_norm_act import ConvNormAct, keras_batch_norm
from minidepth.nn import Conv2d, LeakyReLU, MaxPool2d, Module, ModuleList, Sequential, Sigmoid, Tanh, Upsample
from minidepth.nn.init import Rng

DEPTH = 4
SLOPE = 0.2


class KerasDepthUNet(Module):
    """(N, in_channels, H, W) -> (N, out_channels, H, W); H and W are multiples of 16.

    Args:
        in_channels, out_channels: 3 and 1 turn a colour picture into depth.
        base_channels: channels of the first level; every level down doubles them.
        head: what follows the last convolution: ``"tanh"`` as published, ``"sigmoid"``, or ``"linear"`` for nothing.
        order: ``"norm-act"`` as published, or ``"act-norm"``: batch-norm behind the leaky ReLU.
        init: recipe of the first weights, see nn/init.py; ``"glorot"`` is that of Keras.
        rng: the generator, or seed, that they are drawn from.
    """

    multiple = 2**DEPTH

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        base_channels: int = 16,
        head: str = "tanh",
        order: str = "norm-act",
        init: str = "glorot",
        rng: Rng = None,
    ) -> None:
        who = "KerasDepthUNet"
        check_at_least_one(who, in_channels=in_channels, out_channels=out_channels, base_channels=base_channels)
        check_choice(who, "head", head, ("tanh", "sigmoid", "linear"))
        check_choice(who, "order", order, ("norm-act", "act-norm"))
        rng = np.random.default_rng(rng)

        def conv(n_in: int, n_out: int) -> ConvNormAct:
            return ConvNormAct(n_in, n_out, LeakyReLU(SLOPE), init=init, rng=rng)

        def conv_and_norm(n_in: int, n_out: int) -> ConvNormAct:
            norm, act_first = keras_batch_norm(n_out), order == "act-norm"
            return ConvNormAct(n_in, n_out, LeakyReLU(SLOPE), norm, act_first=act_first, init=init, rng=rng)

        widths = [base_channels * 2**level for level in range(DEPTH)]
        bottom = base_channels * 2**DEPTH
        self.in_channels = in_channels
        self.down = ModuleList(
            Residual(conv_and_norm(n_in, n), conv_and_norm(n, n)) for n_in, n in zip([in_channels, *widths], widths)
        )
        self.pool = MaxPool2d(2)
        self.bottom = Sequential(conv(widths[-1], bottom), conv(bottom, bottom))
        self.enlarge = Upsample(scale_factor=2, mode="nearest")
        self.merge = ModuleList(
            Sequential(conv_and_norm(3 * n, n), conv_and_norm(n, n)) for n in reversed(widths)
        )  # 2 n channels from below and n from the skip connection
        last = Conv2d(base_channels, out_channels, 1, init=init, rng=rng)
        self.head = last if head == "linear" else Sequential(last, Tanh() if head == "tanh" else Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        check_picture("KerasDepthUNet", x, self.in_channels, self.multiple)
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
            x = self.pool(x)
        x = self.bottom(x)
        for merge in self.merge:
            x = merge(ops.cat([self.enlarge(x), skips.pop()], dim=1))
        return self.head(x)


class Residual(Module):
    """Two convolutions with norm and activation, plus what the first one gave before its norm and activation."""

    def __init__(self, first: ConvNormAct, second: ConvNormAct) -> None:
        self.first, self.second = first, second

    def forward(self, x: Tensor) -> Tensor:
        d = self.first.conv(x)
        return self.second(self.first.norm_and_act(d)) + d

"""A U-Net for depth in Keras' style: leaky ReLU before batch-norm, bilinear on the way up, 8,638,433 numbers.

    x                                                                       y in 0 .. 1
    |                                                                       |
    [block 32] ------------------------------------------------------> cat [block 32] 3x3 sigmoid
    | max-pool                                                              | enlarge, conv
    [block 64] ------------------------------------------------> cat [block 64]
    | max-pool                                                        | enlarge, conv
    [block 128] ----------------------------------------> cat [block 128]
    | max-pool                                                | enlarge, conv
    [block 256] ------------------------------> cat [block 256]
    | max-pool                                      | enlarge, conv
    +--------- conv 512 -- conv 512 ----------------+

A block is twice: 3x3 convolution, leaky ReLU, batch-norm. The convolutions at the bottom and behind the enlargements
have no batch-norm. 8,634,593 numbers are trained, 3,840 are moving statistics.

Source: the network of the siddinc/monocular_depth_estimation project (2020), which kyovchev retrained on NYU.
"""

from __future__ import annotations

import numpy as np

from minidepth import ops
from minidepth.engine import Tensor
from minidepth.models.check import check_at_least_one, check_picture
from minidepth.models.conv_norm_act import ConvNormAct, keras_batch_norm
from minidepth.nn import Conv2d, LeakyReLU, MaxPool2d, Module, ModuleList, Sequential, Sigmoid, Upsample
from minidepth.nn.init import Rng

DEPTH = 4
SLOPE = 0.2


class CustomUNet(Module):
    """(N, in_channels, H, W) -> (N, out_channels, H, W) in 0 .. 1: depth as a share of the largest one.

    H and W are multiples of 16.

    Args:
        in_channels, out_channels: 3 and 1 turn a colour picture into depth.
        base_channels: channels of the first level; every level down doubles them.
        init: recipe of the first weights, see nn/init.py; ``"glorot"`` is that of Keras.
        rng: the generator, or seed, that they are drawn from.
    """

    multiple = 2**DEPTH

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        base_channels: int = 32,
        init: str = "glorot",
        rng: Rng = None,
    ) -> None:
        check_at_least_one(
            "CustomUNet", in_channels=in_channels, out_channels=out_channels, base_channels=base_channels
        )
        rng = np.random.default_rng(rng)

        def conv(n_in: int, n_out: int) -> ConvNormAct:
            return ConvNormAct(n_in, n_out, LeakyReLU(SLOPE), init=init, rng=rng)

        def conv_and_norm(n_in: int, n_out: int) -> ConvNormAct:
            norm = keras_batch_norm(n_out)
            return ConvNormAct(n_in, n_out, LeakyReLU(SLOPE), norm, act_first=True, init=init, rng=rng)

        def block(n_in: int, n_out: int) -> Sequential:
            return Sequential(conv_and_norm(n_in, n_out), conv_and_norm(n_out, n_out))

        widths = [base_channels * 2**level for level in range(DEPTH)]
        bottom = base_channels * 2**DEPTH
        self.in_channels = in_channels
        self.down = ModuleList(block(n_in, n) for n_in, n in zip([in_channels, *widths], widths))
        self.pool = MaxPool2d(2)
        self.bottom = Sequential(conv(widths[-1], bottom), conv(bottom, bottom))
        self.enlarge = Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.up = ModuleList(conv(2 * n, n) for n in reversed(widths))
        self.merge = ModuleList(block(2 * n, n) for n in reversed(widths))
        self.head = Sequential(Conv2d(base_channels, out_channels, 3, padding=1, init=init, rng=rng), Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        check_picture("CustomUNet", x, self.in_channels, self.multiple)
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
            x = self.pool(x)
        x = self.bottom(x)
        for up, merge in zip(self.up, self.merge):
            x = up(self.enlarge(x))
            x = merge(ops.cat([x, skips.pop()], dim=1))
        return self.head(x)

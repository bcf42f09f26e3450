"""A U-Net whose way down is a ResNet-50, up to the picture itself: 147,808,641 parameters.

    picture (3) --------------------------------------------------------> cat [up5 64] 1x1 --> depth
    [1/2] 64 ------------------------------------------------------> cat [up4 128]
    [1/4] 256 ------------------------------------------------> cat [up3 256]
    [1/8] 512 -------------------------------------------> cat [up2 512]
    [1/16] 1024 ------------------------------------> cat [up1 1024]
    [1/32] 2048 --> bridge: two conv blocks of 2048 ----^

A conv block is a 3x3 convolution with bias, batch-norm and ReLU. Each way up halves the channels and doubles the size,
puts the encoder's feature map behind that, and has two conv blocks. Half of all parameters are in the bridge.

Source: the ResNet50 run of the PSIML depth project (2019), after kevinlu1211's pytorch-unet-resnet-50-encoder. There
the bilinear way up cannot run: its 1x1 convolution is built for the channels after the skip connection is put in, but
comes before that. Here it takes what comes from below.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidepth import ops
from minidepth.engine import Tensor
from minidepth.models.check import check_at_least_one, check_choice, check_picture
from minidepth.models.conv_norm_act import ConvNormAct
from minidepth.models.resnet import resnet50
from minidepth.models.unet import halve_channels_double_size
from minidepth.nn import BatchNorm2d, Conv2d, Module, ModuleList, ReLU, Sequential
from minidepth.nn.init import Rng


class ResNet50UNet(Module):
    """(N, in_channels, H, W) -> (N, out_channels, H, W), linear at the end; H and W are multiples of 32.

    Args:
        in_channels, out_channels: 3 and 1 turn a colour picture into depth.
        up: ``"transposed"`` is a 2x2 up-convolution; ``"bilinear"`` a 1x1 convolution, then enlargement.
        width: channels behind the first convolution; all others are multiples of it.
        blocks: how many bottlenecks the encoder has in each of its four layers.
        rng: the generator, or seed, that the first weights are drawn from.
    """

    multiple = 32

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        up: str = "transposed",
        width: int = 64,
        blocks: Sequence[int] = (3, 4, 6, 3),
        rng: Rng = None,
    ) -> None:
        check_choice("ResNet50UNet", "up", up, ("transposed", "bilinear"))
        check_at_least_one("ResNet50UNet", in_channels=in_channels, out_channels=out_channels, width=width)
        rng = np.random.default_rng(rng)
        self.in_channels = in_channels
        self.encoder = resnet50(width, blocks, in_channels, rng)
        half, quarter, eighth, sixteenth, bottom = self.encoder.channels
        self.bridge = Sequential(conv_block(bottom, bottom, rng), conv_block(bottom, bottom, rng))
        self.up = ModuleList(
            WayUp(below, skip, up, rng)
            for below, skip in (
                (bottom, sixteenth),
                (bottom // 2, eighth),
                (bottom // 4, quarter),
                (bottom // 8, half),
                (bottom // 16, in_channels),
            )
        )
        self.head = Conv2d(bottom // 32, out_channels, 1, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        check_picture("ResNet50UNet", x, self.in_channels, self.multiple)
        skips = [x, *self.encoder(x)]
        x = self.bridge(skips.pop())
        for up in self.up:
            x = up(x, skips.pop())
        return self.head(x)


class WayUp(Module):
    """(N, n_in, H, W) and a skip of twice the size -> (N, n_in / 2, 2 H, 2 W)."""

    def __init__(self, n_in: int, n_skip: int, up: str, rng: Rng) -> None:
        n_out = n_in // 2
        self.up = halve_channels_double_size(n_in, up, "pytorch", rng)
        self.merge = Sequential(conv_block(n_out + n_skip, n_out, rng), conv_block(n_out, n_out, rng))

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.merge(ops.cat([self.up(x), skip], dim=1))


def conv_block(n_in: int, n_out: int, rng: Rng) -> ConvNormAct:
    """3x3 convolution with a bias (which the batch-norm behind it undoes: the source has it all the same), ReLU."""
    return ConvNormAct(n_in, n_out, ReLU(), BatchNorm2d(n_out), rng=rng)

"""FCRN: a ResNet-50 and four up-projections, depth without skip connections from 63,566,913 parameters.

    picture --> ResNet-50: [1/32] 2048 --> 1x1, norm: 1024 --> up 512 --> up 256 --> up 128 --> up 64
                                                                              depth <-- 3x3 <-- dropout <--+

    an up-projection:   x --> zeros between the pixels --+--> 5x5, norm, ReLU --> 3x3, norm --> add, ReLU --> y
                                                         +--> 5x5, norm ------------------------^

Three quarters of what such a 5x5 convolution multiplies are zeros. The paper has a fast form, four small convolutions
whose results interleave. That is a *transposed* convolution with stride 2: each pixel spreads its copy of the kernel,
and no zero is ever looked at. Its weight is that of the plain form, flipped and with the channels exchanged, so it has
the same number of parameters, the same results, and a quarter of the multiply-adds.

The **output has about half the height and width of the input**, 16 ceil(H / 32) and 16 ceil(W / 32): 128x160 for the
published 228x304. Targets are brought to that size, and a prediction is enlarged for display.
Source: Laina, Rupprecht, Belagiannis, Tombari and Navab, "Deeper depth prediction with fully convolutional residual
networks" (2016), arXiv:1606.00373. Every convolution of the way up has a bias, as in the published code.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidepth.engine import Tensor
from minidepth.models.check import check_at_least_one, check_picture
from minidepth.models.resnet import resnet50
from minidepth.nn import BatchNorm2d, Conv2d, ConvTranspose2d, Dropout, Module, ReLU, Sequential, norm_then_act
from minidepth.nn.init import Rng


class FCRN(Module):
    """(N, in_channels, H, W) -> (N, out_channels, 16 ceil(H / 32), 16 ceil(W / 32)), linear at the end; any H and W.

    Args:
        in_channels, out_channels: 3 and 1 turn a colour picture into depth.
        dropout: the share of numbers that training sets to 0 before the last convolution.
        width: channels behind the first convolution; all others are multiples of it.
        blocks: how many bottlenecks the encoder has in each of its four layers.
        rng: the generator, or seed, that the first weights and the masks of dropout are drawn from.
    """

    multiple = 1

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        dropout: float = 0.5,
        width: int = 64,
        blocks: Sequence[int] = (3, 4, 6, 3),
        rng: Rng = None,
    ) -> None:
        check_at_least_one("FCRN", in_channels=in_channels, out_channels=out_channels, width=width)
        rng = np.random.default_rng(rng)
        n = 16 * width
        self.in_channels = in_channels
        self.encoder = resnet50(width, blocks, in_channels, rng)
        self.bottom = Sequential(Conv2d(2 * n, n, 1, init="he", rng=rng), BatchNorm2d(n))
        self.up = Sequential(
            UpProjection(n, n // 2, rng),
            UpProjection(n // 2, n // 4, rng),
            UpProjection(n // 4, n // 8, rng),
            UpProjection(n // 8, n // 16, rng),
        )
        self.dropout = Dropout(dropout, rng=rng)
        self.head = Conv2d(n // 16, out_channels, 3, padding=1, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        check_picture("FCRN", x, self.in_channels, self.multiple)
        x = self.encoder(x)[-1]
        x = self.bottom(x)
        x = self.up(x)
        return self.head(self.dropout(x))


class UpProjection(Module):
    """(N, n_in, H, W) -> (N, n_out, 2 H, 2 W): a residual block that enlarges. See the top of this file."""

    def __init__(self, n_in: int, n_out: int, rng: Rng) -> None:
        self.up1 = _up_convolution(n_in, n_out, rng)
        self.bn1 = BatchNorm2d(n_out)
        self.conv = Conv2d(n_out, n_out, 3, padding=1, init="he", rng=rng)
        self.bn2 = BatchNorm2d(n_out)
        self.up2 = _up_convolution(n_in, n_out, rng)
        self.bn3 = BatchNorm2d(n_out)
        self.relu, self.relu_sum = ReLU(), ReLU()

    def forward(self, x: Tensor) -> Tensor:
        fine = norm_then_act(self.bn1, self.relu, self.up1(x))
        fine = self.bn2(self.conv(fine))
        return self.relu_sum(fine + self.bn3(self.up2(x)))


def _up_convolution(n_in: int, n_out: int, rng: Rng) -> ConvTranspose2d:
    """Zeros between the pixels and a 5x5 convolution, in its fast form."""
    return ConvTranspose2d(n_in, n_out, 5, stride=2, padding=2, output_padding=1, init="he", rng=rng)

"""DenseDepth: a DenseNet-169 and a plain way up to half the picture's size, 42,657,689 parameters.

    picture
    [1/2] 64 --------------------------------------> cat [up4 104] 3x3 --> depth, at half the size
    [1/4] 64 -------------------------------> cat [up3 208]
    [1/8] 128 ------------------------> cat [up2 416]
    [1/16] 256 -----------------> cat [up1 832]
    [1/32] 1664 --> 1x1, 1664 ------^

Each way up enlarges by two (bilinear), puts the encoder's feature map behind that, and has two 3x3 convolutions with
leaky ReLU (slope 0.2) behind each. There is no batch-norm in them.

The **output has half the height and width of the input**: targets are brought to that size, and a prediction is
enlarged for display. It is linear; the published training predicts the inverse depth, 10 m / depth, from 1 to 100.
Source: Alhashim and Wonka, "High quality monocular depth estimation via transfer learning" (2018), arXiv:1812.11941.
Its released code halves the features by default, which makes 21,365,405 parameters.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidepth import ops
from minidepth.engine import Tensor
from minidepth.models.check import check_at_least_one, check_picture
from minidepth.models.densenet import DenseNet
from minidepth.nn import Conv2d, Identity, LeakyReLU, Module, ModuleList, Upsample
from minidepth.nn.init import Rng


class DenseDepth(Module):
    """(N, in_channels, H, W) -> (N, out_channels, H / 2, W / 2), linear at the end; H and W are multiples of 32.

    Args:
        in_channels, out_channels: 3 and 1 turn a colour picture into depth.
        half_features: half as many channels on the way up, as in the released code.
        first_activation: a leaky ReLU behind the first convolution of each way up too, as in the paper. The PyTorch
            port has none there, and so, by report, the released weights.
        width: channels behind the first convolution of the encoder.
        growth, blocks: of the encoder, see `DenseNet`.
        rng: the generator, or seed, that the first weights are drawn from.
    """

    multiple = 32

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        half_features: bool = False,
        first_activation: bool = True,
        width: int = 64,
        growth: int = 32,
        blocks: Sequence[int] = (6, 12, 32, 32),
        rng: Rng = None,
    ) -> None:
        check_at_least_one("DenseDepth", in_channels=in_channels, out_channels=out_channels, width=width, growth=growth)
        rng = np.random.default_rng(rng)
        self.in_channels = in_channels
        self.encoder = DenseNet(blocks, growth, width, in_channels, rng)
        *skips, bottom = self.encoder.channels
        n = bottom // 2 if half_features else bottom
        self.bottom = Conv2d(bottom, n, 1, init="glorot", rng=rng)
        below = [max(1, n >> level) for level in range(5)]
        self.up = ModuleList(
            WayUp(n_in + skip, n_out, first_activation, rng)
            for n_in, skip, n_out in zip(below, reversed(skips), below[1:])
        )
        self.head = Conv2d(below[-1], out_channels, 3, padding=1, init="glorot", rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        check_picture("DenseDepth", x, self.in_channels, self.multiple)
        *skips, x = self.encoder(x)
        x = self.bottom(x)
        for up in self.up:
            x = up(x, skips.pop())
        return self.head(x)


class WayUp(Module):
    """Twice the size, a feature map behind it, two convolutions: (N, C, H, W) and a skip -> (N, n_out, 2 H, 2 W)."""

    def __init__(self, n_in: int, n_out: int, first_activation: bool, rng: Rng) -> None:
        self.enlarge = Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.conv1 = Conv2d(n_in, n_out, 3, padding=1, init="glorot", rng=rng)
        self.act1 = LeakyReLU(0.2) if first_activation else Identity()
        self.conv2 = Conv2d(n_out, n_out, 3, padding=1, init="glorot", rng=rng)
        self.act2 = LeakyReLU(0.2)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = ops.cat([self.enlarge(x), skip], dim=1)
        x = self.act1(self.conv1(x))
        return self.act2(self.conv2(x))

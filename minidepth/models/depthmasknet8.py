"""DepthMaskNet8: two pictures in, two out. What is new in front of the background, and how far is everything?

    size 1    background-stem   x0 = image-stem ------------------+------------------+
                     |               |                            |                  |
         1/2         +----- cat -----+ = x1 ------------- m1 ----- m0 -> mask        |
                              |                           |                          |
         1/4                  x2 -------------- m2 -------+       d2 (+ m2) -- d1 (+ x1) -- d0 -> depth
                              |                 |                 |
         1/8                  x3 ----- m3 ------+        d3 (+ m3)
                              |        |                 |
         1/16                 x4 ------+       d4 -------+
                              |                |
         1/32                 x5 --------------+

The mask is found from x4, the depth one level deeper, and on its way up depth is told what the mask branch knows: m3
and m2 are added to it. (Then x1 a second time, where m1 would be expected: so it is in the source.)

7,083,874 parameters with 16 base channels. Source: the MODEST project "monocular depth estimation and segmentation
simultaneously" (2020); residual blocks after He et al. (2015).
"""

from __future__ import annotations

from functools import partial

import numpy as np

from minidepth import ops
from minidepth.engine import Tensor
from minidepth.models.check import check_at_least_one, check_pair
from minidepth.models.conv_norm_act import ConvNormAct
from minidepth.nn import BatchNorm2d, Conv2d, MaxPool2d, Module, ReLU, Sequential, Upsample
from minidepth.nn.init import Rng


class DepthMaskNet8(Module):
    """background and image (N, in_channels, H, W) -> (mask logit, depth logit), each (N, 1, H, W).

    Neither output is squashed: a loss on the mask takes the logit, and the depth is ``sigmoid(depth logit)``, as a
    share of the largest depth. H and W are multiples of 32.

    Args:
        in_channels: of each of the two pictures.
        base_channels: at full size; 32 times as many at the bottom.
        init: recipe of the first weights, see nn/init.py.
        rng: the generator, or seed, that they are drawn from.
    """

    inputs = ("background", "image")
    outputs = ("mask", "depth")
    multiple = 32

    def __init__(self, in_channels: int = 3, base_channels: int = 16, init: str = "pytorch", rng: Rng = None) -> None:
        check_at_least_one("DepthMaskNet8", in_channels=in_channels, base_channels=base_channels)
        rng = np.random.default_rng(rng)
        stem, down = partial(double_conv, init=init, rng=rng), partial(Down, init=init, rng=rng)
        up, head = partial(Up, init=init, rng=rng), partial(Conv2d, init=init, rng=rng)
        c0, c1, c2, c3, c4, c5 = (base_channels * 2**level for level in range(6))
        self.in_channels = in_channels

        self.background_stem = stem(in_channels, c0)
        self.image_stem = stem(in_channels, c0)
        self.background_down = down(c0, c0)
        self.image_down = down(c0, c0)
        self.down2 = down(c1, c2)
        self.down3 = down(c2, c3)
        self.down4 = down(c3, c4)
        self.down5 = down(c4, c5)

        self.mask_up3 = up(c4, c3)
        self.mask_up2 = up(c3, c2)
        self.mask_up1 = up(c2, c1)
        self.mask_up0 = up(c1, c0)
        self.mask_head = head(c0, 1, 1)

        self.depth_up4 = up(c5, c4)
        self.depth_up3 = up(c4, c3)
        self.depth_up2 = up(c3, c2)
        self.depth_up1 = up(c2, c1)
        self.depth_up0 = up(c1, c0)
        self.depth_head = head(c0, 1, 1)

    def forward(self, background: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        check_pair("DepthMaskNet8", background, image, self.in_channels, self.multiple)
        x0 = self.image_stem(image)
        background_x1 = self.background_down(self.background_stem(background))
        x1 = ops.cat([background_x1, self.image_down(x0)], dim=1)
        x2 = self.down2(x1)
        x3 = self.down3(x2)
        x4 = self.down4(x3)
        x5 = self.down5(x4)

        m3 = self.mask_up3(x4, x3)
        m2 = self.mask_up2(m3, x2)
        m1 = self.mask_up1(m2, x1)
        m0 = self.mask_up0(m1, x0)

        d4 = self.depth_up4(x5, x4)
        d3 = self.depth_up3(d4, x3) + m3
        d2 = self.depth_up2(d3, x2) + m2
        d1 = self.depth_up1(d2, x1) + x1
        d0 = self.depth_up0(d1, x0)
        return self.mask_head(m0), self.depth_head(d0)


class Down(Module):
    """Half the size: max-pool and two convolutions, around which the input goes by a shorter way and is added."""

    def __init__(self, in_channels: int, out_channels: int, init: str, rng: Rng) -> None:
        rng = np.random.default_rng(rng)
        self.pool = MaxPool2d(2)
        self.convs = double_conv(in_channels, out_channels, init, rng)
        self.shortcut = Conv2d(in_channels, out_channels, 1, stride=2, bias=False, init=init, rng=rng)
        self.shortcut_norm = BatchNorm2d(out_channels)
        self.act = ReLU()

    def forward(self, x: Tensor) -> Tensor:
        shorter = self.shortcut_norm(self.shortcut(x))
        return self.act(self.convs(self.pool(x)) + shorter)


class Up(Module):
    """Twice the size: mix the channels while there are few pixels, enlarge, add the skip connection, convolve twice."""

    def __init__(self, in_channels: int, out_channels: int, init: str, rng: Rng) -> None:
        rng = np.random.default_rng(rng)
        self.mix = Conv2d(in_channels, out_channels, 1, init=init, rng=rng)
        self.enlarge = Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.convs = double_conv(out_channels, out_channels, init, rng)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        return self.convs(self.enlarge(self.mix(x)) + skip)


def double_conv(in_channels: int, out_channels: int, init: str, rng: Rng) -> Sequential:
    """Twice: 3x3 convolution with bias, batch-norm, ReLU."""
    rng = np.random.default_rng(rng)
    return Sequential(
        ConvNormAct(in_channels, out_channels, ReLU(), BatchNorm2d(out_channels), init=init, rng=rng),
        ConvNormAct(out_channels, out_channels, ReLU(), BatchNorm2d(out_channels), init=init, rng=rng),
    )

"""MaskNet3: what is in front of the background? Three layers at full size, 76,097 parameters.

    background -- conv 32 --+
                            +-- cat 64 -- conv 64 -- conv 64 -- 1x1 -- mask logit
    image      -- conv 32 --+

Every conv is 3x3 with batch-norm and ReLU. Nothing is pooled, so a pixel of the mask sees 7x7 pixels of the two
pictures: enough to compare them, too little to know what a thing is.

Source: the MODEST project "monocular depth estimation and segmentation simultaneously" (2020).
"""

from __future__ import annotations

import numpy as np

from minidepth import ops
from minidepth.engine import Tensor
from minidepth.models.check import check_at_least_one, check_pair
from minidepth.models.conv_norm_act import ConvNormAct
from minidepth.nn import BatchNorm2d, Conv2d, Module, ReLU
from minidepth.nn.init import Rng


class MaskNet3(Module):
    """background and image (N, in_channels, H, W), any size -> (N, 1, H, W), the logit of the foreground mask.

    Args:
        in_channels: of each of the two pictures.
        base_channels: of each branch; twice as many after them.
        init: recipe of the first weights, see nn/init.py.
        rng: the generator, or seed, that they are drawn from.
    """

    inputs = ("background", "image")
    outputs = ("mask",)
    multiple = 1

    def __init__(self, in_channels: int = 3, base_channels: int = 32, init: str = "pytorch", rng: Rng = None) -> None:
        check_at_least_one("MaskNet3", in_channels=in_channels, base_channels=base_channels)
        rng = np.random.default_rng(rng)

        def conv(n_in: int, n_out: int) -> ConvNormAct:
            return ConvNormAct(n_in, n_out, ReLU(), BatchNorm2d(n_out), init=init, rng=rng)

        self.in_channels = in_channels
        self.background_conv = conv(in_channels, base_channels)
        self.image_conv = conv(in_channels, base_channels)
        self.conv1 = conv(2 * base_channels, 2 * base_channels)
        self.conv2 = conv(2 * base_channels, 2 * base_channels)
        self.head = Conv2d(2 * base_channels, 1, 1, init=init, rng=rng)

    def forward(self, background: Tensor, image: Tensor) -> Tensor:
        check_pair("MaskNet3", background, image, self.in_channels)
        x = ops.cat([self.background_conv(background), self.image_conv(image)], dim=1)
        x = self.conv1(x)
        x = self.conv2(x)
        return self.head(x)

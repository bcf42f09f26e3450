"""The Keras tutorial's network for labelling pets: separable convolutions and residuals, 2,058,979 numbers.

    x -- conv 32, stride 2 -- [down 64] [down 128] [down 256] [up 256] [up 128] [up 64] [up 32] -- head

    down    x -- ReLU, separable, BN -- ReLU, separable, BN -- max-pool 3, stride 2 --+-- y
            |                                                                         |
            +------------------------ 1x1 convolution, stride 2 ----------------------+

    up      x -- ReLU, transposed 3x3, BN -- ReLU, transposed 3x3, BN --+-- nearest x2 -- y
            |                                                           |
            +---------------------- 1x1 convolution --------------------+

It looks like a U-Net and is none: no level hands anything across to the way up. A separable convolution is a 3x3 one
of each channel alone, then a 1x1 one over the channels. 2,055,203 numbers are trained, 3,776 are moving statistics.

Keras pads so that stride 2 gives half of an even size: nothing on the left and at the top, one on the other sides. On
the way up it enlarges both branches and then adds them; to add and then enlarge gives the same numbers for less work,
and so does the 1x1 convolution before the enlargement. The softmax at its end is left to the loss, see pets_unet.py.

Source: keras.io, "Image segmentation with a U-Net-like architecture", F. Chollet (2019), after his Xception (2017).
"""

from __future__ import annotations

import numpy as np

from minidepth.engine import Tensor
from minidepth.models.check import check_at_least_one, check_picture
from minidepth.models.conv_norm_act import keras_batch_norm
from minidepth.nn import Conv2d, ConvTranspose2d, MaxPool2d, Module, ReLU, Sequential, Upsample, ZeroPad2d
from minidepth.nn.init import Rng


class XceptionUNet(Module):
    """(N, in_channels, H, W) -> (N, classes, H, W), logits; H and W are multiples of 16, and at least 32.

    Args:
        in_channels, classes: a colour picture, and what a pixel can be (pet, background, border).
        base_channels: of the first convolution and of the last level; 8 times as many at the bottom.
        init: recipe of the first weights, see nn/init.py; ``"glorot"`` is that of Keras.
        rng: the generator, or seed, that they are drawn from.
    """

    outputs = ("labels",)
    multiple = 16

    def __init__(
        self,
        in_channels: int = 3,
        classes: int = 3,
        base_channels: int = 32,
        init: str = "glorot",
        rng: Rng = None,
    ) -> None:
        check_at_least_one("XceptionUNet", in_channels=in_channels, classes=classes, base_channels=base_channels)
        rng = np.random.default_rng(rng)
        c1, c2, c4, c8 = (base_channels * factor for factor in (1, 2, 4, 8))
        self.in_channels = in_channels
        self.entry = Sequential(
            ZeroPad2d((0, 1, 0, 1)),
            Conv2d(in_channels, c1, 3, stride=2, init=init, rng=rng),
            keras_batch_norm(c1),
            ReLU(),
        )
        self.down = Sequential(*(Down(n_in, n, init, rng) for n_in, n in ((c1, c2), (c2, c4), (c4, c8))))
        self.up = Sequential(*(Up(n_in, n, init, rng) for n_in, n in ((c8, c8), (c8, c4), (c4, c2), (c2, c1))))
        self.head = Conv2d(c1, classes, 3, padding=1, init=init, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        check_picture("XceptionUNet", x, self.in_channels, self.multiple, at_least=2 * self.multiple)
        x = self.entry(x)
        x = self.down(x)
        x = self.up(x)
        return self.head(x)


class Down(Module):
    """Half the size: two separable convolutions and a max-pool, beside a 1x1 convolution of every second pixel."""

    def __init__(self, in_channels: int, out_channels: int, init: str, rng: Rng) -> None:
        self.convs = Sequential(
            ReLU(),
            *separable(in_channels, out_channels, init, rng),
            keras_batch_norm(out_channels),
            ReLU(),
            *separable(out_channels, out_channels, init, rng),
            keras_batch_norm(out_channels),
        )
        # ceil_mode lets the last window reach over the edge: of an even size that is the padding of Keras.
        self.pool = MaxPool2d(3, stride=2, ceil_mode=True)
        self.shortcut = Conv2d(in_channels, out_channels, 1, stride=2, init=init, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.convs(x)) + self.shortcut(x)


class Up(Module):
    """Twice the size: two transposed convolutions of stride 1, which are convolutions with the filter turned round."""

    def __init__(self, in_channels: int, out_channels: int, init: str, rng: Rng) -> None:
        self.convs = Sequential(
            ReLU(),
            ConvTranspose2d(in_channels, out_channels, 3, padding=1, init=init, rng=rng),
            keras_batch_norm(out_channels),
            ReLU(),
            ConvTranspose2d(out_channels, out_channels, 3, padding=1, init=init, rng=rng),
            keras_batch_norm(out_channels),
        )
        self.shortcut = Conv2d(in_channels, out_channels, 1, init=init, rng=rng)
        self.enlarge = Upsample(scale_factor=2, mode="nearest")

    def forward(self, x: Tensor) -> Tensor:
        return self.enlarge(self.convs(x) + self.shortcut(x))


def separable(in_channels: int, out_channels: int, init: str, rng: Rng) -> tuple[Conv2d, Conv2d]:
    """A 3x3 convolution of each channel alone, without bias, and a 1x1 one over the channels."""
    depthwise = Conv2d(in_channels, in_channels, 3, padding=1, groups=in_channels, bias=False, init=init, rng=rng)
    return depthwise, Conv2d(in_channels, out_channels, 1, init=init, rng=rng)

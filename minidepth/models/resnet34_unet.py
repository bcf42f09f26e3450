"""A U-Net whose way down is a ResNet-34: an encoder that knows pictures already, and a light way up.

    picture                                             depth in 0 .. 1
       |                                                  |
       |                                            [up 16] 3x3 sigmoid
    [1/2] 64 ----------------------------------> cat [up 32]
    [1/4] 64 -----------------------------> cat [up 64]
    [1/8] 128 -----------------------> cat [up 128]
    [1/16] 256 -----------------> cat [up 256]
    [1/32] 512 -------------------------^

On each way up every pixel is written four times (nearest neighbour), the encoder's feature map of that size is put
behind it, and twice 3x3 convolution, batch-norm and ReLU follow; the last one has no feature map to go with.

The encoder is torchvision's, whose published weights fit it by name: 24,436,369 parameters in all. The same plan with
the pre-activation ResNet-34 of Keras is in resnet34_unet_preact.py.
Source: Yakubovskiy, "Segmentation models" (2018), which has both; encoder: He et al. (2015), see resnet.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from minidepth import ops
from minidepth.engine import Tensor
from minidepth.errors import InputError
from minidepth.models.check import check_at_least_one, check_picture
from minidepth.models.resnet import ResNet, resnet34
from minidepth.models.resnet_preact import PreActResNet34
from minidepth.nn import BatchNorm2d, Conv2d, Module, ModuleList, ReLU, Sequential, Sigmoid, Upsample, norm_then_act
from minidepth.nn.init import Rng

Norm = Callable[[int], Module]
"""Makes the batch-norm for so many channels."""


class ResNet34UNet(Module):
    """(N, in_channels, H, W) -> (N, out_channels, H, W) in 0 .. 1: depth as a share of the largest one.

    H and W are multiples of 32. `resnet34_unet` makes one from numbers.
    """

    multiple = 32

    def __init__(
        self, encoder: ResNet | PreActResNet34, in_channels: int, out_channels: int, norm: Norm, rng: Rng
    ) -> None:
        rng = np.random.default_rng(rng)
        width, *deeper = encoder.channels
        if width < 4:
            raise InputError(
                f"ResNet34UNet: width is {width}; it must be at least 4, as the last layers have a quarter"
            )
        check_at_least_one("ResNet34UNet", in_channels=in_channels, out_channels=out_channels)
        skips = (*deeper[-2::-1], width, 0)  # 256, 128, 64, 64, none
        widths = (4 * width, 2 * width, width, width // 2, width // 4)
        self.in_channels = in_channels
        self.encoder = encoder
        self.up = ModuleList(
            WayUp(below + skip, n, norm, rng) for below, skip, n in zip((deeper[-1], *widths), skips, widths)
        )
        self.head = Sequential(Conv2d(widths[-1], out_channels, 3, padding=1, init="glorot", rng=rng), Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        check_picture("ResNet34UNet", x, self.in_channels, self.multiple)
        *skips, x = self.encoder(x)
        for up in self.up:
            x = up(x, skips.pop() if skips else None)
        return self.head(x)


class WayUp(Module):
    """Twice the size, a feature map behind it, two convolutions: (N, C, H, W) and a skip -> (N, n_out, 2 H, 2 W)."""

    def __init__(self, n_in: int, n_out: int, norm: Norm, rng: Rng) -> None:
        self.enlarge = Upsample(scale_factor=2, mode="nearest")
        self.conv1 = Conv2d(n_in, n_out, 3, padding=1, bias=False, init="he", rng=rng)
        self.bn1 = norm(n_out)
        self.conv2 = Conv2d(n_out, n_out, 3, padding=1, bias=False, init="he", rng=rng)
        self.bn2 = norm(n_out)
        self.relu = ReLU()

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        x = self.enlarge(x)
        if skip is not None:
            x = ops.cat([x, skip], dim=1)
        x = norm_then_act(self.bn1, self.relu, self.conv1(x))
        return norm_then_act(self.bn2, self.relu, self.conv2(x))


def resnet34_unet(
    in_channels: int = 3,
    out_channels: int = 1,
    width: int = 64,
    blocks: Sequence[int] = (3, 4, 6, 3),
    rng: Rng = None,
) -> ResNet34UNet:
    """The U-Net with torchvision's ResNet-34.

    Args:
        in_channels, out_channels: 3 and 1 turn a colour picture into depth.
        width: channels behind the first convolution, at least 4; all others are multiples and fractions of it.
        blocks: how many blocks the encoder has in each of its four layers.
        rng: the generator, or seed, that the first weights are drawn from.
    """
    rng = np.random.default_rng(rng)
    return ResNet34UNet(resnet34(width, blocks, in_channels, rng), in_channels, out_channels, BatchNorm2d, rng)

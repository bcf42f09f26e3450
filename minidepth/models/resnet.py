"""ResNet-34 and ResNet-50 as encoders: a picture in, feature maps at five sizes out.

        x --> conv1 7x7 /2 --> [1/2] --> max-pool 3x3 /2 --> layer1 --> [1/4] --> layer2 --> [1/8] --> layer3 --> [1/16]
                                                                                              --> layer4 --> [1/32]

Each layer is a row of blocks, and each block computes what is to be *added* to its input:

    basic block (ResNet-34)      y = relu(x + conv 3x3 (conv 3x3 (x)))
    bottleneck (ResNet-50)       y = relu(x + conv 1x1 (conv 3x3 (conv 1x1 (x)))), the 3x3 on a quarter of the channels

with batch-norm behind every convolution, and ReLU behind all but a block's last. Where the size or the number of
channels changes, in the first block of a layer, x goes through a 1x1 convolution of its own, ``downsample``. The stride
of a bottleneck is on its 3x3 convolution, as in torchvision ("v1.5"; in the paper it is on the first 1x1).

The names of all weights are torchvision's, without its classifier ``fc``: 21,284,672 and 23,508,032 parameters.
Source: He, Zhang, Ren and Sun, "Deep residual learning for image recognition" (2015), arXiv:1512.03385.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidepth.engine import Tensor
from minidepth.nn import BatchNorm2d, Conv2d, MaxPool2d, Module, ReLU, Sequential, norm_then_act
from minidepth.nn.init import Rng


class BasicBlock(Module):
    """Two 3x3 convolutions, (N, in_channels, H, W) -> (N, width, H / stride, W / stride)."""

    expansion = 1
    """Channels that leave a block, as a multiple of its width."""

    def __init__(self, in_channels: int, width: int, stride: int, rng: Rng) -> None:
        self.conv1 = Conv2d(in_channels, width, 3, stride, padding=1, bias=False, init="he_out", rng=rng)
        self.bn1 = BatchNorm2d(width)
        self.relu, self.relu_sum = ReLU(), ReLU()
        self.conv2 = Conv2d(width, width, 3, padding=1, bias=False, init="he_out", rng=rng)
        self.bn2 = BatchNorm2d(width)
        self.downsample = _downsample(in_channels, width, stride, rng)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = norm_then_act(self.bn1, self.relu, self.conv1(x))
        x = self.bn2(self.conv2(x))
        return self.relu_sum(x + shortcut)


class Bottleneck(Module):
    """1x1 to `width` channels, 3x3, and 1x1 to four times as many: (N, in_channels, H, W) -> (N, 4 width, H', W')."""

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int, rng: Rng) -> None:
        self.conv1 = Conv2d(in_channels, width, 1, bias=False, init="he_out", rng=rng)
        self.bn1 = BatchNorm2d(width)
        self.conv2 = Conv2d(width, width, 3, stride, padding=1, bias=False, init="he_out", rng=rng)
        self.bn2 = BatchNorm2d(width)
        self.conv3 = Conv2d(width, 4 * width, 1, bias=False, init="he_out", rng=rng)
        self.bn3 = BatchNorm2d(4 * width)
        self.relu, self.relu_sum = ReLU(), ReLU()
        self.downsample = _downsample(in_channels, 4 * width, stride, rng)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.downsample is None else self.downsample(x)
        x = norm_then_act(self.bn1, self.relu, self.conv1(x))
        x = norm_then_act(self.bn2, self.relu, self.conv2(x))
        x = self.bn3(self.conv3(x))
        return self.relu_sum(x + shortcut)


class ResNet(Module):
    """(N, in_channels, H, W) -> five feature maps, at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size (rounded up).

    Args:
        block: `BasicBlock` or `Bottleneck`.
        blocks: how many of them there are in each of the four layers.
        width: channels behind the first convolution, and the width of the first layer's blocks; doubled layer by layer.
        in_channels: of the picture.
        rng: the generator, or seed, that the first weights are drawn from (He's by fan_out, as in torchvision).
    """

    def __init__(
        self,
        block: type[BasicBlock] | type[Bottleneck],
        blocks: Sequence[int],
        width: int = 64,
        in_channels: int = 3,
        rng: Rng = None,
    ) -> None:
        rng = np.random.default_rng(rng)
        widths = [width, 2 * width, 4 * width, 8 * width]
        self.channels = (width, *(n * block.expansion for n in widths))
        """Channels of the five feature maps."""
        self.conv1 = Conv2d(in_channels, width, 7, stride=2, padding=3, bias=False, init="he_out", rng=rng)
        self.bn1 = BatchNorm2d(width)
        self.relu = ReLU()
        self.maxpool = MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _layer(block, blocks[0], self.channels[0], widths[0], 1, rng)
        self.layer2 = _layer(block, blocks[1], self.channels[1], widths[1], 2, rng)
        self.layer3 = _layer(block, blocks[2], self.channels[2], widths[2], 2, rng)
        self.layer4 = _layer(block, blocks[3], self.channels[3], widths[3], 2, rng)

    def forward(self, x: Tensor) -> list[Tensor]:
        half = norm_then_act(self.bn1, self.relu, self.conv1(x))
        quarter = self.layer1(self.maxpool(half))
        eighth = self.layer2(quarter)
        sixteenth = self.layer3(eighth)
        return [half, quarter, eighth, sixteenth, self.layer4(sixteenth)]


def resnet34(width: int = 64, blocks: Sequence[int] = (3, 4, 6, 3), in_channels: int = 3, rng: Rng = None) -> ResNet:
    """The encoder of 34 layers: feature maps of 64, 64, 128, 256 and 512 channels."""
    return ResNet(BasicBlock, blocks, width, in_channels, rng)


def resnet50(width: int = 64, blocks: Sequence[int] = (3, 4, 6, 3), in_channels: int = 3, rng: Rng = None) -> ResNet:
    """The encoder of 50 layers: feature maps of 64, 256, 512, 1024 and 2048 channels."""
    return ResNet(Bottleneck, blocks, width, in_channels, rng)


def _layer(
    block: type[BasicBlock] | type[Bottleneck], blocks: int, in_channels: int, width: int, stride: int, rng: Rng
) -> Sequential:
    """`blocks` blocks one after the other; the first has the stride and changes the number of channels."""
    first = block(in_channels, width, stride, rng)
    return Sequential(first, *(block(width * block.expansion, width, 1, rng) for _ in range(blocks - 1)))


def _downsample(in_channels: int, out_channels: int, stride: int, rng: Rng) -> Sequential | None:
    """What x goes through on its way past a block; nothing where it can be added as it is."""
    if stride == 1 and in_channels == out_channels:
        return None
    conv = Conv2d(in_channels, out_channels, 1, stride, bias=False, init="he_out", rng=rng)
    return Sequential(conv, BatchNorm2d(out_channels))

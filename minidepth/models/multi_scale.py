"""The network of Hu et al.: a way up that sees one scale after the other, and a branch that sees all at once.

    picture --> ResNet-50: [1/4] 256   [1/8] 512   [1/16] 1024   [1/32] 2048

    way up      [1/32] --> 1x1, norm, ReLU: 1024 --> up 512 --> up 256 --> up 128 --> up 64 [1/2] --+
    fusion      each of the four --> up to [1/2], 16 channels --> cat 64 --> 5x5, norm, ReLU ------cat
    depth       [1/2] <-- 5x5 <-- 5x5, norm, ReLU <-- 5x5, norm, ReLU <-----------------------------+

    an up-projection:   x --> enlarge (bilinear) --+--> 5x5, norm, ReLU --> 3x3, norm --> add, ReLU --> y
                                                   +--> 5x5, norm ------------------------^

What the fusion brings is sharp edges: small things are lost at 1/32, and the first feature maps still have them.
With a ResNet-50 it has 67,569,473 parameters. Its output has **half the height and width of the input**, 2 ceil(H / 4)
and 2 ceil(W / 4): 114x152 for the published 228x304. Targets are brought to that size.
Source: Hu, Ozay, Zhang and Okatani, "Revisiting single image depth estimation: toward higher resolution maps with
accurate object boundaries" (2018), arXiv:1803.08673.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidepth import ops
from minidepth.engine import Tensor
from minidepth.models.check import check_at_least_one, check_picture
from minidepth.models.conv_norm_act import ConvNormAct
from minidepth.models.resnet import resnet50
from minidepth.nn import BatchNorm2d, Conv2d, Module, ModuleList, ReLU, Sequential, norm_then_act
from minidepth.nn.init import Rng

Size = tuple[int, int]


class MultiScale(Module):
    """(N, in_channels, H, W) -> (N, out_channels, 2 ceil(H / 4), 2 ceil(W / 4)), linear at the end; any H and W.

    Args:
        in_channels, out_channels: 3 and 1 turn a colour picture into depth.
        width: channels behind the first convolution; all others are multiples and fractions of it.
        blocks: how many bottlenecks the encoder has in each of its four layers.
        rng: the generator, or seed, that the first weights are drawn from.
    """

    multiple = 1

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        width: int = 64,
        blocks: Sequence[int] = (3, 4, 6, 3),
        rng: Rng = None,
    ) -> None:
        check_at_least_one("MultiScale", in_channels=in_channels, out_channels=out_channels, width=width)
        rng = np.random.default_rng(rng)
        self.in_channels = in_channels
        self.encoder = resnet50(width, blocks, in_channels, rng)
        seen, n, fused = self.encoder.channels[1:], 16 * width, max(1, width // 4)
        self.bottom = conv_norm_relu(2 * n, n, 1, rng)
        self.up = ModuleList(UpProjection(n >> level, n >> level + 1, rng) for level in range(4))
        self.fuse = ModuleList(UpProjection(channels, fused, rng) for channels in seen)
        self.merge = conv_norm_relu(4 * fused, 4 * fused, 5, rng)
        both = n // 16 + 4 * fused
        self.refine = Sequential(conv_norm_relu(both, both, 5, rng), conv_norm_relu(both, both, 5, rng))
        self.head = Conv2d(both, out_channels, 5, padding=2, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        check_picture("MultiScale", x, self.in_channels, self.multiple)
        scales = self.encoder(x)[1:]
        quarter, eighth, sixteenth, _ = [(scale.shape[2], scale.shape[3]) for scale in scales]
        half = (2 * quarter[0], 2 * quarter[1])
        x = self.bottom(scales[-1])
        for up, size in zip(self.up, (sixteenth, eighth, quarter, half)):
            x = up(x, size)
        fused = ops.cat([fuse(scale, half) for fuse, scale in zip(self.fuse, scales)], dim=1)
        return self.head(self.refine(ops.cat([x, self.merge(fused)], dim=1)))


class UpProjection(Module):
    """(N, n_in, H, W) -> (N, n_out, *size): enlarge, then a residual block."""

    def __init__(self, n_in: int, n_out: int, rng: Rng) -> None:
        self.conv1 = Conv2d(n_in, n_out, 5, padding=2, bias=False, init="he", rng=rng)
        self.bn1 = BatchNorm2d(n_out)
        self.conv2 = Conv2d(n_out, n_out, 3, padding=1, bias=False, init="he", rng=rng)
        self.bn2 = BatchNorm2d(n_out)
        self.conv3 = Conv2d(n_in, n_out, 5, padding=2, bias=False, init="he", rng=rng)
        self.bn3 = BatchNorm2d(n_out)
        self.relu, self.relu_sum = ReLU(), ReLU()

    def forward(self, x: Tensor, size: Size) -> Tensor:
        x = ops.interpolate(x, size, mode="bilinear")
        fine = norm_then_act(self.bn1, self.relu, self.conv1(x))
        fine = self.bn2(self.conv2(fine))
        return self.relu_sum(fine + self.bn3(self.conv3(x)))


def conv_norm_relu(n_in: int, n_out: int, kernel_size: int, rng: Rng) -> ConvNormAct:
    """Convolution without a bias, batch-norm, ReLU."""
    norm = BatchNorm2d(n_out)
    return ConvNormAct(n_in, n_out, ReLU(), norm, kernel_size=kernel_size, bias=False, init="he", rng=rng)

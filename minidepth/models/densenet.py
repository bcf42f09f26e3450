"""DenseNet-169 as an encoder: every layer of a block sees what all layers before it have found.

    picture --> conv0 7x7 /2, ReLU [1/2] --> max-pool [1/4] --> denseblock1 --> transition1 [1/8] --> denseblock2
            --> transition2 [1/16] --> denseblock3 --> transition3 [1/32] --> denseblock4 --> norm5, ReLU [1/32]

    a dense layer:   y = [x | conv 3x3 (conv 1x1 (x))], 32 new channels behind those that came in
    a transition:    1x1 convolution to half the channels, then the mean of 2x2 pixels

with batch-norm and ReLU before each of these convolutions. So every layer is small, and there are many: 6, 12, 32, 32.

The names of all weights are torchvision's, without its classifier: 12,484,480 parameters.
Source: Huang, Liu, van der Maaten and Weinberger, "Densely connected convolutional networks" (2016), arXiv:1608.06993.
Cost: each layer writes its block's stack anew, so that memory grows with the square of the number of layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minidepth import ops
from minidepth.engine import Tensor
from minidepth.nn import AvgPool2d, BatchNorm2d, Conv2d, MaxPool2d, Module, ModuleList, ReLU, norm_then_act
from minidepth.nn.init import Rng


class DenseNet(Module):
    """(N, in_channels, H, W) -> five feature maps, at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size.

    The defaults make DenseNet-169: feature maps of 64, 64, 128, 256 and 1664 channels.

    Args:
        blocks: how many dense layers there are in each of the four blocks.
        growth: channels that a dense layer adds; the 1x1 convolution before it makes four times as many.
        width: channels behind the first convolution.
        in_channels: of the picture.
        rng: the generator, or seed, that the first weights are drawn from.
    """

    def __init__(
        self,
        blocks: Sequence[int] = (6, 12, 32, 32),
        growth: int = 32,
        width: int = 64,
        in_channels: int = 3,
        rng: Rng = None,
    ) -> None:
        rng = np.random.default_rng(rng)
        self.relu = ReLU()
        self.features: dict[str, Module] = {
            "conv0": Conv2d(in_channels, width, 7, stride=2, padding=3, bias=False, init="he", rng=rng),
            "norm0": BatchNorm2d(width),
            "pool0": MaxPool2d(3, stride=2, padding=1),
        }
        channels, behind_transitions = width, []
        for number, layers in enumerate(blocks, start=1):
            self.features[f"denseblock{number}"] = DenseBlock(layers, channels, growth, rng)
            channels += layers * growth
            if number < len(blocks):
                self.features[f"transition{number}"] = Transition(channels, rng)
                channels //= 2
                behind_transitions.append(channels)
        self.features["norm5"] = BatchNorm2d(channels)
        self.channels = (width, width, *behind_transitions[:2], channels)
        """Channels of the five feature maps."""

    def forward(self, x: Tensor) -> list[Tensor]:
        layer = self.features
        half = norm_then_act(layer["norm0"], self.relu, layer["conv0"](x))
        quarter = layer["pool0"](half)
        eighth = layer["transition1"](layer["denseblock1"](quarter))
        sixteenth = layer["transition2"](layer["denseblock2"](eighth))
        x = layer["transition3"](layer["denseblock3"](sixteenth))
        x = norm_then_act(layer["norm5"], self.relu, layer["denseblock4"](x))
        return [half, quarter, eighth, sixteenth, x]


class DenseBlock(ModuleList):
    """Dense layers one after the other, named denselayer1, denselayer2, ..."""

    def __init__(self, layers: int, n_in: int, growth: int, rng: Rng) -> None:
        super().__init__(DenseLayer(n_in + layer * growth, growth, rng) for layer in range(layers))

    def parts(self) -> Iterable[tuple[Any, Any]]:
        return ((f"denselayer{number}", layer) for number, layer in enumerate(self, start=1))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self:
            x = layer(x)
        return x


class DenseLayer(Module):
    """(N, n_in, H, W) -> (N, n_in + growth, H, W): x, and behind it what the layer has found in x."""

    def __init__(self, n_in: int, growth: int, rng: Rng) -> None:
        self.norm1 = BatchNorm2d(n_in)
        self.conv1 = Conv2d(n_in, 4 * growth, 1, bias=False, init="he", rng=rng)
        self.norm2 = BatchNorm2d(4 * growth)
        self.conv2 = Conv2d(4 * growth, growth, 3, padding=1, bias=False, init="he", rng=rng)
        self.relu1, self.relu2 = ReLU(), ReLU()

    def forward(self, x: Tensor) -> Tensor:
        found = self.conv1(norm_then_act(self.norm1, self.relu1, x))
        found = self.conv2(norm_then_act(self.norm2, self.relu2, found))
        return ops.cat([x, found], dim=1)


class Transition(Module):
    """(N, n_in, H, W) -> (N, n_in / 2, H / 2, W / 2)."""

    def __init__(self, n_in: int, rng: Rng) -> None:
        self.norm = BatchNorm2d(n_in)
        self.conv = Conv2d(n_in, n_in // 2, 1, bias=False, init="he", rng=rng)
        self.pool = AvgPool2d(2)
        self.relu = ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.pool(self.conv(norm_then_act(self.norm, self.relu, x)))

"""The pre-activation ResNet-34 of Keras' model zoo as an encoder: norm and ReLU *before* each convolution.

    picture --> bn_data --> conv0 7x7 /2 --> bn0, ReLU --> [1/2] --> max-pool 3x3 /2 --> stages 1 .. 4 --> bn1, ReLU

    a unit:   x --> bn1, ReLU --+--> conv1 3x3 --> bn2, ReLU --> conv2 3x3 --> add --> y
                                +--> sc 1x1 (first unit of a stage; x itself in the others) --^

What is added up along a stage never meets a ReLU, so the feature maps at 1/4, 1/8 and 1/16 are taken where the next
stage begins: behind bn1 and ReLU of its first unit. `bn_data` has no weight: it only shifts the normalised picture.

The names of all weights are those of the Keras file, such as ``stage1_unit1_bn1``, with 21,302,473 numbers, moving
statistics included. Those weights expect RGB from 0 to 255.
Source: He, Zhang, Ren and Sun, "Identity mappings in deep residual networks" (2016), arXiv:1603.05027; the form is
that of the classification_models package (Yakubovskiy 2018), which converted it from MXNet.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minidepth import ops
from minidepth.engine import Tensor
from minidepth.nn import BatchNorm2d, Buffer, Conv2d, MaxPool2d, Module, Parameter, ReLU, norm_then_act
from minidepth.nn.init import Rng

EPS, MOMENTUM = 2e-5, 0.01
"""Of every batch-norm here. (Keras says momentum 0.99, the share of the old mean.)"""


class PreActResNet34(Module):
    """(N, in_channels, H, W) -> five feature maps, at 1/2, 1/4, 1/8, 1/16 and 1/32 of the size (rounded up).

    Args:
        width: channels of the first stage; doubled stage by stage.
        blocks: how many units there are in each of the four stages.
        in_channels: of the picture.
        rng: the generator, or seed, that the first weights are drawn from.
    """

    def __init__(
        self, width: int = 64, blocks: Sequence[int] = (3, 4, 6, 3), in_channels: int = 3, rng: Rng = None
    ) -> None:
        rng = np.random.default_rng(rng)
        self.channels = (width, width, 2 * width, 4 * width, 8 * width)
        """Channels of the five feature maps."""
        self.bn_data = ShiftingNorm(in_channels)
        self.conv0 = Conv2d(in_channels, width, 7, stride=2, padding=3, bias=False, init="he", rng=rng)
        self.bn0 = _norm(width)
        self.relu = ReLU()
        # Keras pads with zeros. Behind a ReLU nothing is below 0, so -inf gives the same maximum.
        self.pool = MaxPool2d(3, stride=2, padding=1)
        self.stages = [
            [
                Unit(n_in if unit == 0 else n_out, n_out, stride if unit == 0 else 1, unit == 0, rng)
                for unit in range(count)
            ]
            for n_in, n_out, stride, count in zip(self.channels, self.channels[1:], (1, 2, 2, 2), blocks)
        ]
        self.bn1 = _norm(8 * width)

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.conv0(self.bn_data(x))
        x = norm_then_act(self.bn0, self.relu, x)
        features = [x]
        x = self.pool(x)
        for stage in self.stages:
            for unit in stage:
                activated = unit.activate(x)
                if unit is stage[0] and stage is not self.stages[0]:
                    features.append(activated)
                x = unit(x, activated)
        return [*features, norm_then_act(self.bn1, self.relu, x)]

    def parts(self) -> Iterable[tuple[str, Any]]:
        """The layers under their names in the Keras file: flat, counted from 1."""
        yield from (("bn_data", self.bn_data), ("conv0", self.conv0), ("bn0", self.bn0), ("pool", self.pool))
        for s, stage in enumerate(self.stages, start=1):
            for u, unit in enumerate(stage, start=1):
                yield from ((f"stage{s}_unit{u}_{name}", layer) for name, layer in unit.parts())
        yield from (("bn1", self.bn1), ("relu1", self.relu))


class Unit(Module):
    """Two 3x3 convolutions, each behind norm and ReLU: (N, n_in, H, W) -> (N, n_out, H / stride, W / stride)."""

    def __init__(self, n_in: int, n_out: int, stride: int, first: bool, rng: Rng) -> None:
        self.bn1 = _norm(n_in)
        self.relu1, self.relu2 = ReLU(), ReLU()
        self.sc = Conv2d(n_in, n_out, 1, stride, bias=False, init="he", rng=rng) if first else None
        self.conv1 = Conv2d(n_in, n_out, 3, stride, padding=1, bias=False, init="he", rng=rng)
        self.bn2 = _norm(n_out)
        self.conv2 = Conv2d(n_out, n_out, 3, padding=1, bias=False, init="he", rng=rng)

    def activate(self, x: Tensor) -> Tensor:
        """What both branches see: bn1 and ReLU of the unit's input."""
        return norm_then_act(self.bn1, self.relu1, x)

    def forward(self, x: Tensor, activated: Tensor) -> Tensor:
        shortcut = x if self.sc is None else self.sc(activated)
        x = norm_then_act(self.bn2, self.relu2, self.conv1(activated))
        return self.conv2(x) + shortcut


class ShiftingNorm(Module):
    """Batch-norm with a bias but no weight."""

    def __init__(self, num_features: int) -> None:
        self.bias = Parameter(np.zeros(num_features, np.float32))
        self.running_mean = Buffer(np.zeros(num_features, np.float32))
        self.running_var = Buffer(np.ones(num_features, np.float32))

    def forward(self, x: Tensor) -> Tensor:
        mean, var = self.running_mean.data, self.running_var.data
        return ops.batch_norm(x, mean, var, None, self.bias, self.training, MOMENTUM, EPS)


def _norm(channels: int) -> BatchNorm2d:
    return BatchNorm2d(channels, EPS, MOMENTUM)

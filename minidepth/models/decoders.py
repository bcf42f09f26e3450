"""Ways up for an encoder-decoder: stages that double height and width while they lower the number of channels.

A decoder is named as in FastDepth, kind + kernel size + ``dw`` where its convolutions are depthwise-separable:

    nnconv5dw   convolution, then each pixel four times (nearest neighbour)
    blconv5dw   convolution, then bilinear enlargement, pixels as squares
    deconv5dw   transposed convolution with stride 2
    shuffle5dw  pixel shuffle, which makes four channels one of twice the size, then convolution
    upconv      zeros between the pixels, then 5x5 convolution
    upproj      zeros between the pixels, then two branches of 5x5 convolutions that are added

with kernel sizes 3, 5, 7 and 9. A plain convolution of C to O channels with an I x I kernel has I I C O weights, and
the separable one I I C + C O: for 5x5 and many channels nearly 25 times fewer. (It is not the same map, but one of low
rank.) Every convolution is followed by batch-norm and ReLU.
Source: Wofk, Ma, Yang, Karaman and Sze, "FastDepth" (2019), and its published code; upproj: Laina et al. (2016).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

import numpy as np

from minidepth.engine import Tensor
from minidepth.errors import InputError
from minidepth.nn import (
    BatchNorm2d,
    Conv2d,
    ConvTranspose2d,
    Identity,
    Module,
    PixelShuffle,
    ReLU,
    Sequential,
    UnpoolZeros,
    Upsample,
    norm_then_act,
)
from minidepth.nn.init import Rng

KERNELS = (3, 5, 7, 9)
DECODERS = (
    *(f"{kind}{k}{dw}" for kind in ("nnconv", "blconv", "deconv", "shuffle") for k in KERNELS for dw in ("dw", "")),
    "upconv",
    "upproj",
)
Stage = Callable[[int, int, Rng], Module]
"""Makes a stage: (N, first number, H, W) -> (N, second number, 2 H, 2 W)."""


def decoder_stage(name: str) -> Stage:
    """The stage that decoder `name` is made of.

    Raises:
        InputError: there is no such decoder; the text says how they are named.
    """
    if name not in DECODERS:
        raise InputError(
            f"decoder {name!r} is unknown; use nnconv, blconv, deconv or shuffle with kernel size 3, 5, 7 or 9, and dw "
            f"for depthwise, such as nnconv5dw; or upconv or upproj"
        )
    if name in ("upconv", "upproj"):
        return up_conv if name == "upconv" else UpProjection
    kind, size = re.findall(r"[a-z]+|\d", name)[:2]
    stage = {"nnconv": nn_conv, "blconv": bl_conv, "deconv": de_conv, "shuffle": shuffle_conv}[kind]
    return partial(stage, kernel_size=int(size), depthwise=name.endswith("dw"))


class ConvNormAct(Sequential):
    """Convolution, norm and activation, or several such threes; each norm and its activation run as one operation."""

    def forward(self, x: Tensor) -> Tensor:
        for first in range(0, len(self), 3):
            conv, norm, act = self[first], self[first + 1], self[first + 2]
            x = norm_then_act(norm, act, conv(x))
        return x


def conv_block(
    n_in: int, n_out: int, kernel_size: int, rng: Rng, groups: int = 1, act: Module | None = None
) -> ConvNormAct:
    """Convolution that keeps the size, batch-norm, and a ReLU or `act`."""
    padding = kernel_size // 2
    conv = Conv2d(n_in, n_out, kernel_size, padding=padding, groups=groups, bias=False, init="he_out", rng=rng)
    return ConvNormAct(conv, BatchNorm2d(n_out), act or ReLU())


def nn_conv(n_in: int, n_out: int, rng: Rng, kernel_size: int, depthwise: bool) -> Sequential:
    """Convolve, then write each pixel four times."""
    return Sequential(*_convolve(n_in, n_out, kernel_size, depthwise, rng), Upsample(scale_factor=2, mode="nearest"))


def bl_conv(n_in: int, n_out: int, rng: Rng, kernel_size: int, depthwise: bool) -> Sequential:
    """Convolve, then enlarge."""
    enlarge = Upsample(scale_factor=2, mode="bilinear", align_corners=False)
    return Sequential(*_convolve(n_in, n_out, kernel_size, depthwise, rng), enlarge)


def de_conv(n_in: int, n_out: int, rng: Rng, kernel_size: int, depthwise: bool) -> Sequential:
    """Transposed convolution with stride 2; depthwise, with a 1x1 convolution behind it."""
    rng = np.random.default_rng(rng)
    middle, groups = (n_in, n_in) if depthwise else (n_out, 1)
    size = {"kernel_size": kernel_size, "stride": 2, "padding": kernel_size // 2, "output_padding": 1}
    up = ConvTranspose2d(n_in, middle, **size, groups=groups, bias=False, init="he_out", rng=rng)
    block = ConvNormAct(up, BatchNorm2d(middle), ReLU())
    return Sequential(block, conv_block(middle, n_out, 1, rng)) if depthwise else Sequential(block)


def shuffle_conv(n_in: int, n_out: int, rng: Rng, kernel_size: int, depthwise: bool) -> Sequential:
    """Four channels make one of twice the size, then convolve; the last stage, with one channel left, does not."""
    convolutions = _convolve(n_in // 4, n_out, kernel_size, depthwise, rng) if n_out > 1 else []
    return Sequential(PixelShuffle(2), *convolutions)


def up_conv(n_in: int, n_out: int, rng: Rng) -> Sequential:
    """Put zeros between the pixels and convolve, 5x5. (fcrn.py has a form of this that looks at no zeros.)"""
    return Sequential(UnpoolZeros(2), conv_block(n_in, n_out, 5, rng))


class UpProjection(Module):
    """Zeros between the pixels, then the ReLU of the sum of two branches: 5x5, ReLU, 3x3, and 5x5 alone, all with norm.

    Source: Laina, Rupprecht, Belagiannis, Tombari and Navab, "Deeper depth prediction with fully convolutional residual
    networks" (2016), figure 2c; fcrn.py has the fast form of it.
    """

    def __init__(self, n_in: int, n_out: int, rng: Rng = None) -> None:
        rng = np.random.default_rng(rng)
        self.unpool = UnpoolZeros(2)
        self.branch1 = ConvNormAct(*conv_block(n_in, n_out, 5, rng), *conv_block(n_out, n_out, 3, rng, act=Identity()))
        self.branch2 = conv_block(n_in, n_out, 5, rng, act=Identity())
        self.relu = ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.unpool(x)
        return self.relu(self.branch1(x) + self.branch2(x))


def _convolve(n_in: int, n_out: int, kernel_size: int, depthwise: bool, rng: Rng) -> list[ConvNormAct]:
    """The blocks that turn n_in channels into n_out: one plain, or a depthwise one and a 1x1."""
    if not depthwise:
        return [conv_block(n_in, n_out, kernel_size, rng)]
    rng = np.random.default_rng(rng)
    return [conv_block(n_in, n_in, kernel_size, rng, groups=n_in), conv_block(n_in, n_out, 1, rng)]

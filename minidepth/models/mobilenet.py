"""MobileNet with a light decoder, for depth in real time: the network of FastDepth.

      224          112     56      28      14       7
    picture -> conv -> 1 ---> 3 ---> 5 ---> 11 ---> 13      encoder: depthwise-separable convolutions 1 .. 13
                       |      |      |               |
                       add    add    add             |
                       |      |      |               |
      depth <- 1x1 <- up5 <- up4 <- up3 <- up2 <--- up1     decoder: five stages, each doubles the size

A depthwise-separable convolution filters every channel by itself and then mixes the channels with a 1x1 convolution:
9 C + C O weights in place of 9 C O. The encoder is the first 14 layers of MobileNet, ReLU6 after every convolution,
which has a batch-norm and no bias. What enters its layers 2, 4 and 6 is handed over to the decoder, after the stage
that gives the same size. The last convolution has batch-norm and ReLU as well, so no depth is below 0.

With the published widths it has 3,960,930 parameters, 3,933,088 of them convolution weights, and makes a 224x224
picture in 0.737 G multiply-adds; with the pruned ones 1,360,786 parameters and 0.366 G.
Sources: Howard et al., "MobileNets" (2017), arXiv:1704.04861; Wofk, Ma, Yang, Karaman and Sze, "FastDepth: fast
monocular depth estimation on embedded systems" (2019), arXiv:1903.03273, and its published code, from which the pruned
widths are, found by the method NetAdapt.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidepth import ops
from minidepth.engine import Tensor
from minidepth.errors import InputError
from minidepth.models.check import check_at_least_one, check_choice, check_picture
from minidepth.models.decoders import ConvNormAct, conv_block, decoder_stage
from minidepth.nn import BatchNorm2d, Conv2d, Identity, Module, ModuleList, ReLU6, Sequential
from minidepth.nn.init import Rng

STRIDES = (2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
"""Of the encoder's 14 layers."""
WIDTHS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024, 512, 256, 128, 64, 32)
"""Channels that come out of the 14 layers of the encoder and of the 5 stages of the decoder."""
PRUNED = (16, 56, 88, 120, 144, 256, 408, 376, 272, 288, 296, 328, 480, 512, 200, 256, 120, 56, 16)
"""The same without the channels that cost much time and bring little accuracy."""
SKIPS = {1: 5, 2: 3, 3: 1}
"""Stage of the decoder -> layer of the encoder that has the size which the stage gives; both counted from 0."""


class MobileNet(Module):
    """(N, in_channels, H, W), H and W multiples of 32 -> (N, 1, H, W), depth of at least 0.

    Args:
        decoder: how a stage doubles the size, see decoders.py: ``"nnconv5dw"`` is the published one.
        skip: what is done with the encoder's results, ``"add"``, ``"concat"``, or ``"none"``.
        widths: channels of the 14 layers of the encoder, then of the 5 stages of the decoder; those of a shuffle
            decoder are what they must be, 1024 / 4, 1024 / 16, ... 1, and it has no last convolution.
        in_channels: 3 for a colour picture.
        rng: the generator, or seed, that the first weights are drawn from.
    """

    multiple = 32

    def __init__(
        self,
        decoder: str = "nnconv5dw",
        skip: str = "add",
        widths: Sequence[int] = WIDTHS,
        in_channels: int = 3,
        rng: Rng = None,
    ) -> None:
        rng, stage = np.random.default_rng(rng), decoder_stage(decoder)
        encoder_widths, decoder_widths = _check_options(decoder, skip, widths, in_channels)
        self.in_channels, self.skip = in_channels, skip
        self.encoder = mobilenet_encoder(in_channels, encoder_widths, rng)
        n_in, stages = encoder_widths[-1], []
        for index, n_out in enumerate(decoder_widths):
            stages.append(stage(n_in, n_out, rng))
            n_in = n_out + (encoder_widths[SKIPS[index]] if skip == "concat" and index in SKIPS else 0)
        self.decoder = ModuleList(stages)
        self.last = Identity() if decoder.startswith("shuffle") else conv_block(n_in, 1, 1, rng)

    def forward(self, x: Tensor) -> Tensor:
        check_picture("MobileNet", x, self.in_channels, self.multiple)
        seen = []
        for layer in self.encoder:
            x = layer(x)
            seen.append(x)
        for index, stage in enumerate(self.decoder):
            x = stage(x)
            if index in SKIPS and self.skip != "none":
                skip = seen[SKIPS[index]]
                x = x + skip if self.skip == "add" else ops.cat([x, skip], dim=1)
        return self.last(x)


def mobilenet_pruned(
    decoder: str = "nnconv5dw",
    skip: str = "add",
    widths: Sequence[int] = PRUNED,
    in_channels: int = 3,
    rng: Rng = None,
) -> MobileNet:
    """`MobileNet` with the widths that pruning left."""
    return MobileNet(decoder, skip, widths, in_channels, rng)


def mobilenet_encoder(in_channels: int, widths: Sequence[int], rng: Rng) -> Sequential:
    """The first 14 layers of MobileNet, to 1/32 of the size; names as in FastDepth's weight files, below ``model``."""
    rng = np.random.default_rng(rng)
    first = Conv2d(in_channels, widths[0], 3, stride=2, padding=1, bias=False, init="he_out", rng=rng)
    layers = [ConvNormAct(first, BatchNorm2d(widths[0]), ReLU6())]
    for n_in, n_out, stride in zip(widths, widths[1:], STRIDES[1:]):
        layers.append(separable(n_in, n_out, stride, rng))
    return Sequential(*layers)


def separable(n_in: int, n_out: int, stride: int, rng: Rng) -> ConvNormAct:
    """Every channel by itself, 3x3, then 1x1 over the channels; batch-norm and ReLU6 after each."""
    return ConvNormAct(
        Conv2d(n_in, n_in, 3, stride=stride, padding=1, groups=n_in, bias=False, init="he_out", rng=rng),
        BatchNorm2d(n_in),
        ReLU6(),
        Conv2d(n_in, n_out, 1, bias=False, init="he_out", rng=rng),
        BatchNorm2d(n_out),
        ReLU6(),
    )


def _check_options(
    decoder: str, skip: str, widths: Sequence[int], in_channels: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The widths of the encoder and of the decoder."""
    check_choice("MobileNet", "skip", skip, ("add", "concat", "none"))
    check_at_least_one("MobileNet", in_channels=in_channels)
    n = len(STRIDES)
    if len(widths) != len(WIDTHS) or min(widths) < 1:
        raise InputError(
            f"MobileNet: widths must be {len(WIDTHS)} numbers of at least 1, {n} of the encoder and "
            f"{len(WIDTHS) - n} of the decoder, not {tuple(widths)}"
        )
    of_encoder, of_decoder = tuple(widths[:n]), tuple(widths[n:])
    if decoder.startswith("shuffle"):
        if skip != "none" or of_encoder[-1] != 4 ** len(of_decoder):
            raise InputError(
                f"MobileNet: decoder {decoder} makes one channel of four in each of its {len(of_decoder)} stages; it "
                f"needs {4 ** len(of_decoder)} channels (not {of_encoder[-1]}) from the encoder, and skip='none'"
            )
        of_decoder = tuple(of_encoder[-1] // 4 ** (stage + 1) for stage in range(len(of_decoder)))
    if skip == "add":
        for stage, layer in SKIPS.items():
            if of_decoder[stage] != of_encoder[layer]:
                raise InputError(
                    f"MobileNet: stage {stage + 1} of the decoder gives {of_decoder[stage]} channels, layer {layer} of "
                    f"the encoder {of_encoder[layer]}, so they cannot be added; make them equal or use skip='concat'"
                )
    return of_encoder, of_decoder

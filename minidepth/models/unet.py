"""The U-Net of Ronneberger, Fischer and Brox (2015), arXiv:1505.04597, figure 1.

        x                                                                 y
        |                                                                 |
    [conv conv] ------------------ copy and crop ------------------> [conv conv] head
        | max-pool 2                                                      | up-conv 2
    [conv conv] ------------------ copy and crop ------------------> [conv conv]
        | max-pool 2                                                      | up-conv 2
       ...                                                               ...
        +-----------------------> [conv conv] ----------------------------+

Every level down halves height and width and doubles the channels, from base_channels to base_channels * 2**depth; every
level up undoes it. With ``padding="valid"``, 64 base channels and depth 4 it is the network of the paper: 572x572 in,
388x388 out, 31,030,658 parameters for 1 channel in and 2 out. ``padding="same"`` keeps the size.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from minidepth import ops
from minidepth.engine import Tensor
from minidepth.errors import InputError
from minidepth.nn import (
    BatchNorm2d,
    Conv2d,
    ConvTranspose2d,
    Identity,
    LeakyReLU,
    MaxPool2d,
    Module,
    ModuleList,
    ReLU,
    Sequential,
    Upsample,
    ZeroPad2d,
    norm_then_act,
)
from minidepth.nn.init import Rng

_CHOICES = {
    "padding": ("same", "valid", "mirror"),
    "up": ("transposed", "bilinear", "nearest", "nearest-2x2"),
    "norm": (None, "batch"),
    "activation": ("relu", "leaky_relu"),
    "init": ("he", "pytorch", "glorot"),
}


class UNet(Module):
    """(N, in_channels, H, W) -> (N, out_channels, H', W'), without an activation at the end.

    Args:
        in_channels, out_channels: 3 and 1 turn a colour picture into depth.
        base_channels: channels of the first level.
        depth: how often height and width are halved.
        padding: ``"same"`` keeps the size; H and W must be multiples of ``2**depth``. ``"valid"`` is the paper's: no
            padding, the skip connections are cropped, and for depth 4 the output is 184 pixels smaller than the input.
            ``"mirror"`` is the same in a frame of the mirrored picture as wide as what is lost, so that the size stays:
            how the paper labels pictures up to their edge.
        up: ``"transposed"`` is the paper's 2x2 up-convolution. ``"bilinear"`` and ``"nearest"`` are a 1x1 convolution,
            which halves the channels, and then a fixed enlargement. ``"nearest-2x2"`` enlarges and then convolves
            2x2: as many parameters as the paper's, but neighbours share their filters.
        norm: ``"batch"`` puts batch-norm after every 3x3 convolution, which then needs no bias.
        activation: ``"relu"``, or ``"leaky_relu"`` with `negative_slope`.
        init: ``"he"`` (the paper's), ``"pytorch"`` or ``"glorot"``, see nn/init.py.
        rng: the generator, or seed, that the first weights are drawn from.
        recompute: keep less for backward and compute each level once more there: the same gradients, from less memory
            in more time.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        base_channels: int = 64,
        depth: int = 4,
        padding: str = "same",
        up: str = "transposed",
        norm: str | None = None,
        activation: str = "relu",
        negative_slope: float = 0.01,
        init: str = "he",
        rng: Rng = None,
        recompute: bool = False,
    ) -> None:
        chosen = {"padding": padding, "up": up, "norm": norm, "activation": activation, "init": init}
        numbers = {"in_channels": in_channels, "out_channels": out_channels, "base_channels": base_channels}
        _check_options(chosen, {**numbers, "depth": depth})
        rng = np.random.default_rng(rng)

        def double_conv(n_in: int, n_out: int) -> DoubleConv:
            act = ReLU() if activation == "relu" else LeakyReLU(negative_slope)
            return DoubleConv(n_in, n_out, act, padding=1 if padding == "same" else 0, norm=norm, init=init, rng=rng)

        widths = [base_channels * 2**level for level in range(depth + 1)]
        self.in_channels, self.out_channels, self.padding, self.depth = in_channels, out_channels, padding, depth
        self.multiple, self.recompute = 2**depth if padding == "same" else 1, recompute
        self.margin = 6 * 2**depth - 4 if padding == "mirror" else 0  # what is lost on each side: 92 for depth 4
        self.down = ModuleList(double_conv(n_in, n) for n_in, n in zip([in_channels, *widths], widths[:-1]))
        self.pool = MaxPool2d(2)
        self.bottom = double_conv(widths[-2], widths[-1])
        self.up = ModuleList(halve_channels_double_size(2 * n, up, init, rng) for n in reversed(widths[:-1]))
        self.join = CopyAndCrop()
        self.merge = ModuleList(double_conv(2 * n, n) for n in reversed(widths[:-1]))
        self.head = Conv2d(base_channels, out_channels, 1, init=init, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        self.check_input(x)
        if self.margin:
            x = ops.pad(x, (self.margin,) * 4, mode="reflect")
        skips = []
        for down in self.down:
            x = self.run(down, x)
            skips.append(x)
            x = self.pool(x)
        x = self.run(self.bottom, x)
        *levels, last = zip(self.up, self.merge)
        for up, merge in levels:
            x = self.run(partial(self.way_up, up, merge), skips.pop(), x)
        x = self.way_up(*last, skips.pop(), x)  # backward begins here, so forgetting it would save nothing
        return self.head(x)

    def way_up(self, up: Module, merge: Module, skip: Tensor, x: Tensor) -> Tensor:
        """One level: what comes from below enlarged, put beside the skip connection, and convolved twice."""
        return merge(self.join(skip, up(x)))

    def run(self, level: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        """``level(*inputs)``, keeping its inputs alone for backward where the network was made with ``recompute``."""
        return ops.recompute(level, *inputs) if self.recompute else level(*inputs)

    def check_input(self, x: Tensor) -> None:
        """Raise InputError unless `x` is (N, in_channels, H, W) with a height and width that this network can take."""
        if x.ndim != 4 or x.shape[1] != self.in_channels:
            raise InputError(f"UNet: the input has shape {x.shape}; it must be (N, {self.in_channels}, H, W)")
        height, width = x.shape[2:]
        m = 2**self.depth
        if self.padding == "same" and (height % m or width % m or not height * width):
            raise InputError(
                f"UNet: a picture of {height}x{width} (height x width) does not fit; both must be multiples of {m}, "
                f"such as {max(1, round(height / m)) * m}x{max(1, round(width / m)) * m}"
            )
        # Unpadded, a level of size s hands (s - 4) / 2 to the next. All of those are whole if the first is m k - 4;
        # the output then has size m (k - 12) + 4, so k must be at least 12.
        if self.padding == "valid" and any((size + 4) % m or size < 12 * m - 4 for size in (height, width)):
            fits = [max(12, round((size + 4) / m)) * m - 4 for size in (height, width)]
            raise InputError(
                f"UNet: a picture of {height}x{width} (height x width) does not fit without padding; both must be "
                f"a multiple of {m} less 4 and at least {12 * m - 4}, such as {fits[0]}x{fits[1]}"
            )
        # With a mirrored frame that is the size with the frame; and the mirror image needs more pixels than the frame.
        if self.padding == "mirror" and any((size - 4) % m or size <= self.margin for size in (height, width)):
            fits = [max(self.margin // m + 1, round((size - 4) / m)) * m + 4 for size in (height, width)]
            raise InputError(
                f"UNet: a picture of {height}x{width} (height x width) does not fit in a mirrored frame of "
                f"{self.margin} pixels; both must be a multiple of {m} plus 4 and above {self.margin}, such as "
                f"{fits[0]}x{fits[1]}"
            )


class DoubleConv(Module):
    """Twice: 3x3 convolution, norm if there is one, activation. `middle` is the channels between the two."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        act: Module,
        padding: int,
        norm: str | None,
        init: str,
        rng: Rng,
        middle: int | None = None,
    ) -> None:
        rng = np.random.default_rng(rng)
        middle = out_channels if middle is None else middle
        bias = norm is None  # batch-norm subtracts the mean, and with it any bias before it
        self.conv1 = Conv2d(in_channels, middle, 3, padding=padding, bias=bias, init=init, rng=rng)
        self.bn1 = BatchNorm2d(middle) if norm else Identity()
        self.conv2 = Conv2d(middle, out_channels, 3, padding=padding, bias=bias, init=init, rng=rng)
        self.bn2 = BatchNorm2d(out_channels) if norm else Identity()
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        x = norm_then_act(self.bn1, self.act, x)
        x = self.conv2(x)
        return norm_then_act(self.bn2, self.act, x)


def halve_channels_double_size(channels: int, up: str, init: str, rng: Rng) -> Module:
    """The way up: (N, channels, H, W) -> (N, channels / 2, 2 H, 2 W).

    A 1x1 convolution commutes with the enlargement: one mixes only channels, the other only pixels, with weights that
    sum to 1 so that the bias survives. So it comes first, where there are a quarter of the pixels to work on.
    """
    if up == "transposed":
        return ConvTranspose2d(channels, channels // 2, 2, stride=2, init=init, rng=rng)
    if up == "nearest-2x2":
        return Sequential(
            Upsample(scale_factor=2, mode="nearest"),
            ZeroPad2d((0, 1, 0, 1)),  # for an even filter, the odd zero goes to the right and the bottom
            Conv2d(channels, channels // 2, 2, init=init, rng=rng),
        )
    align = False if up == "bilinear" else None
    return Sequential(
        Conv2d(channels, channels // 2, 1, init=init, rng=rng),
        Upsample(scale_factor=2, mode=up, align_corners=align),
    )


class CopyAndCrop(Module):
    """The grey arrow of the figure: the middle of the skip connection, then what comes from below, as one stack."""

    def forward(self, skip: Tensor, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        if skip.shape[2:] != x.shape[2:]:
            top, left = (skip.shape[2] - height) // 2, (skip.shape[3] - width) // 2
            skip = skip[:, :, top : top + height, left : left + width]
        return ops.cat([skip, x], dim=1)


def _check_options(chosen: dict[str, str | None], numbers: dict[str, int]) -> None:
    for name, choice in chosen.items():
        if choice not in _CHOICES[name]:
            raise InputError(f"UNet: {name} is {choice!r}; use {' or '.join(repr(known) for known in _CHOICES[name])}")
    for name, number in numbers.items():
        if number < 1:
            raise InputError(f"UNet: {name} is {number}; it must be at least 1")

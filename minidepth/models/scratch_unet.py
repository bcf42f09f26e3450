"""The U-Net with batch-norm, and four ways up: with stripes, and without.

        x                                                                 y
        |                                                                 |
    [conv conv] ------------------------ cat ------------------------> [conv conv] head
        | max-pool 2                                                      | up
    [conv conv] ------------------------ cat ------------------------> [conv conv]
        | max-pool 2                                                      | up
       ...                                                               ...
        +-----------------------> [conv conv] ----------------------------+

The plan is that of models/unet.py; every 3x3 convolution has batch-norm in place of a bias. What differs is `up`:

    "transposed"    2x2 transposed convolution, stride 2                          31,037,633 parameters for 3 -> 1
    "bilinear-1x1"  bilinear enlargement, 1x1 convolution
    "bilinear-3x3"  bilinear enlargement, 3x3 convolution
    "bilinear"      bilinear enlargement alone; the convolutions below and        17,262,977 for 3 -> 1
                    behind it halve the channels in its place

A transposed convolution gives each of the four pixels of a 2x2 square its own filter, and nothing makes neighbours
agree: trained on depth it leaves stripes of period 2, 4, 8 and 16. An enlargement cannot.

Sources: Anastasija42/PSIML (2019), the network of a study of depth on NYU ("transposed"); milesial/Pytorch-UNet (2017),
which has both "transposed" and "bilinear", and fits pictures of any size (``any_size=True``).
"""

from __future__ import annotations

import numpy as np

from minidepth import ops
from minidepth.engine import Tensor
from minidepth.models.check import check_at_least_one, check_choice, check_picture
from minidepth.models.unet import DoubleConv, halve_channels_double_size
from minidepth.nn import Conv2d, MaxPool2d, Module, ModuleList, ReLU, Sequential, Upsample
from minidepth.nn.init import Rng

UPS = ("transposed", "bilinear-1x1", "bilinear-3x3", "bilinear")


class ScratchUNet(Module):
    """(N, in_channels, H, W) -> (N, out_channels, H, W), without an activation at the end.

    Args:
        in_channels, out_channels: 3 and 1 turn a colour picture into depth.
        base_channels: channels of the first level; every level down doubles them.
        depth: how often height and width are halved; they must be multiples of ``2**depth``.
        up: the way up, see above.
        any_size: take any height and width of at least ``2**depth``: max-pooling drops an odd last row or column, and
            on the way up a frame of zeros makes up for it.
        init: recipe of the first weights, see nn/init.py.
        rng: the generator, or seed, that they are drawn from.
    """

    def __init__(
        self,
        in_channels: int = 3,
        out_channels: int = 1,
        base_channels: int = 64,
        depth: int = 4,
        up: str = "transposed",
        any_size: bool = False,
        init: str = "pytorch",
        rng: Rng = None,
    ) -> None:
        who, numbers = "ScratchUNet", {"in_channels": in_channels, "out_channels": out_channels}
        check_at_least_one(who, **numbers, base_channels=base_channels, depth=depth)
        check_choice(who, "up", up, UPS)
        rng = np.random.default_rng(rng)

        def double_conv(n_in: int, n_middle: int, n_out: int) -> DoubleConv:
            return DoubleConv(n_in, n_out, ReLU(), padding=1, norm="batch", init=init, rng=rng, middle=n_middle)

        widths = [base_channels * 2**level for level in range(depth + 1)]
        # What each level hands up. With an enlargement that keeps the channels, it has to be half of them already.
        given = [n // 2 for n in widths] if up == "bilinear" else widths
        self.in_channels, self.out_channels, self.depth = in_channels, out_channels, depth
        self.any_size, self.multiple = any_size, 1 if any_size else 2**depth
        self.down = ModuleList(double_conv(n_in, n, n) for n_in, n in zip([in_channels, *widths], widths[:-1]))
        self.pool = MaxPool2d(2)
        self.bottom = double_conv(widths[-2], given[-1], given[-1])
        self.up = ModuleList(double_size(2 * n, up, init, rng) for n in reversed(widths[:-1]))
        self.merge = ModuleList(
            double_conv(2 * widths[level], widths[level], given[level] if level else base_channels)
            for level in reversed(range(depth))
        )
        self.head = Conv2d(base_channels, out_channels, 1, init=init, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        check_picture("ScratchUNet", x, self.in_channels, self.multiple, at_least=2**self.depth)
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
            x = self.pool(x)
        x = self.bottom(x)
        for up, merge in zip(self.up, self.merge):
            skip = skips.pop()
            x = merge(ops.cat([skip, framed(up(x), skip)], dim=1))
        return self.head(x)


def double_size(channels: int, up: str, init: str, rng: Rng) -> Module:
    """The way up, (N, channels, H, W) -> (N, channels / 2, 2 H, 2 W); "bilinear" gets, and keeps, half the channels."""
    if up == "bilinear":
        return Upsample(scale_factor=2, mode="bilinear", align_corners=True)
    if up == "bilinear-3x3":
        return Sequential(
            Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            Conv2d(channels, channels // 2, 3, padding=1, init=init, rng=rng),
        )
    return halve_channels_double_size(channels, up.removesuffix("-1x1"), init, rng)


def framed(x: Tensor, skip: Tensor) -> Tensor:
    """`x` with zeros around it, up to the size of `skip`; the odd one on the right and at the bottom."""
    extra_rows, extra_columns = (a - b for a, b in zip(skip.shape[2:], x.shape[2:]))
    if not (extra_rows or extra_columns):
        return x
    top, left = extra_rows // 2, extra_columns // 2
    return ops.pad(x, (left, extra_columns - left, top, extra_rows - top))

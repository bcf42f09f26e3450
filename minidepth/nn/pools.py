"""Layers that put the numbers of a window together: their largest, or their mean."""

from __future__ import annotations

from minidepth import ops
from minidepth.engine import Tensor
from minidepth.nn.module import Module
from minidepth.nn.settings import Pair, pair, settings


class MaxPool2d(Module):
    """The largest number in each window; the stride is the window's size unless given."""

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        dilation: Pair = 1,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = pair(kernel_size)
        self.stride = self.kernel_size if stride is None else pair(stride)
        self.padding, self.dilation, self.ceil_mode = pair(padding), pair(dilation), ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        return ops.max_pool2d(x, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode)

    def extra_repr(self) -> str:
        return settings(self)


class AvgPool2d(Module):
    """The mean of each window; the stride is the window's size unless given."""

    def __init__(
        self,
        kernel_size: Pair,
        stride: Pair | None = None,
        padding: Pair = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self.kernel_size = pair(kernel_size)
        self.stride = self.kernel_size if stride is None else pair(stride)
        self.padding, self.ceil_mode, self.count_include_pad = pair(padding), ceil_mode, count_include_pad

    def forward(self, x: Tensor) -> Tensor:
        return ops.avg_pool2d(x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        return settings(self)


class AdaptiveAvgPool2d(Module):
    """The mean of each of `output_size` parts of the picture, which may differ by a pixel; 1 is the mean of all."""

    def __init__(self, output_size: Pair) -> None:
        self.output_size = pair(output_size)

    def forward(self, x: Tensor) -> Tensor:
        return ops.adaptive_avg_pool2d(x, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"

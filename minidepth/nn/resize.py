"""Layers that make a picture larger: by enlarging it, by pixels from other channels, by a frame around it."""

from __future__ import annotations

from minidepth import ops
from minidepth.engine import Tensor
from minidepth.nn.module import Module
from minidepth.nn.settings import Pair, pair, settings
from minidepth.ops.pad import same_padding


class Upsample(Module):
    """Enlarge to `size`, or by `scale_factor`; ``mode`` is ``"nearest"`` or ``"bilinear"``."""

    def __init__(
        self,
        size: Pair | None = None,
        scale_factor: float | tuple[float, float] | None = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
    ) -> None:
        self.size, self.scale_factor, self.mode, self.align_corners = size, scale_factor, mode, align_corners

    def forward(self, x: Tensor) -> Tensor:
        return ops.interpolate(x, self.size, self.scale_factor, self.mode, self.align_corners)

    def extra_repr(self) -> str:
        return settings(self)


class ZeroPad2d(Module):
    """A frame of zeros: as wide as `padding` on all sides, or (left, right, top, bottom)."""

    def __init__(self, padding: int | tuple[int, int, int, int]) -> None:
        self.padding = (padding,) * 4 if isinstance(padding, int) else padding

    def forward(self, x: Tensor) -> Tensor:
        return ops.pad(x, self.padding)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class SamePad2d(Module):
    """The frame of Keras's ``padding="same"``, for a layer behind it that has no padding of its own.

    H becomes what `kernel_size` and `stride` need for ceil(H / stride) results, see `same_padding`; W likewise. Before
    a max-pooling `value` must be -inf, which never wins:

    >>> Sequential(SamePad2d(3, 2), Conv2d(3, 32, 3, stride=2))
    >>> Sequential(SamePad2d(3, 2, value=-np.inf), MaxPool2d(3, stride=2))
    """

    def __init__(self, kernel_size: Pair, stride: Pair = 1, value: float = 0.0) -> None:
        self.kernel_size, self.stride, self.value = pair(kernel_size), pair(stride), value

    def forward(self, x: Tensor) -> Tensor:
        top, bottom = same_padding(x.shape[-2], self.kernel_size[0], self.stride[0])
        left, right = same_padding(x.shape[-1], self.kernel_size[1], self.stride[1])
        return ops.pad(x, (left, right, top, bottom), value=self.value)

    def extra_repr(self) -> str:
        return settings(self) + (f", value={self.value}" if self.value else "")


class PixelShuffle(Module):
    """(N, C r^2, H, W) -> (N, C, H r, W r): every pixel becomes a block of r x r, filled from r^2 channels."""

    def __init__(self, upscale_factor: int) -> None:
        self.upscale_factor = upscale_factor

    def forward(self, x: Tensor) -> Tensor:
        return ops.pixel_shuffle(x, self.upscale_factor)

    def extra_repr(self) -> str:
        return f"upscale_factor={self.upscale_factor}"


class UnpoolZeros(Module):
    """(N, C, H, W) -> (N, C, H s, W s): every pixel becomes the corner at the top left of a block of zeros."""

    def __init__(self, stride: Pair = 2) -> None:
        self.stride = pair(stride)

    def forward(self, x: Tensor) -> Tensor:
        return ops.unpool_zeros(x, self.stride)

    def extra_repr(self) -> str:
        return settings(self)

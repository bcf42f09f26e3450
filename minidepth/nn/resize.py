"""Layers that make a picture larger: by enlarging it, or by a frame around it."""

from __future__ import annotations

from minidepth import ops
from minidepth.engine import Tensor
from minidepth.nn.module import Module
from minidepth.nn.settings import Pair, settings


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

"""Which way computes a convolution on a GPU."""

from __future__ import annotations

from types import ModuleType

from minidepth.ops.conv_sizes import Pair
from minidepth.ops.gpu import depthwise, implicit_gemm, pointwise


def choose(weight_shape: tuple[int, ...], stride: Pair, padding: Pair, groups: int) -> ModuleType:
    """The module that convolves with weight (O, C/groups, I, J); `implicit_gemm` always can."""
    if weight_shape[:2] == (groups, 1) and groups > 1:
        return depthwise
    if weight_shape[2:] == (1, 1) and stride == (1, 1) and padding == (0, 0) and groups == 1:
        return pointwise
    return implicit_gemm

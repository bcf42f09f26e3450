"""Which way computes a convolution on a GPU."""

from __future__ import annotations

from types import ModuleType

from minidepth.backend import Array
from minidepth.ops.conv_sizes import Pair
from minidepth.ops.gpu import depthwise, implicit_gemm, implicit_gemm_tensor, pointwise

SOME_CHANNELS = 8
"""The tensor cores take 8 channels of a tap at a time. With fewer than this, float32 is as quick without them."""


def choose(x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, groups: int) -> ModuleType:
    """The module that convolves with weight (O, C/groups, I, J); `x`, or dL/dy, says by its dtype how exactly.

    ==================  ==========================  ==========================  =========================
                        float16                     float32, as TF32            float32, float64
    ==================  ==========================  ==========================  =========================
    one channel each    depthwise                   depthwise                   depthwise
    few channels        implicit_gemm_tensor        as float32                  implicit_gemm
    1x1                 implicit_gemm_tensor        implicit_gemm_tensor        pointwise
    others              implicit_gemm_tensor        implicit_gemm_tensor        implicit_gemm
    ==================  ==========================  ==========================  =========================
    """
    if weight_shape[:2] == (groups, 1) and groups > 1:
        return depthwise
    if x.dtype == "float16":
        return implicit_gemm_tensor
    if implicit_gemm.tf32 and x.dtype == "float32" and weight_shape[1] >= SOME_CHANNELS:
        return implicit_gemm_tensor
    if weight_shape[2:] == (1, 1) and stride == (1, 1) and padding == (0, 0) and groups == 1:
        return pointwise
    return implicit_gemm

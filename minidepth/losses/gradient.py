"""Gradient losses: depth should change where the true depth changes, and by as much.

With e = prediction - target, (gx, gy) = Sobel filter of e (not divided by 8, so 8 times the slope per pixel), and n the
pixels whose 3x3 neighbours are all valid:

    gradient:readme   1/n  sum |gx| + |gy|                         README of github.com/Anastasija42/PSIML
    gradient:code     1/2n sum |gx| + |gy|                         its program: one mean over both maps, weight 10
    gradient:hu       1/n  sum ln(|gx| + 1/2) + ln(|gy| + 1/2)     Hu et al. (2019), Revisiting Single Image Depth
                                                                   Estimation
The filter is linear, so the difference of two gradients is the gradient of the difference. These three pad with zeros,
as the published programs do: along the border the filter then sees the error itself, as a step of four times its size.

    gradient          the formula of gradient:readme without the border pixels. Recommended.

Why this one: its value says something (8 times the mean error of the slope), it is convex and 0 for a perfect fit, and
one object's edge that is a pixel off does not drown out the rest, as it would if squared. gradient:code is half of it,
so only a matter of weight. gradient:hu is negative for a good fit (its least value is 2 ln 1/2 = -1.386) and pulls
hardest on the smallest errors, which large errors at the start of a training do not need.
"""

from __future__ import annotations

from minidepth import ops
from minidepth.backend import Array
from minidepth.engine import Tensor
from minidepth.losses import fused
from minidepth.losses.fused import on_gpu
from minidepth.losses.masked import Border, erode, masked_error, masked_mean, sobel_edges


@on_gpu(fused.slopes, name="gradient", kind="ABSOLUTE", border="valid")
def gradient(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Mean of |gx| + |gy| of the error, border pixels left out.

    Args:
        prediction: (N, 1, H, W), at least 3x3.
        target: (N, 1, H, W); what stands at invalid pixels (0, nan, inf) is never looked at.
        valid: bool (N, 1, H, W).
    """
    edges, inner = _error_edges("gradient", prediction, target, valid, border="valid")
    return masked_mean(ops.abs(edges), inner)


@on_gpu(fused.slopes, name="gradient:readme", kind="ABSOLUTE", border="zeros")
def gradient_readme(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Mean of |gx| + |gy| of the error, zero padding. Arguments as for `gradient`."""
    edges, inner = _error_edges("gradient:readme", prediction, target, valid, border="zeros")
    return masked_mean(ops.abs(edges), inner)


@on_gpu(fused.slopes, name="gradient:code", kind="ABSOLUTE", border="zeros", factor=0.5)
def gradient_code(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Mean of |gx| and |gy| of the error together, zero padding. Arguments as for `gradient`."""
    edges, inner = _error_edges("gradient:code", prediction, target, valid, border="zeros")
    return 0.5 * masked_mean(ops.abs(edges), inner)


@on_gpu(fused.slopes, name="gradient:hu", kind="LOGARITHM", border="zeros")
def gradient_hu(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Mean of ln(|gx| + 1/2) + ln(|gy| + 1/2) of the error, zero padding. Arguments as for `gradient`."""
    edges, inner = _error_edges("gradient:hu", prediction, target, valid, border="zeros")
    return masked_mean(ops.log(ops.abs(edges) + 0.5), inner)


def _error_edges(name: str, prediction: Tensor, target: Array, valid: Array, border: Border) -> tuple[Tensor, Array]:
    """The Sobel filter of the error (N, 2, H', W') and the mask of the pixels where it counts (N, 1, H', W')."""
    error = masked_error(name, prediction, target, valid)
    return sobel_edges(name, error, border), erode(valid, border)

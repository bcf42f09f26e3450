"""BerHu, the reverse Huber loss: an absolute value for small errors, a square for large ones.

With e = prediction - target over the n valid pixels of the batch, and c = 1/5 of the largest |e| among them:

    berhu = 1/n sum B(e)        B(e) = |e|                   where |e| <= c       dB/de = sign(e)
                                       (e^2 + c^2) / 2c      where |e| > c        dB/de = e / c

Value and slope are continuous at c. Small errors keep the steady pull of l1, large ones get the stronger pull of mse.
c counts as a constant: no gradient flows through it to the pixel with the largest error. A perfect fit, where c is 0,
costs 0.

Source: Zwald and Lambert-Lacroix (2012); c as in Laina et al. (2016), Deeper Depth Prediction with Fully Convolutional
Residual Networks, where it is taken over all pixels of the batch; here, over the valid ones.
"""

from __future__ import annotations

import numpy as np

from minidepth.backend import Array, xp
from minidepth.engine import Tensor
from minidepth.losses import fused
from minidepth.losses.fused import on_gpu
from minidepth.losses.masked import masked_error, masked_mean
from minidepth.ops.cpu.elementwise import elementwise

LINEAR_SHARE = 0.2
"""c as a share of the largest error."""


@on_gpu(fused.pixel, name="berhu", kind="BERHU")
def berhu(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Mean of B(e) over the valid pixels, in m for depth in metres.

    Args:
        prediction: (N, 1, H, W).
        target: (N, 1, H, W); what stands at invalid pixels (0, nan, inf) is never looked at.
        valid: bool (N, 1, H, W).
    """
    return masked_mean(_reverse_huber(masked_error("berhu", prediction, target, valid)), valid)


def _reverse_huber(error: Tensor) -> Tensor:
    """B of each error, with c from all of them."""
    e, lib = error.data, xp(error.data)
    size = elementwise(np.abs, e)
    c = LINEAR_SHARE * size.max(initial=0)
    divisor = lib.where(c > 0, c, 1).astype(e.dtype)
    value = lib.where(size <= c, size, (size * size / divisor + c) / 2)

    def pullback(grad: Array) -> tuple[Array]:
        slope = lib.where(size <= c, lib.sign(e), e / divisor)
        slope *= grad
        return (slope,)

    return Tensor.from_op("berhu", value, (error,), pullback)

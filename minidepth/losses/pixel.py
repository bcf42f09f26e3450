"""Losses that compare depth pixel by pixel. With e = prediction - target and n valid pixels in the whole batch:

    mse = 1/n sum e^2       d/de = 2 e / n
    l1  = 1/n sum |e|       d/de = sign(e) / n, and 0 at e = 0

Both are 0 with a zero gradient where no pixel is valid. The mean is over the batch, not per picture, so a picture with
few known pixels weighs little (as in Ma and Karaman, Sparse-to-Dense, 2018).
"""

from __future__ import annotations

from minidepth import ops
from minidepth.backend import Array
from minidepth.engine import Tensor
from minidepth.losses.masked import masked_error, masked_mean


def mse(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Mean squared error over the valid pixels, in m^2 for depth in metres.

    Args:
        prediction: (N, 1, H, W).
        target: (N, 1, H, W); what stands at invalid pixels (0, nan, inf) is never looked at.
        valid: bool (N, 1, H, W).
    """
    error = masked_error("mse", prediction, target, valid)
    return masked_mean(error * error, valid)


def l1(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Mean absolute error over the valid pixels, in m for depth in metres. Arguments as for `mse`."""
    error = masked_error("l1", prediction, target, valid)
    return masked_mean(ops.abs(error), valid)

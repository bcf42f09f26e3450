"""Losses that compare two maps pixel by pixel. With e = prediction - target and n valid pixels in the whole batch:

    mse     1/n sum e^2                   d/de = 2 e / n
    l1      1/n sum |e|                   d/de = sign(e) / n, and 0 at e = 0
    rmse    sqrt(1/n sum e^2 + 1e-6)      d/de = e / (n rmse)
    l1:hu   1/n sum ln(|e| + 1/2)         d/de = sign(e) / (n (|e| + 1/2))

The 1e-6 stands inside the root, whose slope is infinite at 0: a perfect fit then costs 1e-3 and has the gradient 0.
l1:hu is the depth term of Hu et al. (2019), Revisiting Single Image Depth Estimation: large errors count less, and a
perfect fit costs ln 1/2, so the whole loss of that paper goes down to 3 ln 1/2 = -2.079.
rmse:logits is for masks: the prediction goes through a sigmoid first.

All are 0 with a zero gradient where no pixel is valid. The mean is over the batch, not per picture, so a picture with
few known pixels weighs little (as in Ma and Karaman, Sparse-to-Dense, 2018).
"""

from __future__ import annotations

from minidepth import ops
from minidepth.backend import Array
from minidepth.engine import Tensor
from minidepth.losses import fused
from minidepth.losses.fused import on_gpu
from minidepth.losses.masked import check_maps, masked_error, masked_mean, one_if_any, squash

ROOT_EPS = 1e-6
"""What is added inside the root of rmse, in the unit of the target squared."""


@on_gpu(fused.pixel, name="mse", kind="SQUARE")
def mse(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Mean squared error over the valid pixels, in m^2 for depth in metres.

    Args:
        prediction: (N, 1, H, W).
        target: (N, 1, H, W); what stands at invalid pixels (0, nan, inf) is never looked at.
        valid: bool (N, 1, H, W).
    """
    error = masked_error("mse", prediction, target, valid)
    return masked_mean(error * error, valid)


@on_gpu(fused.pixel, name="l1", kind="ABSOLUTE")
def l1(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Mean absolute error over the valid pixels, in m for depth in metres. Arguments as for `mse`."""
    error = masked_error("l1", prediction, target, valid)
    return masked_mean(ops.abs(error), valid)


@on_gpu(fused.pixel, name="l1:hu", kind="LOGARITHM")
def l1_hu(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Mean of ln(|e| + 1/2) over the valid pixels; negative for a good fit. Arguments as for `mse`."""
    error = masked_error("l1:hu", prediction, target, valid)
    return masked_mean(ops.log(ops.abs(error) + 0.5), valid)


@on_gpu(fused.pixel, name="rmse", kind="SQUARE", inside=ROOT_EPS)
def rmse(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Root of the mean squared error over the valid pixels, at least 1e-3. Arguments as for `mse`."""
    return _rmse("rmse", prediction, target, valid)


@on_gpu(fused.pixel, name="rmse:logits", kind="SQUARE_OF_LOGITS", inside=ROOT_EPS)
def rmse_logits(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """`rmse` of sigmoid(prediction), for a mask: prediction logits, target 0 to 1. Arguments as for `mse`."""
    return _rmse("rmse:logits", squash(prediction, valid), target, valid)


def _rmse(name: str, prediction: Tensor, target: Array, valid: Array) -> Tensor:
    check_maps(name, prediction, target, valid)
    return ops.sqrt(mse(prediction, target, valid) + ROOT_EPS) * one_if_any(valid, prediction.dtype)

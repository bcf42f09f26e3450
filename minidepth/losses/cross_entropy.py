"""Softmax cross-entropy: which of K classes each pixel belongs to.

With z the K logits of a pixel, y its class, and n the valid pixels of the batch:

    cross_entropy        1/n sum -z_y + ln sum_k exp(z_k)         d/dz_k = (softmax(z)_k - [k = y]) / n
    cross_entropy:unet   1/n sum w (-z_y + ln sum_k exp(z_k))     w as in the first U-Net: `unet_weights`

The largest logit is subtracted first, so no exponential overflows. For backward, one array of the logits' size is kept.

Source of the weights: Ronneberger, Fischer and Brox, U-Net (2015).
"""

from __future__ import annotations

import numpy as np

from minidepth.backend import Array
from minidepth.engine import Tensor
from minidepth.losses import fused
from minidepth.losses.fused import on_gpu
from minidepth.losses.masked import check_labels, where_valid
from minidepth.losses.unet_weights import unet_weights
from minidepth.ops.softmax import log_softmax_forward


def cross_entropy(prediction: Tensor, target: Array, valid: Array, weights: Array | None = None) -> Tensor:
    """Mean cross-entropy of logits over the valid pixels.

    Args:
        prediction: (N, K, H, W), logits of K classes.
        target: whole numbers (N, 1, H, W) from 0 to K - 1; what stands at invalid pixels is never looked at.
        valid: bool (N, 1, H, W).
        weights: (N, 1, H, W), how much each pixel counts; the sum is divided by n all the same. None is 1 for all.

    A label that no class has is an error; on a GPU, where nobody looks at labels before they are used, the loss is NaN.
    """
    return _cross_entropy(prediction, target, valid, weights, "cross_entropy")


@on_gpu(fused.classes_unet)
def cross_entropy_unet(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Mean cross-entropy with the weights of the first U-Net, made from the labels of the batch.

    Classes weigh as much as each other, and the narrow gaps between two objects up to 10 more. An object is a connected
    part of all pixels that are not of class 0. Arguments as for `cross_entropy`; for objects that touch, make the
    weights of their numbers with `unet_weights` and hand them to `cross_entropy`.
    """
    labels = _labels("cross_entropy:unet", prediction, target, valid)
    return _cross_entropy(prediction, labels, valid, unet_weights(labels, valid), "cross_entropy:unet")


@on_gpu(fused.classes)
def _cross_entropy(prediction: Tensor, target: Array, valid: Array, weights: Array | None, name: str) -> Tensor:
    labels = _labels(name, prediction, target, valid, weights)
    logits = where_valid(prediction, valid)
    dtype = logits.dtype
    log_p = log_softmax_forward(logits.data, 1)
    share = (valid / max(int(valid.sum()), 1)).astype(dtype)  # (N, 1, H, W): weight / n
    if weights is not None:
        share *= np.where(valid, weights, 0).astype(dtype)
    value = -(np.take_along_axis(log_p, labels, axis=1) * share).sum()

    def pullback(grad: Array) -> tuple[Array]:
        grad_logits = np.exp(log_p)
        grad_logits *= share * grad
        at_label = np.take_along_axis(grad_logits, labels, axis=1) - share * grad
        np.put_along_axis(grad_logits, labels, at_label, axis=1)
        return (grad_logits,)

    return Tensor.from_op("cross_entropy", value.astype(dtype), (logits,), pullback)


def _labels(name: str, prediction: Tensor, target: Array, valid: Array, weights: Array | None = None) -> Array:
    """The labels, 0 where not valid, after sizes, kinds and values are checked."""
    check_labels(name, prediction, target, valid, weights)
    classes = prediction.shape[1]
    labels = np.where(valid, target, 0).astype(np.intp)
    low, high = int(labels.min(initial=0)), int(labels.max(initial=0))
    if low < 0 or high >= classes:
        raise ValueError(
            f"{name}: labels go from {low} to {high}, but the prediction has {classes} classes, 0 to {classes - 1}; "
            f"mark what has no class as not valid"
        )
    return labels

"""Binary cross-entropy for masks: each pixel belongs to the thing (target 1) or not (0), or partly (between).

Over the n valid pixels of the batch, with z the logit, p = sigmoid(z) and t the target:

    bce                 1/n sum max(z, 0) - z t + ln(1 + exp(-|z|))        d/dz = (p - t) / n
    bce:probabilities   1/n sum -t ln p - (1 - t) ln(1 - p)                p is given, and held inside 1e-7 .. 1 - 1e-7

Both are the same number, -t ln p - (1 - t) ln(1 - p), but the first form overflows for no z and keeps its gradient
where p is 0 or 1 in floating point; the second has none there (Keras holds p inside the same bounds).
"""

from __future__ import annotations

import numpy as np

from minidepth import ops
from minidepth.backend import Array, xp
from minidepth.engine import Tensor
from minidepth.losses import fused
from minidepth.losses.fused import on_gpu
from minidepth.losses.masked import masked_mean, masked_target, where_valid
from minidepth.ops.activations import sigmoid_forward
from minidepth.ops.cpu.elementwise import elementwise

PROBABILITY_EPS = 1e-7


@on_gpu(fused.pixel, name="bce", kind="LOGITS")
def bce(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Mean binary cross-entropy of logits.

    Args:
        prediction: (N, 1, H, W), logits: any number, positive for "belongs to the thing".
        target: (N, 1, H, W) from 0 to 1; what stands at invalid pixels is never looked at.
        valid: bool (N, 1, H, W).
    """
    t = masked_target("bce", prediction, target, valid).data
    logits = where_valid(prediction, valid)
    z = logits.data

    def pullback(grad: Array) -> tuple[Array]:
        difference = sigmoid_forward(z)
        elementwise(np.subtract, difference, t, out=difference)
        return (elementwise(np.multiply, difference, grad, out=difference),)

    return masked_mean(Tensor.from_op("bce", elementwise(_cross_entropy, z, t), (logits,), pullback), valid)


@on_gpu(fused.pixel, name="bce:probabilities", kind="PROBABILITIES")
def bce_probabilities(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Mean binary cross-entropy of probabilities, such as a sigmoid gives. Arguments else as for `bce`."""
    t = masked_target("bce:probabilities", prediction, target, valid)
    p = ops.clip(where_valid(prediction, valid), PROBABILITY_EPS, 1 - PROBABILITY_EPS)
    return masked_mean(-(t * ops.log(p) + (1 - t) * ops.log(1 - p)), valid)


def _cross_entropy(z: Array, t: Array, out: Array) -> None:
    lib = xp(z)
    lib.abs(z, out=out)
    lib.negative(out, out=out)
    lib.exp(out, out=out)
    lib.log1p(out, out=out)
    out += lib.maximum(z, 0)
    out -= z * t

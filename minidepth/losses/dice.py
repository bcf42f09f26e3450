"""Dice loss for masks: how little prediction and target overlap, whatever the size of the thing.

With p the prediction from 0 to 1, t the target, I = sum p t and D = sum p + sum t over the valid pixels of the batch:

    dice                 1 - (2 I + 1) / (D + 1)             p = sigmoid(prediction). Recommended.
    dice:probabilities   the same for a prediction that is p already
    dice:milesial        1 - (2 I + 1e-6) / (D + 1e-6)       p = sigmoid(prediction); github.com/milesial/Pytorch-UNet

    d/dp = -(2 t (D + s) - (2 I + s)) / (D + s)^2            with s = 1 or 1e-6

s keeps the quotient defined: where there is nothing and nothing is predicted it is 1, and the loss 0. With s = 1 and a
thing of many pixels it changes little. Networks give masks as logits here; dice of what went through a sigmoid already
squashes it twice, and no error can tell.

Sources: Milletari, Navab and Ahmadi, V-Net (2016); Sudre et al., Generalised Dice Overlap (2017).
"""

from __future__ import annotations

from minidepth.backend import Array
from minidepth.engine import Tensor
from minidepth.losses import fused
from minidepth.losses.fused import on_gpu
from minidepth.losses.masked import masked_target, squash, where_valid


@on_gpu(fused.overlap, name="dice", smooth=1)
def dice(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """1 - Dice overlap of sigmoid(prediction) and target, over the whole batch.

    Args:
        prediction: (N, 1, H, W), logits.
        target: (N, 1, H, W) from 0 to 1; what stands at invalid pixels is never looked at.
        valid: bool (N, 1, H, W).
    """
    return _dice("dice", squash(prediction, valid), target, valid, smooth=1)


@on_gpu(fused.overlap, name="dice:probabilities", smooth=1, logits=False)
def dice_probabilities(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """1 - Dice overlap of prediction and target, both from 0 to 1. Arguments else as for `dice`."""
    return _dice("dice:probabilities", prediction, target, valid, smooth=1)


@on_gpu(fused.overlap, name="dice:milesial", smooth=1e-6)
def dice_milesial(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """`dice` with the small constant of Pytorch-UNet. Arguments as for `dice`."""
    return _dice("dice:milesial", squash(prediction, valid), target, valid, smooth=1e-6)


def _dice(name: str, p: Tensor, target: Array, valid: Array, smooth: float) -> Tensor:
    t = masked_target(name, p, target, valid)
    p = where_valid(p, valid)
    return 1 - (2 * (p * t).sum() + smooth) / (p.sum() + t.sum() + smooth)

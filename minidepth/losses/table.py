"""All losses by name, and what published systems write with them."""

from __future__ import annotations

from collections.abc import Callable

from minidepth.engine import Tensor
from minidepth.losses.bce import bce, bce_probabilities
from minidepth.losses.berhu import berhu
from minidepth.losses.cross_entropy import cross_entropy, cross_entropy_unet
from minidepth.losses.dice import dice, dice_milesial, dice_probabilities
from minidepth.losses.edges import edges, smoothness, smoothness_keras
from minidepth.losses.gradient import gradient, gradient_code, gradient_hu, gradient_readme
from minidepth.losses.normal import normal, normal_code, normal_hu, normal_readme
from minidepth.losses.pixel import l1, l1_hu, mse, rmse, rmse_logits
from minidepth.losses.silog import silog_bts, silog_eigen
from minidepth.losses.ssim import ssim, ssim_000b, ssim_002, ssim_004, ssim_densedepth, ssim_logits

LOSSES: dict[str, Callable[..., Tensor]] = {
    "mse": mse,
    "l1": l1,
    "l1:hu": l1_hu,
    "rmse": rmse,
    "rmse:logits": rmse_logits,
    "berhu": berhu,
    "silog:eigen": silog_eigen,
    "silog:bts": silog_bts,
    "gradient": gradient,
    "gradient:readme": gradient_readme,
    "gradient:code": gradient_code,
    "gradient:hu": gradient_hu,
    "normal": normal,
    "normal:readme": normal_readme,
    "normal:code": normal_code,
    "normal:hu": normal_hu,
    "edges": edges,
    "smoothness": smoothness,
    "smoothness:keras": smoothness_keras,
    "ssim": ssim,
    "ssim:logits": ssim_logits,
    "ssim:densedepth": ssim_densedepth,
    "ssim:002": ssim_002,
    "ssim:000b": ssim_000b,
    "ssim:004": ssim_004,
    "bce": bce,
    "bce:probabilities": bce_probabilities,
    "dice": dice,
    "dice:probabilities": dice_probabilities,
    "dice:milesial": dice_milesial,
    "cross_entropy": cross_entropy,
    "cross_entropy:unet": cross_entropy_unet,
}
"""Name -> ``loss(prediction, target, valid)``. The function of ``a:b`` is called ``a_b``."""

NEEDS_IMAGE = ("smoothness",)
"""These take the picture as a fourth argument, (N, channels, H, W)."""

PUBLISHED: dict[str, str] = {
    "p0": "cross_entropy:unet",
    "000-a": "cross_entropy",
    "000-b": "0.85*ssim:000b+0.1*l1+0.9*smoothness:keras",
    "001": "l1",
    "002-a": "ssim:002+3*edges+0.1*l1",
    "002-b": "ssim:002+edges+0.1*l1",
    "003-a": "mse",
    "003-b": "mse+10*gradient:code+normal:code",
    "003-b readme": "mse+gradient:readme+normal:readme",
    "003-e": "berhu+10*gradient:code+normal:code",
    "004": "mask.bce+2*depth.rmse",
    "004 ssim rmse": "mask.ssim:logits+2*depth.rmse",
    "004 bce ssim": "mask.bce+2*depth.ssim",
    "004 rmse ssim": "mask.rmse:logits+2*depth.ssim",
    "004 ssim dice": "mask.ssim:logits+2*depth.dice:probabilities",
    "004 rmse dice": "mask.rmse:logits+2*depth.dice:probabilities",
    "004 rmse bce dice": "2*mask.rmse:logits+depth.bce:probabilities+2*depth.dice:probabilities",
    "densedepth": "ssim:densedepth+edges+0.1*l1",
    "fcrn": "berhu",
    "hu": "l1:hu+gradient:hu+normal:hu",
}
"""System -> its loss as text. The seven of 004 are the combinations that its authors tried, the first one chosen: masks
come as logits and depth as probabilities, each is squashed once (the program squashed some twice and some not at all),
and SSIM has L = 1 (theirs was 255, `ssim:004`)."""

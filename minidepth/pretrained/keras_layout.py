"""What Keras calls the arrays of its layers and how it lays them out, and what this package (and torch) makes of that.

kernel            (kh, kw, in, out)    weight  (out, in, kh, kw)
                  (kh, kw, out, in)            (in, out, kh, kw)      of Conv2DTranspose: nothing is flipped
kernel of Dense   (in, out)            weight  (out, in)
depthwise_kernel  (kh, kw, C, m)       weight  (C m, 1, kh, kw)       Keras 3 calls it kernel too
gamma, beta                            weight, bias
moving_mean, moving_variance           running_mean, running_var
"""

from __future__ import annotations

import numpy as np

NAMES = {
    "kernel": "weight",
    "depthwise_kernel": "weight",
    "pointwise_kernel": "pointwise_weight",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}

CONV = ["kernel", "bias"]
SEPARABLE = ["depthwise_kernel", "pointwise_kernel", "bias"]
NORM = ["gamma", "beta", "moving_mean", "moving_variance"]
VARIABLES = {
    ("batch_normalization", 4): NORM,
    ("batch_normalization", 3): NORM[1:],  # without gamma, as ResNet-34's bn_data
    **{("separable_conv2d", count): SEPARABLE[:count] for count in (2, 3)},
    **{
        (kind, count): CONV[:count]
        for kind in ("conv2d", "conv2d_transpose", "depthwise_conv2d", "dense")
        for count in (1, 2)
    },
}
"""(kind of layer, how many arrays it has) -> what they are, in Keras' order."""


def our_name(layer: str, variable: str) -> str:
    """``conv0``, ``kernel`` -> ``conv0.weight``; what is not known keeps its name."""
    return f"{layer}.{NAMES.get(variable, variable)}"


def turned(variable: str, array: np.ndarray, depthwise: bool) -> np.ndarray:
    """An array in our layout."""
    if array.ndim == 4 and (depthwise or variable == "depthwise_kernel"):
        kh, kw, channels, multiplier = array.shape
        return array.transpose(2, 3, 0, 1).reshape(channels * multiplier, 1, kh, kw)
    if array.ndim == 4:
        return array.transpose(3, 2, 0, 1)
    return array.T if array.ndim == 2 else array

"""Batch-norm and the ReLU6 behind it as one operation, as MobileNet has the two behind each of its convolutions.

    y = weight x^ + bias, with x^ as in `batch_norm.py`          z = min(max(y, 0), 6)

    dL/dy = g where 0 < y < 6, else 0          with g = dL/dz; from there as in `batch_norm.py`

Why one operation, and how backward does without z, is said in `batch_norm_leaky_relu.py`. In evaluation it is one
multiplication, one addition and one clip of numbers that stay in the cache meanwhile.
Sources: Krizhevsky, "Convolutional deep belief networks on CIFAR-10" (2010), for ReLU6; Howard et al., "MobileNets"
(2017).
"""

from __future__ import annotations

from minidepth.backend import Array
from minidepth.engine import Tensor
from minidepth.ops.batch_norm import normalise_and_activate
from minidepth.ops.cpu.activation import Activation


def batch_norm_relu6(
    x: Tensor,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """``relu6(batch_norm(x, ...))`` of x (N, C, ...); the arguments are those of `batch_norm`."""
    args = x, running_mean, running_var, weight, bias, training, momentum, eps
    return normalise_and_activate("batch_norm_relu6", *args, Activation(0, ceiling=6))

"""Batch-norm and the leaky ReLU behind it as one operation: the same numbers with half the traffic to main memory.

    y = weight x^ + bias, with x^ as in `batch_norm.py`          z = y where y > 0, else slope y

One after the other, the two operations read x, write y, read y and write z, and keep both x and z for the way back.
In one, a few channels at a time stay in the cache from x to z, y is never written, and x alone is kept. For the
gradients, with g = dL/dz:

    dL/dy = g where y > 0, else slope g

and from there as in `batch_norm.py`. Which side of 0 y was on can be told from x^, which backward computes anyway:

    y > 0   where   x^ > -bias / weight   (weight > 0),   x^ < -bias / weight   (weight < 0),   bias > 0   (weight 0)

Cost: x read and z written once; in backward x and dL/dz read and dL/dx written once. The kernels are those of
`batch_norm.py`.
Source: the idea of computing an activation's gradient anew is Rota Bulò, Porzi and Kontschieder, "In-place activated
BatchNorm for memory-optimized training of DNNs" (2018); they keep z, which needs slopes and weights that are not 0.
"""

from __future__ import annotations

from minidepth.backend import Array
from minidepth.engine import Tensor
from minidepth.ops.batch_norm import normalise_and_activate
from minidepth.ops.cpu.activation import Activation


def batch_norm_leaky_relu(
    x: Tensor,
    running_mean: Array | None,
    running_var: Array | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    negative_slope: float = 0.01,
) -> Tensor:
    """``leaky_relu(batch_norm(x, ...), negative_slope)``; ``negative_slope=0`` is the plain ReLU.

    Args:
        x: (N, C, ...).
        running_mean, running_var, weight, bias, training, momentum, eps: as for `batch_norm`.
        negative_slope: from 0 to 1.
    """
    op = "batch_norm_leaky_relu"
    if not 0 <= negative_slope <= 1:
        raise ValueError(f"{op}: negative_slope is {negative_slope}; it must lie between 0 and 1")
    args = x, running_mean, running_var, weight, bias, training, momentum, eps
    return normalise_and_activate(op, *args, Activation(negative_slope))

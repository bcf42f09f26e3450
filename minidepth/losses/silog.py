"""Scale-invariant logarithmic losses: the relations of depths matter, the scale of the whole room matters less.

With d = ln p - ln t, its mean m and variance v over the n valid pixels of the batch with t > 0:

    silog:eigen   1/n sum d^2 - 1/2 m^2                        =  v + 1/2 m^2
    silog:bts     10 sqrt(1/n sum d^2 - 0.85 m^2)              =  10 sqrt(v + 0.15 m^2 + 1e-6)

A prediction that is wrong by the same factor everywhere has v = 0. They are computed in the form on the right, where no
two large numbers are subtracted. The 1e-6 inside the root, whose slope is infinite at 0, makes a perfect fit cost 0.01.

A prediction below 1 mm counts as 1 mm and has no gradient, so a network should end in something positive. Depth must be
in metres, or on another scale that is above 0.

Sources: Eigen, Puhrsch and Fergus, Depth Map Prediction from a Single Image (2014), with 1/2; Lee et al., From Big to
Small (2019), with 0.85 and the factor 10.
"""

from __future__ import annotations

from minidepth import ops
from minidepth.backend import Array, xp
from minidepth.engine import Tensor
from minidepth.losses import fused
from minidepth.losses.fused import on_gpu
from minidepth.losses.masked import masked_mean, masked_target, one_if_any, where_valid

LEAST_DEPTH = 1e-3
ROOT_EPS = 1e-6


@on_gpu(fused.log_ratio, name="silog:eigen", least=LEAST_DEPTH, share=0.5)
def silog_eigen(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """Variance of ln p - ln t plus half of its squared mean.

    Args:
        prediction: (N, 1, H, W), depth.
        target: (N, 1, H, W); what stands at invalid pixels (0, nan, inf) is never looked at.
        valid: bool (N, 1, H, W); where the target is 0 a pixel does not count either.
    """
    variance, mean, _ = _log_ratio("silog:eigen", prediction, target, valid)
    return variance + 0.5 * mean * mean


@on_gpu(fused.log_ratio, name="silog:bts", least=LEAST_DEPTH, share=0.15, factor=10.0, inside=ROOT_EPS)
def silog_bts(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """10 sqrt(variance of ln p - ln t plus 0.15 of its squared mean). Arguments as for `silog_eigen`."""
    variance, mean, any_known = _log_ratio("silog:bts", prediction, target, valid)
    return 10 * ops.sqrt(variance + 0.15 * mean * mean + ROOT_EPS) * any_known


def _log_ratio(name: str, prediction: Tensor, target: Array, valid: Array) -> tuple[Tensor, Tensor, Tensor]:
    """Variance and mean of ln p - ln t, and 1 if a pixel counts, else 0."""
    t = masked_target(name, prediction, target, valid).data
    known = valid & ~(t <= 0)  # a nan in the target is to be seen
    log_t = Tensor(xp(t).log(xp(t).where(known, t, 1)))
    d = where_valid(ops.log(ops.clip(where_valid(prediction, known), min=LEAST_DEPTH)) - log_t, known)
    mean = masked_mean(d, known)
    off_mean = where_valid(d - mean, known)
    return masked_mean(off_mean * off_mean, known), mean, one_if_any(known, d.dtype)

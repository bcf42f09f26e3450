"""Normal losses: a surface should face the way the true surface faces. All are 1 - cos of an angle, from 0 to 2.

With p and t = (gx, gy) the Sobel filter (not divided by 8) of prediction and target, and n the pixels whose 3x3
neighbours are all valid:

    normal:hu       1/n sum 1 - cos((-p, 1), (-t, 1))     3-vectors: the normals of the surface z(column, row)
                                                          Hu et al. (2019), Revisiting Single Image Depth Estimation
    normal:readme   1/n sum 1 - cos(p, t)                 2-vectors: where the slope points, not how steep it is
                                                          README of github.com/Anastasija42/PSIML
    normal:code     mean of 1 - cos(P, T)                 over pictures, x and y; P, T the whole gx (or gy) image as
                                                          one vector; its program, and that of MonoDepth-FPN

These three pad with zeros as the published programs do, so along the border they see the depth itself as a step.

    normal          the formula of normal:hu without the border pixels. Recommended.

Why this one: a 3-vector with a 1 in it is never shorter than 1, so nothing is undefined, and the gradient for each
slope stays below 1/n. A 2-vector of length 0 points nowhere: on a wall that faces the camera normal:readme has no
answer, and close to one its gradient grows like 1/|p|. Where the target is flat (shorter than FLAT) the pixel, or
image, is left out of the mean; where only the prediction is flat, its cosine counts as 0 and has no gradient.

    cos(p, t) = p.t / (|p| |t|)         d cos / dp = (t/|t| - cos p/|p|) / |p|
"""

from __future__ import annotations

from minidepth import ops
from minidepth.backend import Array, xp
from minidepth.engine import Tensor
from minidepth.losses import fused
from minidepth.losses.fused import on_gpu
from minidepth.losses.masked import Border, erode, masked_mean, masked_target, sobel_edges, where_valid

FLAT = 1e-6  # 8 x metres per pixel: what rounding leaves of the slope of a flat wall in float32


@on_gpu(fused.slopes, name="normal", kind="NORMAL", border="valid")
def normal(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """1 - cosine between the surface normals (-gx, -gy, 1), border pixels left out.

    Args:
        prediction: (N, 1, H, W), at least 3x3.
        target: (N, 1, H, W); what stands at invalid pixels (0, nan, inf) is never looked at.
        valid: bool (N, 1, H, W).
    """
    return _normal_3d(*_edges("normal", prediction, target, valid, border="valid"))


@on_gpu(fused.slopes, name="normal:hu", kind="NORMAL", border="zeros")
def normal_hu(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """1 - cosine between the surface normals (-gx, -gy, 1), zero padding. Arguments as for `normal`."""
    return _normal_3d(*_edges("normal:hu", prediction, target, valid, border="zeros"))


@on_gpu(fused.slopes, name="normal:readme", kind="DIRECTION", border="zeros", flat=FLAT)
def normal_readme(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """1 - cosine between the 2-vectors (gx, gy) of each pixel, zero padding. Arguments as for `normal`."""
    p, t, inner = _edges("normal:readme", prediction, target, valid, border="zeros")
    cosine, defined = _cosine(p, t, dim=(1,))  # -> (N, 1, H, W)
    return masked_mean(1 - cosine, inner & defined)


@on_gpu(fused.images, name="normal:code", flat=FLAT)
def normal_code(prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """1 - cosine between whole gradient images, zero padding. Arguments as for `normal`."""
    p, t, inner = _edges("normal:code", prediction, target, valid, border="zeros")
    cosine, defined = _cosine(where_valid(p, inner), where_valid(t, inner), dim=(2, 3))  # -> (N, 2, 1, 1)
    return masked_mean(1 - cosine, defined)


def _edges(name: str, prediction: Tensor, target: Array, valid: Array, border: Border) -> tuple[Tensor, Tensor, Array]:
    """The Sobel filters of both (N, 2, H', W') and the mask of the pixels where they count (N, 1, H', W')."""
    known = masked_target(name, prediction, target, valid)
    p = sobel_edges(name, where_valid(prediction, valid), border)
    return p, sobel_edges(name, known, border), erode(valid, border)


def _normal_3d(p: Tensor, t: Tensor, inner: Array) -> Tensor:
    """Mean of 1 - cos((-p, 1), (-t, 1)); the published |1 - cos| is the same, as no cosine is above 1."""
    dot = (p * t).sum(dim=1, keepdim=True) + 1
    lengths = ops.sqrt((p * p).sum(dim=1, keepdim=True) + 1) * ops.sqrt((t * t).sum(dim=1, keepdim=True) + 1)
    return masked_mean(1 - dot / lengths, inner)


def _cosine(p: Tensor, t: Tensor, dim: tuple[int, ...]) -> tuple[Tensor, Array]:
    """The cosine between p and t as vectors along `dim`, 0 where p is flat, and where it is defined (t is not flat)."""
    p_squared, t_squared = (p * p).sum(dim=dim, keepdim=True), (t * t).sum(dim=dim, keepdim=True)
    p_flat, t_flat = p_squared.data < FLAT**2, t_squared.data < FLAT**2
    # The root of 0 has an infinite slope, and 0 * inf is nan: take the root of 1 there, and drop the result.
    lengths = ops.sqrt(p_squared + _ones_at(p_flat, p)) * ops.sqrt(t_squared + _ones_at(t_flat, t))
    return where_valid((p * t).sum(dim=dim, keepdim=True) / lengths, ~(p_flat | t_flat)), ~t_flat


def _ones_at(mask: Array, like: Tensor) -> Tensor:
    return Tensor(xp(mask).asarray(mask, dtype=like.dtype))

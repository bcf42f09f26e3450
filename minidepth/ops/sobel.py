"""Sobel differences of an image: how fast it changes to the side (gx) and downwards (gy).

         | 1 0 -1 |        | 1  2  1 |
    Kx = | 2 0 -2 |   Ky = | 0  0  0 |     y = cross-correlation of each channel with Kx and Ky, not divided by 8
         | 1 0 -1 |        |-1 -2 -1 |

So gx is left minus right and gy above minus below. Both are separable, a difference along one axis smoothed by
(1, 2, 1) along the other, which is the sum of neighbours, twice; and are computed so.

The map is linear, so its gradient is the adjoint: the cross-correlation of dL/dy, in a frame of two zeros, with the
kernels turned by 180 degrees. Turned, both kernels are minus themselves, so the same two functions serve backward.

Zero padding sees the border as an edge as high as the depth itself; "replicate" and "valid" do not.

Source: Sobel and Feldman (1968); signs and zero padding as in Hu et al., "Revisiting single image depth estimation"
(2019).
"""

from __future__ import annotations

import numpy as np

from minidepth.backend import Array, cuda, empty, kernel
from minidepth.cuda import flat, launch
from minidepth.engine import Tensor
from minidepth.ops.cpu import pool
from minidepth.ops.pad import pad

_PAD_MODE = {"zeros": "constant", "replicate": "replicate"}


def sobel(x: Tensor, padding: str = "zeros") -> Tensor:
    """(N, C, H, W) -> (N, 2C, H, W), or (N, 2C, H-2, W-2) for "valid": C channels of gx, then C channels of gy.

    Args:
        x: images, float.
        padding: "zeros", "replicate" (the nearest pixel), or "valid" (only where all nine pixels exist).
    """
    if padding not in ("zeros", "replicate", "valid"):
        raise ValueError(f"sobel: padding {padding!r} is unknown; use zeros, replicate or valid")
    if x.ndim != 4:
        raise ValueError(f"sobel: x must be (N, C, H, W), but has shape {x.shape}")
    if padding == "valid" and min(x.shape[2:]) < 3:
        raise ValueError(f"sobel: padding 'valid' needs H and W of at least 3 (x {x.shape}); use zeros or replicate")
    if padding != "valid":
        x = pad(x, (1, 1, 1, 1), mode=_PAD_MODE[padding])

    def pullback(grad: Array) -> tuple[Array]:
        return (grad_x(grad),)

    return Tensor.from_op("sobel", forward(x.data), (x,), pullback)


@kernel
def forward(x: Array) -> Array:  # (N, C, H+2, W+2) -> (N, 2C, H, W)
    n, channels, height, width = x.shape
    y = pool.empty((n, 2 * channels, height - 2, width - 2), x.dtype)
    _side(x, y[:, :channels])
    _down(x, y[:, channels:])
    return y


@kernel
def grad_x(grad: Array) -> Array:  # (N, 2C, H, W) -> (N, C, H+2, W+2)
    n, channels, height, width = grad.shape[0], grad.shape[1] // 2, *grad.shape[2:]
    framed = pool.zeros((n, 2 * channels, height + 4, width + 4), grad.dtype)
    np.negative(grad, out=framed[:, :, 2:-2, 2:-2])
    result = pool.empty((n, channels, height + 2, width + 2), grad.dtype)
    down = pool.empty(result.shape, grad.dtype)
    _side(framed[:, :channels], result)
    _down(framed[:, channels:], down)
    result += down
    return result


@cuda(forward, half=True)
def forward_cuda(x: Array) -> Array:
    n, channels, height, width = (*x.shape[:2], x.shape[2] - 2, x.shape[3] - 2)
    y = empty((n, 2 * channels, height, width), x)
    launch("sobel_forward", flat(y.size // 2), x, y, channels, height, width, y.size // 2)
    return y


@cuda(grad_x, half=True)
def grad_x_cuda(grad: Array) -> Array:
    n, channels, height, width = (grad.shape[0], grad.shape[1] // 2, *grad.shape[2:])
    result = empty((n, channels, height + 2, width + 2), grad)
    launch("sobel_grad_x", flat(result.size), grad, result, channels, height, width, result.size)
    return result


def _side(x: Array, y: Array) -> None:
    """y = cross-correlation of x (..., H+2, W+2) with Kx; differences first, as they lose nothing to rounding."""
    steps = x[..., :-2] - x[..., 2:]
    steps = steps[..., :-1, :] + steps[..., 1:, :]
    np.add(steps[..., :-1, :], steps[..., 1:, :], out=y)


def _down(x: Array, y: Array) -> None:
    """y = cross-correlation of x (..., H+2, W+2) with Ky."""
    steps = x[..., :-2, :] - x[..., 2:, :]
    steps = steps[..., :-1] + steps[..., 1:]
    np.add(steps[..., :-1], steps[..., 1:], out=y)

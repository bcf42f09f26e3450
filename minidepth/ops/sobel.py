"""Sobel differences of an image: how fast it changes to the side (gx) and downwards (gy).

         | 1 0 -1 |        | 1  2  1 |
    Kx = | 2 0 -2 |   Ky = | 0  0  0 |     y = cross-correlation of each channel with Kx and Ky, not divided by 8
         | 1 0 -1 |        |-1 -2 -1 |

So gx is left minus right and gy above minus below. Both are separable, a difference along one axis smoothed by
(1, 2, 1) along the other, and are computed so. The map is linear; its gradient is the adjoint: the two steps in turned
order, each one spreading what it gathered.

Zero padding sees the border as an edge as high as the depth itself; "replicate" and "valid" do not.

Source: Sobel and Feldman (1968); signs and zero padding as in Hu et al., "Revisiting single image depth estimation"
(2019).
"""

from __future__ import annotations

import numpy as np

from minidepth.backend import Array, kernel
from minidepth.engine import Tensor
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
    side = x[..., :-2] - x[..., 2:]  # (N, C, H+2, W)
    down = x[..., :-2, :] - x[..., 2:, :]  # (N, C, H, W+2)
    gx = side[..., :-2, :] + 2 * side[..., 1:-1, :] + side[..., 2:, :]
    gy = down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
    return np.concatenate([gx, gy], axis=1)


@kernel
def grad_x(grad: Array) -> Array:  # (N, 2C, H, W) -> (N, C, H+2, W+2)
    N, C, H, W = grad.shape[0], grad.shape[1] // 2, *grad.shape[2:]
    gx, gy = grad[:, :C], grad[:, C:]
    side = np.zeros_like(grad, shape=(N, C, H + 2, W))
    down = np.zeros_like(grad, shape=(N, C, H, W + 2))
    for shift, weight in enumerate((1, 2, 1)):
        side[..., shift : shift + H, :] += weight * gx
        down[..., shift : shift + W] += weight * gy
    y = np.zeros_like(grad, shape=(N, C, H + 2, W + 2))
    y[..., :-2] += side
    y[..., 2:] -= side
    y[..., :-2, :] += down
    y[..., 2:, :] -= down
    return y

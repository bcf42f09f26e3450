"""What all losses share: leaving out the pixels whose depth is not known.

Multiplying by the mask is not enough, because 0 * nan is nan. `where_valid` puts a zero in place of a value that does
not count, and lets no gradient back to it; everything computed after that sees finite numbers only.

    y = where(valid, x, 0)          dL/dx = where(valid, dL/dy, 0)

A Sobel value is valid where all the pixels it looks at are: the mask is eroded by one pixel. What lies outside the
picture is a decision (`Border`): a filter that pads with zeros sees an edge there that is not in the room.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from minidepth import ops
from minidepth.backend import Array, xp
from minidepth.engine import Tensor, as_tensor
from minidepth.ops.cpu.elementwise import elementwise

Border = Literal["zeros", "valid"]
"""``zeros``: the outside counts, as zeros (what the published programs do). ``valid``: border pixels are left out."""


def where_valid(x: Tensor, valid: Array) -> Tensor:
    """x where `valid`, else exactly zero, whatever stood there; `valid` is bool and broadcasts against x."""
    return Tensor.from_op("where_valid", keep_valid(x.data, valid), (x,), lambda grad: (keep_valid(grad, valid),))


def keep_valid(x: Array, valid: Array) -> Array:
    """``where(valid, x, 0)`` in a third of the time: the bits of x, read as a whole number, times 1 or 0."""
    return elementwise(np.multiply, x.view(f"i{x.itemsize}"), valid).view(x.dtype)


def masked_mean(x: Tensor, valid: Array) -> Tensor:
    """The sum of x over `valid`, divided by how many places are valid; 0 if none is.

    A mask (N, 1, H, W) over x (N, C, H, W) counts pixels: the C values of a pixel are added, not averaged.
    """
    return where_valid(x, valid).sum() / as_tensor(count(valid, x.dtype))


def count(valid: Array, dtype: np.dtype) -> Array:
    """How many places are valid, at least 1. It stays an array: reading the number back would stall a GPU."""
    return xp(valid).maximum(valid.sum(), 1).astype(dtype)


def squash(prediction: Tensor, valid: Array) -> Tensor:
    """sigmoid(prediction): logits to 0..1; 1/2 where not valid, whatever stood there, and no gradient back from it."""
    return ops.sigmoid(where_valid(prediction, valid) if prediction.shape == valid.shape else prediction)


def one_if_any(valid: Array, dtype: np.dtype) -> Tensor:
    """1, or 0 where no pixel is valid: for losses that are not 0 by themselves then."""
    return Tensor(valid.any().astype(dtype))


def masked_error(name: str, prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """prediction - target where valid, else 0: (N, 1, H, W), in the unit and dtype of the prediction."""
    known = masked_target(name, prediction, target, valid)
    return where_valid(prediction, valid) - known


def masked_target(name: str, prediction: Tensor, target: Array, valid: Array) -> Tensor:
    """The target as a constant Tensor of the prediction's dtype, 0 where not valid, after the sizes are checked."""
    check_maps(name, prediction, target, valid)
    return Tensor(keep_valid(target, valid).astype(prediction.dtype, copy=False))


def check_maps(name: str, prediction: Tensor, target: Array, valid: Array) -> None:
    """That all three are (N, 1, H, W), and `valid` is bool."""
    shapes = f"(prediction {prediction.shape}, target {target.shape}, valid {valid.shape})"
    if prediction.ndim != 4 or prediction.shape[1] != 1:
        raise ValueError(f"{name}: the prediction must have the shape (N, 1, H, W) {shapes}")
    if not prediction.shape == target.shape == valid.shape:
        raise ValueError(f"{name}: prediction, target and valid must have the same shape {shapes}")
    if valid.dtype != bool:
        raise ValueError(f"{name}: valid has dtype {valid.dtype}; it must be bool, for instance target > 0")


def check_labels(name: str, prediction: Tensor, target: Array, valid: Array, weights: Array | None = None) -> None:
    """That there are logits (N, K, H, W), and whole numbers, bools and weights (if any) of (N, 1, H, W)."""
    shapes = f"(prediction {prediction.shape}, target {target.shape}, valid {valid.shape})"
    if prediction.ndim != 4:
        raise ValueError(f"{name}: the prediction must have the shape (N, K, H, W) {shapes}")
    n, _, height, width = prediction.shape
    if target.shape != (n, 1, height, width) or valid.shape != target.shape:
        raise ValueError(f"{name}: target and valid must have the shape (N, 1, H, W) {shapes}")
    if target.dtype.kind not in "iu":
        raise ValueError(f"{name}: the target has dtype {target.dtype}; labels are whole numbers from 0 to K - 1")
    if valid.dtype != bool:
        raise ValueError(f"{name}: valid has dtype {valid.dtype}; it must be bool")
    if weights is not None and weights.shape != target.shape:
        raise ValueError(f"{name}: weights have shape {weights.shape}, but labels {target.shape}; they must be equal")


def sobel_edges(name: str, x: Tensor, border: Border) -> Tensor:
    """The Sobel filter of x (N, 1, H, W), gx then gy: (N, 2, H, W), or (N, 2, H-2, W-2) for border "valid"."""
    check_size(name, x)
    return ops.sobel(x, padding=border)


def check_size(name: str, x: Tensor) -> None:
    """That x is large enough for the Sobel filter."""
    if min(x.shape[2:]) < 3:
        raise ValueError(f"{name}: the picture is {x.shape[2]}x{x.shape[3]}, smaller than the 3x3 of the Sobel filter")


def erode(valid: Array, border: Border) -> Array:
    """True where all 3x3 pixels around are valid: the mask that belongs to `sobel_edges` of the same border."""
    lib = xp(valid)
    if border == "zeros":  # the zeros outside are what the published programs take for depth
        valid = lib.pad(valid, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=True)
    rows = valid[:, :, :-2] & valid[:, :, 1:-1] & valid[:, :, 2:]
    return rows[..., :-2] & rows[..., 1:-1] & rows[..., 2:]

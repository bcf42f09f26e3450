"""What is left to do with a tile of results while it is in the cache: add the bias, cut off what is too large."""

from __future__ import annotations

from minidepth.backend import Array
from minidepth.ops.conv_sizes import Limits as Limits


def finish(y: Array, bias: Array | None, limits: Limits | None) -> None:
    """y (..., O, rows, S) = y + bias (O,), cut to `limits`, in place; None leaves it out."""
    if bias is not None:
        y += bias[:, None, None]
    if limits is not None:
        y.clip(*limits, out=y)

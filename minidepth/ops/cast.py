"""Cast: the same numbers in another floating-point type.

    y = x rounded to the type of y          dL/dx = dL/dy rounded to the type of x

float16 is for a GPU, where layers hand each other half as many bytes and tensor cores multiply twice as fast. It has 11
bits of precision and ends at 65504: beyond that y is infinite, which a loss scaler counts on, and below 6e-8 it is 0.
Cost: one read and one write per number; nothing is computed, and the array's own `astype` is as quick as any kernel.
Source: Micikevicius et al., "Mixed precision training" (2018), on what may be float16 and what stays float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minidepth.backend import Array, is_on_gpu
from minidepth.engine import Tensor


def cast(x: Tensor, dtype: Any) -> Tensor:
    """`x` in `dtype`: float32 or float64, on a GPU float16, too. x itself where that is its type already."""
    new, old = np.dtype(dtype), x.dtype
    if new not in (np.float16, np.float32, np.float64):
        raise TypeError(f"cast: dtype {new} is none that a tensor holds; use float32, float64, or float16 on a GPU")
    if new == np.float16 and not is_on_gpu(x.data):
        raise TypeError("cast: float16 is for a GPU, but x is on the CPU; move it with backend.to_device(x, 'cuda')")
    if new == old:
        return x

    def pullback(grad: Array) -> tuple[Array]:
        return (grad.astype(old),)

    return Tensor.from_op("cast", x.data.astype(new), (x,), pullback)

"""Which way to compute a convolution: the rule, and the list of ways.

Every way is a module with the three functions of `ops/conv2d.py`, under the same names and with the same arguments:
``forward``, ``grad_x`` and ``grad_weight``. The rule looks at shapes only, so that a layer always takes the same way
and a run gives the same bits again. ``minidepth bench conv`` prints the table that justifies it.
"""

from __future__ import annotations

from types import ModuleType

from minidepth.ops.cpu import row_gemm

Pair = tuple[int, int]


def choose(
    x_shape: tuple[int, ...], weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> ModuleType | None:
    """The module that convolves x (N, C, H, W) with weight (O, C/groups, I, J) fastest; None for the plain kernel."""
    plain_step = stride == (1, 1) and dilation == (1, 1) and groups == 1
    if plain_step and padding[0] < weight_shape[2] and padding[1] < weight_shape[3]:
        return row_gemm
    return None

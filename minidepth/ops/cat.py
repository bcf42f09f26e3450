"""Concatenation: tensors side by side along one dimension, as the skip connections of a U-Net need it.

    y = [x_1 | x_2 | ...]          dL/dx_k = the part of dL/dy that x_k filled

Cost: one copy forward. Backward hands out views of dL/dy, which stays in memory as long as one of them does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from minidepth.backend import Array, cuda, empty, kernel, xp
from minidepth.cuda import aligned, flat, launch
from minidepth.engine import Tensor
from minidepth.ops.cpu import pool
from minidepth.ops.cpu.elementwise import elementwise


def cat(tensors: Sequence[Tensor], dim: int = 0) -> Tensor:
    """The tensors one after the other along `dim`; all other sizes must be equal.

    >>> cat([x, y], dim=1)              # doctest: +SKIP
    (N, C1, H, W), (N, C2, H, W) -> (N, C1 + C2, H, W)
    """
    tensors = tuple(tensors)
    axis = _check(tensors, dim)
    wanted = tuple(tensor.requires_grad for tensor in tensors)
    dtypes = tuple(tensor.dtype for tensor in tensors)
    ends = tuple(int(end) for end in np.cumsum([tensor.shape[axis] for tensor in tensors]))

    def pullback(grad: Array) -> tuple[Array | None, ...]:
        parts = np.split(grad, ends[:-1], axis=axis)
        return tuple(part.astype(t, copy=False) if want else None for part, t, want in zip(parts, dtypes, wanted))

    first, *others = [tensor.data for tensor in tensors]
    return Tensor.from_op("cat", forward(first, others, axis), tensors, pullback)


@kernel
def forward(first: Array, others: list[Array], axis: int) -> Array:
    """Each array copied to its place in y, on all cores."""
    arrays = [first, *others]
    ends = np.cumsum([array.shape[axis] for array in arrays])
    shape = (*first.shape[:axis], int(ends[-1]), *first.shape[axis + 1 :])
    y = pool.empty(shape, np.result_type(*arrays))
    for array, place in zip(arrays, np.split(y, ends[:-1], axis=axis)):
        elementwise(np.positive, array, out=place)
    return y


@cuda(forward, half=True)
def forward_cuda(first: Array, others: list[Array], axis: int) -> Array:
    lib, arrays = xp(first), [first, *others]
    shape = (*first.shape[:axis], sum(array.shape[axis] for array in arrays), *first.shape[axis + 1 :])
    y = empty(shape, first, lib.result_type(*arrays))
    arrays = [lib.ascontiguousarray(array, dtype=y.dtype) for array in arrays]
    begin, y_slice, x_slices = 0, math.prod(shape[axis:]), [math.prod(array.shape[axis:]) for array in arrays]
    step, target = 1, y
    if y.dtype == np.float16 and not any(size % 2 for size in x_slices) and aligned(y, *arrays):
        step, target, *arrays = 2, *(array.reshape(-1).view(np.float32) for array in (y, *arrays))  # two at a time
    for array, x_slice in zip(arrays, x_slices):
        sizes = (x_slice // step, y_slice // step, begin // step, array.size)
        launch("cat_forward", flat(array.size, each=4), array, target, *sizes)
        begin += x_slice
    return y


def _check(tensors: tuple[Tensor, ...], dim: int) -> int:
    """`dim` counted from the front, for tensors that fit together."""
    shapes = ", ".join(str(tensor.shape) for tensor in tensors)
    if not tensors:
        raise ValueError("cat: the list of tensors is empty; give at least one")
    ndim = tensors[0].ndim
    if not -ndim <= dim < ndim:
        raise ValueError(f"cat: dim {dim} is out of range for tensors of shapes {shapes}")
    axis = dim % ndim
    rests = {tensor.shape[:axis] + tensor.shape[axis + 1 :] for tensor in tensors}
    if len(rests) > 1 or any(tensor.ndim != ndim for tensor in tensors):
        raise ValueError(f"cat: shapes {shapes} differ in more than dim {dim}; crop or pad them to equal sizes")
    return axis

"""2-D convolution (cross-correlation, as in every deep-learning library: the kernel is not flipped).

    y[n, o, r, c] = bias[o] + sum over k, i, j of  weight[o, k, i, j] * x[n, k, r s + i d - p, c s + j d - p]

with stride s, dilation d, zero padding p; x outside the picture counts as 0. For the gradients, with g = dL/dy:

    dL/dbias[o]          = sum over n, r, c of  g[n, o, r, c]
    dL/dweight[o,k,i,j]  = sum over n, r, c of  g[n, o, r, c] * x[n, k, r s + i d - p, c s + j d - p]
    dL/dx[n, k, u, v]    = sum over o, i, j and the r, c with (r s + i d - p, c s + j d - p) = (u, v)
                           of  g[n, o, r, c] * weight[o, k, i, j]

`im2col` lays every patch of x that the kernel meets into a column, so that a convolution becomes one matrix product,
and so do its gradients; `col2im`, its adjoint, adds the columns back to where they came from. Shapes in the comments:

    N pictures, C input and O output channels, G groups, H x W input, R x S output, I x J kernel,
    K = C/G * I * J numbers in a patch

Cost: N O R S K multiply-adds, and im2col takes I*J times the memory of x. The plain kernels here, three lines each, say
what is computed. What runs is one of the faster ways in `ops/cpu/` or `ops/gpu/`, picked by the rule in the `paths.py`
there; the plain kernels are their oracle.
Source: Chellapilla, Puri and Simard, "High performance convolutional neural networks for document processing" (2006).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minidepth.backend import Array, contiguous, cuda, empty, kernel
from minidepth.cuda import Grid, launch
from minidepth.engine import Tensor
from minidepth.ops.conv_sizes import Limits, check, dtype_of_sums, output_size
from minidepth.ops.conv_sizes import Pair as Pair
from minidepth.ops.conv_sizes import pair as pair
from minidepth.ops.cpu.elementwise import elementwise
from minidepth.ops.cpu.paths import LIMITING, choose
from minidepth.ops.cpu.threads import run_slices
from minidepth.ops.gpu.paths import choose as choose_on_gpu
from minidepth.ops.gpu.sum_parts import sum_parts
from minidepth.ops.im2col import col2im, im2col

SUM_ELEMENTS = 1 << 19
"""Numbers that a thread adds up for the bias at a time: some 200 us, beside which handing out the work is little."""
SUM_ON_GPU = 1 << 14
"""And that a block of 256 threads adds up on a GPU."""


def conv2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
) -> Tensor:
    """Convolve x (N, C, H, W) with weight (O, C/groups, I, J) and add bias (O,); the result is (N, O, R, S).

    R = (H + 2 padding - dilation (I - 1) - 1) // stride + 1, and S likewise from W and J.
    """
    stride, padding = pair("conv2d", "stride", stride), pair("conv2d", "padding", padding, 0)
    dilation = pair("conv2d", "dilation", dilation)
    check("conv2d", x, weight, bias, groups)
    if x.shape[1] != weight.shape[1] * groups:
        expected = weight.shape[1] * groups
        shapes = f"x {x.shape}, weight {weight.shape}, groups {groups}"
        raise ValueError(f"conv2d: x has {x.shape[1]} channels, but weight expects {expected} ({shapes})")
    output_size("conv2d", x.shape, weight.shape, stride, padding, dilation)
    weight_data, x_shape, weight_shape = weight.data, x.shape, weight.shape
    settings, bias_data = (stride, padding, dilation, groups), None if bias is None else bias.data
    need_x, need_weight, need_bias = (parent is not None and parent.requires_grad for parent in (x, weight, bias))
    if need_x and need_weight:
        y, transformed = forward_and_keep(x.data, weight_data, bias_data, *settings)
    else:
        y, transformed = forward(x.data, weight_data, bias_data, *settings), None
    x_kept = x.data if need_weight and transformed is None else None  # x is needed for dL/dweight alone

    def pullback(grad: Array) -> tuple[Array | None, ...]:
        grad, for_x, for_weight = contiguous(grad), None, None
        if need_x and need_weight:
            for_x, for_weight = backward(grad, x_kept, transformed, weight_data, x_shape, *settings)
        elif need_x:
            for_x = grad_x(grad, weight_data, x_shape, *settings)
        elif need_weight:
            for_weight = grad_weight(grad, x_kept, weight_shape, *settings)
        return for_x, for_weight, grad_bias(grad) if need_bias else None

    return Tensor.from_op("conv2d", y, (x, weight, bias), pullback, new_grads=True)


@kernel
def forward(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    limits: Limits | None = None,
) -> Array:
    """weight times patches, plus bias; cut to `limits` where there are any, as in inference.py."""
    path = choose(x.shape, weight.shape, stride, padding, dilation, groups)
    if limits is None:
        return path.forward(x, weight, bias, stride, padding, dilation, groups)
    if path in LIMITING:
        return path.forward(x, weight, bias, stride, padding, dilation, groups, limits)
    y = path.forward(x, weight, bias, stride, padding, dilation, groups)
    return elementwise(lambda y, out: np.clip(y, *limits, out=out), y, out=y)


@kernel
def forward_and_keep(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> tuple[Array, Array | None]:
    """`forward`, and x as transformed for it where `backward` can use that in place of x; None where not."""
    path = choose(x.shape, weight.shape, stride, padding, dilation, groups)
    if hasattr(path, "forward_and_keep"):
        both: tuple[Array, Array | None] = path.forward_and_keep(x, weight, bias, stride, padding, dilation, groups)
        return both
    return path.forward(x, weight, bias, stride, padding, dilation, groups), None


@kernel
def grad_x(
    grad: Array,
    weight: Array,
    x_shape: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    bias: Array | None = None,
) -> Array:
    """The adjoint of the convolution in x: every output hands its gradient to all inputs it looked at.

    The bias (C,) is for `conv_transpose2d`, whose forward this is.
    """
    path = choose(x_shape, weight.shape, stride, padding, dilation, groups)
    return path.grad_x(grad, weight, x_shape, stride, padding, dilation, groups, bias)


@kernel
def grad_weight(
    grad: Array, x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """The adjoint of the convolution in the weight: gradient times patches, summed over pictures and positions."""
    path = choose(x.shape, weight_shape, stride, padding, dilation, groups)
    return path.grad_weight(grad, x, weight_shape, stride, padding, dilation, groups)


@kernel
def grad_bias(grad: Array) -> Array:
    """The adjoint in the bias: the sum over pictures and positions, pairwise along a picture, which rounds little."""
    n, out, rows, columns = grad.shape
    pixels = grad.reshape(n, out, rows * columns)
    sums = np.empty((n, out), grad.dtype)

    def channels(some: slice) -> None:
        np.sum(pixels[:, some], axis=2, out=sums[:, some])

    run_slices(channels, out, max(1, SUM_ELEMENTS // max(1, n * rows * columns)), products=False)
    return sums.sum(axis=0)


@kernel
def backward(
    grad: Array,
    x: Array | None,
    transformed: Array | None,
    weight: Array,
    x_shape: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> tuple[Array, Array]:
    """`grad_x` and `grad_weight` together, as some ways share a part of the work; from x or what was kept of it."""
    settings = stride, padding, dilation, groups
    path = choose(x_shape, weight.shape, *settings)
    if hasattr(path, "backward"):
        kept = {} if transformed is None else {"transformed": transformed}
        both: tuple[Array, Array] = path.backward(grad, x, weight, *settings, **kept)
        return both
    return grad_x(grad, weight, x_shape, *settings), grad_weight(grad, x, weight.shape, *settings)


def plain_forward(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """One matrix product for each picture and group."""
    rows, columns = output_size("conv2d", x.shape, weight.shape, stride, padding, dilation)
    patches = im2col(x, weight.shape, stride, padding, dilation, groups)  # (N, G, K, R*S)
    kernels = weight.reshape(groups, weight.shape[0] // groups, -1)  # (G, O/G, K)
    y = (kernels @ patches).reshape(len(x), weight.shape[0], rows, columns)
    return y if bias is None else np.add(y, bias[:, None, None], out=y)


def plain_grad_x(
    grad: Array, weight: Array, x_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """What each patch is to receive, added up where patches overlap."""
    kernels = weight.reshape(groups, weight.shape[0] // groups, -1)  # (G, O/G, K)
    grads = grad.reshape(len(grad), groups, weight.shape[0] // groups, -1)  # (N, G, O/G, R*S)
    patches = kernels.swapaxes(1, 2) @ grads  # (N, G, K, R*S)
    return col2im(patches, x_shape, weight.shape, stride, padding, dilation)


def plain_grad_weight(
    grad: Array, x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    """Gradient times patches, one matrix product for each picture and group."""
    patches = im2col(x, weight_shape, stride, padding, dilation, groups)  # (N, G, K, R*S)
    grads = grad.reshape(len(grad), groups, weight_shape[0] // groups, -1)  # (N, G, O/G, R*S)
    return (grads @ patches.swapaxes(2, 3)).sum(axis=0).reshape(weight_shape)


@cuda(forward, half=True)
def forward_cuda(
    x: Array,
    weight: Array,
    bias: Array | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    limits: Limits | None = None,
) -> Array:
    path = choose_on_gpu(x, weight.shape, stride, padding, groups)
    return path.forward(x, weight, bias, stride, padding, dilation, groups, limits)


@cuda(forward_and_keep, half=True)
def forward_and_keep_cuda(
    x: Array, weight: Array, bias: Array | None, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> tuple[Array, None]:
    return forward_cuda(x, weight, bias, stride, padding, dilation, groups), None


@cuda(grad_x, half=True)
def grad_x_cuda(
    grad: Array,
    weight: Array,
    x_shape: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    bias: Array | None = None,
) -> Array:
    path = choose_on_gpu(grad, weight.shape, stride, padding, groups)
    return path.grad_x(grad, weight, x_shape, stride, padding, dilation, groups, bias)


@cuda(grad_weight, half=True)
def grad_weight_cuda(
    grad: Array, x: Array, weight_shape: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> Array:
    path = choose_on_gpu(grad, weight_shape, stride, padding, groups)
    return path.grad_weight(grad, x, weight_shape, stride, padding, dilation, groups)


@cuda(grad_bias, half=True)
def grad_bias_cuda(grad: Array) -> Array:
    n, outputs, rows, columns = grad.shape
    parts = max(1, rows * columns // SUM_ON_GPU)
    sums = empty((n * parts, outputs), grad, dtype_of_sums(grad))
    grid = Grid((n * outputs * parts, 1, 1), (256, 1, 1))
    launch("conv2d_grad_bias", grid, grad, sums, outputs, rows * columns, parts)
    return sum_parts(sums)


@cuda(backward, half=True)
def backward_cuda(
    grad: Array, x: Array, transformed: None, weight: Array, x_shape: tuple[int, ...], *settings: Any
) -> tuple[Array, Array]:
    return grad_x_cuda(grad, weight, x_shape, *settings), grad_weight_cuda(grad, x, weight.shape, *settings)

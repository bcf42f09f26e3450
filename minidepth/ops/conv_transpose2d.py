"""Transposed 2-D convolution: the adjoint of `conv2d`, used to go from a small picture to a larger one.

A convolution gathers: each output looks at a patch of inputs. Its transpose scatters: each input spreads a copy of the
kernel, weighted by its value, over the output, and overlapping copies add up.

    y[n, o, r s + i d - p, c s + j d - p] += x[n, k, r, c] * weight[k, o, i, j]        for all k, r, c, i, j

This is, to the letter, the formula of dL/dx in conv2d. So there is nothing new to compute:

    forward        is conv2d's  grad_x
    dL/dx          is conv2d's  forward
    dL/dweight     is conv2d's  grad_weight, with the roles of input and output gradient exchanged

Cost: N C R S multiply-adds for each of the O/G * I * J numbers that an input spreads.
Source: Zeiler et al., "Deconvolutional networks" (2010); the sizes: Dumoulin and Visin,
"A guide to convolution arithmetic for deep learning" (2016).
"""

from __future__ import annotations

from minidepth.backend import Array, contiguous
from minidepth.engine import Tensor
from minidepth.ops.conv2d import forward as conv_forward
from minidepth.ops.conv2d import grad_bias
from minidepth.ops.conv2d import grad_weight as conv_grad_weight
from minidepth.ops.conv2d import grad_x as conv_grad_x
from minidepth.ops.conv_sizes import Pair, check, pair


def conv_transpose2d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    output_padding: int | Pair = 0,
    groups: int = 1,
    dilation: int | Pair = 1,
) -> Tensor:
    """Spread x (N, C, H, W) with weight (C, O/groups, I, J) and add bias (O,); the result is (N, O, R, S).

    R = (H - 1) stride - 2 padding + dilation (I - 1) + output_padding + 1, and S likewise. `output_padding` adds rows
    and columns at the end, where several sizes of picture would convolve down to the size of x.
    """
    stride, padding = pair("conv_transpose2d", "stride", stride), pair("conv_transpose2d", "padding", padding, 0)
    dilation = pair("conv_transpose2d", "dilation", dilation)
    output_padding = pair("conv_transpose2d", "output_padding", output_padding, 0)
    channels = weight.shape[1] * groups if weight.ndim == 4 else 0
    check("conv_transpose2d", x, weight, bias, groups, bias_size=channels)
    y_shape = output_shape(x.shape, weight.shape, stride, padding, output_padding, groups, dilation)
    weight_data, weight_shape = weight.data, weight.shape
    bias_data = None if bias is None else bias.data
    y = conv_grad_x(x.data, weight_data, y_shape, stride, padding, dilation, groups, bias_data)
    need_x, need_bias = x.requires_grad, bias is not None and bias.requires_grad
    x_kept = x.data if weight.requires_grad else None  # x is needed for dL/dweight alone

    def pullback(grad: Array) -> tuple[Array | None, ...]:
        grad = contiguous(grad)
        return (
            conv_forward(grad, weight_data, None, stride, padding, dilation, groups) if need_x else None,
            None if x_kept is None else conv_grad_weight(x_kept, grad, weight_shape, stride, padding, dilation, groups),
            grad_bias(grad) if need_bias else None,
        )

    return Tensor.from_op("conv_transpose2d", y, (x, weight, bias), pullback, new_grads=True)


def output_shape(
    x_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    stride: Pair,
    padding: Pair,
    output_padding: Pair,
    groups: int,
    dilation: Pair,
) -> tuple[int, ...]:
    """(N, O, R, S); ValueError where the channels differ or nothing would be left."""
    shapes = f"x {x_shape}, weight {weight_shape}, groups {groups}"
    if x_shape[1] != weight_shape[0]:
        raise ValueError(f"conv_transpose2d: x has {x_shape[1]} channels, weight expects {weight_shape[0]} ({shapes})")
    size = []
    for axis in (0, 1):
        if output_padding[axis] >= stride[axis]:  # or a convolution of the output would give more than x
            raise ValueError(f"conv_transpose2d: output_padding {output_padding} must be smaller than stride {stride}")
        span = dilation[axis] * (weight_shape[2 + axis] - 1) + 1
        size.append((x_shape[2 + axis] - 1) * stride[axis] - 2 * padding[axis] + span + output_padding[axis])
    if min(size) < 1:
        raise ValueError(f"conv_transpose2d: padding {padding} leaves no output ({shapes}); use less padding")
    return (x_shape[0], weight_shape[1] * groups, size[0], size[1])

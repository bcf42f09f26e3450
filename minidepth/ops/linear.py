"""The linear layer: every output is a weighted sum of all inputs, plus a bias.

    y[..., o] = sum over i of  x[..., i] weight[o, i]  +  bias[o]

and with g = dL/dy, sums over all leading dimensions:

    dL/dx[..., i]    = sum over o of  g[..., o] weight[o, i]
    dL/dweight[o, i] = sum of  g[..., o] x[..., i]
    dL/dbias[o]      = sum of  g[..., o]

Cost: one matrix product forward and two backward, each of in_features * out_features multiply-adds a row of x. They are
all there is to compute, so this file needs no kernels of its own: `product` has one for the CPU and some for a GPU.
Source: the perceptron of Rosenblatt (1958); shapes and names of torch.nn.functional.linear.
"""

from __future__ import annotations

from minidepth.backend import Array
from minidepth.engine import Tensor
from minidepth.ops.conv_sizes import check_dtypes, dtype_of_sums
from minidepth.ops.product import product


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x (..., in_features) @ weight (out_features, in_features).T + bias (out_features,)."""
    _check(x, weight, bias)
    need_x, need_weight, need_bias = (parent is not None and parent.requires_grad for parent in (x, weight, bias))
    x_shape, weight_data = x.shape, weight.data
    x_kept = x.data if need_weight else None  # x is needed for dL/dweight alone

    def pullback(grad: Array) -> tuple[Array | None, ...]:
        return (
            grad_x(grad, weight_data, x_shape) if need_x else None,
            None if x_kept is None else grad_weight(grad, x_kept),
            grad.reshape(-1, grad.shape[-1]).sum(axis=0, dtype=dtype_of_sums(grad)) if need_bias else None,
        )

    y = forward(x.data, weight_data, None if bias is None else bias.data)
    return Tensor.from_op("linear", y, (x, weight, bias), pullback)


def forward(x: Array, weight: Array, bias: Array | None) -> Array:
    """(..., I) -> (..., O), all rows of x in one product."""
    y = product(x.reshape(-1, x.shape[-1]), weight, transpose_b=True, bias=bias)
    return y.reshape(*x.shape[:-1], len(weight))


def grad_x(grad: Array, weight: Array, x_shape: tuple[int, ...]) -> Array:
    """(..., O) -> (..., I)."""
    return product(grad.reshape(-1, grad.shape[-1]), weight).reshape(x_shape)


def grad_weight(grad: Array, x: Array) -> Array:
    """(..., O), (..., I) -> (O, I)."""
    grad, x = grad.reshape(-1, grad.shape[-1]), x.reshape(-1, x.shape[-1])
    return product(grad, x, transpose_a=True, single=x.dtype == "float16")


def _check(x: Tensor, weight: Tensor, bias: Tensor | None) -> None:
    shapes = f"x {x.shape}, weight {weight.shape}, bias {None if bias is None else bias.shape}"
    if weight.ndim != 2 or weight.size == 0:
        raise ValueError(f"linear: weight must be (out_features, in_features) and not empty ({shapes})")
    if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        raise ValueError(f"linear: the last size of x must be {weight.shape[1]}, as weight expects ({shapes})")
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f"linear: bias must have shape {weight.shape[:1]} ({shapes})")
    check_dtypes("linear", x, weight, bias)

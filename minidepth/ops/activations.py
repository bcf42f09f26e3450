"""Activation functions, element by element: relu, relu6, sigmoid, tanh (leaky_relu has a file of its own).

=======  ======================  ============================
y        value                   dL/dx, with g = dL/dy
=======  ======================  ============================
relu     max(x, 0)               g where y > 0
relu6    min(max(x, 0), 6)       g where 0 < y < 6
sigmoid  1 / (1 + exp(-x))       g y (1 - y)
tanh     (e^x-e^-x)/(e^x+e^-x)   g (1 - y^2)
=======  ======================  ============================

All four derivatives can be read off the output, so y is kept for the backward pass (the next layer keeps it anyway) and
x is freed. At the corners of relu and relu6 the derivative is taken as 0, as in PyTorch. Cost: one read and one write a
number, which is why the work is cut into tiles that stay in the cache of a core.

Sources: Nair and Hinton (2010) for relu; Krizhevsky, "Convolutional deep belief networks on CIFAR-10" (2010) for relu6.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minidepth.backend import Array, cuda, empty_like, kernel
from minidepth.cuda import launch, mapped
from minidepth.engine import Tensor
from minidepth.ops.cpu.elementwise import elementwise


def relu(x: Tensor) -> Tensor:
    """max(x, 0): positive values pass, the others become 0."""
    y = relu_forward(x.data)
    return Tensor.from_op("relu", y, (x,), lambda grad: (relu_grad_x(grad, y),))


def relu6(x: Tensor) -> Tensor:
    """min(max(x, 0), 6): a relu that stops at 6, which keeps numbers small enough for coarse arithmetic."""
    y = relu6_forward(x.data)
    return Tensor.from_op("relu6", y, (x,), lambda grad: (relu6_grad_x(grad, y),))


def sigmoid(x: Tensor) -> Tensor:
    """1 / (1 + exp(-x)), between 0 and 1; no value of x overflows."""
    y = sigmoid_forward(x.data)
    return Tensor.from_op("sigmoid", y, (x,), lambda grad: (sigmoid_grad_x(grad, y),))


def tanh(x: Tensor) -> Tensor:
    """The hyperbolic tangent, between -1 and 1."""
    y = tanh_forward(x.data)
    return Tensor.from_op("tanh", y, (x,), lambda grad: (tanh_grad_x(grad, y),))


@kernel
def relu_forward(x: Array) -> Array:
    def tile(x: Array, out: Array) -> None:
        out.fill(0)
        np.maximum(x, out, out=out)  # of two arrays: NumPy takes 2.5 times as long for an array and a number

    return elementwise(tile, x)


@kernel
def relu_grad_x(grad: Array, y: Array) -> Array:
    def tile(grad: Array, y: Array, out: Array) -> None:
        np.greater(y, 0, out=out)  # 1 or 0
        np.multiply(grad, out, out=out)

    return elementwise(tile, grad, y)


@kernel
def relu6_forward(x: Array) -> Array:
    return elementwise(lambda x, out: np.clip(x, 0, 6, out=out), x)


@kernel
def relu6_grad_x(grad: Array, y: Array) -> Array:
    return elementwise(lambda grad, y, out: np.multiply(grad, (y > 0) & (y < 6), out=out), grad, y)


@kernel
def sigmoid_forward(x: Array) -> Array:
    def tile(x: Array, out: Array) -> None:
        np.negative(x, out=out)
        with np.errstate(over="ignore"):  # far below 0, exp becomes infinite, and 1 / infinity is the right 0
            np.exp(out, out=out)
        np.add(out, 1, out=out)
        np.divide(1, out, out=out)

    return elementwise(tile, x)


@kernel
def sigmoid_grad_x(grad: Array, y: Array) -> Array:
    def tile(grad: Array, y: Array, out: Array) -> None:
        np.subtract(1, y, out=out)
        out *= y
        out *= grad

    return elementwise(tile, grad, y)


@kernel
def tanh_forward(x: Array) -> Array:
    return elementwise(lambda x, out: np.tanh(x, out=out), x)


@kernel
def tanh_grad_x(grad: Array, y: Array) -> Array:
    def tile(grad: Array, y: Array, out: Array) -> None:
        np.multiply(y, y, out=out)
        np.subtract(1, out, out=out)
        out *= grad

    return elementwise(tile, grad, y)


def add_twins(name: str, forward: Callable[..., Array], grad_x: Callable[..., Array]) -> None:
    """What activations.cu has for one of the four, which differ in their formulas alone."""

    @cuda(forward, half=True)
    def forward_cuda(x: Array) -> Array:
        y = empty_like(x)
        launch(f"activations_{name}_forward", mapped(x, each=4), x, y, x.size)
        return y

    @cuda(grad_x, half=True)
    def grad_x_cuda(grad: Array, y: Array) -> Array:
        result = empty_like(grad)
        launch(f"activations_{name}_grad_x", mapped(grad, each=4), grad, y, result, grad.size)
        return result


add_twins("relu", relu_forward, relu_grad_x)
add_twins("relu6", relu6_forward, relu6_grad_x)
add_twins("sigmoid", sigmoid_forward, sigmoid_grad_x)
add_twins("tanh", tanh_forward, tanh_grad_x)

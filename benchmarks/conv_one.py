"""One process of benchmarks/conv.py: times a convolution in one framework and prints one line of JSON.

    python conv_one.py '{"channels": 16, "batch": 4, "height": 240, "width": 320, "times": 10}' minidepth

The four frameworks stand side by side. Each gives two functions: one returns y, with no thought of gradients; the
other computes y again and returns dL/dx, dL/dweight and dL/dbias for the given dL/dy.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable

import numpy as np
from measure import first_weights, median_ms, put_back_old_names

Array = np.ndarray
Forward = Callable[[], Array]
Both = Callable[[], "tuple[Array, Array, Array]"]


def minidepth(x: Array, weight: Array, bias: Array, grad: Array, _: str) -> tuple[Forward, Both]:
    from minidepth import Tensor, no_grad, ops

    leaves = [Tensor(array, requires_grad=True) for array in (x, weight, bias)]

    def both() -> tuple[Array, Array, Array]:
        for leaf in leaves:
            leaf.grad = None
        ops.conv2d(*leaves, padding=1).backward(grad)
        return tuple(leaf.grad for leaf in leaves)

    return no_grad()(lambda: ops.conv2d(*leaves, padding=1).data), both


def torch(x: Array, weight: Array, bias: Array, grad: Array, memory_format: str) -> tuple[Forward, Both]:
    import torch
    from torch.nn.functional import conv2d

    layout = {"memory_format": getattr(torch, memory_format)}
    leaves = [torch.from_numpy(array).requires_grad_() for array in (x, weight, bias)]
    leaves[:2] = [leaf.detach().contiguous(**layout).requires_grad_() for leaf in leaves[:2]]
    grad_t = torch.from_numpy(grad).contiguous(**layout)

    def both() -> tuple[Array, Array, Array]:
        y = conv2d(*leaves, padding=1)
        return tuple(g.numpy() for g in torch.autograd.grad(y, leaves, grad_t))

    return torch.no_grad()(lambda: conv2d(*leaves, padding=1).numpy()), both


def dezero(x: Array, weight: Array, bias: Array, grad: Array, _: str) -> tuple[Forward, Both]:
    put_back_old_names()
    import dezero
    from dezero.functions import conv2d

    leaves = [dezero.Variable(array) for array in (x, weight, bias)]

    def forward() -> Array:
        with dezero.no_grad():
            return conv2d(*leaves, pad=1).data

    def both() -> tuple[Array, Array, Array]:
        for leaf in leaves:
            leaf.cleargrad()
        y = conv2d(*leaves, pad=1)
        y.grad = dezero.Variable(grad)
        y.backward()
        return tuple(leaf.grad.data for leaf in leaves)

    return forward, both


def chainer(x: Array, weight: Array, bias: Array, grad: Array, _: str) -> tuple[Forward, Both]:
    put_back_old_names()
    import chainer
    from chainer.functions import convolution_2d

    leaves = [chainer.Variable(array) for array in (x, weight, bias)]

    def forward() -> Array:
        with chainer.no_backprop_mode():
            return convolution_2d(*leaves, pad=1).array

    def both() -> tuple[Array, Array, Array]:
        for leaf in leaves:
            leaf.cleargrad()
        y = convolution_2d(*leaves, pad=1)
        y.grad = grad
        y.backward()
        return tuple(leaf.grad for leaf in leaves)

    return forward, both


def proof(arrays: list[Array]) -> list[float]:
    """For each array its root mean square, and its part in a fixed random direction (about as large as 1)."""
    numbers = []
    for array in arrays:
        values = array.astype(np.float64).ravel()
        direction = np.random.default_rng(1).standard_normal(values.size)
        length = float(np.linalg.norm(values))
        numbers += [length / values.size**0.5, float(values @ direction) / length]
    return numbers


def main(channels: int, batch: int, height: int, width: int, times: int) -> None:
    rng = np.random.default_rng(0)
    x, grad = (rng.standard_normal((batch, channels, height, width), dtype=np.float32) for _ in range(2))
    weight, bias = first_weights((channels, channels, 3, 3)), rng.standard_normal(channels, dtype=np.float32)
    framework = {"minidepth": minidepth, "torch": torch, "dezero": dezero, "chainer": chainer}[sys.argv[2]]
    forward, both = framework(x, weight, bias, grad, sys.argv[3])
    result = {"forward_ms": median_ms(forward, times), "both_ms": median_ms(both, times)}
    print(json.dumps({**result, "proof": proof([forward(), *both()])}))


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))

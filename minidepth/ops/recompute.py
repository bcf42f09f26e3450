"""Re-computation: forget what lies inside a part of the network, and compute it once more when backward gets there.

Backward needs the values that a network made on its way forward, and most of a training step's memory holds those. A
part y = f(x) that is run through `recompute` keeps x alone:

    forward     y = f(x), and nothing inside f is remembered
    backward    y = f(x) once more, this time remembered; then from dL/dy to dL/dx as usual, and the dL/dw of every
                parameter w that f uses goes into ``w.grad``

So of all the parts only one at a time has its inside in memory. The same kernels meet the same numbers in the same
order, so the gradients are those of the plain run to the last bit. (One case may round differently: an input with
several users inside f has their gradients added to each other first, and then to those from outside.)

f must give the same value when it runs again, so nothing may change in between. What counts its calls, as batch-norm
does for its running statistics, asks `is_second_run` and counts the first run only. What is different at every call, as
the seed of a dropout, is made by `once`: the second run is handed what the first one made.

PyTorch has this as ``torch.utils.checkpoint.checkpoint``; here a checkpoint is a file of weights.
Cost: the forward pass of f once more: with all of a network in such parts, a step of four thirds the multiply-adds.
Source: Griewank and Walther, "Algorithm 799: revolve" (2000); Chen et al., "Training deep nets with sublinear memory
cost" (2016), arXiv:1604.06174.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

from minidepth.backend import Array, xp
from minidepth.engine import Tensor, no_grad, set_grad_enabled

T = TypeVar("T")


class _Run:
    """A run of a function, in which `once` makes values (the first run) or finds those of the first run again."""

    def __init__(self, outer: _Run | None, values: list[Any], second: bool) -> None:
        self.outer, self.values, self.second = outer, values, second
        self._next = iter(values)

    def once(self, make: Callable[[], T]) -> T:
        if self.second:
            value: T = next(self._next)
            return value
        value = make() if self.outer is None else self.outer.once(make)
        self.values.append(value)
        return value


_run: ContextVar[_Run | None] = ContextVar("run", default=None)


def is_second_run() -> bool:
    """Whether a function is running because `recompute` needs it again, and not for the first time."""
    run = _run.get()
    while run is not None and not run.second:
        run = run.outer
    return run is not None


def once(make: Callable[[], T]) -> T:
    """``make()``; in a second run what that gave in the first one, without calling it."""
    run = _run.get()
    return make() if run is None else run.once(make)


def recompute(function: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """``function(*inputs)``, of which backward keeps the inputs only and runs `function` again.

    Args:
        function: a Module, or any function from Tensors to one Tensor. Parameters that it uses without getting them
            as inputs receive their gradients too.
        inputs: Tensors; of other values that `function` needs, make a closure.
    """
    for position, x in enumerate(inputs):
        if not isinstance(x, Tensor):
            raise TypeError(f"recompute: input {position} is {type(x).__name__}; pass Tensors, close over other values")
    made: list[Any] = []  # by `once`
    with no_grad(), _running(made, second=False):
        y = function(*inputs)
    if not isinstance(y, Tensor):
        raise TypeError(f"recompute: the function returned {type(y).__name__}; it must return one Tensor")
    kept = [(x.data, x.requires_grad) for x in inputs]
    nothing = np.zeros(())
    ghost = Tensor(nothing, requires_grad=True)  # brings backward here even where only parameters want a gradient

    def pullback(grad: Array) -> tuple[Array | None, ...]:
        again = [_Input(data, requires_grad) for data, requires_grad in kept]
        with set_grad_enabled(True), _running(made, second=True):
            # A step that changes nothing: unlike the Tensor that `function` returns, it holds on to no activation.
            y = Tensor.from_op("recompute", grad, (function(*again),), lambda grad: (grad,))
        if y.requires_grad:
            y.backward(grad)
        return (*(x.gradient() for x in again), nothing)

    return Tensor.from_op("recompute", y.data, (*inputs, ghost), pullback)


class _Input(Tensor):
    """An input of the second run. Its gradient goes straight on to the walk outside, so it needs no copy."""

    __slots__ = ()

    def _accumulate(self, grad: Array, is_new: bool = False) -> None:
        self.grad = grad if self.grad is None else self.grad + grad

    def gradient(self) -> Array | None:
        """dL/d(this), zeros where the function does not use it; None where nobody wants it."""
        if not self.requires_grad:
            return None
        return xp(self.data).zeros_like(self.data) if self.grad is None else self.grad


@contextmanager
def _running(values: list[Any], second: bool) -> Iterator[None]:
    """Inside the block a function runs for the first or the second time."""
    token = _run.set(_Run(_run.get(), values, second))
    try:
        yield
    finally:
        _run.reset(token)

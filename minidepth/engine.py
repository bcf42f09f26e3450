"""The autograd engine: a Tensor remembers how it was made, and `backward` walks that memory in reverse.

Every operation computes a value and leaves behind a *pullback*: a function that takes dL/d(value) and returns
dL/d(parent) for each parent. What a pullback needs of the forward pass is what its closure captures, and nothing else
is kept alive.

Three facts make the reverse walk short:

* A node can only be made from nodes that exist already, so creation order is a topological order. Visiting nodes from
  the newest to the oldest sees every user of a value before the value itself, and needs no recursion.
* A pullback receives the gradient as an argument, so no node refers to its own result: there are no reference
  cycles, and once a node is used up its activations are freed at once, while backward is still running.
* Gradients of inner values live in a dict that is emptied on the way; only leaves keep theirs, in `.grad`.

Source: the reverse mode of Linnainmaa (1970); the form with pullbacks follows HIPS/autograd and JAX's ``vjp``.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import numpy as np

from minidepth.backend import Array, empty_like, is_on_gpu, xp

Pullback = Callable[[Array], tuple["Array | None", ...]]

_grad_enabled: ContextVar[bool] = ContextVar("grad_enabled", default=True)
_next_order = itertools.count()
_FLOATS = {np.dtype(np.float32), np.dtype(np.float64)}


@contextmanager
def set_grad_enabled(mode: bool) -> Iterator[None]:
    """Whether results remember how they were made, for as long as the ``with`` block runs."""
    token = _grad_enabled.set(mode)
    try:
        yield
    finally:
        _grad_enabled.reset(token)


@contextmanager
def no_grad() -> Iterator[None]:
    """Inside ``with no_grad():``, or in a function decorated with ``@no_grad()``, results remember nothing."""
    with set_grad_enabled(False):
        yield


class Node:
    """What a result remembers: the operation, where its inputs came from, and how to send a gradient back to them.

    `sources` holds, per parent, the parent's Node, the parent itself where it is a leaf, or None where no gradient is
    wanted. It never holds the value of an inner parent: whether that stays in memory is for the pullback to decide.
    """

    __slots__ = ("dtype", "new_grads", "op", "order", "pullback", "shape", "sources")

    def __init__(self, op: str, value: Array, sources: tuple[Source, ...], pullback: Pullback, new_grads: bool) -> None:
        self.order, self.op, self.new_grads = next(_next_order), op, new_grads
        self.shape, self.dtype = value.shape, value.dtype
        self.sources: tuple[Source, ...] | None = sources
        self.pullback: Pullback | None = pullback

    def use_up(self, grad: Array) -> Iterator[tuple[Node | Tensor, Array]]:
        """Run the pullback once, drop it, and yield (source, gradient) for each parent that wants one."""
        if self.pullback is None or self.sources is None:
            raise RuntimeError(
                f"backward: the graph behind {self.op} was used already and is freed; run the forward pass again"
            )
        pullback, sources = self.pullback, self.sources
        self.pullback = self.sources = None
        grads = pullback(grad)
        if len(grads) != len(sources):
            raise RuntimeError(f"{self.op}: the pullback returned {len(grads)} gradients for {len(sources)} parents")
        for position, (source, parent_grad) in enumerate(zip(sources, grads)):
            if source is None:
                continue
            if parent_grad is None:
                raise RuntimeError(f"{self.op}: the pullback returned None for parent {position}, not its gradient")
            if parent_grad.shape != source.shape or parent_grad.dtype != source.dtype:
                raise RuntimeError(
                    f"{self.op}: gradient {position} is {parent_grad.dtype} {parent_grad.shape}, "
                    f"but its parent is {source.dtype} {source.shape}"
                )
            yield source, parent_grad


class Tensor:
    """An array that can remember how it was computed.

    Args:
        data: array, number or nested list. float32 and float64 are kept, on a GPU float16, too; integers, bools and
            lists become float32.
        requires_grad: whether `backward` should leave dL/d(this) in `.grad` (an array; None before the first backward).
    """

    __slots__ = ("__weakref__", "_leaf_requires_grad", "_node", "data", "grad")
    __array_priority__ = 1000  # so that ``ndarray + Tensor`` is ours to compute

    def __init__(self, data: Any, requires_grad: bool = False) -> None:
        self.data: Array = _float_array(data)
        self.grad: Array | None = None
        self._leaf_requires_grad = requires_grad
        self._node: Node | None = None

    @staticmethod
    def from_op(
        op: str, value: Array, parents: tuple[Tensor | None, ...], pullback: Pullback, new_grads: bool = False
    ) -> Tensor:
        """The result of an operation: its value, and the pullback if any parent needs a gradient.

        ``pullback(grad)`` gets dL/d(value) and returns one gradient per parent, of exactly the parent's shape and
        dtype; None for a parent that is None or has ``requires_grad`` False. `new_grads`: they are contiguous arrays
        which nobody else holds, so a leaf keeps them without a copy.
        """
        result = Tensor(value)
        if _grad_enabled.get():
            sources = tuple(
                None if parent is None or not parent.requires_grad else parent._node or parent for parent in parents
            )
            if any(source is not None for source in sources):
                result._node = Node(op, value, sources, pullback, new_grads)
        return result

    def backward(self, grad: Any = None) -> None:
        """Add dL/d(leaf) to `.grad` of every leaf this was computed from, given dL/d(this) = `grad`.

        `grad` has this tensor's shape; it may be left out for a single number, and is 1 then.
        The graph is freed on the way; a second backward over it raises RuntimeError.
        """
        if not self.requires_grad:
            raise RuntimeError("backward: nothing this came from has requires_grad=True, or it ran under no_grad")
        if grad is None:
            if self.data.size != 1:
                raise ValueError(f"backward: the tensor has shape {self.shape}; pass a grad of that shape")
            grad = xp(self.data).ones_like(self.data)
        grad = xp(self.data).asarray(grad.data if isinstance(grad, Tensor) else grad, dtype=self.dtype)
        if grad.shape != self.shape:
            raise ValueError(f"backward: grad has shape {grad.shape}, but the tensor has {self.shape}")
        if self._node is None:
            self._accumulate(grad)
            return
        waiting: dict[int, tuple[Node, Array]] = {self._node.order: (self._node, grad)}
        newest_first = [-self._node.order]
        del grad
        while newest_first:
            node, total = waiting.pop(-heapq.heappop(newest_first))
            for source, part in node.use_up(total):
                if isinstance(source, Tensor):
                    source._accumulate(part, node.new_grads)
                elif source.order in waiting:
                    waiting[source.order] = source, _plus(waiting[source.order][1], part)
                else:
                    waiting[source.order] = source, part
                    heapq.heappush(newest_first, -source.order)
                del source, part
            del node, total

    def _accumulate(self, grad: Array, is_new: bool = False) -> None:
        """Add to `.grad`, which must be writable, contiguous and shared with nothing: hence a copy where it may be."""
        if self.grad is not None:
            self.grad += grad
        elif is_new:
            self.grad = grad
        else:
            self.grad = empty_like(grad)
            self.grad[...] = grad

    @property
    def requires_grad(self) -> bool:
        """Whether backward through this tensor reaches a leaf that wants a gradient."""
        return self._node is not None or self._leaf_requires_grad

    @property
    def shape(self) -> tuple[int, ...]:
        return self.data.shape

    @property
    def dtype(self) -> np.dtype:
        return self.data.dtype

    @property
    def ndim(self) -> int:
        return self.data.ndim

    @property
    def size(self) -> int:
        return self.data.size

    def numpy(self) -> Array:
        """The value as a NumPy array: for a tensor on the CPU the array itself, not a copy."""
        return self.data if isinstance(self.data, np.ndarray) else self.data.get()

    def item(self) -> float:
        """The value of a tensor that holds a single number."""
        if self.size != 1:
            raise ValueError(f"item: a tensor of shape {self.shape} holds {self.size} numbers, not one")
        return float(self.numpy().reshape(()))

    def detach(self) -> Tensor:
        """The same value without its history."""
        return Tensor(self.data)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise TypeError("len: a tensor of shape () has no length")
        return self.shape[0]

    def __repr__(self) -> str:
        text = np.array2string(self.numpy(), separator=", ", prefix="Tensor(")
        return f"Tensor({text}, dtype={self.dtype}{', requires_grad=True' if self.requires_grad else ''})"

    if TYPE_CHECKING:  # written down in ops/, one file per operation, and bound to this class in ops/methods.py

        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __rmatmul__(self, other: Any) -> Tensor: ...
        def __pow__(self, exponent: float) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def sum(self, dim: Any = None, keepdim: bool = False) -> Tensor: ...
        def mean(self, dim: Any = None, keepdim: bool = False) -> Tensor: ...
        def max(self, dim: Any = None, keepdim: bool = False) -> Tensor: ...
        def min(self, dim: Any = None, keepdim: bool = False) -> Tensor: ...
        def var(self, dim: Any = None, keepdim: bool = False) -> Tensor: ...
        def astype(self, dtype: Any) -> Tensor: ...
        def abs(self) -> Tensor: ...
        def exp(self) -> Tensor: ...
        def log(self) -> Tensor: ...
        def sqrt(self) -> Tensor: ...
        def clip(self, min: float | None = None, max: float | None = None) -> Tensor: ...
        def reshape(self, *shape: Any) -> Tensor: ...
        def flatten(self, start_dim: int = 0, end_dim: int = -1) -> Tensor: ...
        def transpose(self, dim0: int, dim1: int) -> Tensor: ...
        def permute(self, *dims: Any) -> Tensor: ...
        @property
        def T(self) -> Tensor: ...  # noqa: N802 (its name in NumPy and PyTorch)


Source = Node | Tensor | None


def _plus(a: Array, b: Array) -> Array:
    """a + b as an operation computes it: contiguous, on all cores, and a new array, as others may still hold a or b."""
    return (Tensor(a) + b).data


def _float_array(data: Any) -> Array:
    """`data` as a float32 or float64 array, or as a float16 one on a GPU."""
    if isinstance(data, Tensor):
        raise TypeError("Tensor: data is a Tensor already; use .detach() for the same value without its history")
    on_gpu = is_on_gpu(data)
    array = data if on_gpu else np.asarray(data)
    if array.dtype in _FLOATS and (on_gpu or array is data):
        return array
    if array.dtype.kind in "iub" or (array.dtype == np.float64 and not hasattr(data, "__array_interface__")):
        return array.astype(np.float32)
    if array.dtype not in _FLOATS and not (array.dtype == np.float16 and on_gpu):
        advice = "; float16 is for a GPU, use .astype(np.float32) here" if array.dtype == np.float16 else ""
        raise TypeError(f"Tensor: data has dtype {array.dtype}; a tensor holds float32 or float64{advice}")
    return array


def as_tensor(value: Any, like: Tensor | None = None) -> Tensor:
    """`value` as a Tensor. A Python number takes the dtype of `like`, so that ``2 * x`` has the dtype of x."""
    if isinstance(value, Tensor):
        return value
    if like is not None and isinstance(value, (int, float)):
        return Tensor(xp(like.data).full((), value, like.dtype))
    return Tensor(value)


def unbroadcast(grad: Array, shape: tuple[int, ...]) -> Array:
    """The adjoint of broadcasting from `shape`: sum in float32 at least over each axis that was added or stretched."""
    if grad.shape == shape:
        return grad
    added = grad.ndim - len(shape)
    stretched = tuple(axis + added for axis, n in enumerate(shape) if n == 1 and grad.shape[axis + added] != 1)
    dtype = np.promote_types(grad.dtype, np.float32)
    return grad.sum(axis=(*range(added), *stretched), keepdims=True, dtype=dtype).reshape(shape)

"""Module: a layer, or a network made of layers, that knows its own parameters.

A module finds its parts by walking through its attributes in the order in which they were set, and on into lists and
dicts. The path of that walk is a part's name, so the kernel of the first convolution of ``self.down[0]`` is
``down.0.conv1.weight``, as in PyTorch. A part is one of three things:

* another `Module`;
* a `Parameter`, a tensor that training changes;
* a `Buffer`, an array that is saved with the weights but never trained, such as a running mean.

All parts are made in ``__init__``. Afterwards no new attribute can be added: a misspelt ``model.trainig = False``, or a
parameter made in ``forward``, is an error at once and not a layer that silently never learns.
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from minidepth.backend import Array, to_device, xp
from minidepth.engine import Tensor
from minidepth.errors import CheckpointError

Self = TypeVar("Self", bound="Module")


class Parameter(Tensor):
    """A tensor that training changes: float32 or float64, always with ``requires_grad``."""

    __slots__ = ()

    def __init__(self, data: Any) -> None:
        super().__init__(data, requires_grad=True)


class Buffer:
    """An array of any dtype that is saved with the weights but never trained. It is kept in ``.data``."""

    __slots__ = ("data",)

    def __init__(self, data: Array) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"Buffer({self.data!r})"


class Module:
    """Base of all layers and networks: parts are made in ``__init__``, ``forward`` computes, a call runs it."""

    training = True
    """Whether this module is being trained; batch-norm is the layer that asks. Change it with `train` and `eval`."""
    _sealed = False

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output: a Tensor, or several for a network with several outputs. Every module writes its own."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    # --- what is inside ---------------------------------------------------------------------------------------------

    def parts(self) -> Iterable[tuple[Any, Any]]:
        """(name, value) of everything that may be or hold a part: the attributes, in the order they were first set."""
        return vars(self).items()

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """(name, module) for this module (named ``""``) and every one inside it, each once."""
        return _once(_walk(self, "", Module))

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """(name, parameter), each parameter once even where two layers share it."""
        return _once(_walk(self, "", Parameter))

    def named_buffers(self) -> Iterator[tuple[str, Buffer]]:
        """(name, buffer), each buffer once."""
        return _once(_walk(self, "", Buffer))

    def modules(self) -> Iterator[Module]:
        """This module and every one inside it."""
        return (module for _, module in self.named_modules())

    def parameters(self) -> Iterator[Parameter]:
        """Everything that training changes, in a fixed order."""
        return (parameter for _, parameter in self.named_parameters())

    def buffers(self) -> Iterator[Buffer]:
        """Everything that is saved but not trained."""
        return (buffer for _, buffer in self.named_buffers())

    # --- modes ------------------------------------------------------------------------------------------------------

    def train(self: Self, mode: bool = True) -> Self:
        """Put this module and every one inside it in training mode (or, with ``False``, in evaluation mode)."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self: Self) -> Self:
        """Evaluation mode: batch-norm uses its running statistics and leaves them as they are."""
        return self.train(False)

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for parameter in self.parameters():
            parameter.grad = None

    def astype(self: Self, dtype: Any) -> Self:
        """Turn all parameters and floating buffers into float32 or float64, in place; gradients are forgotten.

        Make the optimiser afterwards: its running sums have the dtype that the parameters had when it was made.
        """
        for parameter in self.parameters():
            parameter.data, parameter.grad = parameter.data.astype(dtype), None
        for buffer in self.buffers():
            if buffer.data.dtype.kind == "f":
                buffer.data = buffer.data.astype(dtype)
        return self

    def to(self: Self, device: str) -> Self:
        """Move all parameters with their gradients, and floating buffers, to ``"cpu"`` or ``"cuda"``, in place.

        Whole numbers, such as the seed that dropout counts on from, stay on the CPU, where they are read at every call.
        Make the optimiser afterwards: its running sums lie where the parameters lay when it was made.
        """
        for parameter in self.parameters():
            parameter.data = to_device(parameter.data, device)
            parameter.grad = None if parameter.grad is None else to_device(parameter.grad, device)
        for buffer in self.buffers():
            if buffer.data.dtype.kind == "f":
                buffer.data = to_device(buffer.data, device)
        return self

    def placed(self, array: Array) -> Array:
        """`array` where the parameters lie: itself, or a copy on their GPU."""
        first = next(self.parameters(), None)
        return array if first is None else xp(first.data).asarray(array)

    # --- saving and loading -----------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Array]:
        """Name -> array of all parameters and buffers, named as in PyTorch. They are the live arrays: copy to keep."""
        return {name: part.data for name, part in _walk(self, "", (Parameter, Buffer))}

    def load_state_dict(self, state: dict[str, Array], strict: bool = True) -> tuple[list[str], list[str]]:
        """Copy the arrays of `state` into the parameters and buffers, keeping the dtype they have here.

        Returns:
            The missing and the unexpected names; both lists are empty when `strict`.

        Raises:
            CheckpointError: a shape differs or, when `strict`, a name is missing or unexpected. It reports every such
                name at once, and nothing has been changed.
        """
        own = self.state_dict()
        missing = [name for name in own if name not in state]
        unexpected = [name for name in state if name not in own]
        shapes = [
            f"{name} is {tuple(state[name].shape)}, but {own[name].shape} is needed"
            for name in own
            if name in state and tuple(state[name].shape) != own[name].shape
        ]
        if shapes or (strict and (missing or unexpected)):
            lists = (("missing", missing), ("unexpected", unexpected), ("wrong shape", shapes))
            found = "; ".join(f"{title} ({len(names)}): {', '.join(names)}" for title, names in lists if names)
            raise CheckpointError(f"load_state_dict: the weights do not fit this {type(self).__name__}: {found}")
        for name, array in own.items():
            if name in state:
                array[...] = xp(array).asarray(state[name])
        return missing, unexpected

    # --- guarding and showing ---------------------------------------------------------------------------------------

    def __init_subclass__(cls) -> None:
        """Let the ``__init__`` of every kind of module end by sealing it; inside that of a subclass it is too early."""
        init = cls.__init__

        @functools.wraps(init)
        def init_and_seal(self: Module, *args: Any, **kwargs: Any) -> None:
            init(self, *args, **kwargs)
            if type(self) is cls:
                object.__setattr__(self, "_sealed", True)

        cls.__init__ = init_and_seal  # type: ignore[method-assign, assignment]

    def __setattr__(self, name: str, value: Any) -> None:
        if self._sealed:
            if not hasattr(self, name):
                close = difflib.get_close_matches(name, dir(self), 1)
                hint = f"did you mean {close[0]!r}?" if close else "make every attribute in __init__"
                raise AttributeError(f"{type(self).__name__} has no attribute {name!r}; {hint}")
            kind = type(getattr(self, name))
            if kind in (Parameter, Buffer) and not isinstance(value, kind):
                raise TypeError(
                    f"{type(self).__name__}.{name} is a {kind.__name__}, not a {type(value).__name__}; "
                    f"to change its numbers, write {name}.data[...] = ..."
                )
        object.__setattr__(self, name, value)

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets of a single layer."""
        return ""

    def __repr__(self) -> str:
        layers = [f"\n  {name}: {layer!r}" for name, layer in self.named_modules() if is_innermost(layer) and name]
        return f"{type(self).__name__}({self.extra_repr()}{''.join(layers)}{chr(10) if layers else ''})"


class ModuleList(Module):
    """Modules in a row, for a ``forward`` that takes them one by one. Parts are named 0, 1, 2, ..."""

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self._modules = list(modules)

    def parts(self) -> Iterable[tuple[Any, Any]]:
        return enumerate(self._modules)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._modules)

    def __len__(self) -> int:
        return len(self._modules)

    def __getitem__(self, index: int) -> Module:
        return self._modules[index]


class Sequential(ModuleList):
    """Modules applied one after the other."""

    def __init__(self, *modules: Module) -> None:
        super().__init__(modules)

    def forward(self, x: Tensor) -> Tensor:
        for module in self:
            x = module(x)
        return x


def _walk(value: Any, name: str, wanted: type | tuple[type, ...]) -> Iterator[tuple[str, Any]]:
    """(name, part) for everything inside `value` that is one of `wanted`, itself first, in order of definition."""
    if isinstance(value, wanted):
        yield name, value
    if isinstance(value, Module):
        items = value.parts()
    elif isinstance(value, dict):
        items = value.items()
    elif isinstance(value, (list, tuple)):
        items = enumerate(value)
    else:
        return
    for key, item in items:
        yield from _walk(item, f"{name}.{key}" if name else str(key), wanted)


def _once(named: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    """Drop what came before under another name."""
    seen: set[int] = set()
    for name, part in named:
        if id(part) not in seen:
            seen.add(id(part))
            yield name, part


def is_innermost(module: Module) -> bool:
    """Whether no module is inside it: a layer, not a network."""
    modules = module.modules()
    next(modules)  # itself
    return next(modules, None) is None

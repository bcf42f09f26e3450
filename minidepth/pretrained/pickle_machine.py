"""A pickle is a program for a small machine with a stack. This is such a machine, and it can call nothing.

Python's own machine imports whatever a pickle names and calls it, so a hostile file can do anything; even when its
imports are restricted, a few bytes can make it fill the memory or hash for ever. Files of weights need 40 of its
instructions and six names to call, and all of that is done here by hand:

* ``find_class`` answers with a name, if the name is on the list; nothing is ever imported;
* REDUCE and NEWOBJ, which call, know what each name on the list means: a dict, a tuple, a tensor (tensors.py);
* ``persistent_load`` knows storages;
* BUILD, which gives an object its state, throws the state away.

The keys of dicts are text or numbers, every number is checked where it is used, the program's length has a limit, and
whatever else a file asks for is refused by name. The bytes are cut into instructions by Python's `pickletools`.
Source: the formats as torch.serialization writes them; the list is the least that published files need.
"""

from __future__ import annotations

import io
import pickletools
from typing import Any, NamedTuple

from minidepth.pretrained import tensors
from minidepth.pretrained.refused import HOW_TO_SAVE, RefusedError, shown

LONGEST = 2**20
"""Bytes of one pickle; that of DenseNet-169 has 133,000. Each of them makes an object of at most some 100 bytes."""


class Global(NamedTuple):
    """The name of something that Python's machine would import."""

    module: str
    name: str


CALLS = {
    Global("collections", "OrderedDict"),
    Global("torch", "Size"),
    Global("torch._utils", "_rebuild_tensor"),
    Global("torch._utils", "_rebuild_tensor_v2"),
    Global("torch._utils", "_rebuild_parameter"),
    Global("torch.nn.parameter", "Parameter"),
}
STORAGES = {Global("torch", kind) for kind in tensors.DTYPES}

CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
WITH_VALUE = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE"}
INSTRUCTIONS = {instruction.code: instruction for instruction in pickletools.opcodes}
PUT, GET = ("BINPUT", "LONG_BINPUT"), ("BINGET", "LONG_BINGET")
NO_WORK = {"PROTO", "FRAME"}
"""The version, and how many bytes to read at once."""
OLD_TEXT = {"BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES"}
"""Text as Python 2 wrote it; `pickletools` hands it over as bytes or as Latin-1."""


def run(file: io.BytesIO) -> Any:
    """Run the one program that begins where `file` stands, and leave the file behind it; returns what it made.

    The result is made of dicts, lists, tuples, text, numbers, None and `tensors.StoredTensor`.

    Raises:
        RefusedError: the program is damaged, too long, or asks for anything that weights do not need.
    """
    machine, end = _Machine(), file.tell() + LONGEST
    while file.tell() < end:
        code = file.read(1).decode("latin-1")
        if not code:
            raise RefusedError("its pickle is damaged (it ends before it stops)")
        instruction = INSTRUCTIONS.get(code)
        if instruction is None or instruction.name not in KNOWN:
            name = "that does not exist" if instruction is None else instruction.name
            raise RefusedError(f"its pickle has an instruction {name} at byte {file.tell() - 1}; no weights need that")
        try:
            argument = _argument(instruction, file)
        except ValueError as error:
            raise RefusedError(f"its pickle is damaged ({shown(str(error))})") from None
        if instruction.name == "STOP":
            return machine.pop()
        machine.step(instruction.name, argument)
    raise RefusedError(f"its pickle is longer than {LONGEST} bytes, so these are not weights alone")


def _argument(instruction: pickletools.OpcodeInfo, file: io.BytesIO) -> Any:
    """What stands behind an instruction's byte."""
    if instruction.name == "GLOBAL":  # two lines; pickletools would look for backslashes in them and warn of some
        return tuple(_line(file) for _ in ("module", "name"))
    return instruction.arg.reader(file) if instruction.arg else None


def _line(file: io.BytesIO) -> str:
    line = file.readline()
    if not line.endswith(b"\n"):
        raise ValueError("a line without an end")
    return line[:-1].decode("utf-8")


def find_class(module: Any, name: Any) -> Global:
    """The name itself, if it is one that weights need. Nothing is imported."""
    wanted = Global(module, name)
    if not (isinstance(module, str) and isinstance(name, str)) or wanted not in CALLS | STORAGES:
        raise RefusedError(
            f"it asks for {shown(module)}.{shown(name)}, which weights do not need; nothing was run. "
            f"If it is a model or a training state, then {HOW_TO_SAVE}"
        )
    return wanted


def persistent_load(identity: Any) -> tensors.Storage:
    """The storage that ("storage", class, key, place, count[, view]) stands for; the place is "cpu" or a GPU's name."""
    if not isinstance(identity, tuple) or not identity:
        raise RefusedError("a persistent id that is no tuple; torch writes none like it")
    if identity[0] == "module":
        raise RefusedError(f"it is a whole model and not its weights; {HOW_TO_SAVE}")
    if identity[0] != "storage" or len(identity) not in (5, 6):
        raise RefusedError(f"the persistent id {shown(identity[0])!r} with {len(identity)} parts is no storage")
    kind = identity[1]
    if not isinstance(kind, Global) or kind not in STORAGES:
        raise RefusedError("a storage of an unknown class")
    return tensors.storage(kind.name, identity[2], *identity[4:])


class _Machine:
    """The stack, where its open brackets are, and the numbered places for what is needed again."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def step(self, name: str, argument: Any) -> None:
        """Do one instruction."""
        if name in CONSTANTS:
            self.stack.append(CONSTANTS[name])
        elif name in WITH_VALUE:
            self.stack.append(argument)
        elif name in OLD_TEXT:
            self.stack.append(argument if isinstance(argument, str) else argument.decode("latin-1"))
        elif name in PUT:
            self.memo[argument] = self.top()
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.top()
        elif name in GET:
            if argument not in self.memo:
                raise RefusedError(f"its pickle is damaged (nothing was put in place {argument})")
            self.stack.append(self.memo[argument])
        elif name not in NO_WORK:
            _DO[name](self, argument)

    def top(self) -> Any:
        """What lies on top, within the innermost open bracket."""
        if len(self.stack) <= (self.marks[-1] if self.marks else 0):
            raise RefusedError("its pickle is damaged (the stack is empty)")
        return self.stack[-1]

    def pop(self) -> Any:
        """Take what lies on top."""
        self.top()
        return self.stack.pop()

    def pop_to_mark(self) -> list[Any]:
        """Take all that was put on the stack since the last MARK."""
        if not self.marks:
            raise RefusedError("its pickle is damaged (a bracket closes that was never opened)")
        start = self.marks.pop()
        items, self.stack[start:] = self.stack[start:], []
        return items

    def mark(self, _: Any) -> None:
        self.marks.append(len(self.stack))

    def empty_dict(self, _: Any) -> None:
        self.stack.append({})

    def empty_list(self, _: Any) -> None:
        self.stack.append([])

    def tuple_to_mark(self, _: Any) -> None:
        self.stack.append(tuple(self.pop_to_mark()))

    def tuple1(self, _: Any) -> None:
        self.stack.append((self.pop(),))

    def tuple2(self, _: Any) -> None:
        second, first = self.pop(), self.pop()
        self.stack.append((first, second))

    def tuple3(self, _: Any) -> None:
        third, second, first = self.pop(), self.pop(), self.pop()
        self.stack.append((first, second, third))

    def append(self, _: Any) -> None:
        self.extend([self.pop()])

    def appends(self, _: Any) -> None:
        self.extend(self.pop_to_mark())

    def extend(self, items: list[Any]) -> None:
        """Put `items` into the list on top."""
        target = self.top()
        if type(target) is not list:
            raise RefusedError(f"its pickle appends to a {shown(target)}, which is no list")
        target.extend(items)

    def set_item(self, _: Any) -> None:
        value, key = self.pop(), self.pop()
        self.update([key, value])

    def set_items(self, _: Any) -> None:
        self.update(self.pop_to_mark())

    def update(self, items: list[Any]) -> None:
        """Put key, value, key, value, ... into the dict on top."""
        target = self.top()
        if type(target) is not dict or len(items) % 2:
            raise RefusedError(f"its pickle sets an item of a {shown(target)}, or a key without a value")
        for key, value in zip(items[::2], items[1::2]):
            _set(target, key, value)

    def global_name(self, argument: tuple[str, str]) -> None:
        self.stack.append(find_class(*argument))

    def stack_global(self, _: Any) -> None:
        name, module = self.pop(), self.pop()
        self.stack.append(find_class(module, name))

    def storage(self, _: Any) -> None:
        self.stack.append(persistent_load(self.pop()))

    def call(self, _: Any) -> None:
        arguments, function = self.pop(), self.pop()
        if not isinstance(function, Global) or function not in CALLS or not isinstance(arguments, tuple):
            raise RefusedError(f"its pickle calls a {shown(function)}, which nothing here does")
        self.stack.append(_result(function, arguments))

    def build(self, _: Any) -> None:
        self.pop()  # the state: hooks, and versions of layers
        if not isinstance(self.top(), (dict, tensors.StoredTensor)):
            raise RefusedError(f"its pickle gives a state to a {shown(self.top())}, which needs none")


_DO = {
    "MARK": _Machine.mark,
    "EMPTY_DICT": _Machine.empty_dict,
    "EMPTY_LIST": _Machine.empty_list,
    "TUPLE": _Machine.tuple_to_mark,
    "TUPLE1": _Machine.tuple1,
    "TUPLE2": _Machine.tuple2,
    "TUPLE3": _Machine.tuple3,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "GLOBAL": _Machine.global_name,
    "STACK_GLOBAL": _Machine.stack_global,
    "BINPERSID": _Machine.storage,
    "REDUCE": _Machine.call,
    "NEWOBJ": _Machine.call,
    "BUILD": _Machine.build,
}
KNOWN = {*CONSTANTS, *WITH_VALUE, *OLD_TEXT, *PUT, *GET, *NO_WORK, *_DO, "MEMOIZE", "STOP"}


def _result(function: Global, arguments: tuple[Any, ...]) -> Any:
    """What a call of one of `CALLS` would have given, as far as weights need it."""
    if function.name == "OrderedDict":
        result: dict[str | int, Any] = {}
        for pair in arguments[0] if arguments and isinstance(arguments[0], list) else ():  # as Python 2 wrote it
            if not isinstance(pair, (list, tuple)) or len(pair) != 2:
                raise RefusedError("an OrderedDict of something else than pairs")
            _set(result, *pair)
        return result
    if function.name == "Size" and len(arguments) == 1 and isinstance(arguments[0], tuple):
        return arguments[0]
    if function.name.startswith("_rebuild_tensor") and len(arguments) >= 4:
        return tensors.tensor(*arguments[:4])
    if function.name in ("_rebuild_parameter", "Parameter") and arguments:
        if isinstance(arguments[0], tensors.StoredTensor):
            return arguments[0]
    raise RefusedError(f"{function.module}.{function.name} with arguments that torch does not write")


def _set(target: dict[Any, Any], key: Any, value: Any) -> None:
    """``target[key] = value`` for a key that is text or a number: others can take for ever to hash."""
    if not isinstance(key, (str, int)):
        raise RefusedError(f"its pickle uses a {shown(key)} as a key of a dict; torch uses text and numbers")
    target[key] = value

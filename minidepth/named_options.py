"""A name with options, as it is typed: ``sgd:momentum=0.99,nesterov``.

text    :=  name [ ":" option { "," option } ]
option  :=  word            a switch, on when it is there
         |  word "=" number
         |  word "=" word
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from typing import Any

from minidepth.errors import InputError

Kinds = Mapping[str, type]
"""Option -> bool for a switch, int for a whole number, float for any number, str for a word."""


def parse(what: str, text: str, known: Mapping[str, Kinds]) -> tuple[str, dict[str, Any]]:
    """The name and the options that were typed.

    Args:
        what: what the name stands for, such as ``"optimizer"``; an error begins with it.
        text: as typed.
        known: name -> the options it takes.

    Raises:
        InputError: the name or an option is unknown, given twice, or not of its kind; the text names what there is.
    """
    name, colon, rest = text.partition(":")
    if name not in known:
        raise InputError(f"{what} {text!r} is unknown{closest(name, known)}; use {choice(known)}")
    kinds = known[name]
    options: dict[str, Any] = {}
    for word in rest.split(",") if colon else ():
        option, equals, number = word.partition("=")
        if option not in kinds:
            can = f"{name} takes {', '.join(map(shown, kinds.items()))}" if kinds else f"{name} takes no options"
            raise InputError(f"{what} {text!r}: {option!r} is not known{closest(option, kinds)}; {can}")
        if option in options:
            raise InputError(f"{what} {text!r}: {option} is given twice")
        options[option] = True if kinds[option] is bool and not equals else value(number, kinds[option])
        if options[option] is None:
            raise InputError(f"{what} {text!r}: {word!r} must read {shown((option, kinds[option]))}")
    return name, options


def value(text: str, kind: type) -> float | int | str | None:
    """The number or word in `text`, or None where it is not one of this kind."""
    if kind is str:
        return text or None
    try:
        number = float(text)
    except ValueError:
        return None
    if kind is bool or not math.isfinite(number) or (kind is int and not number.is_integer()):
        return None
    return int(number) if kind is int else number


def shown(item: tuple[str, type]) -> str:
    """An option as it is to be typed."""
    option, kind = item
    return {bool: option, int: f"{option}=N", float: f"{option}=X", str: f"{option}=NAME"}[kind]


def closest(word: str, words: Iterable[str]) -> str:
    """A question that names the word that was probably meant, or nothing."""
    near = difflib.get_close_matches(word.lower(), list(words), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def choice(words: Iterable[str]) -> str:
    """``adam, adamw or sgd``."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last

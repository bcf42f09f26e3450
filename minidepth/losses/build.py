"""Losses by name, and sums of them written as text.

    sum  :=  term { "+" term }            mse+gradient+normal
    term :=  [ weight "*" ] name          mse + 10*gradient:code + normal:code

A weight is a positive number such as 10, 0.5 or 1e-3. Spaces do not matter.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable

from minidepth.backend import Array
from minidepth.engine import Tensor
from minidepth.errors import InputError
from minidepth.losses.gradient import gradient, gradient_code, gradient_hu, gradient_readme
from minidepth.losses.normal import normal, normal_code, normal_hu, normal_readme
from minidepth.losses.pixel import l1, mse

LossFunction = Callable[[Tensor, Array, Array], Tensor]

LOSSES: dict[str, LossFunction] = {
    "mse": mse,
    "l1": l1,
    "gradient": gradient,
    "gradient:readme": gradient_readme,
    "gradient:code": gradient_code,
    "gradient:hu": gradient_hu,
    "normal": normal,
    "normal:readme": normal_readme,
    "normal:code": normal_code,
    "normal:hu": normal_hu,
}

TERM = re.compile(r"\s*(?:(?P<weight>[-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*\*\s*)?(?P<name>[A-Za-z]\w*(?::\w*)?)\s*")


def names() -> tuple[str, ...]:
    """The names that `build` knows, alone or in a sum."""
    return tuple(LOSSES)


def build(text: str) -> Loss:
    """The loss written in `text`: a name, or a weighted sum of names such as ``mse+10*gradient:code+normal:code``.

    Raises:
        InputError: the text cannot be read, or a name is not known; says at which character, and what is known.
    """
    terms: list[tuple[float, str]] = []
    place = 0
    while True:
        match = TERM.match(text, place)
        if match is None:
            rest = text[place:].strip()
            raise _error(text, place, f"the name of a loss is missing{f' before {rest!r}' if rest else ''}")
        if match["name"] not in LOSSES:
            raise _error(text, match.start("name"), f"{match['name']!r} is not known{_closest(match['name'])}")
        terms.append((_weight(text, match), match["name"]))
        place = match.end()
        if place == len(text):
            return Loss(terms)
        if text[place] != "+":
            raise _error(text, place, f"+ or the end is missing before {text[place:]!r}; a sum reads mse+10*gradient")
        place += 1


class Loss:
    """A weighted sum of losses: ``loss(prediction, target, valid)`` is one number that can go backward.

    Attributes:
        text: the sum as text; `build` of it gives the same loss again.
        terms: (weight, name) of each term.
    """

    def __init__(self, terms: list[tuple[float, str]]) -> None:
        self.terms = tuple(terms)
        factors = ("" if weight == 1 else repr(weight).removesuffix(".0") + "*" for weight, _ in terms)
        self.text = "+".join(factor + name for factor, (_, name) in zip(factors, terms))

    def __call__(self, prediction: Tensor, target: Array, valid: Array) -> Tensor:
        """The sum for prediction (N, 1, H, W), target (N, 1, H, W) and valid, bool (N, 1, H, W)."""
        total, *others = [weight * LOSSES[name](prediction, target, valid) for weight, name in self.terms]
        for other in others:
            total = total + other
        return total

    def __repr__(self) -> str:
        return f"Loss({self.text!r})"


def _weight(text: str, match: re.Match[str]) -> float:
    if match["weight"] is None:
        return 1.0
    try:
        weight = float(match["weight"])
    except ValueError:
        weight = math.nan
    if not 0 < weight < math.inf:
        raise _error(text, match.start("weight"), f"{match['weight']!r} is no positive number")
    return weight


def _closest(name: str) -> str:
    closest = difflib.get_close_matches(name.lower(), LOSSES, n=1)
    return f" (did you mean {closest[0]!r}?)" if closest else ""


def _error(text: str, place: int, fact: str) -> InputError:
    """One line: the text, the place counted from 1, what is wrong there, and the names to choose from."""
    return InputError(f"loss {text!r}, character {place + 1}: {fact}; losses are {', '.join(LOSSES)}")

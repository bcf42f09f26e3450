"""Losses by name, and sums of them written as text.

    sum  :=  term { "+" term }                        mse+gradient+normal
    term :=  [ weight "*" ] [ output "." ] name       mse + 10*gradient:code + normal:code
                                                      mask.bce + 2*depth.rmse

A weight is a positive number such as 10, 0.5 or 1e-3. An output is one of a network that has several; then every term
names one. Spaces do not matter.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

from minidepth.backend import Array
from minidepth.engine import Tensor
from minidepth.errors import InputError
from minidepth.losses.table import LOSSES, NEEDS_IMAGE

TERM = re.compile(
    r"\s*(?:(?P<weight>[-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*\*\s*)?"
    r"(?:(?P<output>[A-Za-z]\w*)\s*\.\s*)?(?P<name>[A-Za-z]\w*(?::\w*)?)\s*"
)


class Term(NamedTuple):
    """One term of a sum."""

    weight: float
    name: str
    output: str = ""
    """The output of the network that it is about; empty where there is only one."""

    def __str__(self) -> str:
        factor = "" if self.weight == 1 else repr(self.weight).removesuffix(".0") + "*"
        return factor + (f"{self.output}." if self.output else "") + self.name


def names() -> tuple[str, ...]:
    """The names that `build` knows, alone or in a sum."""
    return tuple(LOSSES)


def build(text: str, outputs: Collection[str] | None = None) -> Loss:
    """The loss written in `text`: a name, or a weighted sum of names such as ``mse+10*gradient:code+normal:code``.

    Args:
        text: as above.
        outputs: those of the network, if they are known: then others are an error, and so is naming none of several.

    Raises:
        InputError: the text cannot be read, or a name is not known; says at which character, and what is known.
    """
    terms: list[Term] = []
    place = 0
    while True:
        match = TERM.match(text, place)
        if match is None:
            rest = text[place:].strip()
            raise _error(text, place, f"the name of a loss is missing{f' before {rest!r}' if rest else ''}")
        if match["name"] not in LOSSES:
            fact = f"{match['name']!r} is not known{_closest(match['name'], LOSSES)}"
            raise _error(text, match.start("name"), fact)
        _check_output(text, match, terms, outputs)
        terms.append(Term(_weight(text, match), match["name"], match["output"] or ""))
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
        terms: weight, name and output of each term.
        outputs: the outputs of the network that are named, each once; empty if none is.
        needs_image: whether a term looks at the picture.
    """

    def __init__(self, terms: list[Term]) -> None:
        self.terms = tuple(terms)
        self.text = "+".join(map(str, terms))
        self.outputs = tuple(dict.fromkeys(term.output for term in terms if term.output))
        self.needs_image = any(term.name in NEEDS_IMAGE for term in terms)

    def __call__(
        self,
        prediction: Tensor | Mapping[str, Tensor],
        target: Array | Mapping[str, Array],
        valid: Array | Mapping[str, Array],
        image: Array | None = None,
    ) -> Tensor:
        """The sum as one number.

        Args:
            prediction: (N, 1, H, W), for cross_entropy (N, K, H, W); with several outputs one for each name.
            target: (N, 1, H, W); with several outputs one for each name.
            valid: bool (N, 1, H, W); may be one for all outputs.
            image: (N, 3, H, W), for losses that look at the picture (`needs_image`).
        """
        total, *others = [self._weighted(term, prediction, target, valid, image) for term in self.terms]
        for other in others:
            total = total + other
        return total

    def _weighted(self, term: Term, *given: Any) -> Tensor:
        """The loss of one term; nothing is multiplied by 1, as a number alone costs a GPU a launch each way."""
        value = self._value(term, *given)
        return value if term.weight == 1 else term.weight * value

    def _value(self, term: Term, prediction: Any, target: Any, valid: Any, image: Array | None) -> Tensor:
        """The loss of one term, without its weight."""
        arguments = [self._of_output("prediction", term, prediction), self._of_output("target", term, target)]
        arguments.append(self._of_output("valid", term, valid) if isinstance(valid, Mapping) else valid)
        if term.name in NEEDS_IMAGE:
            if image is None:
                raise ValueError(f"loss {self.text!r}: {term.name} looks at the picture; pass image=")
            arguments.append(image)
        return LOSSES[term.name](*arguments)

    def _of_output(self, what: str, term: Term, given: Any) -> Any:
        """What was given for the output of `term`."""
        if not isinstance(given, Mapping):
            if term.output:
                raise ValueError(
                    f"loss {self.text!r}: the {what} has no names, so none is {term.output!r}; pass a dict"
                )
            return given
        if not term.output and len(given) == 1:
            return next(iter(given.values()))
        if term.output not in given:
            fact = f"{term} names none of the outputs" if not term.output else f"no {what} is called {term.output!r}"
            raise ValueError(f"loss {self.text!r}: {fact}; there is {', '.join(given)}")
        return given[term.output]

    def __repr__(self) -> str:
        return f"Loss({self.text!r})"


def _check_output(text: str, match: re.Match[str], before: list[Term], outputs: Collection[str] | None) -> None:
    """The output of a term is one of `outputs`, and all terms name one, or none does."""
    output, place = match["output"] or "", match.start("output" if match["output"] else "name")
    if outputs is not None and output and output not in outputs:
        fact = f"the network has no output {output!r}{_closest(output, outputs)}"
        raise InputError(f"loss {text!r}, character {place + 1}: {fact}; its outputs are {', '.join(outputs)}")
    several = outputs is not None and len(outputs) > 1
    if not output and (several or any(term.output for term in before)):
        known = f" of {', '.join(outputs)}" if outputs is not None else ""
        fact = f"{match['name']!r} names no output{known}, and there are several; write one before a dot, depth.rmse"
        raise InputError(f"loss {text!r}, character {place + 1}: {fact}")
    if output and any(not term.output for term in before):
        fact = f"{output!r} is named here, but the terms before name no output; name one in every term, or in none"
        raise InputError(f"loss {text!r}, character {place + 1}: {fact}")


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


def _closest(name: str, known: Collection[str]) -> str:
    closest = difflib.get_close_matches(name.lower(), known, n=1)
    return f" (did you mean {closest[0]!r}?)" if closest else ""


def _error(text: str, place: int, fact: str) -> InputError:
    """One line: the text, the place counted from 1, what is wrong there, and the names to choose from."""
    return InputError(f"loss {text!r}, character {place + 1}: {fact}; losses are {', '.join(LOSSES)}")

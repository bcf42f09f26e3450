"""Variants of a lesson: what may differ from term to term, and what cannot.

A variant is a word, such as ``2027a``. Two things follow from it:

* the numbers that checks draw: `seed_of`. With another seed come other arrays, and other sizes and strides where a
  check draws those with ``t.choose``. Answers that somebody has written down from last year's checks fail.
* constants of the lesson that its author has marked. In lesson.py

      SLOPE = 0.1  # choose: 0.1, 0.2, 0.01

  is 0.1 for everybody, and one of the three in a variant. ``{{SLOPE}}`` in prose and ``t.constant("SLOPE")`` in a check
  are that number, so whoever hands in last year's file with another number in it fails. No number that the lesson
  measures may hang on it.

What a variant cannot do: a function that computes a convolution for every size and stride was right last year and is
right this year. Where no constant is marked, a copied solution passes in every variant.
"""

from __future__ import annotations

import ast
import re
import zlib
from typing import Any

from minidepth.learn.errors import LearnerError, LessonError

_CHOICE = re.compile(r"^([A-Z][A-Z0-9_]*) = (\S+)  # choose: (.+)$", re.MULTILINE)
_MARK = re.compile(r"^[ \t#\"]{0,12}Variant: ([\w-]{1,40})", re.MULTILINE)
_WORD = re.compile(r"[\w-]{1,40}", re.ASCII)


def variant_word(word: str) -> str:
    """`word`, which must be letters, digits, - and _.

    Raises:
        LearnerError: it is not.
    """
    if not _WORD.fullmatch(word):
        raise LearnerError(f"--variant {word!r}: a variant is one word of letters, digits, - and _, such as 2027a")
    return word


def seed_of(variant: str) -> int:
    """The seed of a variant's checks; 0 without one."""
    return zlib.crc32(variant.encode())


def variant_in(text: str) -> str:
    """The variant that a handed-out file carries, as a script or as a notebook; "" where it has none."""
    match = _MARK.search(text)
    return match[1] if match else ""


def with_variant(script: str, variant: str) -> str:
    """A master with its marked constants as that variant has them."""

    def chosen(match: re.Match[str]) -> str:
        values = [value.strip() for value in match[3].split(",")]
        if values[0] != match[2]:
            raise LessonError(f"{match[1]} = {match[2]}: the first value to choose from must be that one")
        value = values[zlib.crc32(f"{variant} {match[1]}".encode()) % len(values)] if variant else values[0]
        return f"{match[1]} = {value}  # choose: {match[3]}"

    return _CHOICE.sub(chosen, script)


def constants_of(script: str) -> dict[str, Any]:
    """The marked constants of a master, by name."""
    return {match[1]: ast.literal_eval(match[2]) for match in _CHOICE.finditer(script)}


def without_choices(script: str) -> str:
    """The script without the marks, for learners."""
    return _CHOICE.sub(r"\1 = \2", script)

"""Lessons by their numbers on the command line: ``4``, ``4-6``, ``1,4-6``."""

from __future__ import annotations

import re

from minidepth.learn.errors import LearnerError
from minidepth.learn.master import Lesson


def numbers_in(word: str, known: dict[int, Lesson]) -> list[int]:
    """The numbers of ``"1,4-6"``, in order.

    Raises:
        LearnerError: it is no such list, or there is no such lesson.
    """
    found: set[int] = set()
    for part in word.split(","):
        match = re.fullmatch(r"\s*(\d{1,3})\s*(?:-\s*(\d{1,3})\s*)?", part)
        if match is None or int(match[1]) > int(match[2] or match[1]):
            raise LearnerError(f"--lessons {word!r}: write 4, or 4-6, or 1,4-6")
        found |= set(range(int(match[1]), int(match[2] or match[1]) + 1))
    missing = sorted(found - known.keys())
    if missing:
        have = ", ".join(map(str, known))
        raise LearnerError(f"--lessons {word!r}: there is no lesson {missing[0]}; there are {have}")
    return sorted(found)

"""Files of learners for tests: lesson 4 with some functions written otherwise, and the arguments of commands."""

from __future__ import annotations

import argparse
import textwrap

from minidepth.learn.library import lessons

LESSON = lessons()[4]
SLUG = LESSON.slug


def work(**bodies: str) -> str:
    """Lesson 4 with its solutions, or with these bodies of functions: ``work(e1="return 3")`` for exercise 4.1.

    ``top`` is put above everything else.
    """
    text = LESSON.stub()
    for exercise in LESSON.exercises:
        body = textwrap.dedent(bodies.get(f"e{exercise.partition('.')[2]}", textwrap.dedent(LESSON.written(exercise))))
        unwritten = f'    raise NotImplementedError("exercise {exercise}")\n'
        assert text.count(unwritten) == 1
        text = text.replace(unwritten, textwrap.indent(body.strip("\n"), "    ") + "\n")
    return textwrap.dedent(bodies.get("top", "")) + text


def arguments(**given: object) -> argparse.Namespace:
    """What ``teach grade`` would be given."""
    return argparse.Namespace(
        **{"format": "json", "out": None, "lessons": None, "variant": None, "jobs": 2, "timeout": 60.0, **given}
    )

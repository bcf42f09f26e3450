"""The process in which a learner's code runs: ``python -m minidepth.learn.child FILE LESSON_FOLDER LIMITS``.

It answers requests until nobody asks any more. What the learner's code prints does not get between the messages: they
go through a copy of standard output that the code does not know of. LIMITS is JSON: memory and the size of files that
may be written, in MiB, and seconds of computing.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from minidepth.learn.codec import receive, send
from minidepth.learn.definitions import read
from minidepth.learn.errors import LearnerError
from minidepth.learn.learner import Learner
from minidepth.learn.library import load_checks
from minidepth.learn.master import Lesson


def main(argv: list[str]) -> None:
    """Load the file, say so, and answer."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "r+b") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(nothing.fileno(), 1)
    path, lesson, limits = Path(argv[0]), Lesson(Path(argv[1])), json.loads(argv[2])
    checks = load_checks(lesson)
    limit(limits)
    try:
        learner = Learner(read(path), checks)
    except LearnerError as error:
        send(answers, {"refused": str(error)})
        return
    except SystemExit:
        send(answers, {"refused": f"{path.name}: calls exit() where it is imported; take it out"})
        return
    send(answers, {"ready": True})
    while True:
        try:
            request = receive(requests)
        except EOFError:
            return
        send(answers, learner.answer(request))


def limit(limits: dict[str, Any]) -> None:
    """No more memory, time and files than that, where the system knows such limits; Windows does not."""
    try:
        import resource
    except ImportError:
        return
    for name, value in (
        ("RLIMIT_AS", limits.get("memory_mib", 0) << 20),
        ("RLIMIT_FSIZE", limits.get("file_mib", 0) << 20),
        ("RLIMIT_CPU", limits.get("cpu_s", 0)),
    ):
        if value and hasattr(resource, name):
            kind = getattr(resource, name)
            resource.setrlimit(kind, (value, resource.getrlimit(kind)[1]))


if __name__ == "__main__":
    main(sys.argv[1:])

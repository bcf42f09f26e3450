"""The process in which a learner's code runs: ``python -m minidepth.learn.child FILE LESSON_FOLDER FOLDER OPTIONS``.

It answers requests until nobody asks any more. What the learner's code prints does not get between the messages: they
go through a copy of standard output that the code is not told of. It runs in FOLDER. OPTIONS is JSON:

    memory_mib, file_mib, cpu_s     limits, none of which the code can lift again: memory, the size of a file, computing
    fence                           true: no network, no other processes, no files but those in FOLDER, see fence.py
    allowed                         what the code may use: uses.py tells of the rest, before any of it runs
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from minidepth.learn.codec import Opaque, receive, send
from minidepth.learn.definitions import read
from minidepth.learn.errors import LearnerError
from minidepth.learn.fence import fence
from minidepth.learn.learner import Learner
from minidepth.learn.library import load_checks
from minidepth.learn.master import Lesson
from minidepth.learn.uses import uses


def main(argv: list[str]) -> None:
    """Load the file, say so, and answer."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "r+b") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(nothing.fileno(), 1)
    path, lesson, folder, options = Path(argv[0]), Path(argv[1]), Path(argv[2]), json.loads(argv[3])
    checks = load_checks(Lesson(lesson))
    os.chdir(folder)
    limit(options)
    fences = fence(folder, path, lesson.parent) if options.get("fence") else []
    try:
        definitions = read(path)
        notices = uses(definitions, options["allowed"]) if "allowed" in options else []
        send(answers, {"read": True, "notices": notices, "fences": fences})
        learner = Learner(definitions, checks)
    except LearnerError as error:
        send(answers, {"refused": str(error)})
        return
    except SystemExit:
        send(answers, {"refused": f"{path.name}: calls exit() where it is imported; take it out"})
        return
    except (RecursionError, MemoryError):
        send(answers, {"refused": f"{path.name}: is nested too deeply, or needs too much memory, to be read"})
        return
    send(answers, {"ready": True})
    while True:
        try:
            request = receive(requests)
        except EOFError:
            return
        answer = learner.answer(request)
        try:
            send(answers, answer)
        except (ValueError, RecursionError, MemoryError):
            send(answers, {**answer, "value": Opaque("something too large, or nested too deeply, to be looked at")})


def limit(options: dict[str, Any]) -> None:
    """No more memory, time and files than that, where the system knows such limits; Windows does not."""
    try:
        import resource
    except ImportError:
        return
    for name, value in (
        ("RLIMIT_AS", options.get("memory_mib", 0) << 20),
        ("RLIMIT_FSIZE", options.get("file_mib", 0) << 20),
        ("RLIMIT_CPU", options.get("cpu_s", 0)),
    ):
        if value and hasattr(resource, name):
            kind = getattr(resource, name)
            most = resource.getrlimit(kind)[1]
            value = value if most == resource.RLIM_INFINITY else min(value, most)
            resource.setrlimit(kind, (value, value))


if __name__ == "__main__":
    main(sys.argv[1:])

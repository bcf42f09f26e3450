"""Two ways to ask a learner's code: in a process of its own, which may hang or die, or in this one, which is quick."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Protocol

import minidepth
from minidepth.learn.codec import Opaque, describe, receive, send
from minidepth.learn.definitions import Definitions
from minidepth.learn.errors import LearnerError
from minidepth.learn.learner import Learner
from minidepth.learn.master import Lesson

LIMITS = {"memory_mib": 4096, "file_mib": 64}
"""Enough for every lesson; a huge allocation is an error of the learner's and not a machine that stands still."""


class Asked(Protocol):
    """What a probe asks: one request, one answer, see learner.py."""

    def ask(self, request: dict[str, Any], timeout_s: float) -> dict[str, Any]: ...


class Direct:
    """In this process: for code that is trusted, such as solutions and mutants."""

    def __init__(self, definitions: Definitions, checks: ModuleType) -> None:
        self._learner = Learner(definitions, checks)

    def ask(self, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        answer = self._learner.answer({**request, "args": copy.deepcopy(request["args"])})
        return {**answer, "value": plain(answer["value"])} if "value" in answer else answer


class Child:
    """In a process of its own, for as long as the ``with`` block runs. One that hangs is ended, and the next request
    starts another.

    Args:
        path: the learner's file. lesson: whose checks are run. limits: see child.py.
        folder: where the process runs; without one, in a new folder that is removed.
    """

    def __init__(self, path: Path, lesson: Lesson, limits: dict[str, int] | None = None) -> None:
        self.path, self.lesson, self.limits = path.resolve(), lesson, LIMITS if limits is None else limits
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Child:
        self._folder = tempfile.TemporaryDirectory(prefix="minidepth-check-", ignore_cleanup_errors=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()
        self._folder.cleanup()

    def start(self, timeout_s: float = 30) -> None:
        """Start the process and let it read the file.

        Raises:
            LearnerError: the file cannot be used.
        """
        command = [
            sys.executable, "-m", "minidepth.learn.child",
            str(self.path), str(self.lesson.folder), json.dumps(self.limits),
        ]  # fmt: skip
        root = str(Path(minidepth.__file__).resolve().parents[1])
        paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        environment = {**os.environ, "PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self._folder.name,
            env=environment,
        )  # fmt: skip
        threading.Thread(target=self._drain, args=(self._process,), daemon=True).start()
        self._complaint = b""
        answer = self._receive(timeout_s)
        if "refused" in answer:
            self._end()
            raise LearnerError(answer["refused"])
        if "ready" not in answer:
            name = self.path.name
            raise LearnerError(
                f"{name}: does not get to its end where it is imported; is there a loop outside of the functions?"
                if answer.get("ended") == "time"
                else f"{name}: its process ended: {self._complaint.decode(errors='replace')[-300:].strip()}"
            )

    def ask(self, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        if self._process is None or self._process.poll() is not None:
            self.start()
        process = self._process
        try:
            if process is None or process.stdin is None:
                return {"ended": "died"}
            send(process.stdin, request)  # type: ignore[arg-type]
        except OSError:
            self._end()
            return {"ended": "died"}
        return self._receive(timeout_s)

    def _receive(self, timeout_s: float) -> dict[str, Any]:
        """The answer, or ``{"ended": "time"}`` or ``{"ended": "died"}``: then the process is gone."""
        process, late = self._process, threading.Event()
        if process is None or process.stdout is None:
            return {"ended": "died"}

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(timeout_s, end)
        timer.start()
        try:
            answer = receive(process.stdout)  # type: ignore[arg-type]
            if isinstance(answer, dict):
                return answer
        except (EOFError, ValueError, KeyError, TypeError, OverflowError, MemoryError):
            pass  # the process is gone, or something else than our messages came out of it
        finally:
            timer.cancel()
        self._end()
        return {"ended": "time" if late.is_set() else "died"}

    def _drain(self, process: subprocess.Popen[bytes]) -> None:
        """Keep the last of what comes on standard error, so that it never fills its pipe."""
        with contextlib.suppress(ValueError, OSError):
            for line in process.stderr or ():
                self._complaint = (self._complaint + line)[-2000:]

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()


def plain(value: Any) -> Any:
    """`value` as it arrives from another process, where only plain values do."""
    if type(value) in (list, tuple):
        return type(value)(plain(item) for item in value)
    if type(value) is dict and all(type(key) is str for key in value):
        return {key: plain(item) for key, item in value.items()}
    if value is None or type(value) in (bool, str, int) or isinstance(value, float):
        return value
    kind = getattr(getattr(value, "dtype", None), "kind", "O")
    return value if kind in "biuf" and type(value).__module__ == "numpy" else Opaque(describe(value))

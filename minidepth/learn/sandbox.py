"""Two ways to ask a learner's code: in a process of its own, which may hang or die, or in this one, which is quick.

The process of its own has little of what this one has: few environment variables, limits on memory and files, and with
``fence`` in its limits what fence.py can forbid. It is a protection from accidents, and for grades from students who
try things out; it is no container, see fence.py for what it is not.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Protocol

import minidepth
from minidepth.learn.answers import trusted
from minidepth.learn.codec import Opaque, clean, describe, receive, send
from minidepth.learn.definitions import Definitions
from minidepth.learn.errors import LearnerError
from minidepth.learn.learner import Learner
from minidepth.learn.master import Lesson

LIMITS = {"memory_mib": 4096, "file_mib": 64}
"""Enough for every lesson; a huge allocation is an error of the learner's and not a machine that stands still."""

PASSED_ON = (
    "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TEMP", "TMP", "PYTHONPATH", "PYTHONHOME",
    "PYTHONUSERBASE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "XDG_CACHE_HOME", "MPLCONFIGDIR", "SYSTEMROOT",
    "SYSTEMDRIVE", "WINDIR", "APPDATA", "LOCALAPPDATA",
)  # fmt: skip
"""Environment variables that the process has, too: what Python needs to start, and no keys and tokens."""


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
        path: the learner's file. lesson: whose checks are run.
        limits: see child.py; also ``allowed``, what the file may use, and ``fence``.
    """

    def __init__(self, path: Path, lesson: Lesson, limits: dict[str, Any] | None = None) -> None:
        self.path, self.lesson, self.limits = path.resolve(), lesson, LIMITS if limits is None else limits
        self.notices: list[str] = []
        self.fences: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._complaint = b""

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
            str(self.path), str(self.lesson.folder), self._folder.name, json.dumps(self.limits),
        ]  # fmt: skip
        # It begins where the package lies and not in its folder, as Python looks for modules where it begins: what an
        # earlier process has left in the folder must not be taken for NumPy.
        root = str(Path(minidepth.__file__).resolve().parents[1])
        self._complaint = b""
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=root,
            env=self._environment(), start_new_session=True,
        )  # fmt: skip
        threading.Thread(target=self._drain, args=(self._process,), daemon=True).start()
        self._wire = Wire(self._process)
        answer = self._exchange(None, timeout_s)
        if "read" in answer:
            self.notices, self.fences = answer["notices"], answer["fences"]
            answer = self._exchange(None, timeout_s)
        if "ready" in answer:
            return
        self._end()
        name = self.path.name
        if "refused" in answer:
            raise LearnerError(answer["refused"])
        if answer.get("ended") == "time":
            raise LearnerError(
                f"{name}: does not get to its end where it is imported; is there a loop outside of the functions?"
            )
        complaint = clean(self._complaint.decode(errors="replace"))[-300:].strip()
        raise LearnerError(f"{name}: its process ended where it is imported" + (f": {complaint}" if complaint else ""))

    def ask(self, request: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        if self._process is None or self._process.poll() is not None:
            self._end()
            try:
                self.start()
            except LearnerError:  # it did start before: it has been meddled with, or the machine has no room for it
                return {"ended": "died"}
        return self._exchange(request, timeout_s)

    def _environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        caches = ("XDG_CACHE_HOME", "MPLCONFIGDIR") if self.limits.get("fence") else ()  # behind it, others are closed
        own = {name: self._folder.name for name in ("MINIDEPTH_WORK", *caches)}
        return {**kept, **own, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"}

    def _exchange(self, request: dict[str, Any] | None, timeout_s: float) -> dict[str, Any]:
        """The answer, or ``{"ended": "time"}`` or ``{"ended": "died"}``: then the process is gone."""
        try:
            answer = self._wire.exchange(request, timeout_s)
        except queue.Empty:
            self._end()
            return {"ended": "time", "after_s": timeout_s}
        if answer is None:
            self._end()
            return {"ended": "died"}
        return answer

    def _drain(self, process: subprocess.Popen[bytes]) -> None:
        """Keep the last of what comes on standard error, so that it never fills its pipe."""
        if process.stderr is None:
            return
        with process.stderr as stream, contextlib.suppress(OSError):
            while part := os.read(stream.fileno(), 4096):
                self._complaint = (self._complaint + part)[-2000:]

    def _end(self) -> None:
        """End the process, and those that it has started unless they left its group; a fence lets it start none."""
        process, self._process = self._process, None
        if process is None:
            return
        if hasattr(os, "killpg"):
            with contextlib.suppress(OSError):
                os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
        self._wire.close()


class Wire(threading.Thread):
    """Messages to and from a process that may neither read nor write: nobody waits for longer than they want to."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._requests: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self.start()

    def exchange(self, request: dict[str, Any] | None, timeout_s: float) -> dict[str, Any] | None:
        """Send a request, or none, and wait for an answer; None where the process is gone or talks nonsense.

        Raises:
            queue.Empty: it has taken longer.
        """
        self._requests.put([request])
        return self._answers.get(timeout=max(timeout_s, 0.001))

    def close(self) -> None:
        """Let the thread end, once the process has."""
        self._requests.put(None)

    def run(self) -> None:
        process = self._process
        if process.stdin is None or process.stdout is None:
            return
        while (item := self._requests.get()) is not None:
            try:
                if item[0] is not None:
                    send(process.stdin, item[0])  # type: ignore[arg-type]
                answer = trusted(receive(process.stdout))  # type: ignore[arg-type]
            except Exception:  # whatever came: it is no answer, and nobody is to wait for another one
                self._answers.put(None)
            else:
                self._answers.put(answer)
        for stream in (process.stdin, process.stdout):
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

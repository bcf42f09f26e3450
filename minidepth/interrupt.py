"""Ctrl-C that waits for the end of a training step: half an update of the weights could not be taken up again."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class StopRequest:
    """``with StopRequest() as stop``: the first Ctrl-C (or SIGTERM) sets ``requested``, a second breaks off at once.

    Signals reach the main thread only, so in any other thread this does nothing.
    """

    def __init__(self) -> None:
        self.requested = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested:
            raise KeyboardInterrupt("broken off at once; the last checkpoint that was saved is whole")
        self.requested = True

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

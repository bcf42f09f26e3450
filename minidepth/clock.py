"""How fast an epoch goes, and how much of it is waiting."""

from __future__ import annotations

import time

from minidepth.data import Loader


class EpochClock:
    """Pictures and seconds of one epoch, and the share of the seconds spent waiting for data."""

    def __init__(self, batches: Loader) -> None:
        self._loader = batches
        self._waited_before_s = self._loader.waited_s
        self._start_s = time.perf_counter()
        self._stop_s: float | None = None
        self.batches = self.pictures = 0

    def count(self, pictures: int) -> None:
        """Count one batch."""
        self.batches += 1
        self.pictures += pictures

    def stop(self) -> None:
        """The epoch's training is over; validation does not count."""
        self._stop_s = time.perf_counter()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start, up to the stop."""
        return (self._stop_s or time.perf_counter()) - self._start_s

    @property
    def pictures_per_s(self) -> float:
        """Speed of this epoch."""
        return self.pictures / self.elapsed_s

    @property
    def wait_share(self) -> float:
        """Share of the time in which training waited for the loader, 0 to 1."""
        return (self._loader.waited_s - self._waited_before_s) / self.elapsed_s

"""The two averages in use: the mean of the pictures' metrics, or one metric over the pixels of all pictures (pooled).

They differ: in the first every picture weighs the same, in the second every pixel, and a root or a ratio of sums is not
the mean of roots or ratios. So both are given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minidepth.backend import Array
from minidepth.errors import InputError


class Averages:
    """Base of the classes that take in one picture after the other, with one in memory at a time.

    Attributes:
        count: pictures that counted.
        skipped: pictures without a single pixel that counts; they are in neither average.
    """

    def __init__(self, nothing: Array, metrics_of: Callable[[Array], dict[str, float]]) -> None:
        """Start from `nothing`: sums as those of a picture, all 0. `metrics_of` makes metrics of any such sums."""
        self.count = self.skipped = 0
        self.sums, self._metrics_of = nothing, metrics_of
        self._picture_sums: dict[str, float] = {}

    def take(self, sums: Array) -> None:
        """Count a picture by its sums; where they are all 0 it has no pixel that counts."""
        if not sums.any():
            self.skipped += 1
            return
        self.count += 1
        self.sums = self.sums + sums
        for name, value in self._metrics_of(sums).items():
            self._picture_sums[name] = self._picture_sums.get(name, 0.0) + value

    def per_picture(self) -> dict[str, float]:
        """Each metric computed per picture, then averaged over the pictures."""
        self._check_any()
        return {name: total / self.count for name, total in self._picture_sums.items()}

    def pooled(self) -> dict[str, float]:
        """Each metric computed once, over the pixels of all pictures together."""
        self._check_any()
        return self._metrics_of(self.sums)

    @property
    def pixels(self) -> int:
        """Pixels that counted, in all pictures."""
        raise NotImplementedError

    def summary(self) -> dict[str, Any]:
        """Both averages and what they were taken over, ready for JSON and for the table."""
        return {
            "pictures": self.count,
            "skipped_pictures": self.skipped,
            "pixels": self.pixels,
            "per_picture": self.per_picture(),
            "pooled": self.pooled(),
        }

    def nothing_counts(self) -> str:
        """Why there are no metrics."""
        return f"no metrics: none of {self.skipped} pictures has a valid pixel; check the data"

    def _check_any(self) -> None:
        if self.count == 0:
            raise InputError(self.nothing_counts())

"""What all targets share: the questions that training, evaluation and prediction ask of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from minidepth.backend import Array, xp
from minidepth.data import Batch, Sample
from minidepth.data.resize import nearest_pixels
from minidepth.engine import Tensor
from minidepth.nn import Module


class Reported(NamedTuple):
    """A metric that the report of an epoch shows."""

    key: str
    title: str
    unit: str = ""


class Board(Protocol):
    """Adds up the metrics of predictions, and beside them those of a constant guess."""

    def add(self, prediction: np.ndarray, sample: Sample) -> None:
        """Score one picture; the prediction (H, W) is what `Target.read` made, at the size of the sample."""
        ...

    def scores(self) -> dict[str, Any]:
        """``network`` and ``guess``, each metrics by average and name: JSON values only."""
        ...


class Target:
    """One kind of map that a network learns; N pictures of H x W pixels."""

    name: ClassVar[str]
    """Also the name of the field of a batch, of the network's output, and of the loss's terms."""
    reported: ClassVar[Sequence[Reported]]
    drawn: ClassVar[Sequence[Reported]]
    """Two metrics for the picture of the learning curves."""

    def truth(self, batch: Batch) -> Array:
        """What the loss compares the network's output with: (N, 1, H, W)."""
        raise NotImplementedError

    def for_loss(self, output: Tensor) -> Tensor:
        """The network's output (N, C, H, W) as the loss takes it."""
        return output

    def read(self, output: Array) -> Array:
        """The network's output (N, C, H, W) as the world has it: (N, H, W)."""
        raise NotImplementedError

    def guess(self, samples: Iterable[Sample]) -> float:
        """The best answer of somebody who sees nothing, from training frames."""
        raise NotImplementedError

    def start(self, network: Module, guess: float) -> None:
        """Let a fresh network begin at the constant guess, if that is a matter of one number in it."""

    def board(self, guess: float, crop: str = "none") -> Board:
        """An empty score board."""
        raise NotImplementedError

    def guess_text(self, scores: dict[str, Any]) -> str:
        """The constant guess in words."""
        raise NotImplementedError

    def error(self, scores: dict[str, Any]) -> float:
        """The one number by which the best epoch is found: smaller is better."""
        raise NotImplementedError

    def relative_error(self, scores: dict[str, Any]) -> float:
        """The same as a share of the constant guess's."""
        guess = self.error({**scores, "network": scores["guess"]})
        return self.error(scores) / max(guess, 1e-9)

    def error_text(self, error: float) -> str:
        """That number in words."""
        raise NotImplementedError

    @staticmethod
    def table(scores: dict[str, Any]) -> str:
        """The scores as a table for people."""
        raise NotImplementedError

    def draw_samples(self, path: Path, samples: list[Sample], predictions: list[np.ndarray]) -> None:
        """Write rows of picture, truth and prediction."""
        raise NotImplementedError

    def save(self, folder: Path, name: str, image: np.ndarray, prediction: np.ndarray) -> Path:
        """Write the prediction for one picture, and return the file that shows both side by side."""
        raise NotImplementedError

    def summary(self, prediction: np.ndarray) -> str:
        """The prediction for one picture in a few words."""
        raise NotImplementedError


def at_size(truth: Array, size: tuple[int, ...]) -> Array:
    """A map (N, 1, H, W) at another size, each pixel that of the old one under its centre.

    Some networks answer at half the size of the picture: it is the truth that is made smaller then, not the answer
    larger, as they were published.
    """
    if truth.shape[2:] == size:
        return truth
    rows, columns = nearest_pixels((truth.shape[2], truth.shape[3]), (size[0], size[1]))
    lib = xp(truth)
    return truth[:, :, lib.asarray(rows[:, None]), lib.asarray(columns)]

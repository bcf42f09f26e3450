"""What every process of a benchmark does alike: take a case as JSON, time two functions, print a line of JSON.

It runs under old Pythons and NumPys too (Chainer's), and imports nothing but NumPy.
"""

from __future__ import annotations

import json
import math
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

RATE = 1e-4
"""Adam's. Small, so that the loss of a wide network goes down at its first step and can be compared after it."""
FIRST_EPS = 1e-8 * (1 - 0.999) ** 0.5
"""Chainer and DeZero add eps before the correction of the first steps; this makes their first step that of PyTorch."""


@dataclass(frozen=True)
class Case:
    """A network and a batch to time."""

    base: int
    norm: bool
    batch: int
    height: int
    width: int
    steps: int
    """Steps that are timed, after one that warms up."""

    @classmethod
    def from_json(cls, text: str) -> Case:
        return cls(**json.loads(text))

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    def title(self) -> str:
        norm = "with batch-norm" if self.norm else "without batch-norm"
        return f"U-Net base {self.base} {norm}, batch {self.batch}, {self.height}x{self.width}"

    def batch_of_pictures(self) -> tuple[np.ndarray, np.ndarray]:
        """Pictures (N, 3, H, W) and what the network shall say of them, (N, 1, H, W); the same for everyone."""
        rng = np.random.default_rng(0)
        return tuple(
            rng.standard_normal((self.batch, channels, self.height, self.width), dtype=np.float32)
            for channels in (3, 1)
        )


def first_weights(shape: tuple[int, ...]) -> np.ndarray:
    """He's first weights for a kernel (O, C, I, J); the shape is the seed, so every framework begins with the same."""
    scale = np.float32(math.sqrt(2 / math.prod(shape[1:])))
    return scale * np.random.default_rng(shape).standard_normal(shape, dtype=np.float32)


def report(
    case: Case, train_step: Callable[[], float], inference: Callable[[], object], to_eval: Callable[[], object]
) -> None:
    """Time the training step, read the peak memory of the process, then time inference.

    `train_step` returns the loss. Those of the first two steps are reported, as a proof of the same work: all
    frameworks begin with the same numbers, and the second loss is the same only where all gradients were.
    """
    losses: list[float] = []
    step_ms = median_ms(lambda: losses.append(train_step()), case.steps)
    result = {"step_ms": step_ms, "peak_mib": peak_mib()}
    to_eval()
    print(json.dumps({**result, "inference_ms": median_ms(inference, case.steps), "proof": losses[:2]}))


def median_ms(function: Callable[[], object], times: int) -> float:
    """The median time of a call, after one that warms up."""
    function()
    taken_ms = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        taken_ms.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken_ms)


def peak_mib() -> float:
    """The most memory that this process has had resident."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux: ru_maxrss would count what the parent process had at the fork
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024**2 if sys.platform == "darwin" else 1024)


def put_back_old_names() -> None:
    """Names that NumPy removed in 1.24 and that Chainer and DeZero use at their import."""
    for name, value in {"bool": bool, "int": int, "object": object}.items():
        setattr(np, name, value)

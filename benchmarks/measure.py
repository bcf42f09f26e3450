"""What every process of a benchmark does alike: take a case as JSON, time two functions, print a line of JSON."""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass


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


def report(
    case: Case, train_step: Callable[[], None], inference: Callable[[], None], to_eval: Callable[[], object]
) -> None:
    """Time the training step, read the peak memory of the process, then time inference."""
    step_ms = median_ms(train_step, case.steps)
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2)
    to_eval()
    print(json.dumps({"step_ms": step_ms, "inference_ms": median_ms(inference, case.steps), "peak_mib": peak_mib}))


def median_ms(function: Callable[[], None], times: int) -> float:
    function()
    taken_ms = []
    for _ in range(times):
        start = time.perf_counter()
        function()
        taken_ms.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken_ms)

"""What both processes of the steps on a card do alike: take a job as JSON, time it, print a line of JSON.

Each framework says how it makes a training step, waits for its card and counts its memory (`Workload`); what is timed,
how often, and what is tried to find the largest batch stands here, once.
"""

from __future__ import annotations

import dataclasses
import json
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from measure import Case

PRECISIONS = ("float32", "TF32", "half")
FIRST_SCALE = 2.0**10
"""Of losses in half. PyTorch's gradients of weights are half, too: with its own first scale, 2^16, the first steps of a
network are skipped there and not here, and the second losses could not be compared."""
BLOCK_S, LEAST_BLOCKS = 0.1, 3
"""Steps are timed in blocks of so long, with one wait at the end of each, as in training nobody waits for a step."""


@dataclass(frozen=True)
class Job:
    """What a process is to do."""

    case: Case
    task: str
    """ "time", or "fit" for the largest batch in `limit_gib`."""
    precisions: tuple[str, ...] = PRECISIONS
    seconds: float = 1.5
    """For the timing of the training step, and half as long for inference, of each precision."""
    limit_gib: float = 0.0
    rehearsal: bool = False

    @classmethod
    def from_json(cls, text: str) -> Job:
        fields = json.loads(text)
        return cls(**{**fields, "case": Case(**fields["case"]), "precisions": tuple(fields["precisions"])})

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self))


class Workload(NamedTuple):
    """A network on a card, ready to be trained."""

    train_step: Callable[[], Any]
    """Returns the loss, for which nobody has waited."""
    inference: Callable[[], Any]
    wait: Callable[[], None]
    value: Callable[[Any], float]
    """The loss as a number."""
    memory_mib: Callable[[], tuple[float, float]]
    """The most that arrays took together, and the most that was held, since the network was made."""


Make = Callable[[Case, str], Workload]
"""(case, precision) -> workload."""


def run(job: Job, make: Make, out_of_memory: tuple[type[BaseException], ...], clean: Callable[[], None]) -> None:
    """Do `job` and print the result: for each precision what was measured.

    Args:
        make: see `Make`.
        out_of_memory: what this framework raises then.
        clean: gives all memory back that no array holds.
    """
    result: dict[str, Any] = {}
    for precision in job.precisions:
        clean()
        if job.task == "time":
            result[precision] = timed(job, make(job.case, precision))
        else:
            result[precision] = {"batch": largest_batch(job, precision, make, out_of_memory, clean)}
        print(json.dumps(result), flush=True)  # the last line counts; what a killed process has printed is there, too


def timed(job: Job, work: Workload) -> dict[str, Any]:
    """Losses of the first two steps, milliseconds, and memory; in a rehearsal all is called and nothing timed."""
    proof = [work.value(work.train_step()) for _ in range(2)]
    step_ms, host_ms = speed(job, work, work.train_step, job.seconds)
    used_mib, held_mib = work.memory_mib()
    inference_ms, _ = speed(job, work, work.inference, job.seconds / 2)
    row = {"step_ms": step_ms, "host_ms": host_ms, "inference_ms": inference_ms}
    row.update({"used_mib": used_mib, "held_mib": held_mib})
    return {**(dict.fromkeys(row, math.nan) if job.rehearsal else row), "proof": proof}


def speed(job: Job, work: Workload, function: Callable[[], object], seconds: float) -> tuple[float, float]:
    """The median time of a call, and of Python's part in it, in milliseconds."""

    def block(calls: int) -> tuple[float, float]:
        work.wait()
        start_s = time.perf_counter()
        for _ in range(calls):
            function()
        handed_over_s = time.perf_counter()
        work.wait()
        return 1000 * (time.perf_counter() - start_s) / calls, 1000 * (handed_over_s - start_s) / calls

    begin_s, blocks = time.perf_counter(), [block(1)]
    if job.rehearsal:
        return blocks[0]
    calls = max(1, int(1000 * BLOCK_S / blocks[0][0]))
    while len(blocks) <= LEAST_BLOCKS or time.perf_counter() - begin_s < seconds:
        blocks.append(block(calls))
    total_ms, host_ms = zip(*blocks[1:])  # the first one warms up
    return statistics.median(total_ms), statistics.median(host_ms)


def largest_batch(
    job: Job, precision: str, make: Make, errors: tuple[type[BaseException], ...], clean: Callable[[], None]
) -> int:
    """The largest batch of which two training steps fit: doubled until one does not, then halved in between."""

    def fits(batch: int) -> bool:
        clean()
        try:
            work = make(dataclasses.replace(job.case, batch=batch), precision)
            for _ in range(1 if job.rehearsal else 2):
                work.train_step()
            work.wait()
        except errors:
            return False
        return True

    good, bad = 0, job.case.batch
    while bad <= (2 if job.rehearsal else 512) and fits(bad):
        good, bad = bad, 2 * bad
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    return good

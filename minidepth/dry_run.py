"""How much memory a training step takes, without the step: it is gone through at full size and nothing is computed.

On a GPU the arrays hold no numbers (cuda/dry_array.py), and CuPy's pool is played through to the byte. On the CPU the
kernels run for the first of their tiles alone (ops/cpu/threads.py), so that they ask for all their memory, in which
nobody writes; what was asked for is counted by Python's ``tracemalloc``, which knows of NumPy's arrays.

Both ask the operations themselves. So whatever a network, a loss or an optimiser keeps is in the figure, and a copy
too many is seen here first.
"""

from __future__ import annotations

import functools
import gc
import sys
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minidepth import losses, models, optim, targets
from minidepth.cuda.dry_array import DryArray, dry_run
from minidepth.cuda.pool_replay import NoRoomError, PoolReplay
from minidepth.data import Batch
from minidepth.nn import Module
from minidepth.ops.cpu import pool, threads

STEPS = 2
"""The second step begins with the pool that the first one has left, which may fit less well; later ones are alike."""


class Step(NamedTuple):
    """What is gone through."""

    network: Callable[[], Module]
    """Makes the network; its weights are not looked at."""
    size: tuple[int, int]
    batch: int
    loss: str | None = None
    """As for ``train --loss``; None for a plain one of what the network learns."""
    optimizer: str = "adam"
    accumulate: int = 1
    amp: bool = False


class Peak(NamedTuple):
    """Bytes that a step takes."""

    standing: int
    """Weights, moving statistics and the optimiser's sums."""
    batches: int
    """The batch of the step and the next one, which is made meanwhile."""
    arrays: int
    """All arrays when there are most of them; what is more than the two above are activations and gradients."""
    total: int
    """What is taken from the machine: on a GPU by the pool, on the CPU by the whole process."""


def on_gpu(step: Step, limit_bytes: int | None = None) -> Peak:
    """The memory of a training step on a GPU. The driver and the compiled kernels take some more beside it.

    Raises:
        NoRoomError: the pool may take `limit_bytes`, which are too few.
    """
    with dry_run(PoolReplay(limit_bytes)) as replay:
        arrays: Any = DryArray.module
        network = step.network()
        for parameter in network.parameters():
            parameter.data = arrays.asarray(parameter.data)
        for buffer in network.buffers():
            if buffer.data.dtype.kind == "f":  # as in `Module.to`
                buffer.data = arrays.asarray(buffer.data)
        sizes = take_steps(step, network, arrays, lambda: replay.used_bytes)
        return Peak(*sizes, replay.peak_used_bytes, replay.peak_total_bytes)


def on_cpu(step: Step, limit_bytes: int | None = None) -> Peak:
    """The memory of this process with a training step on the CPU, whatever the limit."""
    process = _process_bytes()
    with threads.only_tiles(1):
        take_steps(step, step.network(), np, lambda: 0, steps=1)
    inside_tiles = pool.scratch_bytes() * threads.get_num_threads()
    pool.release_memory()
    tracemalloc.start()
    try:
        with threads.only_tiles(0):
            sizes = take_steps(step, step.network(), np, lambda: tracemalloc.get_traced_memory()[0])
        arrays = tracemalloc.get_traced_memory()[1] + inside_tiles
    finally:
        tracemalloc.stop()
        pool.release_memory()
    return Peak(*sizes, arrays, process + arrays)


@functools.cache
def _process_bytes() -> int:
    """What this process has in memory without the arrays of a step, but with all that a step loads: a small one is
    taken for that."""
    small = Step(lambda: models.build("unet:depth=1,base_channels=8"), (64, 64), 4)
    take_steps(small, small.network(), np, lambda: 0)
    pool.release_memory()
    return resident_bytes()


def largest_batch(peak: Callable[..., Peak], step: Step, limit_bytes: int) -> tuple[int, Peak | None]:
    """The largest batch with which `step` fits into `limit_bytes`, and its memory; 0 where not even one frame does.

    Args:
        peak: `on_gpu` or `on_cpu`.
        step: of any batch.
        limit_bytes: what there is.
    """
    found: dict[int, Peak] = {}

    def fits(batch: int) -> bool:
        try:
            found[batch] = peak(step._replace(batch=batch), limit_bytes)
        except NoRoomError:
            return False
        return found[batch].total <= limit_bytes

    one, two = (peak(step._replace(batch=batch)).total for batch in (1, 2))
    guess = max(0, 1 + (limit_bytes - one) // (two - one))  # what each frame takes is nearly the same
    few, many, stride = guess, guess + 1, 1
    while few > 0 and not fits(few):
        few, many, stride = max(0, few - stride), few, 2 * stride
    while many > guess and fits(many):
        few, many, stride = many, many + stride, 2 * stride
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (middle, many) if fits(middle) else (few, middle)
    return few, found.get(few)


def take_steps(
    step: Step, network: Module, arrays: Any, used: Callable[[], int], steps: int = STEPS
) -> tuple[int, int]:
    """Training steps as train.py takes them.

    Args:
        step: all but the network is taken from here.
        network: where it is to be trained.
        arrays: the module that makes arrays there.
        used: says how many bytes are in use.
        steps: how many.

    Returns:
        The bytes of what stands, and of two batches.
    """
    task = task_of(network)
    loss = losses.build(step.loss or plain_loss(task), task.names if len(task.names) > 1 else None)
    optimizer = optim.build(step.optimizer, network.parameters(), 1e-3)
    scaler = None if arrays is np else (optim.LossScaler if step.amp else optim.guard)(network.parameters())
    standing = used()
    batch, ahead = (batch_of(step, network, task, arrays) for _ in range(2))
    batches = used() - standing
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the numbers mean nothing
        for _ in range(steps):
            for _ in range(min(step.accumulate, 2)):  # with the second batch, there are gradients from the start
                value = task.loss(loss, task.run(network, batch, half=step.amp), batch)
                share = 1 / step.accumulate
                value.backward(share if scaler is None else scaler.cotangent(share, value))
                batch, ahead = ahead, batch
            optimizer.step(scaler)
            if scaler is not None:
                scaler.update()
            optimizer.zero_grad()
    return standing, batches


def task_of(network: Module) -> targets.Task:
    """What `network` learns: its outputs, or classes where it has several channels, or depth."""
    outputs: tuple[str, ...] = getattr(network, "outputs", ())
    classes = getattr(network, "out_channels", 1)
    if not outputs and classes > 1:
        return targets.build("labels", classes=classes)
    return targets.build("+".join(outputs) or "depth", scale="unit" if len(outputs) > 1 else "metres")


def plain_loss(task: targets.Task) -> str:
    """A loss for each target, as text."""
    kinds = {"depth": "mse", "labels": "cross_entropy", "mask": "bce"}
    return "+".join(f"{name}.{kinds[name]}" if len(task.names) > 1 else kinds[name] for name in task.names)


def batch_of(step: Step, network: Module, task: targets.Task, arrays: Any) -> Batch:
    """A batch with the fields that are needed."""
    n, size = step.batch, step.size
    picture = (n, getattr(network, "in_channels", 3), *size)

    def maps(name: str, dtype: Any) -> Any:
        return arrays.ones((n, 1, *size), dtype) if name in task.names else None

    return Batch(
        arrays.ones(picture, np.float32),
        arrays.ones((n, 1, *size), np.float32),
        arrays.ones((n, 1, *size), bool),
        maps("labels", np.uint8),
        maps("mask", np.float32),
        arrays.ones(picture, np.float32) if "background" in targets.inputs_of(network) else None,
    )


def resident_bytes() -> int:
    """What this process has in memory: Python, its libraries and what it has loaded."""
    gc.collect()
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024

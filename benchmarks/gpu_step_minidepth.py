"""One process of benchmarks/gpu.py: the U-Net of minidepth on a card, timed or fitted into a part of its memory."""

from __future__ import annotations

import contextlib
import gc
import sys
from typing import Any

import numpy as np
from gpu_card import Card, Rehearsal
from gpu_job import FIRST_SCALE, Job, Workload, run
from measure import RATE, Case
from unet_minidepth import network

from minidepth import Tensor, no_grad, ops
from minidepth.backend import to_device
from minidepth.losses import mse
from minidepth.optim import Adam, LossScaler
from minidepth.precision import factors
from minidepth.testing import checking


def workload(case: Case, precision: str, card: Card) -> Workload:
    """A network, its optimiser and a batch on the card."""
    half = precision == "half"
    pool = None if card.rehearsal else card.cupy.get_default_memory_pool()
    model = network(case).to("cuda")
    adam, scaler = Adam(model.parameters(), lr=RATE), LossScaler(model.parameters(), FIRST_SCALE) if half else None
    image, depth_m = (to_device(array, "cuda") for array in case.batch_of_pictures())
    valid = to_device(np.ones(depth_m.shape, bool), "cuda")
    most_used = [0.0]

    @contextlib.contextmanager
    def exactly() -> Any:
        with factors(precision != "float32"), checking() if card.rehearsal else contextlib.nullcontext():
            yield

    def forward() -> Tensor:
        x = Tensor(image)
        return ops.cast(model(ops.cast(x, np.float16)), np.float32) if half else model(x)

    def train_step() -> Any:
        with exactly():
            loss = mse(forward(), depth_m, valid)
            adam.zero_grad()
            if scaler is None:
                loss.backward()
                adam.step()
            else:
                loss.backward(scaler.cotangent(1.0, loss))
                adam.step(scaler)
                scaler.update()
            return loss

    def inference() -> None:
        with no_grad(), exactly():
            model.eval()
            forward()
            model.train()

    def memory_mib() -> tuple[float, float]:
        if pool is None:
            return 0.0, 0.0
        with most_used_of(card, most_used):
            train_step()
        return most_used[0] / 2**20, pool.total_bytes() / 2**20

    def wait() -> None:
        card.wait()

    return Workload(train_step, inference, wait, lambda loss: loss.item(), memory_mib)


@contextlib.contextmanager
def most_used_of(card: Card, most: list[float]) -> Any:
    """Keep in ``most[0]`` the most bytes that the pool has handed out together. It slows each array down a little."""
    pool = card.cupy.get_default_memory_pool()

    class Hook(card.cupy.cuda.MemoryHook):  # type: ignore[name-defined, misc]
        name = "most used"

        def malloc_postprocess(self, **facts: Any) -> None:
            most[0] = max(most[0], pool.used_bytes())

    with Hook():
        yield


def main(job: Job) -> None:
    card = Rehearsal() if job.rehearsal else Card()
    pool = None if job.rehearsal else card.cupy.get_default_memory_pool()
    if pool is not None and job.limit_gib:
        pool.set_limit(size=int(job.limit_gib * 2**30))

    def clean() -> None:
        gc.collect()
        if pool is not None:
            pool.free_all_blocks()

    run(job, lambda case, precision: workload(case, precision, card), (MemoryError,), clean)


if __name__ == "__main__":
    main(Job.from_json(sys.argv[1]))

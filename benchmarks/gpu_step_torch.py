"""One process of benchmarks/gpu.py: the same U-Net in PyTorch, eager, in one of its two memory formats.

cuDNN may try its algorithms at the first steps (``cudnn.benchmark``), which is PyTorch at its quickest.
"""

from __future__ import annotations

import contextlib
import gc
import sys
from typing import Any

import torch
from gpu_job import FIRST_SCALE, Job, Workload, run
from measure import RATE, Case
from torch.nn import functional as F  # noqa: N812 (its customary name)
from unet_torch import network


def workload(case: Case, precision: str, device: str, memory_format: torch.memory_format) -> Workload:
    """A network, its optimiser and a batch on the card."""
    half = precision == "half"
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision != "float32"
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    model = network(case).to(device, memory_format=memory_format)
    adam, scaler = (
        torch.optim.Adam(model.parameters(), lr=RATE),
        torch.amp.GradScaler(device, FIRST_SCALE, enabled=half),
    )
    image, depth_m = (torch.from_numpy(array).to(device) for array in case.batch_of_pictures())
    image = image.contiguous(memory_format=memory_format)

    def mixed() -> Any:
        return torch.autocast(device, torch.float16) if half else contextlib.nullcontext()

    def train_step() -> torch.Tensor:
        adam.zero_grad()
        with mixed():
            prediction = model(image)
        loss = F.mse_loss(prediction.float(), depth_m)
        scaler.scale(loss).backward()
        scaler.step(adam)
        scaler.update()
        return loss.detach()

    def inference() -> None:
        model.eval()
        with torch.no_grad(), mixed():
            model(image)
        model.train()

    def wait() -> None:
        if device == "cuda":
            torch.cuda.synchronize()

    def memory_mib() -> tuple[float, float]:
        if device != "cuda":
            return 0.0, 0.0
        return torch.cuda.max_memory_allocated() / 2**20, torch.cuda.max_memory_reserved() / 2**20

    return Workload(train_step, inference, wait, lambda loss: loss.item(), memory_mib)


def main(job: Job, memory_format: torch.memory_format) -> None:
    device = "cpu" if job.rehearsal else "cuda"
    if job.limit_gib and device == "cuda":
        total = torch.cuda.get_device_properties(0).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, job.limit_gib * 2**30 / total))

    def clean() -> None:
        gc.collect()
        if device == "cuda":
            torch.cuda.empty_cache()

    def make(case: Case, precision: str) -> Workload:
        return workload(case, precision, device, memory_format)

    run(job, make, (torch.OutOfMemoryError,), clean)


if __name__ == "__main__":
    main(Job.from_json(sys.argv[1]), getattr(torch, sys.argv[2]))

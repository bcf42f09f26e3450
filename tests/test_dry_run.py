"""The memory of a training step: the dry run against steps that are really taken, to the byte."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from minidepth import models
from minidepth.cuda.launch import RUNNERS
from minidepth.dry_run import Step, on_gpu, take_steps
from minidepth.optim import multi_tensor
from minidepth.testing.device_array import DeviceArray

SMALL_UNET = "unet:depth=2,base_channels=2,norm=batch,up=bilinear"
STEPS_TO_TAKE = {
    "unet": Step(lambda: models.build("unet:depth=2,base_channels=2", rng=0), (16, 24), 2, "mse+gradient+normal"),
    "recompute": Step(lambda: models.build(f"{SMALL_UNET},recompute", rng=0), (16, 16), 3, "berhu", "sgd"),
    "accumulate": Step(lambda: models.build(SMALL_UNET, rng=0), (16, 16), 1, "l1", "adam:amsgrad", 2),
    "mobilenet": Step(lambda: models.build("mobilenet", rng=0), (32, 32), 2, "ssim+edges"),
    "two outputs": Step(lambda: models.build("depthmasknet8:base_channels=1", rng=0), (32, 32), 2),
    "classes": Step(lambda: models.build("unet:depth=1,base_channels=2,out_channels=3", rng=0), (8, 8), 2),
}


@pytest.mark.parametrize("name", STEPS_TO_TAKE)
def test_a_step_on_the_gpu_takes_what_was_predicted(
    name: str, emulated_gpu: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every array of the step is made and counted on the emulated GPU. Kernels are left out: they ask for no memory."""
    monkeypatch.setitem(RUNNERS, DeviceArray, lambda *arguments: None)
    step = STEPS_TO_TAKE[name]
    predicted = on_gpu(step)
    for function in vars(multi_tensor).values():  # tables that the step of another test has left on the GPU
        getattr(function, "cache_clear", lambda: None)()
    gc.collect()
    memory = emulated_gpu.get_default_memory_pool()
    memory.free_all_blocks()
    before = memory.used_bytes()
    network = step.network()
    network.to("cuda")
    sizes = take_steps(step, network, emulated_gpu, lambda: memory.used_bytes() - before)
    assert (*sizes, memory.total_bytes() - before) == predicted[:3]

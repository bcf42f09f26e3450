"""The memory of a training step: the dry run against steps that are really taken, and what is said of it."""

from __future__ import annotations

import re
import tracemalloc
from typing import Any

import numpy as np
import pytest

from minidepth import cli, models
from minidepth.cuda.dry_array import DryArray, dry_run
from minidepth.cuda.launch import RUNNERS
from minidepth.cuda.pool_replay import NoRoomError, PoolReplay
from minidepth.dry_run import Peak, Step, largest_batch, on_cpu, on_gpu, take_steps
from minidepth.errors import InputError
from minidepth.memory_report import parse_bytes
from minidepth.ops.cpu import pool, threads
from minidepth.optim import multi_tensor
from minidepth.testing import device_array, device_memory
from minidepth.testing.device_array import DeviceArray

UNET = "unet:depth=2,base_channels=2"
NORM = f"{UNET},norm=batch,up=bilinear"
STEPS_TO_TAKE = {
    "unet": Step(lambda: models.build(UNET, rng=0), (16, 24), 2, "mse+gradient+normal"),
    "recompute": Step(lambda: models.build(f"{NORM},recompute", rng=0), (16, 16), 3, "berhu", "sgd"),
    "accumulate": Step(lambda: models.build(NORM, rng=0), (16, 16), 1, "l1", "adam:amsgrad", 2),
    "half": Step(lambda: models.build(f"{UNET},recompute", rng=0), (16, 16), 2, "mse", amp=True),
    "half, norm": Step(lambda: models.build(NORM, rng=0), (16, 16), 2, "silog:bts", "rmsprop", 2, amp=True),
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
    memory = device_memory.Pool()  # of its own, as what another test has left may come back in the middle of this one
    monkeypatch.setattr(device_array, "POOL", memory)
    network = step.network()
    network.to("cuda")
    sizes = take_steps(step, network, emulated_gpu, memory.used_bytes)
    assert (*sizes, memory.total_bytes()) == predicted[:3]


@pytest.mark.parametrize("options", ["norm=batch,up=bilinear", "recompute"])
def test_a_step_on_the_cpu_takes_what_was_predicted(options: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small arrays that NumPy makes inside tiles are not seen, which is little beside networks of any use."""
    monkeypatch.setattr(threads, "_num_threads", 1)  # a second one may find nothing to do and so need no memory
    step = Step(lambda: models.build(f"unet:depth=3,base_channels=8,{options}", rng=0), (192, 256), 4, "mse+gradient")
    predicted = on_cpu(step)
    pool.release_memory()
    tracemalloc.start()
    sizes = take_steps(step, step.network(), np, lambda: tracemalloc.get_traced_memory()[0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(predicted[1:3], (sizes[1], peak), rtol=0.05)
    assert predicted.total > predicted.arrays + 10 * 2**20  # Python and NumPy themselves


def test_several_batches_for_a_step_cost_no_more_than_their_gradients() -> None:
    step = Step(lambda: models.build("unet:base_channels=8", rng=0), (128, 128), 2)
    one, two, many = (on_gpu(step._replace(accumulate=count)) for count in (1, 2, 50))
    weights = sum(parameter.data.nbytes for parameter in step.network().parameters())
    assert two == many
    assert 0.9 * weights < two.arrays - one.arrays < 1.1 * weights


def test_a_card_that_is_too_small() -> None:
    step = STEPS_TO_TAKE["unet"]
    peak = on_gpu(step)
    assert on_gpu(step, peak.total) == peak
    with pytest.raises(NoRoomError, match="bytes more than"):
        on_gpu(step, peak.arrays - 512)


def test_the_largest_batch_is_the_last_that_fits() -> None:
    step = STEPS_TO_TAKE["unet"]
    limit = 1_000_000
    batch, peak = largest_batch(on_gpu, step, limit)
    assert batch > 2 and on_gpu(step._replace(batch=batch), limit) == peak and peak.total <= limit
    with pytest.raises(NoRoomError):
        on_gpu(step._replace(batch=batch + 1), limit)
    assert largest_batch(on_gpu, step, 60_000) == (0, None)

    def bent(step: Step, limit_bytes: int | None = None) -> Peak:
        return Peak(0, 0, 0, 100 * step.batch + (step.batch > 5) * 250)

    assert [largest_batch(bent, step, limit)[0] for limit in (99, 100, 799, 850, 1050)] == [0, 1, 5, 6, 8]


def test_a_dry_array_holds_memory_as_long_as_a_view_of_it_lives() -> None:
    with dry_run(PoolReplay()) as replay:
        x = DryArray.module.empty((4, 300), np.float32)
        assert replay.used_bytes == 5120  # 4800, in whole units of 512
        part = x[1:3].T.reshape(2, 3, 100)[0]
        assert part.shape == (3, 100) and replay.used_bytes == 5120 + 2560  # a transposed view is copied by reshape
        y, view = x + 1.0, x.reshape(2, -1)[1]
        assert (y.shape, y.dtype, replay.used_bytes) == ((4, 300), np.float32, 5120 + 2560 + 5120)
        x = None
        assert view.shape == (600,) and replay.used_bytes == 5120 + 2560 + 5120
        view = None
        assert replay.used_bytes == 2560 + 5120
        y += part.sum()
        assert replay.used_bytes == 2560 + 5120
        total = np.concatenate([y, y], axis=1).astype(np.float16).mean(axis=0)
        assert (total.shape, total.dtype, replay.used_bytes) == ((600,), np.float16, 2560 + 5120 + 1536)
    assert replay.peak_used_bytes == 2560 + 5120 + 9728 + 5120


def test_the_pool_by_hand() -> None:
    replay = PoolReplay(limit_bytes=8 * 512)
    a, b = replay.take(3 * 512), replay.take(2 * 512 - 1)
    replay.give(a)
    assert (replay.used_bytes, replay.total_bytes) == (1024, 5 * 512)
    first, second = replay.take(1), replay.take(600)  # both in the place of a
    assert (replay.used_bytes, replay.total_bytes) == (5 * 512, 5 * 512)
    replay.give(first)
    replay.give(second)
    again = replay.take(3 * 512)  # the two were joined
    assert replay.total_bytes == 5 * 512
    replay.give(again)
    replay.give(b)
    large = replay.take(6 * 512)  # neither block is large enough, and both go back to the card
    assert (replay.used_bytes, replay.total_bytes, replay.peak_total_bytes) == (6 * 512, 6 * 512, 6 * 512)
    with pytest.raises(NoRoomError, match="1,536 bytes more than 3,072 of 4,096"):
        replay.take(3 * 512)
    replay.give(large)
    small, empty = replay.take(512), replay.take(0)
    with pytest.raises(NoRoomError):  # the block is in use in part, and does not go back
        replay.take(6 * 512)
    replay.give(small)
    replay.give(empty)
    assert (replay.used_bytes, replay.total_bytes) == (0, 6 * 512)


def test_sizes_of_memory_as_they_are_typed() -> None:
    assert [parse_bytes(text) for text in ("16GB", "0.5 GiB", "512mb")] == [16 << 30, 1 << 29, 512 << 20]
    for text in ("unet", "16", "0GB", "-1GB", "1e3GB"):
        with pytest.raises(InputError, match=f"--memory {text}: give a size with its unit"):
            parse_bytes(text)


def test_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["summary", "unet", "--size", "64x64", "--base-channels", "2", "--memory"]
    assert cli.main([*words, "--batch", "3", "--loss", "l1", "--optimizer", "sgd"]) == 0
    title, _, header, on_gpu_line, *_, on_cpu_line, _, fixed, _, _ = capsys.readouterr().out.splitlines()
    assert title == "Memory of a training step, batch 3 of 64x64, sgd:"
    assert header.split() == ["as", "it", "is", "--recompute"]
    plain, recomputed = (int(text) for text in on_gpu_line.removeprefix("GPU, float32").split()[::2])
    assert 0 < recomputed <= plain < 10
    on_cpu = [parse_bytes(text) for text in re.findall(r"[\d.]+ [MG]B", on_cpu_line)]  # the tests' own process, too
    assert len(on_cpu) == 2 and all(30 << 20 < size < 8 << 30 for size in on_cpu)
    assert fixed == "Of it 0 MB are weights, moving statistics and the sums of sgd, and 0 MB two batches."

    words.append("--device=cuda")  # the CPU takes longer
    words.append(words.pop(-2))
    assert cli.main([*words, "4MB"]) == 0
    title, _, _, on_gpu_line, *_ = capsys.readouterr().out.splitlines()
    assert title == "The largest batch of 64x64 with which a training step fits into 4MB, adam:"
    (few, first), (many, second) = re.findall(r"(\d+) in (\d+) MB", on_gpu_line)
    assert 2 < int(few) < int(many) and int(first) <= 4 and int(second) <= 4
    assert cli.main([*words, "0.1MB"]) == 0
    assert capsys.readouterr().out.count("not even 1") == 4
    assert cli.main([*words, "16"]) == 2
    assert "--memory 16: give a size" in capsys.readouterr().err
    assert cli.main([*words, "1GB", "--batch", "3"]) == 2
    assert "--batch 3: with --memory 1GB it is the batch that is looked for" in capsys.readouterr().err
    assert cli.main([*words, "--batch", "0"]) == 2
    assert "--batch 0: must be at least 1" in capsys.readouterr().err

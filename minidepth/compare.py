"""Trained networks side by side: one table and one picture, from the same frames in one run.

Each network is examined in a process of its own, one after the other, so that its memory and time are its own: it
loads the weights, predicts every frame of the data set at full size, and is timed on one picture at a time, alone.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minidepth import precision
from minidepth.backend import resolve_device
from minidepth.cuda import device as gpu
from minidepth.data import open_dataset
from minidepth.data.sample import Dataset
from minidepth.errors import InputError
from minidepth.evaluate import usual_crop
from minidepth.grid_excess import PIECE, grid_excess
from minidepth.inference import fold_batch_norm
from minidepth.predict import find_pictures, network_outputs, predict_maps, read_upright
from minidepth.run_folder import TrainedModel, load_model
from minidepth.targets import TaskBoard

TIMED_PICTURES = 20
WARM_UP_PICTURES = 3
GRID_FRAMES = 50
"""Frames over which the share of a checkerboard is averaged: single maps scatter by a decibel."""


class Order(NamedTuple):
    """What the child process is to do with one run."""

    run: str
    data: str | None
    split: str
    crop: str | None
    tta: bool
    shown: tuple[int, ...]
    """Frames whose predictions are wanted for the picture."""
    photos: tuple[str, ...]
    target: str
    device: str = "cpu"
    amp: bool = False
    tf32: bool = False


class Examined(NamedTuple):
    """What came out for one run."""

    row: dict[str, Any]
    """Of the table: JSON values only."""
    maps: list[np.ndarray]
    """Predictions for the frames shown, then for the photos."""
    scores: dict[str, Any] | None


def compare(
    runs: Sequence[Path | str],
    data: str | None,
    split: str = "test",
    photos: Path | str | None = None,
    shown: int = 5,
    tta: bool = False,
    crop: str | None = None,
    seed: int = 0,
    log: Callable[[str], None] = print,
    device: str = "auto",
    amp: bool = False,
    tf32: bool = False,
) -> tuple[list[Examined], list[int], list[Path], str]:
    """Examine every run and return the results, the numbers of the frames shown, the photos, and the common target.

    Args:
        runs: run folders or weight files; all must predict one kind of map.
        data: what `open_dataset` takes; None only with photos.
        split: ``"test"`` or ``"train"``.
        photos: a folder of pictures without truth, or one picture.
        shown: how many frames the picture shows, drawn at random.
        tta: average with the mirrored picture.
        crop: as for `evaluate`.
        seed: of the frames shown.
        log: receives one line for each run.
        device: where the networks run, ``"auto"``, ``"cpu"`` or ``"cuda"``.
        amp, tf32: on a GPU, how exactly, see precision.py.

    Raises:
        InputError: nothing to compare, runs of different kinds, or data that do not belong to them.
    """
    if data is None and photos is None:
        raise InputError("compare: give --data PATH, or --photos DIR for pictures without truth")
    if shown < 1:
        raise InputError(f"--frames {shown}: must be at least 1")
    device = resolve_device(device)
    precision.check(device, amp, tf32)
    exactly = device, amp, tf32
    models = [load_model(run) for run in runs]
    target = common_target(models)
    frames: list[int] = []
    if data is not None:
        dataset = open_dataset(data, split=split)
        if target not in dataset.targets:
            raise InputError(f"--data {data} holds {' and '.join(dataset.targets)}, but the runs predict {target}")
        frames = sorted(np.random.default_rng(seed).permutation(len(dataset))[:shown].tolist())
    pictures = [path for path, _ in find_pictures([photos])] if photos is not None else []
    for path in pictures:
        read_upright(path)  # a broken one is named now, and not after minutes of work
    if pictures and any("background" in getattr(model.network, "inputs", ()) for model in models):
        raise InputError("--photos: one of these networks also takes a background, which photos do not have")
    del models
    results = []
    for run in runs:
        order = Order(str(run), data, split, crop, tta, tuple(frames), tuple(map(str, pictures)), target, *exactly)
        results.append(in_child(order))
        row = results[-1].row
        log(f"{row['run']}: {row['ms_per_picture']:.1f} ms a picture, peak memory {row['peak_mib'] or 0:.0f} MiB")
    return results, frames, pictures, target


def common_target(models: Sequence[TrainedModel]) -> str:
    """The first kind of map that all runs predict.

    Raises:
        InputError: there is none.
    """
    common = [name for name in models[0].task.names if all(name in model.task.names for model in models)]
    if not common:
        kinds = "; ".join(f"{model.path}: {' and '.join(model.task.names)}" for model in models)
        raise InputError(f"compare: these runs predict different things ({kinds})")
    return common[0]


def in_child(order: Order) -> Examined:
    """`examine` in a fresh process.

    Raises:
        InputError: also where the process died, as it does where memory runs out.
    """
    try:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return pool.submit(examine, order).result()
    except BrokenProcessPool:
        raise InputError(f"{order.run}: its process was killed, probably for want of memory") from None


def examine(order: Order) -> Examined:
    """Score, time and draw upon one run.

    Raises:
        InputError: a GPU's memory is full.
    """
    try:
        with precision.factors(order.tf32):
            return _examine(order)
    except MemoryError as error:  # told here, as CuPy in this process alone knows what is free
        raise InputError(f"{order.run}: {gpu.out_of_memory(error)}") from None


def _examine(order: Order) -> Examined:
    from minidepth.summary import summarize

    model = load_model(order.run)._replace(half=order.amp)
    row: dict[str, Any] = {
        "run": order.run,
        "model": model.config.model,
        "parameters": sum(parameter.size for parameter in model.network.parameters()),
        "file_mb": model.path.stat().st_size / 1e6,
        "size": list(model.config.size),
        "multiply_adds": summarize(model.network, model.config.size).multiply_adds,
    }
    folded = model._replace(network=fold_batch_norm(model.network, model.config.size))  # as `predict` does
    for network in (model.network, folded.network):
        network.to(order.device)
    maps, scores = [], None
    dataset = None if order.data is None else open_dataset(order.data, split=order.split)
    if dataset is not None:
        scores, row["grid_excess_db"] = score(order, model, dataset)
        samples = [dataset[index] for index in order.shown]
        maps = [predict_maps(model, s.image, s.background, order.tta)[order.target] for s in samples]
        pictures = [(sample.image, sample.background) for sample in samples]
    else:
        pictures = []
    photos = [read_upright(Path(photo)) for photo in order.photos]
    maps += [predict_maps(model, photo, tta=order.tta)[order.target] for photo in photos]
    pictures += [(photo, None) for photo in photos]
    row["ms_per_picture"] = time_ms(folded, pictures, order.tta)
    row["pictures_per_s"] = 1000 / row["ms_per_picture"]
    row["peak_mib"] = gpu_peak_mib() if order.device == "cuda" else peak_mib()
    row["device"] = gpu.card_name() if order.device == "cuda" else "CPU"
    return Examined(row, maps, scores)


def score(order: Order, model: TrainedModel, dataset: Dataset) -> tuple[dict[str, Any], float | None]:
    """The scores on all frames, and the mean share of a checkerboard, in dB, in maps large enough for it."""
    board = TaskBoard(model.task, model.guesses, order.crop or usual_crop(dataset[0]))
    excess = []
    for index in range(len(dataset)):
        sample = dataset[index]
        outputs = network_outputs(model, sample.image, sample.background, order.tta)
        size = sample.valid.shape
        maps = model.task.read(outputs, (size[0], size[1]))
        board.add({name: values[0] for name, values in maps.items()}, sample)
        own_size = outputs[0].shape[2], outputs[0].shape[3]
        if index < GRID_FRAMES and order.target == "depth" and min(own_size) >= PIECE:
            excess.append(grid_excess(model.task.read(outputs, own_size)["depth"][0]))
    return board.scores()[order.target], statistics.fmean(excess) if excess else None


def time_ms(model: TrainedModel, pictures: list[tuple[np.ndarray, np.ndarray | None]], tta: bool) -> float:
    """Median milliseconds from a picture to its map at full size, one picture at a time."""
    times_ms = []
    for number in range(WARM_UP_PICTURES + TIMED_PICTURES):
        image, background = pictures[number % len(pictures)]
        start_s = time.perf_counter()
        predict_maps(model, image, background, tta)
        times_ms.append((time.perf_counter() - start_s) * 1000)
    return statistics.median(times_ms[WARM_UP_PICTURES:])


def gpu_peak_mib() -> float:
    """What CuPy's memory pool has asked the GPU for, in MiB: it gives nothing back."""
    held: int = gpu.working_cupy().get_default_memory_pool().total_bytes()
    return held / 2**20


def peak_mib() -> float | None:
    """The most memory that this process has had, in MiB; None where the system does not tell."""
    status = Path("/proc/self/status")  # not getrusage, which on Linux remembers the parent's memory as well
    if not status.exists():
        return None
    peak = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024

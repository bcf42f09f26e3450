"""Training: `train` is the whole loop on one page, and the functions below it are its verbs.

No object keeps a random state: weights are drawn from the seed, batches from (seed, epoch, frame). So a run that was
stopped after any batch goes on to the same bytes as one that was not.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from minidepth import __version__, draw, precision, run_folder, train_report
from minidepth.backend import Array, xp
from minidepth.clock import EpochClock
from minidepth.config import TrainConfig
from minidepth.cuda.memory import PoolMemory
from minidepth.data import Batch
from minidepth.data.loader import stack
from minidepth.data.prefetch import ahead
from minidepth.diagnose import bad_parameter, first_bad_value, quiet_overflow
from minidepth.engine import Tensor, no_grad
from minidepth.errors import InputError
from minidepth.interrupt import StopRequest
from minidepth.optim import LossScaler, clip_grad_norm_
from minidepth.run_folder import Progress
from minidepth.schedule import Plateau
from minidepth.targets import TaskBoard, inputs_of, sample_of
from minidepth.train_parts import Parts, build_parts, first_weights
from minidepth.train_plan import group_of, is_enough

READ_EVERY = 20
"""Batches after which the losses that lie on a GPU are read: to read one is to wait until the GPU has nothing to do."""
DRAW_EVERY_S = 30
"""Drawing takes about a second, so after a quick epoch the pictures stay as they are; the last one is always drawn."""


def train(config: TrainConfig, log: Callable[[str], None] = print, resume: Path | str | None = None) -> Path:
    """Train a network and return its run folder, which holds the weights, the log and the pictures.

    Args:
        config: the settings.
        log: receives each line of the report.
        resume: a run folder to go on with; `config` is then what `continue_config` makes of its settings.

    Raises:
        InputError: a setting, a file or a folder cannot be used, or the loss is no longer a number.
        KeyboardInterrupt: stopped by Ctrl-C or SIGTERM, after everything was saved; the text says how to go on.
    """
    from tqdm import tqdm  # imported here so that `import minidepth` stays quick
    from tqdm.contrib.logging import logging_redirect_tqdm

    parts = build_parts(config)
    config, task, network, batches = parts.config, parts.task, parts.network, parts.batches
    meta = metadata(config, parts)
    folder, progress = begin(config, parts, meta, log) if resume is None else go_on(Path(resume), config, parts)
    log(train_report.headline(config, parts, folder, progress))

    drawn_s, memory = time.perf_counter(), PoolMemory(parts.cupy)
    with StopRequest() as stop, quiet_overflow(), logging_redirect_tqdm(), precision.factors(config.tf32):
        while not is_done(config, progress):
            network.train()
            batches.size = parts.size_of(progress.epoch)
            clock = EpochClock(batches)
            rest = islice(batches.epoch(progress.epoch), progress.batches, None)  # after a stop, skip what is done
            placed = memory.watch(ahead(rest, parts.cupy))
            unread: dict[int, Array] = {}  # number of a batch -> its loss, which may not be computed yet
            title = train_report.title(config, progress, batches)
            with tqdm(placed, title, len(batches), initial=progress.batches, leave=False, disable=None) as bar:
                for batch in bar:
                    loss = task.loss(parts.loss, task.run(network, batch, config.amp), batch)
                    unread[progress.batches] = loss.data
                    if parts.cupy is None or len(unread) == READ_EVERY:
                        read_losses(unread, folder, parts, progress)
                    together, last = group_of(progress.batches, len(batches), config.accumulate)
                    loss.backward(1 / together if parts.scaler is None else parts.scaler.cotangent(1 / together, loss))
                    if last:
                        take_step(parts, progress)

                    progress.count(step=last)
                    clock.count(len(batch.image))
                    text = train_report.postfix(progress, clock, config.epochs, len(batches), len(unread))
                    bar.set_postfix_str(text, refresh=False)
                    if stop.requested and progress.batches < len(batches):
                        read_losses(unread, folder, parts, progress)
                        save(folder, parts, progress, meta)
                        raise KeyboardInterrupt(train_report.how_to_go_on(folder, progress, config))
            read_losses(unread, folder, parts, progress)
            clock.stop()

            scores = validate(parts)
            log(train_report.epoch_lines(title, task, progress, clock, scores))
            run_folder.append_log(folder, train_report.log_row(progress, parts.optimizer.lr, clock, scores))
            better = finish_epoch(parts, progress, scores)
            save(folder, parts, progress, meta)
            if better:
                run_folder.save_best(folder, network, {**meta, "epoch": progress.epoch})
            if config.keep == "every":
                run_folder.save_epoch(folder, progress.epoch, network, {**meta, "epoch": progress.epoch})
            done = is_done(config, progress)
            if stop.requested or done or time.perf_counter() - drawn_s > DRAW_EVERY_S:
                draw_pictures(folder, parts)
                drawn_s = time.perf_counter()
            if stop.requested and not done:
                raise KeyboardInterrupt(train_report.how_to_go_on(folder, progress, config))

    log(train_report.farewell(config, task, folder, progress, memory))
    return folder


def metadata(config: TrainConfig, parts: Parts) -> dict[str, Any]:
    """What a weight file says about itself: the same in every run with these settings."""
    return {
        "minidepth": __version__,
        "config": config.to_dict(),
        "guesses": parts.guesses,
        "frames": len(parts.dataset),
    }


def begin(config: TrainConfig, parts: Parts, meta: dict[str, Any], log: Callable[[str], None]) -> tuple[Path, Progress]:
    """Make the run folder and save at once, so that a full disk is noticed before the work and not after."""
    first_weights(parts, log)
    folder = run_folder.create(config, parts.dataset.name)
    progress = Progress()
    config.save(folder / "config.json")
    draw.save_image(folder / "example.png", parts.samples[0].image)
    if parts.samples[0].background is not None and "background" in inputs_of(parts.network):
        draw.save_image(folder / "example_background.png", parts.samples[0].background)
    save(folder, parts, progress, meta)
    return folder, progress


def go_on(folder: Path, config: TrainConfig, parts: Parts) -> tuple[Path, Progress]:
    """Take up the run in `folder` where it stopped."""
    _, meta = run_folder.read_config(folder)
    before, now = (meta["frames"], run_folder.guesses_of(meta)), (len(parts.dataset), parts.guesses)
    if before[0] != now[0] or any(not math.isclose(before[1][name], now[1][name], rel_tol=1e-6) for name in now[1]):
        raise InputError(
            f"--resume {folder}: the run was started on {train_report.frames_text(*before)}, but {config.data} has "
            f"{train_report.frames_text(*now)}; give the same data with --data, or start a new run without --resume"
        )
    progress = run_folder.load_last(folder, parts.network, parts.optimizer, scaler_of(parts))
    if is_done(config, progress):
        raise InputError(train_report.nothing_left(config, folder, progress))
    if isinstance(parts.rate, Plateau) and progress.plateau is not None:
        parts.rate.load_state_dict(progress.plateau)
    run_folder.cut_log(folder, progress.epoch)
    return folder, progress


def is_done(config: TrainConfig, progress: Progress) -> bool:
    """Whether all epochs are done, or so many in a row without a better one that patience ends."""
    return progress.epoch >= config.epochs or is_enough(progress.epoch, progress.best_epoch, config.patience)


def read_losses(unread: dict[int, Array], folder: Path, parts: Parts, progress: Progress) -> None:
    """Add the losses that were not read yet to the sum of the epoch. Here alone training waits for what it computes.

    Raises:
        InputError: one is not finite, or a gradient was not. On a GPU that may be some batches ago, but the scaler has
            skipped those steps, so that the reason can still be looked for. In half precision it happens now and then:
            the mean of the epoch so far stands in for such a loss, and only what the scaler cannot cure ends the run.
    """
    losses = list(unread.values())
    values = Tensor(xp(losses[0]).stack(losses)).numpy().tolist() if losses else []
    for number, value in zip(unread, values):
        if not math.isfinite(value) and not parts.config.amp:
            batch = parts.batches.batch(progress.epoch, number)
            reason = first_bad_value(parts.network, *(getattr(batch, name) for name in inputs_of(parts.network)))
            raise InputError(train_report.bad_loss(value, progress.epoch, number, folder, reason))
        progress.loss_sum += value if math.isfinite(value) else progress.loss_sum / max(1, number)
    fault = None if parts.scaler is None else parts.scaler.fault()
    if fault is not None:
        raise InputError(train_report.bad_gradients(fault, folder, parts.config.amp))
    unread.clear()


def take_step(parts: Parts, progress: Progress) -> None:
    """Change the weights by the gradients that are there, and forget those."""
    if parts.config.clip_norm is not None:
        clip_grad_norm_(parts.network.parameters(), parts.config.clip_norm, parts.scaler)
    parts.optimizer.lr = parts.rate(progress.step)
    parts.optimizer.step(parts.scaler)
    if parts.scaler is not None:
        parts.scaler.update()
    parts.optimizer.zero_grad()


def scaler_of(parts: Parts) -> LossScaler | None:
    """The scaler, where it scales: one that only skips has nothing to remember."""
    return parts.scaler if parts.config.amp else None


def finish_epoch(parts: Parts, progress: Progress, scores: dict[str, Any] | None) -> bool:
    """Count the epoch and tell whether it is the best so far, also to a schedule that waits for the validation."""
    error = None if scores is None else parts.task.error(scores)
    if isinstance(parts.rate, Plateau) and error is not None:
        parts.rate.observe(error)
        progress.plateau = parts.rate.state_dict()
    return progress.finish_epoch(error)


def save(folder: Path, parts: Parts, progress: Progress, meta: dict[str, Any]) -> None:
    """Write ``last.safetensors``, unless a weight went bad: then the good file that is there stays."""
    name = bad_parameter(parts.network)
    if name is not None:
        raise InputError(train_report.bad_weights(name, folder))
    run_folder.save_last(folder, parts.network, parts.optimizer, scaler_of(parts), progress, meta)


@no_grad()
def validate(parts: Parts) -> dict[str, Any] | None:
    """Scores on the validation frames at the network's size, beside the constant guess; None where there are none."""
    if parts.val_batches is None:
        return None
    parts.network.eval()
    board = TaskBoard(parts.task, parts.guesses)
    for batch in parts.val_batches.epoch(0):
        maps = predicted(parts, batch)
        for index in range(len(batch.image)):
            board.add({name: values[index] for name, values in maps.items()}, sample_of(batch, index))
    return board.scores()


def predicted(parts: Parts, batch: Batch) -> dict[str, np.ndarray]:
    """Target -> the network's predictions for a batch (N, H, W), as the world has them."""
    outputs = parts.task.run(parts.network, batch, parts.config.amp)
    return parts.task.read([output.numpy() for output in outputs], batch.valid.shape[2:])


@no_grad()
def draw_pictures(folder: Path, parts: Parts) -> None:
    """Write ``curves.png`` and ``samples.png``."""
    parts.network.eval()
    maps = predicted(parts, stack(parts.samples, parts.config.input_form))
    for target in parts.task.targets:
        target.draw_samples(
            folder / train_report.samples_name(parts.task, target), parts.samples, list(maps[target.name])
        )
    draw.save_curves(folder / "curves.png", run_folder.read_log(folder), train_report.curves(parts.task))

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

from minidepth import __version__, draw, run_folder, train_report
from minidepth.clock import EpochClock
from minidepth.config import TrainConfig
from minidepth.data import network_input
from minidepth.diagnose import bad_parameter, first_bad_value, quiet_overflow
from minidepth.engine import Tensor, no_grad
from minidepth.errors import InputError
from minidepth.evaluate import ScoreBoard
from minidepth.interrupt import StopRequest
from minidepth.run_folder import Progress
from minidepth.train_parts import Parts, build_parts

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
    network, optimizer, batches = parts.network, parts.optimizer, parts.batches
    steps = config.epochs * len(batches)
    meta = metadata(config, parts)
    folder, progress = begin(config, parts, meta) if resume is None else go_on(Path(resume), config, parts)
    log(train_report.headline(config, parts, folder, progress))

    drawn_s = time.perf_counter()
    with StopRequest() as stop, quiet_overflow(), logging_redirect_tqdm():
        while progress.epoch < config.epochs:
            network.train()
            clock = EpochClock(batches)
            rest = islice(batches.epoch(progress.epoch), progress.batches, None)  # after a stop, skip what is done
            title = f"epoch {progress.epoch + 1}/{config.epochs}"
            with tqdm(rest, title, len(batches), initial=progress.batches, leave=False, disable=None) as bar:
                for batch in bar:
                    optimizer.lr = parts.rate(progress.step)
                    prediction = network(Tensor(batch.image))
                    loss = parts.loss(prediction, batch.depth_m, batch.valid)
                    value = loss.item()  # the one place where a step waits for its result
                    if not math.isfinite(value):
                        reason = first_bad_value(network, batch.image)
                        raise InputError(train_report.bad_loss(value, progress, folder, reason))
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()

                    progress.count(value)
                    clock.count(len(batch.image))
                    bar.set_postfix_str(train_report.postfix(progress, clock, steps), refresh=False)
                    if stop.requested and progress.batches < len(batches):
                        save(folder, parts, progress, meta)
                        raise KeyboardInterrupt(train_report.how_to_go_on(folder, progress, config))
            clock.stop()

            scores = validate(parts)
            log(train_report.epoch_lines(title, progress, clock, scores))
            run_folder.append_log(folder, train_report.log_row(progress, optimizer.lr, clock, scores))
            better = progress.finish_epoch(scores)
            save(folder, parts, progress, meta)
            if better:
                run_folder.save_best(folder, network, {**meta, "epoch": progress.epoch})
            last = stop.requested or progress.epoch == config.epochs
            if last or time.perf_counter() - drawn_s > DRAW_EVERY_S:
                draw_pictures(folder, parts)
                drawn_s = time.perf_counter()
            if stop.requested and progress.epoch < config.epochs:
                raise KeyboardInterrupt(train_report.how_to_go_on(folder, progress, config))

    log(train_report.farewell(config, folder, progress))
    return folder


def metadata(config: TrainConfig, parts: Parts) -> dict[str, Any]:
    """What a weight file says about itself: the same in every run with these settings."""
    return {
        "minidepth": __version__,
        "config": config.to_dict(),
        "mean_depth_m": parts.guess_m,
        "frames": len(parts.dataset),
    }


def begin(config: TrainConfig, parts: Parts, meta: dict[str, Any]) -> tuple[Path, Progress]:
    """Make the run folder and save at once, so that a full disk is noticed before the work and not after.

    The network begins at the constant guess instead of at 0 m: the bias of its last layer is the mean depth.
    """
    dict(parts.network.named_parameters())["head.bias"].data[...] = parts.guess_m
    folder = run_folder.create(config, parts.dataset.name)
    progress = Progress()
    config.save(folder / "config.json")
    draw.save_image(folder / "example.png", parts.samples[0].image)
    save(folder, parts, progress, meta)
    return folder, progress


def go_on(folder: Path, config: TrainConfig, parts: Parts) -> tuple[Path, Progress]:
    """Take up the run in `folder` where it stopped."""
    _, meta = run_folder.read_config(folder)
    if meta["frames"] != len(parts.dataset) or not math.isclose(meta["mean_depth_m"], parts.guess_m, rel_tol=1e-6):
        raise InputError(
            f"--resume {folder}: the run was started on {meta['frames']} frames with a mean depth of "
            f"{meta['mean_depth_m']:.4f} m, but {config.data} has {len(parts.dataset)} with {parts.guess_m:.4f} m; "
            f"give the same data with --data, or start a new run without --resume"
        )
    progress = run_folder.load_last(folder, parts.network, parts.optimizer)
    if progress.epoch >= config.epochs:
        raise InputError(
            f"--resume {folder}: all {config.epochs} epochs are done, there is nothing to go on with; "
            f"try: {train_report.command('evaluate', folder, '--data', config.data)}"
        )
    run_folder.cut_log(folder, progress.epoch)
    return folder, progress


def save(folder: Path, parts: Parts, progress: Progress, meta: dict[str, Any]) -> None:
    """Write ``last.safetensors``, unless a weight went bad: then the good file that is there stays."""
    name = bad_parameter(parts.network)
    if name is not None:
        raise InputError(train_report.bad_weights(name, folder))
    run_folder.save_last(folder, parts.network, parts.optimizer, progress, meta)


@no_grad()
def validate(parts: Parts) -> dict[str, Any] | None:
    """Scores on the validation frames at the network's size, beside the constant guess; None where there are none."""
    if parts.val_batches is None:
        return None
    parts.network.eval()
    board = ScoreBoard(parts.guess_m)
    for batch in parts.val_batches.epoch(0):
        predictions_m = parts.network(Tensor(batch.image)).data
        for prediction_m, depth_m, valid in zip(predictions_m, batch.depth_m, batch.valid):
            board.add(prediction_m[0], depth_m[0], valid[0])
    return board.scores()


@no_grad()
def draw_pictures(folder: Path, parts: Parts) -> None:
    """Write ``curves.png`` and ``samples.png``."""
    parts.network.eval()
    images = np.stack([network_input(sample.image) for sample in parts.samples])
    predictions_m = parts.network(Tensor(images)).data[:, 0]
    draw.save_samples(folder / "samples.png", parts.samples, list(predictions_m))
    draw.save_curves(folder / "curves.png", run_folder.read_log(folder))

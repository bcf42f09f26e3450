"""What training says: each function makes one text."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

from minidepth.clock import EpochClock
from minidepth.config import TrainConfig, size_text
from minidepth.cuda.device import card_name
from minidepth.cuda.memory import PoolMemory
from minidepth.data import Loader
from minidepth.run_folder import BEST, LAST, Progress
from minidepth.targets import Guesses, Target, Task
from minidepth.train_parts import Parts

AVERAGES = {"per_picture": "mean of pictures", "pooled": "pooled over pixels"}


def command(*words: object) -> str:
    """A command line that can be pasted."""
    return shlex.join(["minidepth", *map(str, words)])


def headline(config: TrainConfig, parts: Parts, folder: Path, progress: Progress) -> str:
    """What is about to be computed."""
    weights = sum(parameter.size for parameter in parts.network.parameters())
    kept = len(parts.val_batches.indices) if parts.val_batches else 0
    begin = f"going on at epoch {progress.epoch + 1}, batch {progress.batches + 1}" if progress.step else "new run"
    return (
        f"{folder}: {begin}\n"
        f"{config.model} with {weights:,} parameters on {config.data}: {len(parts.batches.indices)} training and "
        f"{kept} validation frames at {size_text(config.size)}, "
        f"{config.epochs} epochs of {len(parts.batches)} batches of {config.batch}"
        + (f", {config.accumulate} batches to a step" if config.accumulate > 1 else "")
        + (", on the CPU" if parts.cupy is None else f", on the GPU {card_name()}")
        + (", in half precision" if config.amp else "")
        + (", factors in TF32" if config.tf32 else "")
    )


def title(config: TrainConfig, progress: Progress, batches: Loader) -> str:
    """The name of the epoch that is under way."""
    size = f" at {size_text(batches.size)}" if config.sizes and batches.size else ""
    return f"epoch {progress.epoch + 1}/{config.epochs}{size}"


def postfix(progress: Progress, clock: EpochClock, epochs: int, batches: int, unread: int) -> str:
    """The right end of the progress bar, in a run of `epochs` with so many batches each; `unread` losses will come."""
    read = progress.batches - unread
    loss = f"loss {progress.loss_sum / read:.3f}, " if read else ""
    left = (epochs - progress.epoch) * batches - progress.batches
    left_s = round(left * clock.elapsed_s / clock.batches)
    return f"{loss}{clock.pictures_per_s:.1f} images/s, run ends in {left_s // 60}:{left_s % 60:02}"


def epoch_lines(title: str, task: Task, progress: Progress, clock: EpochClock, scores: dict[str, Any] | None) -> str:
    """Loss and speed of an epoch, and the validation metrics in both averages beside those of the constant guess."""
    head = (
        f"{title}  loss {progress.mean_loss:.4f}  {clock.pictures_per_s:.1f} images/s  {clock.elapsed_s:.1f} s "
        f"({clock.wait_share:.1%} of it waiting for data)"
    )
    if scores is None:
        return head
    guesses = ", ".join(target.guess_text(scores[target.name]) for target in task.targets)
    lines = [f"{head}  validation (in brackets: always {guesses})"]
    for target in task.targets:
        for key, average in AVERAGES.items():
            network, guess = scores[target.name]["network"][key], scores[target.name]["guess"][key]
            pairs = [f"{r.title} {network[r.key]:.3f}{r.unit} ({guess[r.key]:.3f})" for r in target.reported]
            lines.append("  ".join([f"  {average:18}", *pairs]))
    return "\n".join(lines)


def log_row(progress: Progress, lr: float, clock: EpochClock, scores: dict[str, Any] | None) -> dict[str, float]:
    """A row of ``log.csv``: ``val_*`` is the network, ``guess_*`` the constant guess, ``pooled`` over pixels."""
    row = {
        "epoch": progress.epoch + 1,
        "step": progress.step,
        "lr": lr,
        "loss": progress.mean_loss,
        "images_per_s": clock.pictures_per_s,
        "epoch_s": clock.elapsed_s,
        "data_wait_share": clock.wait_share,
    }
    for of_target in (scores or {}).values():
        for who, prefix in (("network", "val"), ("guess", "guess")):
            row.update({f"{prefix}_{metric}": value for metric, value in of_target[who]["per_picture"].items()})
            row.update({f"{prefix}_pooled_{metric}": value for metric, value in of_target[who]["pooled"].items()})
    return row


def curves(task: Task) -> list[tuple[str, str]]:
    """The validation metrics to draw, and their titles: two of each target."""
    shown = [metric for target in task.targets for metric in target.drawn]
    return [(metric.key, f"validation {metric.title}{' in' + metric.unit if metric.unit else ''}") for metric in shown]


def frames_text(frames: int, guesses: Guesses) -> str:
    """How many frames there are, and what is typical of them."""
    return f"{frames} frames with a mean of " + ", ".join(f"{guess:.4f} ({name})" for name, guess in guesses.items())


def bad_loss(value: float, epoch: int, batch: int, folder: Path, reason: str) -> str:
    """Why training cannot go on."""
    return (
        f"training stopped: the loss is {value} at epoch {epoch + 1}, batch {batch + 1}; {reason}. "
        f"{folder / LAST} still holds the last good weights; start again with a lower --lr"
    )


def bad_gradients(fault: str, folder: Path, amp: bool) -> str:
    """The same where the losses are good, or the precision is too low for any."""
    without = f", or go on without half precision: {command('train', '--resume', folder, '--no-amp')}" if amp else ""
    return (
        f"training stopped: {fault}. {folder / LAST} still holds the last good weights; start again with a lower --lr"
        f"{without}"
    )


def bad_weights(name: str, folder: Path) -> str:
    """Why the weights were not saved."""
    return (
        f"training stopped: the weights of {name} are no longer finite. {folder / LAST} still holds the last good "
        f"weights; start again with a lower --lr"
    )


def how_to_go_on(folder: Path, progress: Progress, config: TrainConfig) -> str:
    """What to say after Ctrl-C."""
    place = f"in epoch {progress.epoch + 1} of {config.epochs}, after {progress.batches} batches"
    if progress.batches == 0:
        place = f"after epoch {progress.epoch} of {config.epochs}"
    return f"stopped {place}; everything is saved. To go on: {command('train', '--resume', folder)}"


def nothing_left(config: TrainConfig, folder: Path, progress: Progress) -> str:
    """Why a run cannot go on that has come to its end."""
    reason = f"all {config.epochs} epochs are done, there is nothing to go on with"
    if progress.epoch < config.epochs:
        reason = f"{early_stop(config, progress)}; give a larger --patience, or 0 for none"
    return f"--resume {folder}: {reason}; try: {command('evaluate', folder, '--data', config.data)}"


def early_stop(config: TrainConfig, progress: Progress) -> str:
    """Why the run ended before its last epoch."""
    return (
        f"it stopped after epoch {progress.epoch} of {config.epochs}, as none since epoch {progress.best_epoch} was "
        f"better (--patience {config.patience})"
    )


def farewell(config: TrainConfig, task: Task, folder: Path, progress: Progress, memory: PoolMemory) -> str:
    """Where the results are, and the next two commands; on a GPU also what memory it took."""
    done = "done" if progress.epoch == config.epochs else f"done: {early_stop(config, progress)}"
    best = f"the best weights, of epoch {progress.best_epoch}"
    if progress.best_error is not None:
        best += f" with a {task.error_text(progress.best_error)}"
    pictures = [*(samples_name(task, target) for target in task.targets), "curves.png"]
    background = folder / "example_background.png"
    words = ("predict", folder, folder / "example.png", *(("--background", background) if background.exists() else ()))
    return (
        (f"{memory.text()}\n" if memory.cupy else "") + f"{done}. {folder / BEST} holds {best}.\n"
        f"Look at {' and '.join(str(folder / picture) for picture in pictures)}, then try:\n"
        f"  {command('evaluate', folder, '--data', config.data)}\n"
        f"  {command(*words)}"
    )


def samples_name(task: Task, target: Target) -> str:
    """The file of the drawn samples: ``samples.png``, or one for each target where there are several."""
    return "samples.png" if len(task.targets) == 1 else f"samples_{target.name}.png"

"""The parts of a training run, built from its settings: whatever is wrong with those is found here, before any work."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from minidepth import losses, optim, precision, run_folder, schedule, targets
from minidepth.backend import resolve_device
from minidepth.config import TrainConfig, option_text, size_text
from minidepth.cuda import device as gpu
from minidepth.data import Dataset, Loader, Sample, augment, open_dataset, resize_sample, split_blocks
from minidepth.data.input_form import check_form
from minidepth.data.prefetch import pinned
from minidepth.errors import InputError
from minidepth.nn import Module
from minidepth.nn.init import empty_weights
from minidepth.pretrained import load_weights
from minidepth.train_plan import Size, parse_sizes, size_of_epoch, steps_of_epoch

GUESS_FRAMES = 300
SAMPLE_FRAMES = 4


class Parts(NamedTuple):
    """Everything that a run computes with."""

    config: TrainConfig
    """The settings, with what the data set decides filled in."""
    task: targets.Task
    network: Module
    loss: losses.Loss
    optimizer: optim.Optimizer
    scaler: optim.LossScaler | None
    """On a GPU: skips steps whose gradients are not finite, as nobody looks at once; scales the loss with ``--amp``."""
    rate: schedule.Schedule
    """Step -> learning rate."""
    size_of: Callable[[int], Size]
    """Epoch, from 0 -> height and width of its training batches."""
    batches: Loader
    val_batches: Loader | None
    samples: list[Sample]
    """Validation frames to draw, at the network's size; training frames where none are kept for validation."""
    dataset: Dataset
    guesses: targets.Guesses
    """Target -> the best constant answer for the training frames (up to 300 of them, evenly spread)."""
    cupy: ModuleType | None
    """CuPy where the network lies on a GPU; None on the CPU."""


def build_parts(config: TrainConfig) -> Parts:
    """Build the parts of the run that `config` describes.

    Raises:
        InputError: a setting cannot be used; the text names the option. DataError: a frame cannot be read.
    """
    device = resolve_device(config.device)
    cupy = gpu.working_cupy() if device == "cuda" else None
    precision.check(device, config.amp, config.tf32)
    check_form(config.input_form)
    dataset = open_dataset(config.data, split="train")
    config = resolve(config, dataset)
    task = run_folder.build_task(config)
    network = run_folder.build_model(config).to(device)
    size_of = plan_sizes(config, network)
    loss = named("loss", lambda: losses.build(config.loss, task.names if len(task.names) > 1 else None))
    change = named("augment", lambda: augment.build(config.augment))
    optimizer = named(
        "optimizer", lambda: optim.build(config.optimizer, network.parameters(), config.lr, config.weight_decay)
    )
    named("schedule", lambda: schedule.build(config.schedule, config.lr, 1, 1))

    train_indices, val_indices = named("val_split", lambda: split_blocks(len(dataset), config.val_split, config.seed))
    if config.batch > len(train_indices):
        raise InputError(
            f"--batch {config.batch} is larger than the {len(train_indices)} training frames of {config.data} "
            f"({len(val_indices)} more are kept for validation); use --batch {len(train_indices)} or fewer"
        )

    def loader(indices: np.ndarray, training: bool) -> Loader:
        return Loader(
            dataset,
            config.batch,
            size=config.size,
            augment=change if training else None,
            seed=config.seed,
            shuffle=training,
            workers=config.workers,
            drop_last=training,  # batch-norm wants batches of one size
            indices=indices,
            input_form=config.input_form,
            empty=pinned(cupy if training else None),
        )

    batches = loader(train_indices, training=True)
    steps = steps_of_epoch(len(batches), config.accumulate)
    rate = schedule.build(config.schedule, config.lr, config.epochs * steps, steps)
    if not len(val_indices) and (config.patience or isinstance(rate, schedule.Plateau)):
        option = f"--patience {config.patience}" if config.patience else f"--schedule {config.schedule}"
        raise InputError(f"{option} watches the validation, but --val-split 0 keeps no frames for it; try 0.1")
    shown = val_indices if len(val_indices) else train_indices
    guessed = (dataset[i] for i in evenly(train_indices, GUESS_FRAMES))
    return Parts(
        config=config,
        task=task,
        network=network,
        loss=loss,
        optimizer=optimizer,
        scaler=None if cupy is None else (optim.LossScaler if config.amp else optim.guard)(network.parameters()),
        rate=rate,
        size_of=size_of,
        batches=batches,
        val_batches=loader(val_indices, training=False) if len(val_indices) else None,
        samples=[resize_sample(dataset[i], config.size) for i in evenly(shown, SAMPLE_FRAMES)],
        dataset=dataset,
        guesses=task.guesses(guessed),
        cupy=cupy,
    )


def first_weights(parts: Parts, log: Callable[[str], None]) -> None:
    """Let the network begin at the constant guess, where that is a matter of its last bias, or with the weights given.

    Raises:
        InputError: the file of weights cannot be used.
    """
    parts.task.start(parts.network, parts.guesses)
    if parts.config.weights is not None:
        log(str(load_weights(parts.network, parts.config.weights)))


def resolve(config: TrainConfig, dataset: Dataset) -> TrainConfig:
    """The settings with the task, the largest depth and the number of classes that follow from the data set.

    Raises:
        InputError: the data set does not hold what is to be learnt.
    """
    with empty_weights():  # only to ask what it is made for
        outputs = getattr(run_folder.build_model(config), "outputs", None)
    task = config.task
    if task == "auto":
        task = targets.choose_task(outputs, dataset.targets, config.data)
    missing = [name for name in task.split("+") if name in targets.NAMES and name not in dataset.targets]
    if missing:
        raise InputError(f"--task {task}: {config.data} holds {' and '.join(dataset.targets)}, but no {missing[0]}")
    if outputs is not None and task != "+".join(outputs):
        raise InputError(f"--task {task}: {config.model} is made for {'+'.join(outputs)}")
    names = getattr(dataset, "classes", ())
    if 0 < config.classes < len(names):  # a GPU would not say so: the loss of a label that no class has is NaN there
        known = f"{len(names)} classes ({', '.join(names)})"
        raise InputError(f"--classes {config.classes}: the labels of {config.data} have {known}; leave it out")
    return dataclasses.replace(
        config,
        task=task,
        max_depth_m=config.max_depth_m or dataset.max_depth_m,
        classes=config.classes or len(names),
    )


def plan_sizes(config: TrainConfig, network: Module) -> Callable[[int], Size]:
    """The size of each epoch.

    Raises:
        InputError: the network cannot take one of the sizes, or no epoch is left for the last one.
    """
    sizes = named("sizes", lambda: parse_sizes(config.sizes or ""))
    for size, _ in sizes:
        check_size("sizes", size, config.model, network)
    check_size("size", config.size, config.model, network)
    epochs = sum(count for _, count in sizes)
    if epochs >= config.epochs:
        raise InputError(
            f"--sizes {config.sizes}: these are {epochs} epochs, but the run has {config.epochs}; at least one must be "
            f"left for --size {size_text(config.size)}"
        )
    return lambda epoch: size_of_epoch(sizes, epoch, config.size)


def check_size(option: str, size: Size, model: str, network: Module) -> None:
    """Refuse a size that the network cannot halve as often as it needs to, naming the multiple and a size that fits."""
    multiple = getattr(network, "multiple", 1)
    if any(side < 1 or side % multiple for side in size):
        height, width = (max(1, round(side / multiple)) * multiple for side in size)
        raise InputError(
            f"--{option} {size_text(size)}: {model} needs a height and a width that are multiples of {multiple}; "
            f"try --{option} {height}x{width}"
        )


def named(name: str, build: Callable[[], Any]) -> Any:
    """Call `build`; what it refuses is reported under the option's name."""
    try:
        return build()
    except ValueError as error:
        raise InputError(f"{option_text(name)}: {error}") from None


def evenly(indices: np.ndarray, count: int) -> list[int]:
    """`count` of the indices, evenly spread, or all where there are fewer."""
    places = np.linspace(0, len(indices) - 1, min(count, len(indices))).round().astype(int)
    return [int(indices[place]) for place in places]

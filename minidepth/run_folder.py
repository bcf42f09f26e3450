"""The folder of a run: made fresh, never overwritten.

======================  ==============================================================================================
config.json             the settings
log.csv                 one row per epoch: losses, speed, validation metrics
curves.png              the same as pictures
samples.png             picture, truth, prediction and error of a few validation frames
example.png             one validation picture, to try ``minidepth predict`` on
best.safetensors        the weights of the best epoch under their plain names, the settings in the metadata
epoch-007.safetensors   the same of every epoch, with ``--keep every``
last.safetensors        ``model.*``, ``optimizer.*`` and, in the metadata, how far the run has come: all it needs; and
                        ``gradient.*`` where some batches of a step are done and some are not, and ``scaler.*`` with
                        ``--amp``, by whose scale those gradients are multiplied
======================  ==============================================================================================

A run draws every random number from (seed, epoch, frame), so seed, epoch and step are the whole random state.
"""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minidepth import checkpoint, models, targets
from minidepth.backend import resolve_device
from minidepth.config import MAX_DEPTH_M, TrainConfig
from minidepth.errors import CheckpointError, InputError
from minidepth.nn import Module
from minidepth.optim import LossScaler, Optimizer

BEST = "best.safetensors"
LAST = "last.safetensors"

RENAMED = {"best_rmse_m": "best_error"}
"""What was called otherwise in the files of earlier versions."""


@dataclass
class Progress:
    """How far a run has come; `batches` and `loss_sum` belong to the epoch that is under way."""

    epoch: int = 0
    batches: int = 0
    step: int = 0
    loss_sum: float = 0.0
    best_epoch: int = 0
    best_error: float | None = None
    """What `Task.error` made of the best epoch's scores; smaller is better."""
    plateau: dict[str, Any] | None = None
    """The state of a schedule that waits for the validation."""

    def count(self, step: bool = True) -> None:
        """Count one batch, and a step where it was the last one that it needed."""
        self.step += step
        self.batches += 1

    @property
    def mean_loss(self) -> float:
        """The mean loss of the epoch so far, where all of them are read."""
        return self.loss_sum / self.batches

    def finish_epoch(self, error: float | None) -> bool:
        """Go to the next epoch; tells whether the one just finished is the best so far (always, without validation)."""
        self.epoch, self.batches, self.loss_sum = self.epoch + 1, 0, 0.0
        if error is not None:
            if self.best_error is not None and error >= self.best_error:
                return False
            self.best_error = error
        self.best_epoch = self.epoch
        return True


class TrainedModel(NamedTuple):
    """A network with its weights and what is needed to use it."""

    network: Module
    config: TrainConfig
    task: targets.Task
    guesses: targets.Guesses
    """Target -> what somebody who sees nothing would say."""
    path: Path
    half: bool = False
    """Whether the network computes in half precision, on a GPU; whatever it was trained in."""


def create(config: TrainConfig, dataset_name: str) -> Path:
    """Make the run folder of `config`: ``config.out``, or the first free ``runs/<data set>-<n>``.

    Raises:
        InputError: the folder exists already.
    """
    if config.out is not None:
        folder = Path(config.out)
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            raise InputError(
                f"--out {folder} exists already: give another folder, go on with --resume {folder}, or delete it first"
            ) from None
        except OSError as error:
            raise InputError(f"--out {folder} cannot be made: {error.strerror}") from None
        return folder
    number = 1
    while True:
        folder = Path("runs") / f"{dataset_name}-{number}"
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            number += 1
        except OSError as error:
            raise InputError(
                f"the run folder {folder} cannot be made: {error.strerror}; choose one with --out"
            ) from None
        else:
            return folder


def build_model(config: TrainConfig) -> Module:
    """The network of `config` with fresh weights drawn from ``config.seed``."""
    names = ("base_channels", "norm", "activation", "up", "init")
    options: dict[str, Any] = {name: getattr(config, name) for name in names if getattr(config, name) is not None}
    if options.get("norm") == "none":
        options["norm"] = None
    if config.recompute:
        options["recompute"] = True
    try:
        if config.classes and "out_channels" in models.options(config.model):
            options["out_channels"] = config.classes
        return models.build(config.model, rng=config.seed, **options)
    except ValueError as error:
        raise InputError(f"--model {config.model}: {error}") from None


def build_task(config: TrainConfig) -> targets.Task:
    """What the network of `config` learns. A run from before there was a choice learnt depth."""
    task = "depth" if config.task == "auto" else config.task
    return targets.build(task, config.scale, config.max_depth_m or MAX_DEPTH_M, config.classes)


def save_best(folder: Path, network: Module, meta: dict[str, Any]) -> None:
    """Write the weights under their plain names, so that any reader of safetensors finds ``encoder...weight``."""
    checkpoint.save(folder / BEST, network.state_dict(), meta)


def save_epoch(folder: Path, epoch: int, network: Module, meta: dict[str, Any]) -> None:
    """Write the weights of an epoch, as `save_best` does."""
    checkpoint.save(folder / f"epoch-{epoch:03}.safetensors", network.state_dict(), meta)


def save_last(
    folder: Path, network: Module, optimizer: Optimizer, scaler: LossScaler | None, progress: Progress,
    meta: dict[str, Any],
) -> None:  # fmt: skip
    """Write everything that `load_last` needs to go on as if nothing had happened."""
    arrays = {f"model.{name}": value for name, value in network.state_dict().items()}
    arrays.update({f"optimizer.{name}": value for name, value in optimizer.state_dict().items()})
    arrays.update({f"scaler.{name}": value for name, value in (scaler.state_dict() if scaler else {}).items()})
    grads = {f"gradient.{name}": parameter.grad for name, parameter in network.named_parameters()}
    arrays.update({name: grad for name, grad in grads.items() if grad is not None})
    checkpoint.save(folder / LAST, arrays, {**meta, "progress": asdict(progress)})


def load_last(folder: Path, network: Module, optimizer: Optimizer, scaler: LossScaler | None) -> Progress:
    """Put the saved weights and the state of optimiser and scaler back and tell how far the run had come."""
    path = folder / LAST
    arrays, meta = checkpoint.load(path)
    try:
        network.load_state_dict(part(arrays, "model."))
        optimizer.load_state_dict(part(arrays, "optimizer."))
        grads, saved = part(arrays, "gradient."), part(arrays, "scaler.")
        if scaler is not None and saved:
            scaler.load_state_dict(saved)
        scale = (scaler.read().scale if scaler else 1.0) / float(saved["scale"][0] if saved else 1.0)
        for name, parameter in network.named_parameters():
            parameter.grad = network.placed(grads[name] * np.float32(scale)) if name in grads else None
        return Progress(**{RENAMED.get(name, name): value for name, value in meta["progress"].items()})
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: does not fit this run: {error}") from None


def read_config(folder: Path) -> tuple[TrainConfig, dict[str, Any]]:
    """The settings and the rest of the metadata with which the run in `folder` was last saved."""
    if not folder.is_dir():
        raise InputError(f"--resume {folder}: there is no such run folder")
    _, meta = checkpoint.load(folder / LAST)
    return config_of(meta, folder / LAST), meta


def load_model(run: Path | str, device: str = "cpu") -> TrainedModel:
    """The network of a run folder (its best weights, or the last ones where no epoch is finished) or of a weight file.

    Args:
        run: the folder or file.
        device: where its weights are to lie, ``"auto"``, ``"cpu"`` or ``"cuda"``.

    Raises:
        InputError: no such folder, or no GPU. CheckpointError: the file is damaged, or not of ``minidepth train``.
    """
    path = Path(run)
    if path.is_dir():
        path = next((path / name for name in (BEST, LAST) if (path / name).exists()), path / BEST)
    elif not path.exists():
        raise InputError(f"{path}: there is no such run folder or weight file; train one with: minidepth train")
    arrays, meta = checkpoint.load(path)
    config = config_of(meta, path)
    network = build_model(config)
    try:
        network.load_state_dict(part(arrays, "model.") or arrays)
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: {error}") from None
    network.eval().to(resolve_device(device))
    return TrainedModel(network, config, build_task(config), guesses_of(meta), path)


def config_of(meta: dict[str, Any], path: Path) -> TrainConfig:
    """The settings in a checkpoint's metadata."""
    if "config" not in meta or not guesses_of(meta):
        raise CheckpointError(f"{path}: has no settings in its metadata; it was not written by minidepth train")
    return TrainConfig.from_dict(meta["config"], str(path))


def guesses_of(meta: dict[str, Any]) -> targets.Guesses:
    """The constant guesses in a checkpoint's metadata; earlier versions knew depth alone."""
    if "guesses" in meta:
        return {name: float(guess) for name, guess in meta["guesses"].items()}
    return {"depth": float(meta["mean_depth_m"])} if "mean_depth_m" in meta else {}


def part(arrays: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    """The arrays whose name begins with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def read_log(folder: Path) -> list[dict[str, float]]:
    """The rows of ``log.csv``, oldest first; none where there is no such file."""
    path = folder / "log.csv"
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def append_log(folder: Path, row: dict[str, float]) -> None:
    """Add a row to ``log.csv``, which gets its heading with the first one."""
    path = folder / "log.csv"
    begin = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row))
        if begin:
            writer.writeheader()
        writer.writerow(row)


def cut_log(folder: Path, epochs: int) -> None:
    """Keep the rows of the first `epochs` epochs: one more may have been written just before a crash."""
    path = folder / "log.csv"
    if path.exists():
        heading, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join([heading, *rows[:epochs]]), encoding="utf-8")

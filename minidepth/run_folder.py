"""The folder of a run: made fresh, never overwritten.

======================  ==============================================================================================
config.json             the settings
log.csv                 one row per epoch: losses, speed, validation metrics
curves.png              the same as pictures
samples.png             picture, truth, prediction and error of a few validation frames
example.png             one validation picture, to try ``minidepth predict`` on
best.safetensors        the weights of the best epoch under their plain names, the settings in the metadata
last.safetensors        ``model.*``, ``optimizer.*`` and, in the metadata, how far the run has come: all it needs
======================  ==============================================================================================

A run draws every random number from (seed, epoch, frame), so seed, epoch and step are the whole random state.
"""

from __future__ import annotations

import csv
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minidepth import checkpoint, models
from minidepth.config import TrainConfig
from minidepth.errors import CheckpointError, InputError
from minidepth.nn import Module
from minidepth.optim import Optimizer

BEST = "best.safetensors"
LAST = "last.safetensors"


@dataclass
class Progress:
    """How far a run has come; `batches` and `loss_sum` belong to the epoch that is under way."""

    epoch: int = 0
    batches: int = 0
    step: int = 0
    loss_sum: float = 0.0
    best_epoch: int = 0
    best_rmse_m: float | None = None

    def count(self, loss: float) -> None:
        """Count one batch."""
        self.step += 1
        self.batches += 1
        self.loss_sum += loss

    @property
    def mean_loss(self) -> float:
        """The mean loss of the epoch so far."""
        return self.loss_sum / self.batches

    def finish_epoch(self, scores: dict[str, Any] | None) -> bool:
        """Go to the next epoch; tells whether the one just finished is the best so far (always, without validation)."""
        self.epoch, self.batches, self.loss_sum = self.epoch + 1, 0, 0.0
        if scores is not None:
            rmse_m = scores["network"]["per_picture"]["rmse_m"]
            if self.best_rmse_m is not None and rmse_m >= self.best_rmse_m:
                return False
            self.best_rmse_m = rmse_m
        self.best_epoch = self.epoch
        return True


class TrainedModel(NamedTuple):
    """A network with its weights and what is needed to use it."""

    network: Module
    config: TrainConfig
    mean_depth_m: float
    path: Path


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
    try:
        return models.build(
            config.model,
            base_channels=config.base_channels,
            norm=None if config.norm == "none" else config.norm,
            activation=config.activation,
            up=config.up,
            init=config.init,
            rng=config.seed,
            recompute=config.recompute,
        )
    except ValueError as error:
        raise InputError(f"--model {config.model}: {error}") from None


def save_best(folder: Path, network: Module, meta: dict[str, Any]) -> None:
    """Write the weights under their plain names, so that any reader of safetensors finds ``encoder...weight``."""
    checkpoint.save(folder / BEST, network.state_dict(), meta)


def save_last(folder: Path, network: Module, optimizer: Optimizer, progress: Progress, meta: dict[str, Any]) -> None:
    """Write everything that `load_last` needs to go on as if nothing had happened."""
    arrays = {f"model.{name}": value for name, value in network.state_dict().items()}
    arrays.update({f"optimizer.{name}": value for name, value in optimizer.state_dict().items()})
    checkpoint.save(folder / LAST, arrays, {**meta, "progress": asdict(progress)})


def load_last(folder: Path, network: Module, optimizer: Optimizer) -> Progress:
    """Put the saved weights and optimiser state back and tell how far the run had come."""
    path = folder / LAST
    arrays, meta = checkpoint.load(path)
    try:
        network.load_state_dict(part(arrays, "model."))
        optimizer.load_state_dict(part(arrays, "optimizer."))
        return Progress(**meta["progress"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: does not fit this run: {error}") from None


def read_config(folder: Path) -> tuple[TrainConfig, dict[str, Any]]:
    """The settings and the rest of the metadata with which the run in `folder` was last saved."""
    if not folder.is_dir():
        raise InputError(f"--resume {folder}: there is no such run folder")
    _, meta = checkpoint.load(folder / LAST)
    return config_of(meta, folder / LAST), meta


def load_model(run: Path | str) -> TrainedModel:
    """The network of a run folder (its best weights, or the last ones where no epoch is finished) or of a weight file.

    Raises:
        InputError: no such folder; CheckpointError: the file is damaged or was not written by ``minidepth train``.
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
    network.eval()
    return TrainedModel(network, config, float(meta["mean_depth_m"]), path)


def config_of(meta: dict[str, Any], path: Path) -> TrainConfig:
    """The settings in a checkpoint's metadata."""
    if "config" not in meta or "mean_depth_m" not in meta:
        raise CheckpointError(f"{path}: has no settings in its metadata; it was not written by minidepth train")
    return TrainConfig.from_dict(meta["config"], str(path))


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

"""The settings of a training run: one flat dataclass, checked when it is made, kept as JSON beside the weights."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from minidepth.errors import InputError

MIN_DEPTH_M = 1e-3
MAX_DEPTH_M = 10.0
"""Predictions are clamped to this range before they are scored or written: the range of the NYU protocol."""

FIRST_UNET = {"base_channels": 8, "norm": "batch", "activation": "leaky_relu", "up": "bilinear", "init": "pytorch"}
"""The U-Net that is trained where nothing else is said: small, and with the smaller first weights, for with batch-norm
behind them the same learning rate turns those faster."""

MAY_CHANGE_ON_RESUME = ("workers", "device", "amp", "tf32", "data", "recompute", "patience", "keep")
"""Where the data lies, how many threads read it, what is computed twice and what is kept do not change the numbers, and
patience only when they end. Device and precision change how numbers are rounded, and a run whose loss scale fell too
low can go on without `amp`. The rest makes another run."""

OPEN_ENDED = ("constant", "plateau", "step:every")
"""Schedules that do not ask how many epochs there will be begin with one of these."""


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides what a training run computes. The names are the command line's, with ``_`` for ``-``.

    Raises:
        InputError: a value that no run can use; the text names the option.
    """

    data: str = "rooms"
    """``"rooms"`` (procedural, nothing to download), or a path that `open_dataset` recognises."""
    task: str = "auto"
    """What is learnt, names of targets joined by ``+`` such as ``mask+depth``; auto: what the network is made for, else
    what the data set holds. In a run folder it is never auto."""
    scale: str = "metres"
    """How depth is taught, see targets/scale.py: metres, unit, inverse or log."""
    max_depth_m: float | None = None
    """The largest depth, at which scales end and predictions are clamped; None: the data set's, 10 m for NYU."""
    classes: int = 0
    """How many classes labels have; 0: as many as the data set."""
    input_form: str = "imagenet"
    """How pictures become numbers, see data/input_form.py."""
    model: str = "unet"
    """A network's name, with options where wanted: ``mobilenet:decoder=bilinear``."""
    weights: str | None = None
    """A file of weights to begin with, see pretrained/; None begins with random ones."""
    base_channels: int | None = None
    """Channels of the U-Net's first level; every level down doubles them. This and the four below belong to `unet` and
    networks with the same options; None is the network's own value, or for `unet` that of `FIRST_UNET`."""
    norm: str | None = None
    activation: str | None = None
    up: str | None = None
    init: str | None = None
    size: tuple[int, int] = (64, 80)
    """Height and width in pixels at which the network sees the pictures."""
    epochs: int = 8
    batch: int = 8
    lr: float = 1e-2
    """Learning rate: the highest one where the schedule varies it."""
    schedule: str = "one-cycle"
    optimizer: str = "adam"
    weight_decay: float = 0.0
    clip_norm: float | None = None
    """The largest norm of all gradients of a step together; None leaves them as they are."""
    accumulate: int = 1
    """How many batches make a step together, as one large batch would, in the memory of a small one."""
    sizes: str | None = None
    """Sizes of the first epochs, such as ``64x64:3,128x128:2``. `size` is that of the others, and always of validation,
    so that epochs can be compared."""
    patience: int = 0
    """Epochs without a better validation after which training stops; 0: it does not."""
    keep: str = "best"
    """The weights that stay: of the best epoch, or of ``every`` one."""
    loss: str = "mse+gradient"
    augment: str = "flip"
    val_split: float = 0.1
    """Share of the training frames kept for validation, in contiguous blocks; 0 keeps none."""
    seed: int = 0
    workers: int = 2
    device: str = "auto"
    amp: bool = False
    """On a GPU: hand float16 from layer to layer, see precision.py."""
    tf32: bool = False
    """On a GPU: round factors of products to TF32."""
    recompute: bool = False
    """Compute each level of the network once more in backward in place of keeping it: less memory, more time."""
    out: str | None = None
    """The run folder; None makes a fresh ``runs/<data set>-<n>``."""

    def __post_init__(self) -> None:
        if self.model.partition(":")[0] == "unet":
            for name, value in FIRST_UNET.items():
                if getattr(self, name) is None:
                    object.__setattr__(self, name, value)
        height, width = self.size
        problems = [
            (height < 1 or width < 1, f"--size {size_text(self.size)}: both numbers must be at least 1"),
            (
                self.base_channels is not None and self.base_channels < 1,
                f"--base-channels {self.base_channels}: must be at least 1",
            ),
            (self.norm not in ("batch", "none", None), f"--norm {self.norm}: use batch or none"),
            (
                self.max_depth_m is not None and not 0 < self.max_depth_m < math.inf,
                f"--max-depth-m {self.max_depth_m}: must be a positive number of metres",
            ),
            (self.epochs < 1, f"--epochs {self.epochs}: must be at least 1"),
            (self.batch < 1, f"--batch {self.batch}: must be at least 1"),
            (not (self.lr > 0 and math.isfinite(self.lr)), f"--lr {self.lr}: must be a positive number, such as 3e-3"),
            (not (0 <= self.weight_decay < math.inf), f"--weight-decay {self.weight_decay}: must be 0 or more"),
            (
                self.clip_norm is not None and not 0 < self.clip_norm < math.inf,
                f"--clip-norm {self.clip_norm}: must be a positive number, such as 1",
            ),
            (self.accumulate < 1, f"--accumulate {self.accumulate}: must be at least 1"),
            (self.patience < 0, f"--patience {self.patience}: must be 0 (never stop early) or more epochs"),
            (self.keep not in ("best", "every"), f"--keep {self.keep}: use best or every"),
            (not (0 <= self.val_split < 1), f"--val-split {self.val_split}: a share of the frames, from 0 to below 1"),
            (self.seed < 0, f"--seed {self.seed}: must be 0 or more"),
            (self.workers < 0, f"--workers {self.workers}: must be 0 or more"),
        ]
        for wrong, text in problems:
            if wrong:
                raise InputError(text)

    def to_dict(self) -> dict[str, Any]:
        """The settings as plain JSON values, without `out`: the folder is where they are written."""
        values = {**dataclasses.asdict(self), "size": list(self.size)}
        del values["out"]
        return values

    @classmethod
    def from_dict(cls, values: dict[str, Any], source: str = "configuration") -> TrainConfig:
        """The inverse of `to_dict`; `source` is the file that an error names."""
        unknown = sorted(set(values) - {field.name for field in dataclasses.fields(cls)})
        if unknown:
            raise InputError(f"{source}: unknown settings {', '.join(unknown)}; was it written by another version?")
        try:
            return cls(**{**values, "size": tuple(values.get("size", cls.size))})
        except (TypeError, ValueError) as error:
            raise InputError(f"{source}: {error}") from None

    def save(self, path: Path) -> None:
        """Write the settings as JSON."""
        path.write_text(json.dumps(self.to_dict(), indent=2) + "\n", encoding="utf-8")


def option_text(name: str) -> str:
    """The command line's spelling of a setting: ``base_channels`` is ``--base-channels``."""
    return "--" + name.replace("_", "-")


def size_text(size: tuple[int, int]) -> str:
    """A size as it is typed: ``128x160``, height first."""
    return f"{size[0]}x{size[1]}"


def parse_size(text: str) -> tuple[int, int]:
    """``"128x160"`` -> (128, 160), height first."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts):
        raise InputError(f"--size {text!r}: give height x width in pixels, such as 128x160")
    return int(parts[0]), int(parts[1])


def continue_config(saved: TrainConfig, given: dict[str, Any], run_dir: Path) -> TrainConfig:
    """The settings with which `run_dir` goes on: the saved ones, which `given` (the options typed) may only repeat.

    Raises:
        InputError: an option differs that would change what the run computes; the text names it. ``--epochs`` is one of
            them, because the length of the run shapes the learning-rate schedule, unless that is open-ended.
    """
    may_change = MAY_CHANGE_ON_RESUME + (("epochs",) if saved.schedule.startswith(OPEN_ENDED) else ())
    for name, value in given.items():
        before = getattr(saved, name)
        if value != before and name not in may_change:
            show = size_text if name == "size" else str
            hint = (
                f" (the {saved.schedule} schedule is laid out over all epochs)"
                if name == "epochs"
                else " (the two would not be one run)"
            )
            raise InputError(
                f"--resume {run_dir}: the run was started with {option_text(name)} {show(before)}, but {show(value)} "
                f"is given{hint}; leave {option_text(name)} out, or start a new run without --resume"
            )
    return dataclasses.replace(saved, **{name: value for name, value in given.items() if name in may_change})

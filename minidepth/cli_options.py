"""Options that several commands share: the settings of a training run, the device, the threads."""

from __future__ import annotations

import argparse
from typing import Any

from minidepth.config import TrainConfig, parse_size, size_text
from minidepth.errors import InputError

DEFAULTS = TrainConfig()


def size(text: str) -> tuple[int, int]:
    """`parse_size` with argparse's kind of error."""
    try:
        return parse_size(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_settings(command: argparse.ArgumentParser) -> None:
    """The settings of a training run."""

    def option(name: str, kind: Any, metavar: str, text: str) -> None:
        """An option of `TrainConfig`; one that is not typed stays out of the result, which --resume must know."""
        default = getattr(DEFAULTS, name[2:].replace("-", "_"))
        shown = size_text(default) if isinstance(default, tuple) else default
        command.add_argument(
            name, type=kind, metavar=metavar, default=argparse.SUPPRESS,
            help=text if default is None else f"{text} (default: {shown})",
        )  # fmt: skip

    option("--data", str, "PATH", "'rooms', or a file or folder of one of the formats in the README")
    command.add_argument("--preset", metavar="NAME", help="settings of a published system; see minidepth presets")
    option("--task", str, "NAME", "what is learnt: depth, labels, mask, or mask+depth; auto asks network and data")
    option("--scale", str, "NAME", "how depth is taught: metres, unit (share of the largest), inverse or log")
    option("--max-depth-m", float, "X", "largest depth in metres (default: the data set's, 10 for NYU)")
    option("--classes", int, "N", "classes of the labels; 0 asks the data")
    option("--input-form", str, "NAME", "how pictures become numbers: imagenet, unit, bytes, minmax or modest")
    option("--model", str, "NAME", "the network, with its options: mobilenet:decoder=bilinear; see minidepth models")
    option(
        "--weights", str, "FILE", "weights to begin with: .safetensors, torchvision's or FastDepth's .pth, Keras .h5"
    )
    option("--base-channels", int, "N", "channels of the U-Net's first level; 64 is that of the paper")
    option("--norm", str, "NAME", "batch, or none")
    option("--activation", str, "NAME", "leaky_relu, or relu as in the paper")
    option("--up", str, "NAME", "way up: bilinear, nearest, or transposed as in the paper")
    option("--init", str, "NAME", "first weights: pytorch (smaller), or he as in the paper")
    option("--size", size, "HxW", "height x width at which the network sees the pictures")
    option("--epochs", int, "N", "passes over the training frames")
    option("--batch", int, "N", "frames in a step")
    option("--lr", float, "X", "learning rate, the highest one of the schedule")
    option(
        "--schedule", str, "TEXT",
        "constant, linear, cosine, one-cycle, step:30,60 (per cent of the run), or by epochs: linear:epochs, "
        "step:every=5,factor=0.1, plateau:patience=2,factor=0.1",
    )  # fmt: skip
    option("--optimizer", str, "TEXT", "adam, adamw, sgd or rmsprop, with options: sgd:momentum=0.99,nesterov")
    option("--weight-decay", float, "X", "pull of the weights towards 0")
    option("--clip-norm", float, "X", "shorten the gradients of a step to this norm, all together")
    option("--accumulate", int, "N", "batches that make a step together")
    option("--sizes", str, "TEXT", "sizes of the first epochs, such as 64x64:3,128x128:2, before --size")
    option("--patience", int, "N", "stop after so many epochs without a better validation, 0 for never")
    option("--keep", str, "WHICH", "weights to keep: best, or every epoch's")
    option("--loss", str, "TEXT", "a sum of losses, such as mse+10*gradient:code+normal:code")
    option("--augment", str, "TEXT", "changes to the training frames, such as flip,zoom:1-1.4,color, or none")
    option("--val-split", float, "SHARE", "share of the training frames kept for validation, 0 for none")
    option("--seed", int, "N", "everything random follows from it")
    option("--workers", int, "N", "threads that read frames")
    option("--device", str, "NAME", "auto, cpu or cuda")
    add_precision(command, argparse.BooleanOptionalAction, argparse.SUPPRESS)
    add_threads(command)
    command.add_argument(
        "--pool-mib", type=int, metavar="N",
        help="memory kept to be used again; less than a step needs makes it slower (default: as much as comes)",
    )  # fmt: skip
    command.add_argument(
        "--recompute", action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS,
        help="compute levels of the network twice in place of keeping them: less memory, more time, the same weights",
    )  # fmt: skip


def add_device(command: argparse.ArgumentParser) -> None:
    """Where a trained network runs."""
    command.add_argument("--device", metavar="NAME", default="auto", help="auto, cpu or cuda (default: auto)")
    add_precision(command, "store_true", False)
    add_threads(command)


def add_precision(command: argparse.ArgumentParser, action: Any, default: Any) -> None:
    """What the tensor cores of a GPU are used for, see precision.py."""
    for name, text in (
        ("--amp", "on a GPU: half precision between the layers of the network"),
        ("--tf32", "on a GPU: round the factors of products to 11 bits"),
    ):
        command.add_argument(name, action=action, default=default, help=text)


def add_threads(command: argparse.ArgumentParser) -> None:
    """The option of every command that computes."""
    command.add_argument("--threads", type=int, metavar="N", help="threads that compute (default: one for each core)")

"""The words of the command line: every command, option and help text."""

from __future__ import annotations

import argparse
from typing import Any

from minidepth.config import TrainConfig, parse_size, size_text
from minidepth.errors import InputError

DEFAULTS = TrainConfig()


def parser(version: str) -> argparse.ArgumentParser:
    """The parser of ``minidepth``."""
    main = argparse.ArgumentParser(
        prog="minidepth",
        description="A U-Net in plain NumPy that learns to see depth: one picture in, metres out.",
        epilog="Begin with: minidepth train",
    )
    main.add_argument("--version", action="version", version=f"minidepth {version}")
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_train(commands)
    add_lr_find(commands)
    add_evaluate(commands)
    add_predict(commands)
    add_compare(commands)
    add_data(commands)
    add_models(commands)
    add_summary(commands)
    add_command(commands, "presets", "list the published systems that train takes as presets", "minidepth presets")
    add_gradcheck(commands)
    add_bench(commands)
    add_command(commands, "doctor", "what this machine has, and what of it minidepth will use", "minidepth doctor")
    return main


def add_command(commands: Any, name: str, summary: str, example: str) -> argparse.ArgumentParser:
    """A command with a one-line summary and an example under its help."""
    return commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_threads(command: argparse.ArgumentParser) -> None:
    """The option of every command that computes."""
    command.add_argument("--threads", type=int, metavar="N", help="threads that compute (default: one for each core)")


def size(text: str) -> tuple[int, int]:
    """`parse_size` with argparse's kind of error."""
    try:
        return parse_size(text)
    except InputError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_train(commands: Any) -> None:
    command = add_command(
        commands,
        "train",
        "train a network; without options, on procedural rooms in a few minutes",
        "minidepth train --data nyu_csv --size 128x160 --base-channels 16 --epochs 30 --lr 3e-3 --out nyu_run",
    )
    add_settings(command)
    folder = command.add_mutually_exclusive_group()
    folder.add_argument(
        "--out", metavar="DIR", default=argparse.SUPPRESS, help="run folder to make (default: runs/<data set>-<n>)"
    )
    folder.add_argument("--resume", metavar="DIR", help="go on with this run; its own settings hold")


def add_lr_find(commands: Any) -> None:
    command = add_command(
        commands,
        "lr-find",
        "look for a learning rate: a short training with a rate that grows, which is then thrown away",
        "minidepth lr-find --data nyu_csv --size 128x160 --base-channels 16 --batch 8",
    )
    command.add_argument("--steps", type=int, metavar="N", default=100, help="steps to take (default: 100)")
    add_settings(command)
    command.add_argument(
        "--out", metavar="DIR", default=argparse.SUPPRESS,
        help="folder to make for the picture (default: runs/lr-<data set>-<n>)",
    )  # fmt: skip


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
    add_threads(command)
    command.add_argument(
        "--pool-mib", type=int, metavar="N",
        help="memory kept to be used again; less than a step needs makes it slower (default: as much as comes)",
    )  # fmt: skip
    command.add_argument(
        "--recompute", action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS,
        help="compute levels of the network twice in place of keeping them: less memory, more time, the same weights",
    )  # fmt: skip


def add_evaluate(commands: Any) -> None:
    command = add_command(
        commands,
        "evaluate",
        "score a trained network by the NYU protocol, beside a constant guess",
        "minidepth evaluate runs/nyu_csv-1 --data nyu_csv --tta",
    )
    command.add_argument("run", metavar="RUN", help="run folder, or a weight file in it")
    command.add_argument("--data", metavar="PATH", required=True, help="data set, as for train")
    command.add_argument("--split", choices=("test", "train"), default="test", help="part of it (default: test)")
    command.add_argument("--tta", action="store_true", help="average with the prediction for the mirrored picture")
    command.add_argument(
        "--crop",
        metavar="NAME",
        help="pixels that count: eigen-bts, eigen-densedepth or none (default: eigen-bts where frames are 480x640)",
    )
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")
    add_threads(command)


def add_predict(commands: Any) -> None:
    command = add_command(
        commands,
        "predict",
        "predict the depth of pictures of any size",
        "minidepth predict runs/rooms-1 photo.jpg holiday_pictures --out depth",
    )
    command.add_argument("run", metavar="RUN", help="run folder, or a weight file in it")
    command.add_argument("paths", metavar="IMAGE|FOLDER", nargs="+", help="picture files, or folders of them")
    command.add_argument("--out", metavar="DIR", help="output folder (default: RUN/predictions)")
    command.add_argument(
        "--background", metavar="IMAGE", help="the view without the thing in front, for networks of two"
    )
    command.add_argument("--tta", action="store_true", help="average with the prediction for the mirrored picture")
    add_threads(command)


def add_compare(commands: Any) -> None:
    command = add_command(
        commands,
        "compare",
        "put trained networks side by side: one table and one picture",
        "minidepth compare runs/rooms-1 runs/rooms-2 --data rooms",
    )
    command.add_argument("runs", metavar="RUN", nargs="+", help="run folders, or weight files in them")
    command.add_argument("--data", metavar="PATH", help="data set, as for train")
    command.add_argument("--split", choices=("test", "train"), default="test", help="part of it (default: test)")
    command.add_argument("--photos", metavar="DIR", help="pictures without truth, to be seen only")
    command.add_argument("--frames", type=int, metavar="N", default=5, help="frames in the picture (default: 5)")
    command.add_argument("--out", metavar="DIR", default="compare", help="output folder (default: compare)")
    command.add_argument("--tta", action="store_true", help="average with the prediction for the mirrored picture")
    command.add_argument("--crop", metavar="NAME", help="pixels that count, as for evaluate")
    add_threads(command)


def add_data(commands: Any) -> None:
    command = add_command(
        commands,
        "data",
        "look into a data set, check every file of it, or make one",
        "minidepth data info nyu_csv --sheet sheet.png",
    )
    actions = command.add_subparsers(dest="action", required=True, metavar="ACTION")
    info = add_command(
        actions, "info", "counts, sizes, units, a histogram of depth", "minidepth data info nyu_csv --sheet sheet.png"
    )
    info.add_argument("--sheet", metavar="PNG", help="write a contact sheet of pictures and depth maps")
    verify = add_command(
        actions, "verify", "read every frame and name each broken file", "minidepth data verify nyu_csv"
    )
    for action in (info, verify):
        action.add_argument("path", metavar="PATH", help="data set, as for train")
        action.add_argument("--json", action="store_true", help="print JSON instead of text")
    make = add_command(
        actions,
        "make",
        "draw a stand-in for a data set, in its layout",
        "minidepth data make pets my_pets --frames 300",
    )
    make.add_argument("kind", metavar="KIND", help="pets, modest, diode or rooms (as NYU's CSV folder)")
    make.add_argument("folder", metavar="DIR", help="folder to make")
    make.add_argument("--frames", type=int, metavar="N", help="frames to train and to test together")
    make.add_argument("--size", type=size, metavar="HxW", help="height x width of the pictures")
    make.add_argument("--seed", type=int, metavar="N", default=0, help="another seed, other pictures (default: 0)")


def add_models(commands: Any) -> None:
    command = add_command(
        commands,
        "models",
        "list the networks: parameters, multiply-adds, source, and what each is for",
        "minidepth models",
    )
    command.add_argument("--json", action="store_true", help="print JSON instead of a table")


def add_summary(commands: Any) -> None:
    command = add_command(
        commands,
        "summary",
        "layers, output shapes, parameters, multiply-adds and memory of a network",
        "minidepth summary unet --size 240x320",
    )
    command.add_argument(
        "model", metavar="MODEL", help="the network, one of minidepth models; with options, as unet:depth=3,up=nearest"
    )
    command.add_argument("--size", type=size, metavar="HxW", help="(default: the size at which it was published)")
    for name, kind, metavar, text in (
        ("--base-channels", int, "N", "channels of its first level"),
        ("--in-channels", int, "N", "channels of the picture"),
        ("--out-channels", int, "N", "channels of the output"),
        ("--padding", str, "NAME", "same or valid"),
        ("--up", str, "NAME", "the way up: transposed, bilinear or another one that it has"),
        ("--norm", str, "NAME", "batch or none"),
    ):
        command.add_argument(
            name, type=kind, metavar=metavar, default=argparse.SUPPRESS, help=f"{text} (default: as published)"
        )


def add_gradcheck(commands: Any) -> None:
    command = add_command(
        commands,
        "gradcheck",
        "check hand-written gradients against finite differences in float64",
        "minidepth gradcheck conv2d batch_norm",
    )
    command.add_argument("ops", metavar="OP", nargs="*", help="operations to check (default: all)")


def add_bench(commands: Any) -> None:
    command = add_command(
        commands,
        "bench",
        "time every way to compute a convolution, beside the one that the rule picks",
        "minidepth bench conv --layers small",
    )
    command.add_argument("what", metavar="conv", choices=("conv",), help="what to time: conv")
    command.add_argument(
        "--layers",
        choices=("all", "base16", "base64", "small"),
        default="all",
        help="those of U-Nets with 16 or 64 base channels at 240x320, of both, or of a small one (default: all)",
    )
    command.add_argument("--rounds", type=int, metavar="N", default=3, help="calls of each, by turns (default: 3)")
    add_threads(command)

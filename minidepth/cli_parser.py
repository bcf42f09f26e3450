"""The words of the command line: every command, option and help text."""

from __future__ import annotations

import argparse
from typing import Any

from minidepth.cli_learn import add_learn
from minidepth.cli_options import add_device, add_settings, add_threads, size
from minidepth.cli_teach import add_teach


def parser(version: str) -> argparse.ArgumentParser:
    """The parser of ``minidepth``."""
    main = argparse.ArgumentParser(
        prog="minidepth",
        description="A U-Net in plain NumPy that learns to see depth: one picture in, metres out.",
        epilog="Begin with: minidepth train",
    )
    main.add_argument("--version", action="version", version=f"minidepth {version}")
    commands = main.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_learn(commands, add_command)
    add_teach(commands, add_command)
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
    add_device(command)


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
    add_device(command)


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
    add_device(command)


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
    command.add_argument(
        "--memory", metavar="SIZE", nargs="?", const="",
        help="what a training step takes on a GPU and on the CPU; or, with 16GB say, the largest batch that fits",
    )  # fmt: skip
    command.add_argument("--device", choices=("cpu", "cuda"), help="where that step is taken (default: both)")
    command.add_argument("--batch", type=int, metavar="N", help="its frames (default: 8)")
    command.add_argument("--loss", metavar="TEXT", help="its loss, as for train (default: a plain one)")
    command.add_argument("--optimizer", metavar="TEXT", default="adam", help="as for train (default: adam)")
    command.add_argument("--accumulate", type=int, metavar="N", default=1, help="batches that make it together")


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

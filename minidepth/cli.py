"""The command line: ``minidepth train``, ``lr-find``, ``evaluate``, ``predict``, ``data info|verify|make``,
``models``, ``presets``, ``summary``, ``gradcheck``, ``bench``, ``compare``, ``doctor``; and for lessons ``learn``,
``check``, ``hint``, ``solution``, ``mine`` and ``teach``.

A mistake of the user is one line on standard error and exit status 2; Ctrl-C is status 130.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from minidepth import __version__, cli_learn, cli_teach, set_num_threads, set_pool_limit
from minidepth.cli_parser import parser
from minidepth.cuda.device import out_of_memory
from minidepth.errors import InputError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Args:
        argv: the words after ``minidepth``; None takes them from the process.
    """
    arguments = parser(__version__).parse_args(argv)
    try:
        set_limits(arguments)
        status = COMMANDS[arguments.command](arguments)
        sys.stdout.flush()  # here, where a closed pipe can still be caught
        return status
    except InputError as error:
        return complain(str(error), 2)
    except KeyboardInterrupt as interrupt:
        return complain(str(interrupt) or "stopped", 130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is still in the buffer goes nowhere
        return 0  # the reader has enough, as in `minidepth summary unet | head`
    except OSError as error:
        return complain(f"{error.filename or 'file system'}: {error.strerror or error}", 2)
    except MemoryError as error:
        return complain(out_of_memory(error, getattr(arguments, "batch", None)), 2)


def complain(text: str, status: int) -> int:
    """Say on standard error what went wrong."""
    print(f"minidepth: {text}", file=sys.stderr)
    return status


def say(text: str) -> None:
    """Print at once, so that a log file can be followed while the work goes on."""
    print(text, flush=True)


def set_limits(arguments: argparse.Namespace) -> None:
    """--threads and --pool-mib: how much of the machine to use. They change no result, so no run keeps them."""
    threads, pool_mib = getattr(arguments, "threads", None), getattr(arguments, "pool_mib", None)
    if threads is not None:
        if threads < 1:
            raise InputError(f"--threads {threads}: must be at least 1")
        set_num_threads(threads)
    if pool_mib is not None:
        if pool_mib < 0:
            raise InputError(f"--pool-mib {pool_mib}: must be 0 or more")
        set_pool_limit(pool_mib << 20)


def settings_given(arguments: argparse.Namespace) -> dict[str, Any]:
    """Fields of `TrainConfig`: those of the preset, if one is named, and those that were typed, which win."""
    from minidepth.config import TrainConfig
    from minidepth.presets import settings_of

    settings = {field.name for field in dataclasses.fields(TrainConfig)}
    typed = {name: value for name, value in vars(arguments).items() if name in settings}
    return typed if arguments.preset is None else {**settings_of(arguments.preset), **typed}


def run_train(arguments: argparse.Namespace) -> int:
    from minidepth.config import TrainConfig, continue_config
    from minidepth.run_folder import read_config
    from minidepth.train import train

    given = settings_given(arguments)
    if arguments.resume is None:
        config = TrainConfig(**given)
    else:
        saved, _ = read_config(Path(arguments.resume))
        config = continue_config(saved, given, Path(arguments.resume))
    arguments.batch = config.batch  # also where it was not typed: `main` asks for it where memory is full
    train(config, log=say, resume=arguments.resume)
    return 0


def run_lr_find(arguments: argparse.Namespace) -> int:
    from minidepth.config import TrainConfig
    from minidepth.lr_finder import lr_find

    config = TrainConfig(**settings_given(arguments))
    arguments.batch = config.batch  # as above
    lr_find(config, arguments.steps, log=say)
    return 0


def how(arguments: argparse.Namespace) -> tuple[str, bool, bool]:
    """Where a trained network runs, and how exactly."""
    return arguments.device, arguments.amp, arguments.tf32


def run_evaluate(arguments: argparse.Namespace) -> int:
    from minidepth.evaluate import evaluate, scores_text

    result = evaluate(arguments.run, arguments.data, arguments.split, arguments.tta, arguments.crop, *how(arguments))
    print(json.dumps(result, indent=2) if arguments.json else scores_text(result))
    return 0


def run_predict(arguments: argparse.Namespace) -> int:
    from minidepth.predict import predict

    done, problems = predict(
        arguments.run, arguments.paths, arguments.out, arguments.tta, say, arguments.background, *how(arguments)
    )
    if problems:
        return complain(f"{len(problems)} of {len(done) + len(problems)} pictures could not be read", 1)
    return 0


def run_compare(arguments: argparse.Namespace) -> int:
    from minidepth.compare_report import compare_to_folder

    print(
        compare_to_folder(
            arguments.runs, arguments.data, Path(arguments.out), arguments.split, arguments.photos, arguments.frames,
            arguments.tta, arguments.crop, say, *how(arguments),
        )
    )  # fmt: skip
    return 0


def run_data(arguments: argparse.Namespace) -> int:
    if arguments.action == "make":
        return make_data(arguments)
    from minidepth.data import inspect

    if arguments.action == "info":
        report = inspect.info(arguments.path, arguments.sheet)
    else:
        report = inspect.verify(arguments.path)
    print(json.dumps(report.data, indent=2) if arguments.json else report.text)
    return 1 if report.data.get("problems") else 0


def make_data(arguments: argparse.Namespace) -> int:
    from minidepth.data.make import make

    made = make(arguments.kind, arguments.folder, arguments.frames, arguments.size, arguments.seed)
    counts = ", ".join(f"{count} to {split}" for split, count in made.frames.items())
    say(f"{made.folder}: {counts}; look with: minidepth data info {made.folder} --sheet sheet.png")
    return 0


def run_models(arguments: argparse.Namespace) -> int:
    from minidepth import listing

    found = listing.lines()
    print(listing.as_json(found) if arguments.json else listing.table(found))
    return 0


def run_summary(arguments: argparse.Namespace) -> int:
    from minidepth.listing import named
    from minidepth.summary import summarize

    options = ("base_channels", "in_channels", "out_channels", "padding", "up", "norm")
    given = {name: value for name, value in vars(arguments).items() if name in options}
    if given.get("norm") == "none":
        given["norm"] = None
    model, size = named(arguments.model, **given)
    size = arguments.size or size
    summary = summarize(model, size)  # in which it is seen whether the network can take this size
    if arguments.memory is None:
        print(summary)
        return 0
    from minidepth.memory_report import report

    step = {name: getattr(arguments, name) for name in ("batch", "accumulate", "loss", "optimizer", "device")}
    print(report(arguments.model, given, size, arguments.memory, **step))
    return 0


def run_presets(arguments: argparse.Namespace) -> int:
    from minidepth.presets import listing

    print(listing())
    return 0


def run_gradcheck(arguments: argparse.Namespace) -> int:
    from minidepth.gradient_table import run

    return run(arguments.ops)


def run_bench(arguments: argparse.Namespace) -> int:
    from minidepth.bench import bench_conv

    bench_conv(arguments.layers, arguments.rounds, say)
    return 0


def run_doctor(arguments: argparse.Namespace) -> int:
    from minidepth.doctor import report

    print(report(os.environ.get("MINIDEPTH_DATA")))
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "train": run_train,
    "lr-find": run_lr_find,
    "evaluate": run_evaluate,
    "predict": run_predict,
    "compare": run_compare,
    "data": run_data,
    "models": run_models,
    "summary": run_summary,
    "presets": run_presets,
    "gradcheck": run_gradcheck,
    "bench": run_bench,
    "doctor": run_doctor,
    **{name: functools.partial(run, say=say) for name, run in (cli_learn.COMMANDS | cli_teach.COMMANDS).items()},
}

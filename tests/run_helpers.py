"""A tiny data set and settings with which training takes a fraction of a second."""

import os
import signal

from data_folders import make_frames, write_csv_folder

from minidepth import losses
from minidepth.config import TrainConfig

SMALL = {"size": (16, 16), "base_channels": 2, "batch": 4, "workers": 1, "lr": 1e-2, "device": "cpu"}
SMALL_OPTIONS = ["--size", "16x16", "--base-channels", "2", "--batch", "4", "--workers", "1", "--device", "cpu"]


def tiny_data(folder, train=22, test=3, size=(24, 32)):
    """A CSV folder; 20 of 22 frames are left to train on when a tenth is kept for validation."""
    frames = make_frames(train + test, size=size)
    return str(write_csv_folder(folder, train=frames[:train], test=frames[train:]))


def small_config(data, out, **changes):
    return TrainConfig(**{**SMALL, "data": str(data), "out": str(out), **changes})


def silent(text):
    """A log that nobody reads."""


def stop_after(monkeypatch, batches, number=signal.SIGINT):
    """Let a signal come while the loss of a batch is computed: in the middle of a step."""
    compute, counted = losses.Loss.__call__, []

    def counting(loss, *arguments):
        counted.append(1)
        if len(counted) == batches:
            os.kill(os.getpid(), number)
        return compute(loss, *arguments)

    monkeypatch.setattr(losses.Loss, "__call__", counting)

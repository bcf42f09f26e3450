"""What both processes of benchmarks/nyu_time.py do alike: build the recipe of nyu.py, feed it, time it, print JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import islice

import numpy as np
from conv_one import proof
from nyu import SETTINGS

from minidepth.clock import EpochClock
from minidepth.config import TrainConfig
from minidepth.data import Batch, Sample
from minidepth.train_parts import Parts, build_parts

WARM_UP_STEPS = 2


def recipe(data: str) -> Parts:
    """The loader, the network with its first weights, and all else of the training of nyu.py, as `train` begins it."""
    parts = build_parts(TrainConfig(data=data, device="cpu", **SETTINGS))
    parts.network.state_dict()["head.bias"][...] = parts.guesses["depth"]
    return parts


def report(
    parts: Parts,
    frames: int,
    train_step: Callable[[Batch], float],
    loss_and_slope: Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[float, np.ndarray]],
) -> None:
    """Train on the first `frames` frames of epoch 0, after a few that warm up, and print the time of a whole epoch.

    `train_step` returns the loss. `loss_and_slope` of (prediction, depth_m, valid) gives the loss and its derivative by
    the prediction. They and the losses of the steps prove the same work: everyone begins with the same numbers.
    """
    loss, slope = loss_and_slope(*guess_with_holes(parts.samples))
    steps = min(frames // parts.batches.batch_size, len(parts.batches) - WARM_UP_STEPS)
    batches = parts.batches.epoch(0)  # the loader reads ahead into frames that are not timed: before and after alike
    losses = [train_step(batch) for batch in islice(batches, WARM_UP_STEPS)]
    clock = EpochClock(parts.batches)
    losses += [train_step(batch) for batch in islice(batches, steps)]
    clock.stop()
    result = {
        "epoch_s": clock.elapsed_s * len(parts.batches) / steps,
        "wait_share": clock.wait_share,
        "steps": steps,
        "epoch_steps": len(parts.batches),
        "loss_of_guess": loss,
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "mean_loss": float(np.mean(losses)),
        "proof": [loss, *proof([slope]), losses[0], losses[1]],
    }
    print(json.dumps(result))


def guess_with_holes(samples: list[Sample]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A bad prediction for some frames, their depth, and a mask with holes: NYU's has none, and the loss must see some.

    All are (N, 1, H, W).
    """
    rng = np.random.default_rng(0)
    depth_m = np.stack([sample.depth_m[None] for sample in samples])
    valid = np.stack([sample.valid[None] for sample in samples]) & (rng.random(depth_m.shape) > 0.02)
    guess_m = depth_m + rng.standard_normal(depth_m.shape, dtype=np.float32)
    return guess_m, np.where(valid, depth_m, np.float32(0)), valid

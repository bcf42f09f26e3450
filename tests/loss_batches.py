"""A batch for each loss: prediction, target and mask of the kind that it takes, with holes and away from its kinks."""

from __future__ import annotations

import numpy as np

HEIGHT, WIDTH = 13, 14
CLASSES = 3


def family(name):
    return name.partition(":")[0]


def batch(name="mse", seed=0, dtype=np.float64):
    """(prediction, target, valid), three pictures.

    Depths, and their errors, are planes that rise to the right and downwards, plus noise too small to turn that round;
    they are high enough that the zeros outside the picture make no slope vanish either.
    """
    rng = np.random.default_rng(seed)
    shape = (3, 1, HEIGHT, WIDTH)
    valid = np.ones(shape, bool)
    valid[0, 0, 1, 1] = valid[1, 0, HEIGHT - 1, WIDTH - 1] = valid[2, 0, :2, 3:] = False
    if family(name) == "cross_entropy":
        labels = np.zeros(shape, np.uint8)
        labels[:, 0, 2:6, 2:7], labels[:, 0, 4:9, 9:13] = 1, 2
        return rng.standard_normal((3, CLASSES, HEIGHT, WIDTH)).astype(dtype), labels, valid
    if name.endswith(":probabilities"):
        return rng.uniform(0.1, 0.9, shape).astype(dtype), rng.uniform(0, 1, shape).astype(dtype), valid
    if name.endswith(":logits") or family(name) in ("bce", "dice"):
        return rng.standard_normal(shape).astype(dtype), rng.uniform(0, 1, shape).astype(dtype), valid
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    target = 3 + 0.2 * columns + 0.1 * rows + rng.uniform(-0.01, 0.01, shape)
    error = 1 + 0.15 * columns + 0.3 * rows + rng.uniform(-0.01, 0.01, shape)
    error[1] *= -0.5
    return (target + error).astype(dtype), target.astype(dtype), valid


def picture(seed=0):
    """What losses on the picture look at."""
    return np.random.default_rng((seed, 1)).standard_normal((3, 3, HEIGHT, WIDTH))

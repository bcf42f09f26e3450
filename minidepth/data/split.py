"""Setting validation frames apart. Neighbouring frames of NYU show the same room, so they stay together."""

from __future__ import annotations

import numpy as np

from minidepth.errors import InputError

BLOCK_FRAMES = 20
"""Frames in a validation block: enough that most rooms lie on one side, few enough for several blocks in 795 frames."""


def split_blocks(n: int, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(training numbers, validation numbers) of ``range(n)``, both ascending; validation is round(n fraction) frames.

    The range is cut into equal stretches, and each gives one block of neighbouring frames at a random place, so that
    validation sees all parts of the data. Drawing single frames at random would put the same rooms on both sides, and
    the validation error would then measure memory.

    Raises:
        InputError: fraction outside 0 <= fraction < 1, or one of the two parts would be empty though it is wanted.
    """
    if not 0 <= fraction < 1:
        raise InputError(f"validation share {fraction}: must be at least 0 and below 1")
    if fraction == 0:
        return np.arange(n), np.arange(0)
    wanted = max(1, round(n * fraction))
    if wanted >= n:
        raise InputError(f"validation share {fraction} of {n} pictures leaves none to train on; lower it")
    rng = np.random.default_rng(seed)
    blocks = max(1, round(wanted / BLOCK_FRAMES))
    is_validation = np.zeros(n, bool)
    for block in range(blocks):
        start, stop = n * block // blocks, n * (block + 1) // blocks
        length = wanted * (block + 1) // blocks - wanted * block // blocks
        first = rng.integers(start, stop - length + 1)
        is_validation[first : first + length] = True
    return np.flatnonzero(~is_validation), np.flatnonzero(is_validation)

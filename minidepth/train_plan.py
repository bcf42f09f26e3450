"""What happens when in a run: which batches share a step, at which size an epoch is, and when it is enough.

Plain functions of how far the run has come, so that a run that is resumed gets the same answers.
"""

from __future__ import annotations

from minidepth.config import parse_size
from minidepth.errors import InputError

Size = tuple[int, int]


def group_of(batch: int, batches: int, accumulate: int) -> tuple[int, bool]:
    """Of which group batch number `batch` of an epoch is: how many batches share its step, and whether it is the last.

    An epoch of `batches` is cut into groups of `accumulate`; the last one may be smaller. Each batch adds its gradient
    over the size of the group, so the step is that of one batch as large as the group. Where the loss is a mean over
    valid pixels, as here, that is exact if all its batches have as many of them; batch-norm sees each batch alone.

    >>> [group_of(batch, 5, 2) for batch in range(5)]
    [(2, False), (2, True), (2, False), (2, True), (1, True)]
    """
    first = batch - batch % accumulate
    size = min(accumulate, batches - first)
    return size, batch == first + size - 1


def steps_of_epoch(batches: int, accumulate: int) -> int:
    """Steps in an epoch of `batches`, with `accumulate` of them sharing one."""
    return -(-batches // accumulate)


def parse_sizes(text: str) -> list[tuple[Size, int]]:
    """``"64x64:3,128x128:2"`` -> [((64, 64), 3), ((128, 128), 2)]: sizes, and for how many epochs each.

    Raises:
        InputError: the text does not read so.
    """
    sizes = []
    for entry in text.split(",") if text else ():
        size, _, epochs = entry.partition(":")
        if not epochs.strip().isdecimal() or int(epochs) < 1:
            raise InputError(
                f"{entry!r} has no number of epochs; give each size one, such as 64x64:3,128x128:2, "
                f"and the size of all later epochs with --size"
            )
        sizes.append((parse_size(size), int(epochs)))
    return sizes


def size_of_epoch(sizes: list[tuple[Size, int]], epoch: int, last: Size) -> Size:
    """The size of epoch number `epoch`, from 0: those of `sizes` in turn, each for its epochs, and then `last`."""
    for size, epochs in sizes:
        if epoch < epochs:
            return size
        epoch -= epochs
    return last


def is_enough(epoch: int, best_epoch: int, patience: int) -> bool:
    """Whether to stop after `epoch` epochs, the best of which was `best_epoch`; with patience 0 never."""
    return 0 < patience <= epoch - best_epoch

"""What a network can be taught, one file each: depth, labels, a mask, or several of them at once.

A `Target` knows what belongs to its kind of map: what the loss compares, how the network's numbers read in the world's
units, what the constant guess is, how predictions are scored, drawn and written. Training, evaluation and prediction
are written once, for a list of targets. Read base.py, then depth.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from minidepth.errors import InputError
from minidepth.targets.base import Board as Board
from minidepth.targets.base import Target as Target
from minidepth.targets.depth import Depth as Depth
from minidepth.targets.labels import Labels as Labels
from minidepth.targets.mask import Mask as Mask
from minidepth.targets.task import Guesses as Guesses
from minidepth.targets.task import Task as Task
from minidepth.targets.task import TaskBoard as TaskBoard
from minidepth.targets.task import inputs_of as inputs_of
from minidepth.targets.task import sample_of as sample_of

KINDS: dict[str, type[Target]] = {kind.name: kind for kind in (Depth, Labels, Mask)}
NAMES = tuple(KINDS)


def choose_task(outputs: Sequence[str] | None, held: Sequence[str], data: str) -> str:
    """What is learnt where nobody says it: what the network is made for, else what the data set holds, depth first.

    Args:
        outputs: the outputs of a network that is made for some; None for one that can learn anything.
        held: what the data set holds.
        data: the data set, for the message.

    Raises:
        InputError: the network is made for something that the data set does not hold.
    """
    missing = [name for name in outputs or () if name not in held]
    if missing:
        raise InputError(
            f"--data {data} holds {' and '.join(held)}, but this network is made for {' and '.join(outputs or ())}; "
            f"choose other data or another --model"
        )
    return "+".join(outputs) if outputs else ("depth" if "depth" in held else held[0])


def build(task: str, scale: str = "metres", max_depth_m: float = 10.0, classes: int = 0) -> Task:
    """The targets that `task` names, such as ``"depth"`` or ``"mask+depth"``, in the order of the network's outputs.

    Args:
        task: names joined by ``+``.
        scale: how depth is taught, see scale.py.
        max_depth_m: the largest depth, in metres.
        classes: how many classes labels have.

    Raises:
        InputError: an unknown name, scale or number of classes.
    """
    names = task.split("+")
    unknown = [name for name in names if name not in NAMES]
    if unknown or len(set(names)) < len(names):
        raise InputError(f"--task {task}: use {', '.join(NAMES)}, or several joined by +, such as mask+depth")
    make = {
        "depth": lambda: Depth(scale, max_depth_m, logits=len(names) > 1),
        "labels": lambda: Labels(classes),
        "mask": Mask,
    }
    return Task([make[name]() for name in names])

"""All targets of a run at once: what a training step and a score board do with one target or several."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from minidepth import ops, precision
from minidepth.backend import Array
from minidepth.data import Batch, Sample
from minidepth.engine import Tensor
from minidepth.errors import InputError
from minidepth.losses import Loss
from minidepth.nn import Module
from minidepth.targets.base import Target, at_size

Guesses = dict[str, float]
"""Target -> the constant guess for it."""


class Task:
    """What a network learns: one target, or several in the order of its outputs."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self.targets = list(targets)
        self.names = tuple(target.name for target in targets)

    def run(self, network: Module, batch: Batch, half: bool = False) -> tuple[Tensor, ...]:
        """The network's outputs for a batch, one for each target; in `half` precision or not, see precision.py.

        Raises:
            InputError: the batch lacks an input of the network, or the outputs are not as many as the targets.
        """
        inputs = []
        for name in inputs_of(network):
            picture = getattr(batch, name)
            if picture is None:
                raise InputError(f"this network takes {' and '.join(inputs_of(network))}; the data have no {name}")
            inputs.append(Tensor(network.placed(picture)))
        return self.outputs(precision.forward(network, *inputs, half=half))

    def outputs(self, result: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """What the network returned, as a tuple that belongs to the targets."""
        outputs = result if isinstance(result, tuple) else (result,)
        if len(outputs) != len(self.targets):
            task, many = "+".join(self.names), len(self.names)
            raise InputError(f"--task {task} has {many} targets, but the network has {len(outputs)} outputs")
        return outputs

    def loss(self, loss: Loss, outputs: tuple[Tensor, ...], batch: Batch) -> Tensor:
        """One number for a batch. A network that answers at another size is compared with the truth at that size."""
        sizes = [output.shape[2:] for output in outputs]
        predictions = [target.for_loss(output) for target, output in zip(self.targets, outputs)]
        truths = [at_size(target.truth(batch), size) for target, size in zip(self.targets, sizes)]
        valid = at_size(batch.valid, sizes[0])
        image = batch.image if loss.needs_image else None  # of the size of the truth
        if len(self.targets) == 1:
            return loss(predictions[0], truths[0], valid, image)
        return loss(dict(zip(self.names, predictions)), dict(zip(self.names, truths)), valid, image)

    def read(self, outputs: Iterable[Array], size: tuple[int, int]) -> dict[str, Array]:
        """The outputs enlarged to `size` (bilinear) and as the world has them, (N, H, W) each, by the target's name."""
        return {target.name: target.read(_enlarged(output, size)) for target, output in zip(self.targets, outputs)}

    def guesses(self, samples: Iterable[Sample]) -> Guesses:
        """The best answers of somebody who sees nothing."""
        seen = list(samples)
        return {target.name: target.guess(seen) for target in self.targets}

    def start(self, network: Module, guesses: Guesses) -> None:
        """Let a fresh network begin at the constant guess, where that is easily done."""
        for target in self.targets:
            target.start(network, guesses[target.name])

    def error(self, scores: dict[str, Any]) -> float:
        """The number by which the best epoch is found. Of several targets: the mean of their errors, each as a share of
        the constant guess's error, since metres and shares cannot be added."""
        if len(self.targets) == 1:
            return self.targets[0].error(scores[self.names[0]])
        return float(np.mean([target.relative_error(scores[target.name]) for target in self.targets]))

    def error_text(self, error: float) -> str:
        """That number in words."""
        if len(self.targets) == 1:
            return self.targets[0].error_text(error)
        return f"validation error of {error:.3f} of the constant guess's (mean over {', '.join(self.names)})"


class TaskBoard:
    """The score boards of all targets."""

    def __init__(self, task: Task, guesses: Guesses, crop: str = "none") -> None:
        self.boards = {target.name: target.board(guesses[target.name], crop) for target in task.targets}

    def add(self, predictions: dict[str, np.ndarray], sample: Sample) -> None:
        """Score one picture; predictions are (H, W), of the size of the sample."""
        for name, board in self.boards.items():
            board.add(predictions[name], sample)

    def scores(self) -> dict[str, Any]:
        """Target -> its scores."""
        return {name: board.scores() for name, board in self.boards.items()}


def _enlarged(output: Array, size: tuple[int, int]) -> Array:
    if output.shape[2:] == size:
        return output
    return ops.interpolate(Tensor(output), size=size, mode="bilinear", align_corners=False).data


def inputs_of(network: Module) -> tuple[str, ...]:
    """The fields of a batch that the network takes."""
    names: tuple[str, ...] = getattr(network, "inputs", ("image",))
    return names


def sample_of(batch: Batch, index: int) -> Sample:
    """One sample of a batch as far as score boards need it: the maps; pictures stay scaled."""

    def of(field: Array | None) -> Any:
        return None if field is None else field[index, 0]

    return Sample(batch.image[index], of(batch.depth_m), of(batch.valid), of(batch.labels), of(batch.mask))

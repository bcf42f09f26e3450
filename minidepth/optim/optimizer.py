"""What every optimiser shares: a step in place over all parameters, weight decay, and a state to save.

Everything happens block by block on all cores, so a step needs no memory beyond the running sums.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from minidepth.backend import Array, contiguous, cuda, kernel, xp
from minidepth.cuda import flat, launch
from minidepth.errors import CheckpointError
from minidepth.nn import Parameter
from minidepth.ops.cpu.elementwise import BLOCK_ELEMENTS
from minidepth.ops.cpu.threads import run_tiles, scratch
from minidepth.optim.loss_scaler import LossScaler
from minidepth.optim.multi_tensor import addresses, launch_chunks, numbers_of


class Optimizer:
    """What all optimisers share; each one adds its `rule` and the names of its running sums, one array per parameter.

    ``lr`` is a plain attribute: a schedule sets it before each step.
    """

    sums: tuple[str, ...] = ()

    def __init__(self, params: Iterable[Parameter], lr: float, weight_decay: float) -> None:
        self.params = list(params)
        if not self.params:
            raise ValueError(f"{type(self).__name__}: there are no parameters; an iterator can be used only once")
        if not lr >= 0 or not weight_decay >= 0:
            raise ValueError(f"{type(self).__name__}: lr ({lr}) and weight_decay ({weight_decay}) must be at least 0")
        self.lr, self.weight_decay = lr, weight_decay
        self.steps = xp(self.params[0].data).zeros(len(self.params), np.int64)  # on the device of the weights
        self.state = {name: [np.zeros_like(parameter.data) for parameter in self.params] for name in self.sums}

    def rule(self, w: Array, g: Array, step: int, lr: float, *sums: Array) -> None:
        """Change `w` and the running sums in place, given the gradient `g` of this piece of one parameter."""
        raise NotImplementedError

    def rule_on_gpu(self, lr: float) -> tuple[Any, ...]:
        """The kernel that does what `rule` does, for all parameters together, and the numbers that it takes."""
        raise NotImplementedError

    def count_on_gpu(self, which: Array, unscale: Array | None, lr: float) -> tuple[Array, ...]:
        """Count a step for the parameters with the numbers `which`, unless it is skipped; see `update`.

        Returns what the kernel of `rule_on_gpu` takes before its numbers.
        """
        launch("optimizer_count", flat(which.size), self.steps, which, unscale, which.size)
        return ()

    def step(self, scaler: LossScaler | None = None) -> None:
        """Change every parameter that has a gradient. The gradients are left as they are.

        Args:
            scaler: has scaled the loss. Nothing changes where a gradient is not finite: that step does not count.
        """
        rows = {i: self._rows(i, p.data, p.grad) for i, p in enumerate(self.params) if p.grad is not None}
        if rows:
            unscale = None if scaler is None else scaler.unscaling([grad for _, grad, *_ in rows.values()])
            update(next(iter(rows.values()))[0], self, rows, unscale)

    def _rows(self, index: int, weight: Array, grad: Array) -> list[Array]:
        """Weight, gradient and running sums of a parameter, each in one piece of memory."""
        if not weight.flags.c_contiguous:
            raise ValueError(f"{type(self).__name__}: parameter {index} ({weight.shape}) must be contiguous in memory")
        return [weight, contiguous(grad), *(self.state[name][index] for name in self.sums)]

    def decayed(self, w: Array, g: Array) -> Array:
        """g + weight_decay w, in a buffer of its own, or `g` itself where there is no decay."""
        if not self.weight_decay:
            return g
        result = np.multiply(w, self.weight_decay, out=scratch("optim_decayed", w.shape, w.dtype))
        result += g
        return result

    def zero_grad(self) -> None:
        """Forget all gradients, so that the next backward starts from nothing."""
        for parameter in self.params:
            parameter.grad = None

    def state_dict(self) -> dict[str, Array]:
        """All that the next step needs beside weights and gradients. The arrays are the live ones: copy to keep."""
        arrays = {"steps": self.steps, "lr": np.array(self.lr, np.float64)}
        for name, values in self.state.items():
            arrays.update({f"{name}.{index}": value for index, value in enumerate(values)})
        return arrays

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Go on exactly where the optimiser stood from which `state` was taken.

        Raises:
            CheckpointError: names or shapes differ (all of them are reported); nothing has been changed.
        """
        own = self.state_dict()
        shapes, given = ({name: array.shape for name, array in arrays.items()} for arrays in (own, state))
        wrong = [name for name in {**shapes, **given} if shapes.get(name) != given.get(name)]
        if wrong:
            raise CheckpointError(
                f"{type(self).__name__}.load_state_dict: missing, unexpected or of another shape: {', '.join(wrong)}"
            )
        for name, array in own.items():
            array[...] = xp(array).asarray(state[name])
        self.lr = float(state["lr"])


@kernel
def update(first: Array, optimizer: Optimizer, rows: dict[int, list[Array]], unscale: Array | None) -> None:
    """One step: `rows` has weight, gradient and running sums of each parameter, by its number; `first` is a weight.

    `unscale` holds what gradients are multiplied by, or 0 where the step is to be skipped; None is 1.
    """
    factor = 1.0 if unscale is None else float(unscale[0])
    if factor == 0:
        return
    optimizer.steps[list(rows)] += 1
    lr = float(optimizer.lr)  # a NumPy float64 would turn float32 arrays into float64
    rows = {index: [array.reshape(-1) for array in arrays] for index, arrays in rows.items()}
    tiles = tiles_of({index: arrays[0].size for index, arrays in rows.items()})

    def tile(number: int) -> None:
        for index, part in tiles[number]:
            w, g, *sums = (array[part] for array in rows[index])
            if factor != 1:
                g = np.multiply(g, factor, out=scratch("optim_unscaled", g.shape, g.dtype))
            optimizer.rule(w, g, int(optimizer.steps[index]), lr, *sums)

    run_tiles(tile, len(tiles), products=False)


@cuda(update)
def update_cuda(first: Array, optimizer: Optimizer, rows: dict[int, list[Array]], unscale: Array | None) -> None:
    table, lr = addresses(*zip(*rows.values())), float(optimizer.lr)
    counted = optimizer.count_on_gpu(numbers_of(tuple(rows), first), unscale, lr)
    name, *numbers = optimizer.rule_on_gpu(lr)
    launch_chunks(name, [weight for weight, *_ in rows.values()], table, unscale, *counted, *numbers)


def tiles_of(sizes: dict[int, int]) -> list[list[tuple[int, slice]]]:
    """Slices that cover all parameters, in groups of at most BLOCK_ELEMENTS numbers, so that small ones go together."""
    tiles: list[list[tuple[int, slice]]] = []
    room = 0
    for index, size in sizes.items():
        for start in range(0, size, BLOCK_ELEMENTS):
            piece = slice(start, min(size, start + BLOCK_ELEMENTS))
            if room < piece.stop - start:
                tiles.append([])
                room = BLOCK_ELEMENTS
            tiles[-1].append((index, piece))
            room -= piece.stop - start
    return tiles

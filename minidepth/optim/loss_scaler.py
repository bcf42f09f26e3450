"""Loss scaling, and steps that are skipped where a gradient is not finite: what training in half precision needs.

The smallest number of float16 is 6e-8, and most gradients of a network are smaller. But backward is linear: where it is
handed S in place of 1, every gradient comes out S times as large. So, with the scale S a power of 2, which costs no
rounding:

    backward     hands S down in place of 1                  the gradients of S * loss, in half where activations are
    step         g <- g / S, in float32                      or nothing at all, where some g is infinite or NaN
    afterwards   S <- S / 2 where the step was skipped,  S <- 2 S after 2000 good steps in a row

So S is always about as large as it can be: a step now and then is lost to see whether more would do. A skipped step
leaves weights, running sums and the number of steps that Adam corrects its means by as they were. The rule and its
numbers are those of PyTorch's ``GradScaler``; the one difference is that S stays within what float32 can invert, 2^-126
to 2^126, so that no weight can go bad however often a step is skipped.

Nobody waits for a GPU here: whether gradients are finite, S and the counts of steps stay there, and the optimiser's
kernel reads what it has to do. `LossScaler.read` brings them back, and is not for every step.

The same keeps a training in float32 on a GPU from harm, where losses are read late: `guard` is a scaler whose S is
always 1, so that it does nothing but skip.

Source: Micikevicius et al. (2018), "Mixed precision training", arXiv:1710.03740, section 3.2.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from minidepth.backend import Array, cuda, empty, kernel, xp
from minidepth.cuda import Grid, launch
from minidepth.engine import Tensor
from minidepth.errors import CheckpointError
from minidepth.nn import Parameter
from minidepth.optim.multi_tensor import addresses, chunks, launch_chunks

LEAST, MOST = 2.0**-126, 2.0**126
"""Of these scales and all between, scale and 1 / scale are ordinary numbers in float32."""


class ScalerState(NamedTuple):
    """What a scaler knows, in the order in which it lies in memory."""

    scale: float
    good_steps: int
    """In a row, since the scale has last changed."""
    bad_steps: int
    """In a row, up to the last step."""
    skipped_steps: int
    """In all."""


class LossScaler:
    """A training step with loss scaling, here over `count` batches:

    >>> for batch in batches:                                       # doctest: +SKIP
    ...     loss = compute_loss(batch)
    ...     loss.backward(scaler.cotangent(1 / count, loss))
    >>> clip_grad_norm_(network.parameters(), 1.0, scaler)          # doctest: +SKIP
    >>> optimizer.step(scaler)                                      # doctest: +SKIP
    >>> scaler.update()                                             # doctest: +SKIP
    >>> optimizer.zero_grad()                                       # doctest: +SKIP

    Args:
        params: what is trained; the scaler's numbers lie on its device.
        scale: S in the first step.
        growth, backoff: what S is multiplied by after `interval` good steps in a row, and after a bad one.
        interval: that number of steps.
    """

    def __init__(
        self,
        params: Iterable[Parameter],
        scale: float = 2.0**16,
        growth: float = 2.0,
        backoff: float = 0.5,
        interval: int = 2000,
    ) -> None:
        first = next(iter(params), None)
        if first is None:
            raise ValueError("LossScaler: there are no parameters; an iterator can be used only once")
        if not (LEAST <= scale <= MOST and growth >= 1 and 0 < backoff <= 1 and interval >= 1):
            raise ValueError(
                f"LossScaler: scale {scale} must be positive and below 2^126, growth {growth} at least 1, backoff "
                f"{backoff} in (0, 1], and interval {interval} at least 1"
            )
        self.growth, self.backoff, self.interval = growth, backoff, interval
        self.state = xp(first.data).asarray(np.array([scale, 0, 0, 0], np.float64))
        self._unscale = empty((1,), first.data)
        self._looked = self._stepped = False

    def cotangent(self, share: float = 1.0, loss: Tensor | None = None) -> Array:
        """What to hand to ``loss.backward``: the scale times `share`, as an array of shape () on the device.

        Args:
            share: 1 / count where the gradients of several batches are added up for one step.
            loss: where it is not finite, the cotangent is NaN, and so the step is skipped also if all gradients should
                come out finite.
        """
        return cotangent(self.state, self._unscale if loss is None else loss.data, share, loss is not None)

    def look(self, looks: Array) -> None:
        """Decide whether the step is good by numbers of which one is not finite where a gradient is not.

        Raises:
            RuntimeError: that was done already since `update`.
        """
        if self._looked:
            raise RuntimeError("LossScaler: call scaler.update() after each optimizer.step(scaler)")
        decide(self.state, looks, self._unscale, self.growth, self.backoff, self.interval)
        self._looked = True

    def unscaling(self, grads: list[Array]) -> Array:
        """What the optimiser multiplies these gradients by: 1 / scale, or 0 where the step is to be skipped.

        Raises:
            RuntimeError: there was a step already since `update`.
        """
        if self._stepped or not self._looked:
            self.look(finite(grads[0], grads))
        self._stepped = True
        return self._unscale

    def update(self) -> None:
        """The step is over: the next one looks at gradients of its own, with the scale that follows from this one.

        Raises:
            RuntimeError: there was none.
        """
        if not self._stepped:
            raise RuntimeError("LossScaler.update: no step was taken; call optimizer.step(scaler) first")
        self._looked = self._stepped = False

    def read(self) -> ScalerState:
        """The numbers of the scaler. On a GPU this waits for all that is under way: not for every step."""
        scale, *counts = Tensor(self.state).numpy().tolist()
        return ScalerState(scale, *map(int, counts))

    def fault(self) -> str | None:
        """Why training should end, in one line, or None. The weights are good in either case. It waits as `read` does.

        A scale below 1 is such a reason: small gradients are lost, and still some are not finite. And so is any skipped
        step of a scaler that never changes its scale.
        """
        state = self.read()
        if not state.skipped_steps or (state.scale >= 1 and self.backoff < 1):
            return None
        scale = f" whatever their scale, which fell to {state.scale:g}" if self.backoff < 1 else ""
        steps = f"{state.skipped_steps} step{'s were' if state.skipped_steps > 1 else ' was'} skipped"
        row = f" ({state.bad_steps} of them in a row)" if state.bad_steps > 1 else ""
        return f"the loss or its gradients are not finite{scale}; {steps}{row}"

    def state_dict(self) -> dict[str, Array]:
        """The scaler's numbers by their names. The arrays are the live ones: copy to keep."""
        return {name: self.state[i : i + 1] for i, name in enumerate(ScalerState._fields)}

    def load_state_dict(self, state: dict[str, Array]) -> None:
        """Go on exactly where the scaler stood from which `state` was taken.

        Raises:
            CheckpointError: a number is missing or unexpected; nothing has been changed.
        """
        own = self.state_dict()
        if wrong := sorted(own.keys() ^ state.keys()):
            raise CheckpointError(f"LossScaler.load_state_dict: missing or unexpected: {', '.join(wrong)}")
        for name, array in own.items():
            array[...] = xp(array).asarray(state[name])


def guard(params: Iterable[Parameter]) -> LossScaler:
    """A scaler that scales nothing, and skips the steps whose gradients (or loss) are not finite."""
    return LossScaler(params, scale=1.0, growth=1.0, backoff=1.0)


@kernel
def cotangent(state: Array, like: Array, share: float, is_loss: bool) -> Array:
    """scale * share, in the dtype of `like`; NaN where that is a loss which is not finite."""
    bad = is_loss and not np.isfinite(like).all()
    return np.array(math.nan if bad else state[0] * share, like.dtype)


@kernel
def finite(first: Array, grads: list[Array]) -> Array:
    """A 0 for each of the gradients, of which `first` is one, or NaN where not all of its numbers are finite."""
    return np.array([0.0 if np.isfinite(grad).all() else math.nan for grad in grads], first.dtype)


@kernel
def decide(state: Array, looks: Array, unscale: Array, growth: float, backoff: float, interval: int) -> None:
    """Write what gradients are to be multiplied by in this step, and turn `state` into that of the next one."""
    scale, good, bad, skipped = state.tolist()
    if np.isfinite(looks).all():
        unscale[0] = 1 / scale
        good, bad = good + 1, 0
        if good >= interval:
            scale, good = scale * growth if scale * growth <= MOST else scale, 0
    else:
        unscale[0] = 0
        good, bad, skipped = 0, bad + 1, skipped + 1
        scale = scale * backoff if scale * backoff >= LEAST else scale
    state[...] = scale, good, bad, skipped


@cuda(cotangent)
def cotangent_cuda(state: Array, like: Array, share: float, is_loss: bool) -> Array:
    result = empty((), like)
    one = Grid((1, 1, 1), (1, 1, 1))
    launch("loss_scaler_cotangent", one, state, like if is_loss else None, result, share)
    return result


@cuda(finite)
def finite_cuda(first: Array, grads: list[Array]) -> Array:
    looks = empty((len(chunks(grads)),), first)
    launch_chunks("loss_scaler_look", grads, addresses(grads), looks)
    return looks


@cuda(decide)
def decide_cuda(state: Array, looks: Array, unscale: Array, growth: float, backoff: float, interval: int) -> None:
    block = Grid((1, 1, 1), (256, 1, 1))
    numbers = growth, backoff, interval, LEAST, MOST, looks.size
    launch("loss_scaler_decide", block, state, looks, unscale, *numbers)

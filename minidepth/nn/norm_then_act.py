"""A norm and the activation behind it, as one operation where there is one for the pair."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from minidepth import ops
from minidepth.engine import Tensor
from minidepth.nn.activations import LeakyReLU, ReLU, ReLU6
from minidepth.nn.layers import BatchNorm2d
from minidepth.nn.module import Module
from minidepth.nn.watch import is_watched


def norm_then_act(norm: Module, act: Module, x: Tensor) -> Tensor:
    """``act(norm(x))``. For batch-norm and a ReLU, ReLU6 or leaky ReLU, that is one operation with half the traffic.

    While somebody watches the two (see `watch`) they run one by one, so that each shows its own output.
    """
    op = _both(act)
    if op is not None and type(norm) is BatchNorm2d and not (is_watched(norm) or is_watched(act)):
        return norm.forward(x, op)
    return act(norm(x))


def _both(act: Module) -> Callable[..., Tensor] | None:
    """Batch-norm and `act` as one operation, if there is one."""
    if type(act) is ReLU6:
        return ops.batch_norm_relu6
    if type(act) in (ReLU, LeakyReLU):
        slope = act.negative_slope if isinstance(act, LeakyReLU) else 0.0
        return partial(ops.batch_norm_leaky_relu, negative_slope=slope)
    return None

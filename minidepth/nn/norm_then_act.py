"""A norm and the activation behind it, as one operation where there is one for the pair."""

from __future__ import annotations

from minidepth.engine import Tensor
from minidepth.nn.activations import LeakyReLU, ReLU
from minidepth.nn.layers import BatchNorm2d
from minidepth.nn.module import Module
from minidepth.nn.watch import is_watched


def norm_then_act(norm: Module, act: Module, x: Tensor) -> Tensor:
    """``act(norm(x))``. For batch-norm and a ReLU or leaky ReLU that is one operation with half the memory traffic.

    While somebody watches the two (see `watch`) they run one by one, so that each shows its own output.
    """
    if type(norm) is BatchNorm2d and type(act) in (ReLU, LeakyReLU) and not (is_watched(norm) or is_watched(act)):
        return norm.forward(x, negative_slope=act.negative_slope if isinstance(act, LeakyReLU) else 0.0)
    return act(norm(x))

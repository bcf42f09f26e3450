"""A copy of a network for predictions alone: the same results but for rounding, in half the time or less.

In evaluation a batch-norm multiplies and shifts each channel by fixed numbers, which the convolution in front of it can
do at once:

    factor = norm.weight / sqrt(running_var + eps)
    weight = factor * conv.weight          bias = factor * (conv.bias - running_mean) + norm.bias

What a ReLU or ReLU6 cuts off behind that can be cut off while a tile of the result is still in the cache. And a
convolution of single pixels, 1x1, may come before an enlargement that repeats pixels: there are fewer of them there.

No network has to say which of its layers follow each other. It is run once with a batch of no pictures (see shapes.py),
and the graph that the engine keeps for backward tells who uses what.

Source: the folding is folklore; written down in Jacob et al., "Quantization and training of neural networks for
efficient integer-arithmetic-only inference" (2018), equation 14.
"""

from __future__ import annotations

import copy
import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from minidepth import nn
from minidepth.backend import Array
from minidepth.engine import Node, Tensor, set_grad_enabled
from minidepth.ops.conv2d import forward as conv2d
from minidepth.ops.cpu import blas
from minidepth.shapes import SHAPES

LIMITS = {nn.ReLU: (0.0, math.inf), nn.ReLU6: (0.0, 6.0)}
"""What an activation cuts off: all below the first number and above the second."""


def fold_batch_norm(network: nn.Module, size: tuple[int, int]) -> nn.Module:
    """A copy of `network` in evaluation mode that predicts the same in less time. It cannot be trained.

    Args:
        network: stays as it is, and must lie on the CPU: move the copy to a GPU afterwards. The copy shares what is not
            folded, so that this moves with it, and make a new one when its weights have changed.
        size: height and width of some picture that the network takes; the copy takes all that it takes.
    """
    graph = _Graph(network, size)
    stand_ins: dict[int, nn.Module] = {}
    cut: Counter[nn.Module] = Counter()  # how many uses of an activation are spared
    for conv in graph.used_once(nn.Conv2d, nn.ConvTranspose2d):
        last: nn.Module = conv
        weight, bias = conv.weight.data, None if conv.bias is None else conv.bias.data
        norm = graph.only_user(conv, nn.BatchNorm2d)
        if norm is not None and graph.uses[norm] == 1:
            weight, bias = _folded(conv, norm)
            stand_ins[id(norm)], last = nn.Identity(), norm
        act = graph.only_user(last, *LIMITS) if isinstance(conv, nn.Conv2d) else None
        if act is not None:
            cut[act] += 1
        if isinstance(conv, nn.Conv2d):
            stand_ins[id(conv)] = FoldedConv(conv, weight, bias, None if act is None else LIMITS[type(act)])
        else:
            stand_ins[id(conv)] = up = copy.copy(conv)
            up.weight, up.bias = nn.Parameter(weight), None if bias is None else nn.Parameter(bias)
    stand_ins.update({id(act): nn.Identity() for act in cut if cut[act] == graph.uses[act]})
    for enlarge, conv in graph.repeated_before_1x1():
        stand_ins[id(conv)] = nn.Sequential(stand_ins.get(id(conv), conv), copy.copy(enlarge))
        stand_ins[id(enlarge)] = nn.Identity()
    shared = {id(part): part for part in (*network.parameters(), *network.buffers())}
    folded = copy.deepcopy(network, {**shared, **stand_ins}).eval()
    vars(folded)["forward"] = blas.one_thread()(folded.forward)  # held once, and not by every layer anew
    return folded


class FoldedConv(nn.Module):
    """A convolution that adds the bias of a norm and cuts off what an activation would, all in one go."""

    def __init__(self, conv: nn.Conv2d, weight: Array, bias: Array | None, limits: tuple[float, float] | None) -> None:
        self.weight, self.bias = nn.Parameter(weight), None if bias is None else nn.Parameter(bias)
        self.settings = conv.stride, conv.padding, conv.dilation, conv.groups
        self.limits = limits

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.data
        return Tensor(conv2d(x.data, self.weight.data, bias, *self.settings, self.limits))

    def extra_repr(self) -> str:
        return f"{self.weight.shape}, limits={self.limits}"


def _folded(conv: nn.Conv2d | nn.ConvTranspose2d, norm: nn.BatchNorm2d) -> tuple[Array, Array]:
    """Weight and bias that do the work of both, computed in float64."""
    mean, var = (buffer.data.astype(np.float64) for buffer in (norm.running_mean, norm.running_var))
    factor = norm.weight.data / np.sqrt(var + norm.eps)
    bias = factor * ((0 if conv.bias is None else conv.bias.data) - mean) + norm.bias.data
    weight, dtype = conv.weight.data, conv.weight.dtype
    if isinstance(conv, nn.ConvTranspose2d):  # (C, O/G, I, J)
        by_group = weight.reshape(conv.groups, -1, *weight.shape[1:]) * factor.reshape(conv.groups, 1, -1, 1, 1)
        return by_group.reshape(weight.shape).astype(dtype), bias.astype(dtype)
    return (weight * factor[:, None, None, None]).astype(dtype), bias.astype(dtype)


class _Graph:
    """Which layers of a network use what which others give, seen while it runs with a batch of no pictures."""

    def __init__(self, network: nn.Module, size: tuple[int, int]) -> None:
        self.uses: Counter[nn.Module] = Counter()
        """How often each layer runs."""
        self._layers: dict[int, nn.Module] = {}  # the number of a node -> the layer whose result it is
        self._nodes: dict[nn.Module, Node] = {}  # the last one
        self._users: dict[int, list[Node | None]] = {}  # the number of a node -> those that use it; None is the caller
        self._walk([node for node in (y._node for y in self._run(network, size)) if node is not None])

    def used_once(self, *kinds: type[nn.Module]) -> Iterator[Any]:
        """The layers of these kinds that run exactly once, in the order in which they run."""
        yield from (layer for layer, uses in self.uses.items() if type(layer) in kinds and uses == 1)

    def only_user(self, layer: nn.Module, *kinds: type[nn.Module]) -> Any:
        """The layer that alone uses the result of `layer`, which runs once; None if there is none of these kinds."""
        users = self._users.get(self._nodes[layer].order, [])
        user = self._layers.get(users[0].order) if len(users) == 1 and users[0] is not None else None
        return user if type(user) in kinds else None

    def repeated_before_1x1(self) -> Iterator[tuple[nn.Upsample, nn.Conv2d]]:
        """Enlargements that repeat pixels, each with the 1x1 convolution to no more channels that alone uses it."""
        for enlarge in self.used_once(nn.Upsample):
            conv = self.only_user(enlarge, nn.Conv2d) if enlarge.mode == "nearest" else None
            if conv is None or self.uses[conv] > 1 or conv.out_channels > conv.in_channels:
                continue
            if (conv.kernel_size, conv.stride, conv.padding) == ((1, 1), (1, 1), (0, 0)):
                yield enlarge, conv

    def _run(self, network: nn.Module, size: tuple[int, int]) -> tuple[Tensor, ...]:
        """The outputs for no pictures. Each layer leaves a node, as every operation between the layers does."""
        modes = [(module, module.training) for module in network.modules()]
        inputs: tuple[str, ...] = getattr(network, "inputs", ("image",))
        no_picture = np.empty((0, getattr(network, "in_channels", 3), *size), np.float32)

        def run(name: str, layer: nn.Module, forward: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
            if isinstance(layer, nn.Identity):
                return inputs[0]
            shape = SHAPES.get(type(layer))
            y = np.empty(shape(layer, inputs[0].shape), np.float32) if shape else forward(*inputs).data
            result = Tensor.from_op(name, y, inputs, lambda grad: ())
            if result._node is not None:
                self.uses[layer] += 1
                self._layers[result._node.order], self._nodes[layer] = layer, result._node
            return result

        try:
            with set_grad_enabled(True), nn.run_layers_by(network, run):
                y = network.eval()(*(Tensor(no_picture, requires_grad=True) for _ in inputs))
        finally:
            for module, training in modes:
                module.training = training
        return y if isinstance(y, tuple) else (y,)

    def _walk(self, outputs: list[Node]) -> None:
        """Write down who uses whom, from the outputs backwards."""
        for node in outputs:
            self._users.setdefault(node.order, []).append(None)
        waiting, seen = list(outputs), set()
        while waiting:
            node = waiting.pop()
            if node.order in seen:
                continue
            seen.add(node.order)
            for source in node.sources or ():
                if isinstance(source, Node):
                    self._users.setdefault(source.order, []).append(node)
                    waiting.append(source)

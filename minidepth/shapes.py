"""The shapes that a network's layers give, without computing anything: how much it costs is known before it is paid.

The trick is a batch of no pictures, (0, C, H, W): it holds no number, and has a shape all the same. Whatever a network
does with it between its layers, such as adding or stacking, works as always and takes no time. While `shapes_only`
holds, its layers are given such a batch and do not compute either, but say which shape they would give: some of them
could not do it with nothing. So what a network's forward does is what happens, without gigabytes and seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from minidepth import nn
from minidepth.engine import Tensor
from minidepth.ops.conv_sizes import output_size
from minidepth.ops.conv_transpose2d import output_shape

Shape = tuple[int, ...]


def conv2d(layer: nn.Conv2d, x: Shape) -> Shape:
    size = output_size("conv2d", x, layer.weight.shape, layer.stride, layer.padding, layer.dilation)
    return (x[0], layer.out_channels, *size)


def conv_transpose2d(layer: nn.ConvTranspose2d, x: Shape) -> Shape:
    return output_shape(
        x, layer.weight.shape, layer.stride, layer.padding, layer.output_padding, layer.groups, layer.dilation
    )


def linear(layer: nn.Linear, x: Shape) -> Shape:
    return (*x[:-1], layer.out_features)


def pixel_shuffle(layer: nn.PixelShuffle, x: Shape) -> Shape:
    r = layer.upscale_factor
    return (x[0], x[1] // r**2, x[2] * r, x[3] * r)


def same(layer: nn.Module, x: Shape) -> Shape:
    return x


def as_one_channel(layer: Any, x: Shape) -> Shape:
    """Of a layer that does to each channel what it does to any other: run it on one."""
    y = type(layer).forward(layer, Tensor(np.zeros((1, 1, *x[2:]), np.float32)))
    return (*x[:2], *y.shape[2:])


SHAPES: dict[type[nn.Module], Callable[[Any, Shape], Shape]] = {
    nn.Conv2d: conv2d,
    nn.ConvTranspose2d: conv_transpose2d,
    nn.Linear: linear,
    nn.PixelShuffle: pixel_shuffle,
    **dict.fromkeys((nn.BatchNorm2d, nn.Dropout, nn.Identity, nn.Softmax), same),
    **dict.fromkeys((nn.LeakyReLU, nn.ReLU, nn.ReLU6, nn.Sigmoid, nn.Tanh), same),
    **dict.fromkeys((nn.AdaptiveAvgPool2d, nn.AvgPool2d, nn.MaxPool2d), as_one_channel),
    **dict.fromkeys((nn.SamePad2d, nn.UnpoolZeros, nn.Upsample, nn.ZeroPad2d), as_one_channel),
}


@contextmanager
def shapes_only(model: nn.Module) -> Iterator[None]:
    """While the block runs, the layers of `model` give batches of no pictures, of the shape that they would give."""

    def run(name: str, layer: nn.Module, forward: Callable[..., Tensor], inputs: tuple[Tensor, ...]) -> Tensor:
        shape = SHAPES.get(type(layer))
        if shape is None:
            return forward(*inputs)
        return Tensor(np.empty(shape(layer, inputs[0].shape), inputs[0].dtype))

    with nn.run_layers_by(model, run):
        yield

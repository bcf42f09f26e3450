"""The layers: an operation of `minidepth.ops` with its settings and, where it has them, its parameters.

Names, arguments, defaults and parameter shapes follow torch.nn. Two arguments are minidepth's own: ``init`` picks the
recipe for the first weights (see init.py), and ``rng`` the random generator they are drawn from.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from minidepth import ops
from minidepth.engine import Tensor
from minidepth.nn.init import Rng, conv_weight_and_bias
from minidepth.nn.module import Buffer, Module, Parameter
from minidepth.nn.settings import Pair, pair, settings
from minidepth.ops.recompute import is_second_run


class Conv2d(Module):
    """2-D convolution, (N, in_channels, H, W) -> (N, out_channels, H', W'); weight (out, in / groups, kh, kw)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        init: str = "pytorch",
        rng: Rng = None,
    ) -> None:
        _check_channels("Conv2d", in_channels, out_channels, groups)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride = pair(kernel_size), pair(stride)
        self.padding, self.dilation = pair(padding), pair(dilation)
        kh, kw = self.kernel_size
        shape = (out_channels, in_channels // groups, kh, kw)
        weight, first_bias = conv_weight_and_bias(shape, out_channels, init, in_channels // groups * kh * kw, rng)
        self.weight = Parameter(weight)
        self.bias = Parameter(first_bias) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return ops.conv2d(x, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups)

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, {settings(self)}"


class ConvTranspose2d(Module):
    """Transposed 2-D convolution ("up-convolution"); weight (in, out / groups, kh, kw).

    With kernel 2 and stride 2 it doubles height and width, and every output pixel comes from one input pixel.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        output_padding: Pair = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Pair = 1,
        *,
        init: str = "pytorch",
        rng: Rng = None,
    ) -> None:
        _check_channels("ConvTranspose2d", in_channels, out_channels, groups)
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride = pair(kernel_size), pair(stride)
        self.padding, self.output_padding, self.dilation = pair(padding), pair(output_padding), pair(dilation)
        (kh, kw), (sh, sw) = self.kernel_size, self.stride
        shape = (in_channels, out_channels // groups, kh, kw)
        # Of the kh kw taps, 1 in sh sw meets an input on its way into a given output.
        summed_inputs = in_channels / groups * kh * kw / (sh * sw)
        weight, first_bias = conv_weight_and_bias(shape, out_channels, init, summed_inputs, rng)
        self.weight = Parameter(weight)
        self.bias = Parameter(first_bias) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return ops.conv_transpose2d(
            x, self.weight, self.bias, self.stride, self.padding, self.output_padding, self.groups, self.dilation
        )

    def extra_repr(self) -> str:
        return f"{self.in_channels}, {self.out_channels}, {settings(self)}"


class Linear(Module):
    """``x @ weight.T + bias``: (..., in_features) -> (..., out_features); weight (out_features, in_features)."""

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, init: str = "pytorch", rng: Rng = None
    ) -> None:
        if in_features < 1 or out_features < 1:
            raise ValueError(f"Linear: in_features ({in_features}) and out_features ({out_features}) must be positive")
        self.in_features, self.out_features = in_features, out_features
        shape = (out_features, in_features)
        weight, first_bias = conv_weight_and_bias(shape, out_features, init, in_features, rng)
        self.weight = Parameter(weight)
        self.bias = Parameter(first_bias) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return ops.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}{'' if self.bias is not None else ', bias=False'}"


class BatchNorm2d(Module):
    """Batch normalisation of each channel, then ``weight * x + bias``.

    In training it uses the batch's own mean and variance and moves the running ones towards them:
    ``running = (1 - momentum) * running + momentum * batch``, the variance with n - 1 in the denominator. In evaluation
    it uses the running ones. Source: Ioffe and Szegedy (2015); conventions of torch.nn.BatchNorm2d.
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.weight = Parameter(np.ones(num_features, np.float32))
        self.bias = Parameter(np.zeros(num_features, np.float32))
        self.running_mean = Buffer(np.zeros(num_features, np.float32))
        self.running_var = Buffer(np.ones(num_features, np.float32))
        self.num_batches_tracked = Buffer(np.array(0, np.int64))

    def forward(self, x: Tensor, op: Callable[..., Tensor] = ops.batch_norm) -> Tensor:
        """The normalised x; `op` may be a sibling of `batch_norm` that also activates it, see `norm_then_act`."""
        if self.training and not is_second_run():
            self.num_batches_tracked.data += 1
        mean, var = self.running_mean.data, self.running_var.data
        return op(x, mean, var, self.weight, self.bias, self.training, self.momentum, self.eps)

    def extra_repr(self) -> str:
        return f"{self.num_features}, eps={self.eps}, momentum={self.momentum}"


class Identity(Module):
    """Passes its input on: the place of a layer that is left out."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def _check_channels(name: str, in_channels: int, out_channels: int, groups: int) -> None:
    if in_channels < 1 or out_channels < 1 or groups < 1 or in_channels % groups or out_channels % groups:
        raise ValueError(
            f"{name}: in_channels ({in_channels}) and out_channels ({out_channels}) must be positive multiples of "
            f"groups ({groups})"
        )

"""One convolution with its norm and its activation, in either order: what most of these networks are built of."""

from __future__ import annotations

from minidepth.engine import Tensor
from minidepth.nn import BatchNorm2d, Conv2d, Identity, Module, norm_then_act
from minidepth.nn.init import Rng


class ConvNormAct(Module):
    """A k x k convolution that keeps the size, then norm and activation; by default 3x3 and with a bias.

    Args:
        in_channels, out_channels, kernel_size, bias, init, rng: of the convolution; `kernel_size` is odd.
        act: the activation.
        norm: the batch-norm, or None.
        act_first: activation before norm, as in some Keras networks.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        act: Module,
        norm: Module | None = None,
        *,
        kernel_size: int = 3,
        bias: bool = True,
        act_first: bool = False,
        init: str = "pytorch",
        rng: Rng = None,
    ) -> None:
        padding = kernel_size // 2
        self.conv = Conv2d(in_channels, out_channels, kernel_size, padding=padding, bias=bias, init=init, rng=rng)
        self.norm = norm or Identity()
        self.act = act
        self.act_first = act_first

    def forward(self, x: Tensor) -> Tensor:
        return self.norm_and_act(self.conv(x))

    def norm_and_act(self, x: Tensor) -> Tensor:
        """What follows the convolution."""
        return self.norm(self.act(x)) if self.act_first else norm_then_act(self.norm, self.act, x)


def keras_batch_norm(channels: int) -> BatchNorm2d:
    """Batch-norm with the constants of Keras. Its momentum 0.99 is the share of the old mean, ours that of the new."""
    return BatchNorm2d(channels, eps=1e-3, momentum=0.01)

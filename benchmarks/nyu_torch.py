"""One process of benchmarks/nyu_time.py: trains on NYU frames in PyTorch and prints one line of JSON.

The pictures come from minidepth's loader, which is fast enough to be waited for by nobody; network, loss, optimiser and
schedule are PyTorch's. Its first weights are those of minidepth.
"""

import sys

import numpy as np
import torch
from nyu import SETTINGS
from nyu_epoch import recipe, report
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (its customary name)

from minidepth.data import Batch

SOBEL = torch.tensor([[[[1.0, 0, -1], [2, 0, -2], [1, 0, -1]]], [[[1.0, 2, 1], [0, 0, 0], [-1, -2, -1]]]])


class DoubleConv(nn.Module):
    """Twice: convolution, batch-norm, leaky ReLU."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(n_out)
        self.conv2 = nn.Conv2d(n_out, n_out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(n_out)

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.bn1(self.conv1(x)))
        return F.leaky_relu(self.bn2(self.conv2(x)))


def halve_channels_double_size(channels: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, channels // 2, 1),
        nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
    )


class UNet(nn.Module):
    """The network of minidepth.models.UNet with the settings of nyu.py; the names are the same too."""

    def __init__(self, base: int) -> None:
        super().__init__()
        widths = [base * 2**level for level in range(5)]
        self.down = nn.ModuleList(DoubleConv(i, o) for i, o in zip([3, *widths], widths[:-1]))
        self.bottom = DoubleConv(widths[-2], widths[-1])
        self.up = nn.ModuleList(halve_channels_double_size(2 * n) for n in reversed(widths[:-1]))
        self.merge = nn.ModuleList(DoubleConv(2 * n, n) for n in reversed(widths[:-1]))
        self.head = nn.Conv2d(base, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.bottom(x)
        for up, merge in zip(self.up, self.merge):
            x = merge(torch.cat([skips.pop(), up(x)], dim=1))
        return self.head(x)


def mse_gradient_normal(prediction: Tensor, depth_m: Tensor, valid: Tensor) -> Tensor:
    """minidepth's ``mse+gradient+normal``: means over the valid pixels, the last two without the border.

    The Sobel filter is linear, so that of the error is the difference of the two that the normals need anyway.
    """
    prediction = prediction.where(valid, 0)  # depth_m is 0 there
    p, t = F.conv2d(prediction, SOBEL), F.conv2d(depth_m, SOBEL)
    rows = valid[:, :, :-2] & valid[:, :, 1:-1] & valid[:, :, 2:]
    inner = rows[..., :-2] & rows[..., 1:-1] & rows[..., 2:]
    dot = (p * t).sum(1, keepdim=True) + 1
    lengths = ((p * p).sum(1, keepdim=True) + 1).sqrt() * ((t * t).sum(1, keepdim=True) + 1).sqrt()
    by_pixel = (p - t).abs().sum(1, keepdim=True) + 1 - dot / lengths
    mse = (prediction - depth_m).square().sum() / valid.sum().clamp(min=1)
    return mse + by_pixel.where(inner, 0).sum() / inner.sum().clamp(min=1)


def main(data: str, frames: int, memory_format: torch.memory_format) -> None:
    parts = recipe(data)
    model = UNet(SETTINGS["base_channels"])
    model.load_state_dict({name: torch.from_numpy(array) for name, array in parts.network.state_dict().items()})
    model = model.to(memory_format=memory_format)
    adam = torch.optim.Adam(model.parameters(), lr=SETTINGS["lr"])
    steps = SETTINGS["epochs"] * len(parts.batches)
    one_cycle = torch.optim.lr_scheduler.OneCycleLR(adam, SETTINGS["lr"], steps, cycle_momentum=False)

    def train_step(batch: Batch) -> float:
        image, depth_m, valid = map(torch.from_numpy, batch)
        loss = mse_gradient_normal(model(image.contiguous(memory_format=memory_format)), depth_m, valid)
        value = loss.item()
        adam.zero_grad()
        loss.backward()
        adam.step()
        one_cycle.step()
        return value

    def loss_and_slope(*arrays: np.ndarray) -> tuple[float, np.ndarray]:
        guess_m, depth_m, valid = map(torch.from_numpy, arrays)
        loss = mse_gradient_normal(guess_m.requires_grad_(), depth_m, valid)
        loss.backward()
        return loss.item(), guess_m.grad.numpy()

    report(parts, frames, train_step, loss_and_slope)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), getattr(torch, sys.argv[3]))

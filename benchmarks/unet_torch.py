"""One process of benchmarks/step.py: times the same U-Net in PyTorch and prints one line of JSON."""

import sys

import torch
from measure import RATE, Case, first_weights, report
from torch import nn
from torch.nn import functional as F  # noqa: N812 (its customary name)


class DoubleConv(nn.Sequential):
    """Twice: convolution, batch-norm if wanted, leaky ReLU."""

    def __init__(self, n_in: int, n_out: int, norm: bool) -> None:
        layers: list[nn.Module] = []
        for n in (n_in, n_out):
            layers.append(nn.Conv2d(n, n_out, 3, padding=1, bias=not norm))
            layers.extend([nn.BatchNorm2d(n_out)] if norm else [])
            layers.append(nn.LeakyReLU(0.01))
        super().__init__(*layers)


class UNet(nn.Module):
    """The network of minidepth.models.UNet with padding="same"."""

    def __init__(self, base: int, norm: bool) -> None:
        super().__init__()
        widths = [base * 2**level for level in range(5)]
        self.down = nn.ModuleList(DoubleConv(i, o, norm) for i, o in zip([3, *widths], widths[:-1]))
        self.bottom = DoubleConv(widths[-2], widths[-1], norm)
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * n, n, 2, stride=2) for n in reversed(widths[:-1]))
        self.merge = nn.ModuleList(DoubleConv(2 * n, n, norm) for n in reversed(widths[:-1]))
        self.head = nn.Conv2d(base, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
            x = F.max_pool2d(x, 2)
        x = self.bottom(x)
        for up, merge in zip(self.up, self.merge):
            x = merge(torch.cat([skips.pop(), up(x)], dim=1))
        return self.head(x)


def network(case: Case) -> UNet:
    """The U-Net, with the first weights that all competitors have."""
    model = UNet(case.base, case.norm)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 4:
                parameter.copy_(torch.from_numpy(first_weights(tuple(parameter.shape))))
            elif name.endswith("bias"):
                parameter.zero_()
    return model


def main(case: Case, memory_format: torch.memory_format) -> None:
    model = network(case).to(memory_format=memory_format)
    adam = torch.optim.Adam(model.parameters(), lr=RATE)
    image, depth_m = (torch.from_numpy(array) for array in case.batch_of_pictures())
    image = image.contiguous(memory_format=memory_format)

    def train_step() -> float:
        loss = F.mse_loss(model(image), depth_m)
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss.item()

    def inference() -> None:
        with torch.no_grad():
            model(image)

    report(case, train_step, inference, model.eval)


if __name__ == "__main__":
    main(Case.from_json(sys.argv[1]), getattr(torch, sys.argv[2]))

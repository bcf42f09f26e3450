"""One process of benchmarks/latency.py: times a picture through the same MobileNet in PyTorch, prints JSON."""

import copy
import json
import sys

import numpy as np
import torch
from measure import first_weights, median_ms
from torch import nn
from torch.nn import functional as F  # noqa: N812 (its customary name)

from minidepth.models.mobilenet import PRUNED, SKIPS, STRIDES, WIDTHS


def block(n_in: int, n_out: int, kernel_size: int, act: nn.Module, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    """Convolution, batch-norm, activation."""
    padding = kernel_size // 2
    conv = nn.Conv2d(n_in, n_out, kernel_size, stride=stride, padding=padding, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(n_out), act]


class MobileNet(nn.Module):
    """The network of minidepth.models.MobileNet with its usual options."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        relu6, relu, n = nn.ReLU6(inplace=True), nn.ReLU(inplace=True), len(STRIDES)
        self.encoder = nn.ModuleList([nn.Sequential(*block(3, widths[0], 3, relu6, 2))])
        for i, o, stride in zip(widths, widths[1:n], STRIDES[1:]):
            self.encoder.append(nn.Sequential(*block(i, i, 3, relu6, stride, i), *block(i, o, 1, relu6)))
        pairs = zip(widths[n - 1 :], widths[n:])
        self.decoder = nn.ModuleList(
            nn.Sequential(*block(i, i, 5, relu, 1, i), *block(i, o, 1, relu)) for i, o in pairs
        )
        self.last = nn.Sequential(*block(widths[-1], 1, 1, relu))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = []
        for layer in self.encoder:
            x = layer(x)
            seen.append(x)
        for i, stage in enumerate(self.decoder):
            x = F.interpolate(stage(x), scale_factor=2, mode="nearest")
            if i in SKIPS:
                x = x + seen[SKIPS[i]]
        return self.last(x)


def folded(network: MobileNet) -> MobileNet:
    """A copy with each batch-norm in the convolution before it."""
    network = copy.deepcopy(network)
    for layers in [module for module in network.modules() if isinstance(module, nn.Sequential)]:
        for i in range(0, len(layers), 3):
            layers[i] = nn.utils.fuse_conv_bn_eval(layers[i], layers[i + 1])
            layers[i + 1] = nn.Identity()
    return network


def main(case: dict, memory_format: torch.memory_format) -> None:
    network = MobileNet(PRUNED if case["name"] == "mobilenet_pruned" else WIDTHS).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 4:
                parameter.copy_(torch.from_numpy(first_weights(tuple(parameter.shape))))
        network = network.to(memory_format=memory_format)
        array = np.random.default_rng(0).random((1, 3, *case["size"]), dtype=np.float32)
        picture = torch.from_numpy(array).contiguous(memory_format=memory_format)
        networks = network, folded(network)
        depths = [model(picture).numpy() for model in networks]
        times = [median_ms(lambda model=model: model(picture), case["times"]) for model in networks]
    proof = [float(number) for depth in depths for number in (depth.mean(), depth.std())]
    print(json.dumps({"plain_ms": times[0], "folded_ms": times[1], "proof": proof}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), getattr(torch, sys.argv[2]))

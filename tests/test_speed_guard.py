"""A training step multiplies no more than it should. Counted, never timed: the same on every machine.

Big losses of speed show in the count: a convolution that takes a wasteful way, or products cut so small that a second
thread does not help. What it is compared with is worked out by hand. Of memory, test_steady_step.py takes care.
"""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from minidepth import Tensor
from minidepth.losses import mse
from minidepth.models import UNet
from minidepth.ops.cpu import pool

LEVELS = 5
WAYS = [path for path in sorted(Path(pool.__file__).parent.glob("*.py")) if path.name != "depthwise.py"]
"""All ways to convolve but one that the U-Net never takes."""


class Network(NamedTuple):
    base: int
    norm: str | None
    height: int
    width: int
    most: float
    """Multiply-adds as a share of the direct algorithm's: room for tiles; with many channels, Winograd saves."""


NETWORKS = [Network(16, "batch", 128, 160, most=0.9), Network(32, None, 128, 160, most=0.75)]


class Counts(NamedTuple):
    multiply_adds: int
    calls: int
    plain_calls: int


@pytest.fixture(scope="module", params=NETWORKS, ids=lambda network: f"base {network.base}")
def counted(request):
    """A network, and what NumPy is asked to multiply in one forward and backward pass."""
    network = request.param
    model = UNet(base_channels=network.base, norm=network.norm, activation="leaky_relu", rng=0)
    image, depth_m = (np.zeros((1, n, network.height, network.width), np.float32) for n in (3, 1))
    conv2d, products, plain = importlib.import_module("minidepth.ops.conv2d"), [], []
    matmul = np.matmul

    def counting_matmul(a, b, *args, **kwargs):
        result = matmul(a, b, *args, **kwargs)
        products.append(result.size * a.shape[-1])
        return result

    def counting(function):
        def call(*args):
            plain.append(function)
            return function(*args)

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(np, "matmul", counting_matmul)
        for name in ("plain_forward", "plain_grad_x", "plain_grad_weight"):
            patch.setattr(conv2d, name, counting(getattr(conv2d, name)))
        mse(model(Tensor(image)), depth_m, np.ones(depth_m.shape, bool)).backward()
    return network, Counts(sum(products), len(products), len(plain))


def direct_multiply_adds(network):
    """Of all convolutions of the U-Net: forward, and as many again for either gradient."""
    channels = [network.base * 2**level for level in range(LEVELS)]
    pixels = [network.height * network.width // 4**level for level in range(LEVELS)]
    first = 9 * 3 * channels[0] * pixels[0]
    forward = first + 9 * channels[0] ** 2 * pixels[0]
    for above, below in zip(range(LEVELS - 1), range(1, LEVELS)):
        forward += 9 * (channels[above] * channels[below] + channels[below] ** 2) * pixels[below]
        forward += 4 * channels[below] * channels[above] * pixels[below]  # the 2x2 up-convolution
        forward += 9 * (2 * channels[above] ** 2 + channels[above] ** 2) * pixels[above]
    forward += channels[0] * pixels[0]  # the 1x1 at the end
    return 3 * forward - first  # nobody wants the gradient in the picture


def test_convolutions_multiply_no_more_than_they_have_to(counted):
    network, counts = counted
    share = counts.multiply_adds / direct_multiply_adds(network)
    assert 0.2 < share < network.most  # below: there are products that this test does not see


def test_no_convolution_of_the_network_is_left_to_the_plain_kernels(counted):
    _, counts = counted
    assert counts.plain_calls == 0


def test_products_are_long_enough_for_a_second_thread_to_help(counted):
    _, counts = counted
    assert counts.multiply_adds / counts.calls > 10**6  # some 20 us on one core; the interpreter lock costs as much


def test_the_direct_count_of_a_small_network_by_plain_arithmetic():
    down = 9 * (256 * (3 * 1 + 1) + 64 * (2 + 4) + 16 * (8 + 16) + 4 * (32 + 64) + 1 * (128 + 256))
    up = 9 * (256 * (2 + 1) + 64 * (8 + 4) + 16 * (32 + 16) + 4 * (128 + 64))
    spread = 4 * (64 * 2 * 1 + 16 * 4 * 2 + 4 * 8 * 4 + 1 * 16 * 8)
    assert direct_multiply_adds(Network(1, None, 16, 16, 1.0)) == 3 * (down + up + spread + 256) - 9 * 256 * 3


@pytest.mark.parametrize("path", WAYS, ids=lambda path: path.name)
def test_matrices_are_multiplied_by_np_matmul_alone(path):
    """Or they would not be counted above."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not isinstance(node, ast.MatMult), f"{path.name} uses @"
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("dot", "einsum", "tensordot", "inner", "vdot"), f"{path.name} uses {node.attr}"

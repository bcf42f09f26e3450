"""The depth network of the Keras examples: its count block by block, its options, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from network_checks import assert_every_parameter_counts, assert_one_seed_one_network, counts, pictures

from minidepth import no_grad
from minidepth.errors import InputError
from minidepth.models import KerasDepthUNet
from minidepth.nn import BatchNorm2d, watch
from minidepth.nn.init import empty_weights


def test_published_count() -> None:
    trained, moving = counts(KerasDepthUNet)
    assert (trained, moving, trained + moving) == (1_964_545, 1_920, 1_966_465)


def test_published_count_block_by_block() -> None:
    with empty_weights():
        model = KerasDepthUNet()

    def total(part) -> int:
        return sum(array.size for name, array in part.state_dict().items() if "num_batches" not in name)

    assert [total(part) for part in model.down] == [2_896, 14_144, 55_936, 222_464]
    assert total(model.bottom) == 885_248
    assert [total(part) for part in model.merge] == [591_104, 148_096, 37_184, 9_376]
    assert total(model.head) == 17


@pytest.mark.parametrize("head, low, high", [("tanh", -1, 1), ("sigmoid", 0, 1), ("linear", -np.inf, np.inf)])
@no_grad()
def test_heads(head: str, low: float, high: float) -> None:
    model = KerasDepthUNet(base_channels=2, head=head, rng=0).eval()
    last = model.head if head == "linear" else model.head[0]
    last.weight.data *= 10
    x = pictures((2, 3, 32, 16))
    y = model(*x)
    assert y.shape == (2, 1, 32, 16)
    assert low <= y.data.min() < y.data.max() <= high
    assert (y.data.min() < -0.1) == (head != "sigmoid")
    last.bias.data[...] = 8
    last.weight.data[...] = 0
    np.testing.assert_allclose(model(*x).data, {"tanh": 1, "sigmoid": 1, "linear": 8}[head], atol=1e-3)


def test_the_sizes_on_the_way_and_the_order() -> None:
    for order, expected in [("norm-act", ["conv", "norm", "act"]), ("act-norm", ["conv", "act", "norm"])]:
        calls: list[tuple[str, tuple[int, ...]]] = []
        model = KerasDepthUNet(base_channels=2, order=order, rng=0)
        assert (KerasDepthUNet.multiple, model.multiple) == (16, 16)
        with watch(model, lambda name, layer, x, y, calls=calls: calls.append((name, y.shape[1:]))):
            model(*pictures((1, 3, 32, 48)))
        assert [name.split(".")[-1] for name, _ in calls if name.startswith("down.1.second")] == expected
        assert [name.split(".")[-1] for name, _ in calls if name.startswith("merge.0.1")] == expected
        shapes = dict(calls)
        assert shapes["bottom.0.conv"] == (32, 2, 3)
        assert shapes["enlarge"] == (4, 32, 48)


def test_the_residual_is_the_raw_result_of_the_first_convolution() -> None:
    model = KerasDepthUNet(base_channels=2, rng=0).eval()
    block = model.down[0]
    (x,) = pictures((1, 3, 16, 16))
    with no_grad():
        block.second.norm.weight.data[...] = 0
        np.testing.assert_array_equal(block(x).data, block.first.conv(x).data)


def test_constants_of_keras() -> None:
    norms = [module for module in KerasDepthUNet(base_channels=1, rng=0).modules() if isinstance(module, BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)} and len(norms) == 16


@pytest.mark.parametrize("order", ["norm-act", "act-norm"])
def test_every_parameter_counts(order: str) -> None:
    model = KerasDepthUNet(base_channels=2, order=order, rng=0)
    assert_every_parameter_counts(model, *pictures((2, 3, 32, 32)), without=("conv.bias",))


def test_one_seed_gives_one_network() -> None:
    assert_one_seed_one_network(KerasDepthUNet, base_channels=2)


@pytest.mark.parametrize(
    "shape, text",
    [
        ((1, 3, 100, 16), "a picture of 100x16 .* multiples of 16, such as 96x16"),
        ((3, 16, 16), r"the input has shape \(3, 16, 16\); it must be \(N, 3, H, W\)"),
    ],
)
def test_inputs_that_do_not_fit(shape: tuple[int, ...], text: str) -> None:
    with pytest.raises(InputError, match=f"KerasDepthUNet: {text}"):
        KerasDepthUNet(base_channels=1, rng=0)(*pictures(shape))


@pytest.mark.parametrize(
    "options, text",
    [
        ({"head": "softmax"}, "head is 'softmax'; use 'tanh' or 'sigmoid' or 'linear'"),
        ({"order": "act"}, "order is 'act'; use 'norm-act' or 'act-norm'"),
        ({"base_channels": 0}, "base_channels is 0; it must be at least 1"),
    ],
)
def test_bad_options(options: dict, text: str) -> None:
    with pytest.raises(InputError, match=f"KerasDepthUNet: {text}"):
        KerasDepthUNet(**options)

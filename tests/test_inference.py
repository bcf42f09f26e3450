"""A folded copy predicts what the network predicts, whatever the network is, and leaves the network as it was."""

from __future__ import annotations

import numpy as np
import pytest

from minidepth import Tensor, models, nn, no_grad, ops
from minidepth.inference import FoldedConv, fold_batch_norm

SMALL = {"width": 4, "blocks": (1, 1, 1, 1)}
WIDTHS = {"widths": (2, 4, 4, 6, 6, 8, 8, 10, 8, 10, 8, 10, 8, 16, 8, 8, 6, 4, 2)}
NETWORKS = [  # name, options, size, norms that stay
    ("mobilenet", WIDTHS, (32, 64), 0),
    ("mobilenet", {**WIDTHS, "decoder": "deconv5dw", "skip": "concat"}, (32, 64), 0),
    ("mobilenet", {**WIDTHS, "decoder": "upproj", "skip": "none"}, (64, 32), 0),
    ("unet", {"base_channels": 4, "norm": "batch", "activation": "leaky_relu"}, (16, 32), 0),
    ("unet", {"base_channels": 4, "padding": "valid", "depth": 2}, (44, 52), 0),
    ("keras_depth_unet", {"base_channels": 2}, (32, 32), 4),  # behind convolutions that are also added to something
    ("custom_unet", {"base_channels": 2}, (32, 32), 16),  # behind activations
    ("resnet34_unet", SMALL, (32, 64), 0),
    ("resnet34_unet_preact", SMALL, (32, 64), None),
    ("densedepth", {**SMALL, "growth": 4}, (64, 64), None),
    ("fcrn", SMALL, (64, 60), 0),
    ("depthmasknet8", {"base_channels": 2}, (64, 64), 0),
]


def lived_in(network: nn.Module, seed: int = 0) -> nn.Module:
    """With statistics, scales and shifts as training leaves them."""
    rng = np.random.default_rng(seed)
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.data[...] = 0.3 * rng.normal(size=layer.num_features)
            layer.running_var.data[...] = rng.uniform(0.5, 2, layer.num_features)
            layer.weight.data[...] = rng.uniform(0.5, 1.5, layer.num_features)
            layer.bias.data[...] = rng.uniform(0.1, 1, layer.num_features)
    return network


def outputs(network: nn.Module, size: tuple[int, int], dtype: type = np.float32) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    pictures = [rng.normal(size=(2, 3, *size)).astype(dtype) for _ in getattr(network, "inputs", ("image",))]
    with no_grad():
        y = network(*map(Tensor, pictures))
    return [part.data for part in (y if isinstance(y, tuple) else (y,))]


def kinds(network: nn.Module, kind: type) -> int:
    return sum(type(layer) is kind for layer in network.modules())


@pytest.mark.parametrize("name, options, size, norms", NETWORKS, ids=[name for name, *_ in NETWORKS])
def test_the_copy_predicts_the_same(name, options, size, norms) -> None:
    network = lived_in(models.build(name, **options, rng=0)).astype(np.float64).eval()
    before = {part: array.copy() for part, array in network.state_dict().items()}
    copy = fold_batch_norm(network, size)
    for ours, expected in zip(outputs(copy, size, np.float64), outputs(network, size, np.float64), strict=True):
        assert np.ptp(expected) > 0
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-12 * np.abs(expected).max())
    stays, there = kinds(copy, nn.BatchNorm2d), kinds(network, nn.BatchNorm2d)
    assert stays == norms if norms is not None else stays < there
    for part, array in network.state_dict().items():
        np.testing.assert_array_equal(array, before[part])


def test_nothing_is_left_of_a_mobilenet_but_convolutions() -> None:
    copy = fold_batch_norm(models.build("mobilenet", **WIDTHS, rng=0), (32, 32))
    left = {type(layer) for layer in copy.modules() if not list(layer.parts()) or type(layer) is FoldedConv}
    assert kinds(copy, FoldedConv) == 38 and kinds(copy, nn.Conv2d) == 0
    assert left & {nn.BatchNorm2d, nn.ReLU, nn.ReLU6} == set()


def test_the_last_enlargement_waits_for_the_1x1_convolution_behind_it() -> None:
    shapes = []
    copy = fold_batch_norm(models.build("mobilenet", **WIDTHS, rng=0), (32, 32))
    with no_grad(), nn.watch(copy, lambda name, layer, inputs, y: shapes.append((type(layer), y.shape))):
        outputs(copy, (32, 32))
    computed = [shape for kind, shape in shapes if kind is not nn.Identity]
    assert computed[-2:] == [(2, 1, 16, 16), (2, 1, 32, 32)]


class Branches(nn.Module):
    """A convolution whose result is used three times, a shared activation, and a convolution that runs twice."""

    def __init__(self) -> None:
        self.first, self.norm = nn.Conv2d(3, 4, 3, padding=1, rng=0), nn.BatchNorm2d(4)
        self.again, self.norm2 = nn.Conv2d(4, 4, 1, rng=1), nn.BatchNorm2d(4)
        self.last, self.norm3 = nn.Conv2d(4, 4, 3, padding=1, groups=2, rng=2), nn.BatchNorm2d(4)
        self.act = nn.ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        y = self.act(self.norm(y)) + y
        y = self.again(self.act(self.norm2(self.again(y))))
        return ops.cat([self.act(self.norm3(self.last(y))), y], dim=1)


def test_what_somebody_else_uses_too_is_not_folded() -> None:
    network = lived_in(Branches()).eval()
    copy = fold_batch_norm(network, (8, 9))
    assert type(copy.norm) is nn.BatchNorm2d and copy.norm2 is not network.norm2
    assert type(copy.norm2) is nn.BatchNorm2d and type(copy.norm3) is nn.Identity and type(copy.act) is nn.ReLU6
    np.testing.assert_allclose(outputs(copy, (8, 9))[0], outputs(network, (8, 9))[0], atol=1e-5)


class Uses(nn.Module):
    """One convolution and one norm, wired in some way."""

    def __init__(self, wiring) -> None:
        self.conv, self.norm, self.wiring = nn.Conv2d(3, 3, 1, rng=0), nn.BatchNorm2d(3), wiring

    def forward(self, x: Tensor) -> Tensor:
        return self.wiring(self.conv, self.norm, x)


WIRINGS = [
    lambda conv, norm, x: (lambda y: norm(y) + y)(conv(x)),
    lambda conv, norm, x: (lambda y: y + norm(y))(conv(x)),
    lambda conv, norm, x: (lambda y: norm(y) + y.abs())(conv(x)),
    lambda conv, norm, x: (lambda y: y.abs() + norm(y))(conv(x)),
    lambda conv, norm, x: norm(conv(x)) + norm(x),
    lambda conv, norm, x: norm(x) + norm(conv(x)),
    lambda conv, norm, x: norm(conv(conv(x))),
    lambda conv, norm, x: conv(norm(x)),
]


@pytest.mark.parametrize("wiring", WIRINGS)
def test_a_norm_stays_where_anything_else_hangs_on_it_or_on_its_convolution(wiring) -> None:
    network = lived_in(Uses(wiring)).eval()
    copy = fold_batch_norm(network, (4, 5))
    assert type(copy.norm) is nn.BatchNorm2d
    np.testing.assert_allclose(outputs(copy, (4, 5))[0], outputs(network, (4, 5))[0], atol=1e-6)


def test_an_output_that_is_also_used_inside_is_not_folded() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            self.conv, self.norm = nn.Conv2d(3, 2, 1, rng=0), nn.BatchNorm2d(2)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            y = self.conv(x)
            return y, self.norm(y)

    network = lived_in(Two()).eval()
    for ours, expected in zip(outputs(fold_batch_norm(network, (4, 5)), (4, 5)), outputs(network, (4, 5))):
        np.testing.assert_allclose(ours, expected, atol=1e-6)


@pytest.mark.parametrize("groups", [1, 3])
def test_a_transposed_convolution_is_folded_by_its_own_channels(groups: int) -> None:
    network = nn.Sequential(nn.ConvTranspose2d(3, 6, 3, stride=2, groups=groups, rng=0), nn.BatchNorm2d(6), nn.ReLU())
    copy = fold_batch_norm(lived_in(network).eval(), (4, 5))
    assert [type(layer) for layer in copy] == [nn.ConvTranspose2d, nn.Identity, nn.ReLU]
    np.testing.assert_allclose(outputs(copy, (4, 5))[0], outputs(network, (4, 5))[0], atol=1e-6)


def test_what_is_not_folded_is_shared_and_modes_are_kept() -> None:
    network = nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 2, 1, rng=0), nn.LeakyReLU())
    network[2].eval()
    copy = fold_batch_norm(network, (4, 4))
    assert copy[0].weight is network[0].weight and copy[1].weight.data is network[1].weight.data
    assert [layer.training for layer in network] == [True, True, False]
    assert not any(layer.training for layer in copy.modules())


def test_the_copy_cannot_be_trained() -> None:
    copy = fold_batch_norm(nn.Sequential(nn.Conv2d(3, 2, 1, rng=0), nn.ReLU()), (4, 4))
    with pytest.raises(RuntimeError, match="nothing this came from has requires_grad"):
        copy(Tensor(np.ones((1, 3, 4, 4)))).sum().backward()

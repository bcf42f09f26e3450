"""norm_then_act: the fused pair gives what the two layers give, and everything else runs layer by layer."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import assert_same, normal

from minidepth import Tensor, nn

ACTIVATIONS = {"leaky_relu": nn.LeakyReLU(0.2), "relu": nn.ReLU(), "relu6": nn.ReLU6()}


def norm_with_numbers(channels: int) -> nn.BatchNorm2d:
    norm = nn.BatchNorm2d(channels, eps=1e-3, momentum=0.3)
    for seed, array in enumerate((norm.weight.data, norm.bias.data, norm.running_mean.data)):
        array[...] = 3 * normal(channels, seed=seed)
    norm.running_var.data[...] = 0.5 + normal(channels, seed=3) ** 2
    return norm.astype(np.float64)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("act", ACTIVATIONS.values(), ids=ACTIVATIONS)
def test_one_operation_in_place_of_two(act: nn.Module, training: bool) -> None:
    results = []
    for apply in (lambda norm, x: nn.norm_then_act(norm, act, x), lambda norm, x: act(norm(x))):
        norm, x = norm_with_numbers(4).train(training), Tensor(normal(3, 4, 5, 6), requires_grad=True)
        y = apply(norm, x)
        y.backward(normal(*y.shape, seed=5))
        results.append([y._node.op, y.data, x.grad, norm.weight.grad, norm.bias.grad, *norm.state_dict().values()])
    (op, *fused), (last_op, *single) = results
    assert op == ("batch_norm_relu6" if isinstance(act, nn.ReLU6) else "batch_norm_leaky_relu") and last_op != op
    for array, expected in zip(fused, single, strict=True):
        assert_same(array, expected, relative=1e-12)


@pytest.mark.parametrize("norm, act", [(nn.Identity(), nn.ReLU()), (nn.BatchNorm2d(4), nn.Tanh())], ids=repr)
def test_other_pairs_run_one_by_one(norm: nn.Module, act: nn.Module) -> None:
    x = Tensor(normal(3, 4, 5, 6).astype(np.float32))
    np.testing.assert_array_equal(nn.norm_then_act(norm, act, x).data, act(norm(x)).data)


def test_a_norm_of_ones_own_is_asked() -> None:
    class Louder(nn.BatchNorm2d):
        def forward(self, x: Tensor) -> Tensor:
            return 100 * super().forward(x)

    y = nn.norm_then_act(Louder(4), nn.ReLU(), Tensor(normal(3, 4, 5, 6).astype(np.float32)))
    assert y.data.max() > 50


def test_watched_layers_show_their_own_outputs() -> None:
    class Pair(nn.Module):
        def __init__(self) -> None:
            self.norm, self.act = nn.BatchNorm2d(4), nn.LeakyReLU()

        def forward(self, x: Tensor) -> Tensor:
            return nn.norm_then_act(self.norm, self.act, x)

    seen = {}
    pair, x = Pair(), Tensor(normal(3, 4, 5, 6).astype(np.float32))
    with nn.watch(pair, lambda name, layer, inputs, output: seen.update({name: output.data})):
        pair(x)
    assert list(seen) == ["norm", "act"]
    assert seen["norm"].min() < -0.5 < seen["act"].min() < 0
    assert pair.norm.num_batches_tracked.data == 1

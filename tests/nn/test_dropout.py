"""The layer Dropout: another mask at every call, the same masks in every run, the same one when backward runs again."""

from __future__ import annotations

import numpy as np
import pytest

from minidepth import Tensor, nn, ops

ONES = Tensor(np.ones((4, 50), np.float32))


def masks(layer: nn.Dropout, count: int) -> list[list[bool]]:
    return [(layer(ONES).data != 0).tolist() for _ in range(count)]


def test_every_call_has_another_mask_and_every_run_the_same() -> None:
    first, second = nn.Dropout(0.5, rng=7), nn.Dropout(0.5, rng=7)
    drawn = masks(first, 3)
    assert drawn[0] != drawn[1] != drawn[2] != drawn[0]
    assert masks(second, 3) == drawn
    assert masks(nn.Dropout(0.5, rng=8), 1) != drawn[:1]


def test_two_layers_of_one_network_differ() -> None:
    rng = np.random.default_rng(0)
    assert masks(nn.Dropout(rng=rng), 1) != masks(nn.Dropout(rng=rng), 1)


def test_a_run_goes_on_where_it_was_saved() -> None:
    layer = nn.Dropout(0.3, rng=7)
    drawn = masks(layer, 2)
    state = {name: array.copy() for name, array in layer.state_dict().items()}
    drawn += masks(layer, 2)
    other = nn.Dropout(0.3, rng=1)
    other.load_state_dict(state)
    assert list(state) == ["seed_and_count"]
    assert masks(other, 2) == drawn[2:]


def test_p_says_how_many_go() -> None:
    assert abs(np.mean(masks(nn.Dropout(0.2, rng=0), 50)) - 0.8) < 0.02


def test_evaluation_is_the_identity_and_draws_nothing() -> None:
    layer, never = nn.Dropout(rng=0).eval(), nn.Dropout(0.0, rng=0)
    assert layer(ONES) is ONES and never(ONES) is ONES
    assert layer.seed_and_count.data[1] == never.seed_and_count.data[1] == 0


def gradients(run, micro_batches: int = 1) -> list[np.ndarray]:
    """dL/dweight of a layer behind dropout that is used twice, and the masks' count, after some micro-batches."""
    dropout, linear = nn.Dropout(0.5, rng=3), nn.Linear(50, 50, rng=0)
    xs = [
        Tensor(np.random.default_rng(k).random((4, 50), np.float32), requires_grad=True) for k in range(micro_batches)
    ]
    ys = [run(lambda x: dropout(linear(dropout(x))), x) for x in xs]  # all forward passes before the first backward
    for y in ys:
        y.backward(np.random.default_rng(9).random(y.shape, np.float32))
    return [linear.weight.grad, linear.bias.grad, *(x.grad for x in xs), dropout.seed_and_count.data]


@pytest.mark.parametrize("micro_batches", [1, 3])
def test_recompute_draws_each_mask_once(micro_batches: int) -> None:
    def twice(function, x):
        return ops.recompute(lambda x: ops.recompute(function, x), x)

    expected = gradients(lambda function, x: function(x), micro_batches)
    assert expected[-1][1] == 2 * micro_batches
    for run in (ops.recompute, twice):
        for array, plain in zip(gradients(run, micro_batches), expected, strict=True):
            np.testing.assert_array_equal(array, plain)


def test_settings() -> None:
    assert repr(nn.Dropout(0.25)) == "Dropout(p=0.25)"
    with pytest.raises(ValueError, match="Dropout: p is 1.0; it must be at least 0 and below 1"):
        nn.Dropout(1.0)

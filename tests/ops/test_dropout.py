"""dropout: which numbers go and what becomes of the others, gradients, errors."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import DEVICES, assert_linear, assert_same, normal
from twins import GPUS, assert_twin

from minidepth import Tensor
from minidepth.ops import dropout
from minidepth.ops.dropout import mask, masked


def kept(p: float, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Number by number, as the file says."""
    key = [int(number) % 2**64 for number in np.random.default_rng(seed).integers(-(2**63), 2**63, 2)]
    numbers = np.random.Generator(np.random.Philox(key=key[0] + (key[1] << 64)))
    return np.array([numbers.random(dtype=np.float32) >= p for _ in range(int(np.prod(shape)))]).reshape(shape)


def test_by_hand() -> None:
    x = Tensor(np.arange(1.0, 101), requires_grad=True)
    y = dropout(x, 0.75, rng=0)
    survivors = y.data != 0
    assert 10 < survivors.sum() < 40
    assert y.data[survivors].tolist() == (4 * x.data[survivors]).tolist()
    y.backward(np.full(100, 3.0))
    assert x.grad.tolist() == [12.0 if survivor else 0.0 for survivor in survivors]


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("shape", [(), (7,), (2, 3, 5, 4), (3, 250, 251)], ids=str)
def test_oracle_and_gradient(shape, p) -> None:
    x = np.asarray(normal(*shape))
    assert_same(dropout(Tensor(x), p, rng=5), x * kept(p, shape, 5) / (1 - p))
    assert_linear(lambda x: dropout(x, p, rng=5), x)


def test_half_of_many_goes_and_the_mean_stays() -> None:
    y = dropout(Tensor(np.ones(100_000)), 0.5, rng=1).data
    assert abs((y == 0).mean() - 0.5) < 0.01
    assert abs(y.mean() - 1) < 0.02


def test_nothing_happens_in_evaluation_or_with_p_0() -> None:
    x = Tensor(normal(4, 5))
    assert dropout(x, 0.5, training=False) is x
    assert dropout(x, 0.0) is x


@pytest.mark.parametrize("device", DEVICES)
def test_the_generator_decides(device: str) -> None:
    x, rng = Tensor(DEVICES[device](np.ones((8, 9)))), np.random.default_rng(3)
    first, second = dropout(x, rng=rng).numpy(), dropout(x, rng=rng).numpy()
    assert (first != second).any()
    assert np.array_equal(dropout(x, rng=3).numpy(), first)
    assert (dropout(x).numpy() != dropout(x).numpy()).any()


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("shape, p", [((), 0.5), ((0,), 0.5), ((7,), 0.1), ((8,), 0.9), ((3, 7, 111), 0.25)], ids=str)
def test_cuda(shape, p, gpu) -> None:
    x = np.asarray(normal(*shape))
    keep = assert_twin(gpu, mask, x, p, -(2**63) + 5, 2**62 + 3)  # the last shape needs two blocks
    assert_twin(gpu, masked, x, np.asarray(keep), 1 / (1 - p))


@pytest.mark.parametrize("p", [-0.1, 1, 1.5, float("nan")])
def test_bad_input(p) -> None:
    with pytest.raises(ValueError, match=rf"dropout: p is {p}; it must be at least 0 and below 1"):
        dropout(Tensor(np.zeros(3)), p)

"""Groups of batches, sizes of epochs, and when to stop."""

from __future__ import annotations

import numpy as np
import pytest

from minidepth import Tensor, losses, models, optim
from minidepth.errors import InputError
from minidepth.train_plan import group_of, is_enough, parse_sizes, size_of_epoch, steps_of_epoch


@pytest.mark.parametrize("batches", [1, 5, 6, 7])
@pytest.mark.parametrize("accumulate", [1, 2, 3, 6, 10])
def test_groups_cover_an_epoch(batches: int, accumulate: int) -> None:
    groups, size = [], 0
    for batch in range(batches):
        announced, last = group_of(batch, batches, accumulate)
        size += 1
        if last:
            assert announced == size
            groups.append(size)
            size = 0
    assert size == 0 and sum(groups) == batches
    assert all(group == accumulate for group in groups[:-1]) and groups[-1] <= accumulate
    assert len(groups) == steps_of_epoch(batches, accumulate)


def test_a_group_steps_like_one_large_batch() -> None:
    """Without batch-norm, and with all pixels valid: the gradient is the mean over the pictures."""
    rng = np.random.default_rng(0)
    images, depths = rng.standard_normal((6, 3, 16, 16)), rng.random((6, 1, 16, 16))
    weights = []
    for parts in ([slice(0, 6)], [slice(0, 2), slice(2, 4), slice(4, 6)]):
        network = models.build("unet", base_channels=2, depth=2, rng=0)
        for parameter in network.parameters():
            parameter.data = parameter.data.astype(np.float64)
        optimizer, loss = optim.SGD(network.parameters(), lr=0.1, momentum=0.9), losses.build("mse+gradient")
        for _ in range(2):
            for number, part in enumerate(parts):
                size, last = group_of(number, len(parts), len(parts))
                error = loss(network(Tensor(images[part])), depths[part], np.ones(depths[part].shape, bool))
                error.backward(1 / size)
            assert last
            optimizer.step()
            optimizer.zero_grad()
        weights.append(np.concatenate([parameter.data.reshape(-1) for parameter in network.parameters()]))
    np.testing.assert_allclose(weights[1], weights[0], rtol=1e-9, atol=1e-12)


def test_sizes() -> None:
    sizes = parse_sizes("64x80:3,128X160:1")
    assert sizes == [((64, 80), 3), ((128, 160), 1)]
    expected = [(64, 80)] * 3 + [(128, 160)] + [(224, 224)] * 3
    assert [size_of_epoch(sizes, epoch, (224, 224)) for epoch in range(7)] == expected
    assert parse_sizes("") == [] and size_of_epoch([], 5, (1, 2)) == (1, 2)


@pytest.mark.parametrize("text", ["64x64", "64x64:3,128x128", "64x64:0", "64x64:-1", "64x64:two", "64x64:3,"])
def test_sizes_without_epochs(text: str) -> None:
    with pytest.raises(InputError, match="has no number of epochs; give each size one, such as 64x64:3,128x128:2, and"):
        parse_sizes(text)


def test_sizes_that_are_none() -> None:
    with pytest.raises(InputError, match="give height x width in pixels"):
        parse_sizes("64:3")


def test_when_it_is_enough() -> None:
    assert [is_enough(epoch, 4, patience=2) for epoch in (4, 5, 6, 7)] == [False, False, True, True]
    assert not is_enough(100, 1, patience=0)

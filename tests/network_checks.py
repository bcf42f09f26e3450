"""What the tests of networks share: counting, reaching every parameter, one seed giving one network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from minidepth import Tensor
from minidepth.nn import Module
from minidepth.nn.init import empty_weights


def counts(make: Callable[..., Module], **options: Any) -> tuple[int, int]:
    """Trained numbers, and moving statistics (means and variances), of a network whose weights are not drawn."""
    with empty_weights():
        model = make(**options)
    statistics = [array for name, array in model.state_dict().items() if "running" in name]
    return sum(parameter.size for parameter in model.parameters()), sum(array.size for array in statistics)


def pictures(*shapes: tuple[int, ...], seed: int = 1, dtype: Any = np.float32) -> list[Tensor]:
    """Pictures of normal numbers."""
    rng = np.random.default_rng(seed)
    return [Tensor(rng.standard_normal(shape).astype(dtype)) for shape in shapes]


def outputs_of(model: Module, *inputs: Tensor) -> list[Tensor]:
    """The outputs as a list, also where there is only one."""
    y = model(*inputs)
    return list(y) if isinstance(y, tuple) else [y]


def assert_every_parameter_counts(model: Module, *inputs: Tensor, without: tuple[str, ...] = ()) -> None:
    """Each parameter gets a gradient that is not 0 but for rounding, except those whose name ends like `without`."""
    ys = outputs_of(model, *inputs)
    rng = np.random.default_rng(2)
    total = sum((y * Tensor(rng.standard_normal(y.shape).astype(y.dtype))).sum() for y in ys)
    total.backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        if not name.endswith(without):
            assert np.abs(parameter.grad).max() > 1e-6, name


def assert_one_seed_one_network(make: Callable[..., Module], **options: Any) -> None:
    """The same seed gives the same bytes, another one other weights, and no two layers draw the same numbers."""
    first, again, other = (make(**options, rng=seed).state_dict() for seed in (3, 3, 4))
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)
    kernels = [name for name, array in first.items() if array.ndim == 4]
    assert all((first[name] != other[name]).any() for name in kernels)
    assert len({first[name].tobytes() for name in kernels}) == len(kernels)

"""Optimisers: PyTorch's formulas, work in place, and a state that goes on exactly where it stopped."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from minidepth import optim
from minidepth.errors import CheckpointError
from minidepth.nn import Parameter
from minidepth.optim import SGD, Adam, AdamW, Optimizer, RMSprop
from minidepth.optim.optimizer import tiles_of

START = [1.0, -2.0, 0.5]
GRADS = [[0.1, -0.2, 0.3], [-0.4, 0.5, 0.6], [0.7, 0.8, -0.9]]

# Weights after three steps of PyTorch 2.13 in float64: a Parameter of START, the optimiser of that name in torch.optim
# with lr=0.1 and the settings on the left, and for each of GRADS ``p.grad = torch.tensor(grad, dtype=torch.float64)``
# and ``optimizer.step()``.
PYTORCH = [
    (SGD, {}, [0.9600000000000001, -2.11, 0.5]),
    (SGD, {"weight_decay": 0.01}, [0.956982989, -2.103995978, 0.49862146949999997]),
    (SGD, {"momentum": 0.9, "weight_decay": 0.01}, [0.9732927889999999, -2.109615578, 0.3920713695]),
    (
        SGD,
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        [0.9329334125509999, -2.202675125102, 0.4017377848005],
    ),
    (Adam, {}, [0.9228415530469758, -2.0163054878797553, 0.3101417042408007]),
    (
        Adam,
        {"betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.01},
        [0.9189465829042492, -2.0210392858402435, 0.3163978897921739],
    ),
    (AdamW, {"weight_decay": 0.05}, [0.9086341762098002, -1.987231630203794, 0.3041592327102893]),
    (RMSprop, {}, [0.1076116785751352, -2.7601532169960072, -0.5918180728702851]),
    (RMSprop, {"momentum": 0.9}, [-0.7290016574078086, -1.8863598311369305, -3.1076080484945323]),
    (
        RMSprop,
        {"alpha": 0.9, "eps": 1e-3, "momentum": 0.5, "weight_decay": 0.01},
        [0.6403607387981557, -2.152898764080088, -0.21512460969990727],
    ),
]


FALLING = [[0.7, 0.8, -0.9], [0.04, -0.05, 0.06], [0.01, 0.02, -0.03]]
"""Gradients that fall, where AMSGrad differs from Adam."""
AMSGRAD = [  # as above, with betas=(0.9, 0.5) and amsgrad=True
    (Adam, 0.0, [0.7955546869164937, -2.191999831642345, 0.691954981124233]),
    (AdamW, 0.05, [0.781935550266708, -2.160882154335317, 0.6832263342373504]),
]


def take_steps(optimizer: Optimizer, grads: list) -> None:
    for grad in grads:
        for parameter in optimizer.params:
            parameter.grad = np.asarray(grad, parameter.dtype)
        optimizer.step()


@pytest.mark.parametrize("kind, options, expected", PYTORCH, ids=[f"{k.__name__}-{len(o)}" for k, o, _ in PYTORCH])
@pytest.mark.parametrize("dtype, tolerance", [(np.float64, 1e-13), (np.float32, 2e-6)], ids=["float64", "float32"])
def test_agrees_with_pytorch(kind: type, options: dict, expected: list, dtype: type, tolerance: float) -> None:
    weight = Parameter(np.array(START, dtype))
    take_steps(kind([weight], lr=0.1, **options), GRADS)
    np.testing.assert_allclose(weight.data, expected, rtol=tolerance)
    assert weight.dtype == dtype


@pytest.mark.parametrize("kind, decay, expected", AMSGRAD)
def test_amsgrad_agrees_with_pytorch_where_gradients_fall(kind: type, decay: float, expected: list) -> None:
    weight = Parameter(np.array(START))
    optimizer = kind([weight], lr=0.1, betas=(0.9, 0.5), weight_decay=decay, amsgrad=True)
    take_steps(optimizer, FALLING)
    np.testing.assert_allclose(weight.data, expected, rtol=1e-13)
    plain = Parameter(np.array(START))
    take_steps(kind([plain], lr=0.1, betas=(0.9, 0.5), weight_decay=decay), FALLING)
    assert (np.abs(plain.data - weight.data) > 0.05).all()  # without it the last steps are far longer


def keras_adam(grads: list[float], lr: float, amsgrad: bool) -> float:
    """Adam of Keras 3 on one weight, from 0: its formula with plain numbers."""
    w = m = v = largest = 0.0
    for t, g in enumerate(grads, 1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        largest = max(largest, v) if amsgrad else v
        w -= lr * math.sqrt(1 - 0.999**t) / (1 - 0.9**t) * m / (math.sqrt(largest) + 1e-7)
    return w


@pytest.mark.parametrize("amsgrad", [False, True])
def test_keras_adds_eps_to_another_root(amsgrad: bool) -> None:
    grads = [3e-6, -1e-6, 2e-7, 1e-8]  # so small that eps counts
    found = {}
    for keras in (True, False):
        weight = Parameter(np.zeros(1))
        take_steps(Adam([weight], lr=0.1, amsgrad=amsgrad, keras=keras, eps=1e-7), grads)
        found[keras] = weight.data[0]
    assert found[True] == pytest.approx(keras_adam(grads, 0.1, amsgrad), rel=1e-9)
    assert abs(found[True]) < 0.6 * abs(found[False])
    assert Adam([weight], keras=True).eps == 1e-7 and Adam([weight]).eps == 1e-8


def test_rmsprop_of_keras() -> None:
    weight = Parameter(np.array([10.0]))
    take_steps(RMSprop([weight], lr=0.1, keras=True), [[10.0]])
    assert weight.data == pytest.approx(9.683772, abs=1e-6)  # the example in the documentation of Keras 3


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_rmsprop_of_keras_with_a_rate_that_changes(momentum: float) -> None:
    grads, rates = [3e-4, -2e-4, 1e-4, 5.0], [0.1, 0.1, 0.01, 0.001]
    w = v = b = 0.0
    for g, lr in zip(grads, rates):
        v = 0.9 * v + 0.1 * g * g
        b = momentum * b + lr * g / math.sqrt(v + 1e-7)
        w -= b
    weight = Parameter(np.zeros(1))
    optimizer = RMSprop([weight], momentum=momentum, keras=True)
    for grad, optimizer.lr in zip(grads, rates):
        take_steps(optimizer, [[grad]])
    assert weight.data == pytest.approx(w, rel=1e-9)


def test_first_steps_by_hand() -> None:
    weight = Parameter([1.0])
    take_steps(SGD([weight], lr=0.5), [[2.0]])
    assert weight.data == 1 - 0.5 * 2
    weight = Parameter(
        np.array([1.0, 1.0, 1.0])
    )  # the first step of Adam is lr g / (|g| + eps): the size of g hardly matters
    take_steps(Adam([weight], lr=0.1, eps=1e-8), [[1000.0, -0.001, 1e-8]])
    np.testing.assert_allclose(weight.data, [0.9, 1.1, 0.95], rtol=1e-5)


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW, RMSprop])
def test_pieces_and_shapes_do_not_matter(kind: type) -> None:
    """An array of more than one piece steps like its numbers alone, wherever they stand in it."""
    rng = np.random.default_rng(0)
    start, grads = rng.standard_normal((2, 300, 301)), rng.standard_normal((3, 2, 300, 301))
    weight = Parameter(start.copy())
    take_steps(kind([weight], lr=0.1, weight_decay=0.1), list(grads))
    for where in [(0, 0, 0), (1, 135, 136), (1, 135, 137), (1, 299, 300)]:  # 131,072 numbers make a block
        alone = Parameter(np.array([start[where]]))
        take_steps(kind([alone], lr=0.1, weight_decay=0.1), [grad[where][None] for grad in grads])
        assert weight.data[where] == alone.data[0]


def test_many_parameters_step_like_each_alone() -> None:
    """Small parameters share a tile, large ones have several: 131,072 numbers make one."""
    rng = np.random.default_rng(0)
    starts = [rng.standard_normal(size) for size in (3, 131_072, 1, 131_066, 7, 0, 300_000, 2)]
    together = [Parameter(start.copy()) for start in starts]
    optimizer = Adam(together, lr=0.1)
    for step in range(2):
        for index, weight in enumerate(together):
            weight.grad = None if index == 2 or (index == 4 and step == 0) else np.cos(starts[index] + step)
        optimizer.step()
    for index, start in enumerate(starts):
        alone = Parameter(start.copy())
        grads = [np.cos(start + step) for step in range(2)][(0, 0, 2, 0, 1, 0, 0, 0)[index] :]
        take_steps(Adam([alone], lr=0.1), grads)
        np.testing.assert_array_equal(together[index].data, alone.data)


def test_small_parameters_go_together() -> None:
    sizes = {0: 3, 2: 120_000, 3: 10, 4: 280_000, 5: 1, 6: 0, 7: 131_072}
    tiles = tiles_of(sizes)
    hits = {index: np.zeros(size, int) for index, size in sizes.items()}
    for tile in tiles:
        assert sum(part.stop - part.start for _, part in tile) <= 131_072
        for index, part in tile:
            hits[index][part] += 1
    assert all((hit == 1).all() for hit in hits.values())
    assert [[index for index, _ in tile] for tile in tiles] == [[0, 2, 3], [4], [4], [4, 5], [7]]


def test_a_parameter_that_cannot_be_changed_in_place_stops_the_whole_step() -> None:
    weights = [Parameter([1.0]), Parameter(np.ones((2, 3)))]
    optimizer = Adam(weights, lr=0.1)
    weights[1].data = np.ones((3, 2)).T
    for weight in weights:
        weight.grad = np.ones_like(weight.data)
    with pytest.raises(ValueError, match=r"Adam: parameter 1 \(\(2, 3\)\) must be contiguous in memory"):
        optimizer.step()
    assert weights[0].data == 1 and (optimizer.steps == 0).all()


def test_works_in_place_and_without_large_temporaries() -> None:
    weight = Parameter(np.ones(1_000_000, np.float32))
    optimizer = Adam([weight], lr=0.1, weight_decay=0.1)
    array, grad = weight.data, np.full(1_000_000, 2, np.float32)
    weight.grad = grad
    tracemalloc.start()
    optimizer.step()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000  # the array itself has 4 MB
    assert weight.data is array and weight.grad is grad and (grad == 2).all()


def test_parameters_without_gradient_stay_and_do_not_age() -> None:
    used, unused = Parameter([1.0]), Parameter([1.0])
    optimizer = AdamW([used, unused], lr=0.1)
    used.grad = np.ones(1, np.float32)
    optimizer.step()
    assert used.data != 1 and unused.data == 1
    np.testing.assert_array_equal(optimizer.steps, [1, 0])


def test_zero_grad_and_lr_as_an_attribute() -> None:
    weight = Parameter([1.0])
    optimizer = SGD([weight], lr=1.0)
    optimizer.lr = 0.25
    take_steps(optimizer, [[1.0]])
    assert weight.data == 0.75
    optimizer.zero_grad()
    assert weight.grad is None


@pytest.mark.parametrize("kind", [SGD, Adam, AdamW, RMSprop])
def test_lr_may_be_a_numpy_number(kind: type) -> None:
    """A float64 of NumPy would, left as it is, make float32 weights step in float64."""
    grads = list(np.random.default_rng(0).standard_normal((3, 1000)))
    weights = [Parameter(np.ones(1000, np.float32)) for _ in range(2)]
    for weight, lr in zip(weights, (0.1, np.float64(0.1))):
        take_steps(kind([weight], lr=lr), grads)
    assert weights[0].data.tobytes() == weights[1].data.tobytes()


@pytest.mark.parametrize(
    "name", ["sgd", "sgd:momentum=0", "adam", "adamw:amsgrad", "rmsprop", "rmsprop:momentum=0.9,keras"]
)
def test_state_goes_on_bit_for_bit(name: str) -> None:
    rng = np.random.default_rng(0)
    grads = rng.standard_normal((6, 4, 5)).astype(np.float32)

    def fresh() -> tuple[Parameter, Optimizer]:
        weight = Parameter(np.ones((4, 5), np.float32))
        return weight, optim.build(name, [weight], lr=0.01, weight_decay=0.1)

    weight, through = fresh()
    take_steps(through, list(grads))
    first, interrupted = fresh()
    interrupted.lr = 0.01
    take_steps(interrupted, list(grads[:3]))
    saved = {key: array.copy() for key, array in interrupted.state_dict().items()}
    second, resumed = fresh()
    resumed.lr = 123.0
    second.data[...] = first.data
    resumed.load_state_dict(saved)
    assert resumed.lr == 0.01
    take_steps(resumed, list(grads[3:]))
    assert second.data.tobytes() == weight.data.tobytes()
    for key, array in through.state_dict().items():
        assert array.tobytes() == resumed.state_dict()[key].tobytes(), key


def test_state_names() -> None:
    weights = [Parameter([1.0]), Parameter([2.0])]
    names = ["steps", "lr", "exp_avg.0", "exp_avg.1", "exp_avg_sq.0", "exp_avg_sq.1"]
    assert list(Adam(weights).state_dict()) == names
    assert list(SGD(weights, 0.1).state_dict()) == ["steps", "lr"]


def test_load_state_dict_reports_all_that_does_not_fit() -> None:
    optimizer = Adam([Parameter([1.0]), Parameter([1.0, 2.0])])
    state = {name: array.copy() + 1 for name, array in optimizer.state_dict().items()}
    state["exp_avg.1"] = np.zeros(3, np.float32)
    state["momentum_buffer.0"] = state.pop("exp_avg_sq.0")
    with pytest.raises(CheckpointError, match="another shape: exp_avg.1, exp_avg_sq.0, momentum_buffer.0"):
        optimizer.load_state_dict(state)
    assert not optimizer.steps.any() and not optimizer.state["exp_avg"][0].any()


def test_bad_arguments() -> None:
    weight = Parameter([1.0])
    with pytest.raises(ValueError, match="Adam: there are no parameters"):
        Adam([])
    with pytest.raises(ValueError, match=r"SGD: lr \(-1\) and weight_decay \(0.0\) must be at least 0"):
        SGD([weight], lr=-1)
    with pytest.raises(ValueError, match=r"Adam: betas \(0.9, 1.0\)"):
        Adam([weight], betas=(0.9, 1.0))
    with pytest.raises(ValueError, match="SGD: momentum is 1.5"):
        SGD([weight], lr=1, momentum=1.5)
    with pytest.raises(ValueError, match="above 0 for nesterov"):
        SGD([weight], lr=1, nesterov=True)
    with pytest.raises(ValueError, match=r"RMSprop: alpha \(1.0\) and momentum \(0.0\) must lie in \[0, 1\)"):
        RMSprop([weight], alpha=1.0)
    with pytest.raises(ValueError, match=r"RMSprop: .* and eps \(-1\) be at least 0"):
        RMSprop([weight], eps=-1)
    weight = Parameter(np.ones((2, 3), np.float32).T)
    weight.grad = np.ones((3, 2), np.float32)
    with pytest.raises(ValueError, match="must be contiguous"):
        SGD([weight], lr=1).step()

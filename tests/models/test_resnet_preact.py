"""The pre-activation ResNet-34: Keras' names and count, where its feature maps are taken."""

from __future__ import annotations

import numpy as np

from minidepth import Tensor, no_grad
from minidepth.models.resnet_preact import PreActResNet34
from minidepth.nn.init import empty_weights


def numbers(model) -> int:
    """What Keras counts: parameters and moving statistics."""
    statistics = [buffer.data.size for name, buffer in model.named_buffers() if "running" in name]
    return sum(parameter.size for parameter in model.parameters()) + sum(statistics)


def test_count_is_that_of_the_keras_file() -> None:
    with empty_weights():
        assert numbers(PreActResNet34()) == 21_302_473


def test_names_are_those_of_the_keras_file() -> None:
    with empty_weights():
        model = PreActResNet34()
    layers = list(dict.fromkeys(name.rpartition(".")[0] for name in model.state_dict()))
    unit = ["bn1", "conv1", "bn2", "conv2"]
    expected = ["bn_data", "conv0", "bn0"]
    for stage, count in enumerate((3, 4, 6, 3), start=1):
        for number in range(1, count + 1):
            names = ["bn1", "sc", "conv1", "bn2", "conv2"] if number == 1 else unit
            expected += [f"stage{stage}_unit{number}_{name}" for name in names]
    assert layers == [*expected, "bn1"]
    of_bn_data = [name for name in model.state_dict() if name.startswith("bn_data")]
    assert of_bn_data == ["bn_data.bias", "bn_data.running_mean", "bn_data.running_var"]  # it has no weight
    assert {norm.eps for norm in model.modules() if hasattr(norm, "eps")} == {2e-5}


def test_training_reaches_every_layer() -> None:
    model = PreActResNet34(2, (1, 1, 1, 1), rng=0)
    assert all(not layer.training for name, layer in model.eval().named_modules())
    x = Tensor(np.random.default_rng(0).standard_normal((2, 3, 64, 64)).astype(np.float32))
    before = {name: buffer.data.copy() for name, buffer in model.named_buffers()}
    model(x)
    assert all(np.array_equal(before[name], buffer.data) for name, buffer in model.named_buffers())
    model.train()(x)
    changed = [name for name, buffer in model.named_buffers() if not np.array_equal(before[name], buffer.data)]
    assert changed == list(before)


@no_grad()
def test_feature_maps_lie_behind_a_norm_and_relu() -> None:
    model = PreActResNet34(2, (2, 1, 1, 1), rng=0)
    features = model(Tensor(np.random.default_rng(0).standard_normal((2, 3, 64, 96)).astype(np.float32)))
    assert [feature.shape[1:] for feature in features] == [(2, 32, 48), (2, 16, 24), (4, 8, 12), (8, 4, 6), (16, 2, 3)]
    assert tuple(feature.shape[1] for feature in features) == model.channels
    assert all(feature.data.min() == 0 for feature in features)  # what is added up along a stage would be below 0, too


@no_grad()
def test_a_first_unit_convolves_the_activated_input_and_the_others_pass_on_their_own() -> None:
    first, second = PreActResNet34(2, (2, 1, 1, 1), rng=0).stages[0]
    rng = np.random.default_rng(0)
    x, activated = (Tensor(rng.standard_normal((1, 2, 4, 4)).astype(np.float32)) for _ in range(2))
    for unit in (first, second):
        unit.conv2.weight.data[...] = 0
    np.testing.assert_array_equal(first(x, activated).data, first.sc(activated).data)
    np.testing.assert_array_equal(second(x, activated).data, x.data)

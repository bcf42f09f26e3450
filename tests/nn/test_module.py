"""Module: names, the walk, sealing, saving and loading, watching."""

from __future__ import annotations

import copy
import inspect

import numpy as np
import pytest

from minidepth import Tensor
from minidepth.errors import CheckpointError
from minidepth.nn import BatchNorm2d, Buffer, Conv2d, Module, ModuleList, Parameter, Sequential, watch


class Scale(Module):
    """One number to learn and one to keep."""

    def __init__(self, start: float = 1.0) -> None:
        self.factor = Parameter(np.full((2,), start, np.float32))
        self.count = Buffer(np.array(0, np.int64))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor


class Everything(Module):
    """Parts in every place where they may be."""

    def __init__(self) -> None:
        self.zeta = Scale(1)
        self.alpha = Parameter(np.zeros(3, np.float32))
        self.listed = [Scale(2), {"deep": Scale(3)}]
        self.named = {"b": Scale(4), "a": (Parameter(np.zeros(1, np.float32)),)}
        self.row = Sequential(Scale(5), Scale(6))
        self.plain = Tensor([1.0])
        self.note = "no part"
        self.nothing = None


def test_names_follow_the_order_of_definition() -> None:
    names = [name for name, _ in Everything().named_parameters()]
    expected = (
        "zeta.factor alpha listed.0.factor listed.1.deep.factor named.b.factor named.a.0 row.0.factor row.1.factor"
    )
    assert names == expected.split()


def test_state_dict_has_parameters_and_buffers_but_no_plain_tensors() -> None:
    state = Everything().state_dict()
    assert list(state)[:3] == ["zeta.factor", "zeta.count", "alpha"]
    assert "row.1.count" in state and state["row.1.count"].dtype == np.int64
    assert not any("plain" in name for name in state)
    assert len(state) == 8 + 6


def test_named_modules_and_buffers() -> None:
    model = Everything()
    names = [name for name, _ in model.named_modules()]
    assert names == ["", "zeta", "listed.0", "listed.1.deep", "named.b", "row", "row.0", "row.1"]
    assert len(list(model.buffers())) == 6
    assert next(model.modules()) is model


def test_a_shared_part_is_trained_once_and_saved_under_both_names() -> None:
    scale = Scale()
    model = Sequential(scale, scale)
    assert [name for name, _ in model.named_parameters()] == ["0.factor"]
    assert list(model.state_dict()) == ["0.factor", "0.count", "1.factor", "1.count"]


def test_misspelt_attribute_raises_and_guesses() -> None:
    with pytest.raises(AttributeError, match="Scale has no attribute 'factr'; did you mean 'factor'"):
        Scale().factr = Parameter(np.zeros(2, np.float32))
    with pytest.raises(AttributeError, match="'trainig'; did you mean 'training'"):
        Everything().trainig = False


def test_no_parameter_is_made_in_forward() -> None:
    class Late(Module):
        def forward(self, x: Tensor) -> Tensor:
            self.weight = Parameter(x.data)
            return x

    with pytest.raises(AttributeError, match="Late has no attribute 'weight'; make every attribute in __init__"):
        Late()(Tensor([1.0]))


def test_a_parameter_is_not_replaced_by_an_array() -> None:
    model = Scale()
    with pytest.raises(TypeError, match=r"Scale.factor is a Parameter, not a ndarray; .* factor.data\[...\] = "):
        model.factor = np.zeros(2, np.float32)
    with pytest.raises(TypeError, match="Scale.count is a Buffer, not a int"):
        model.count = 3
    model.factor = Parameter(np.zeros(2, np.float32))
    model.factor.data[...] = 7


def test_subclasses_are_sealed_after_their_own_init() -> None:
    class More(Scale):
        def __init__(self) -> None:
            super().__init__()
            self.extra = Parameter(np.zeros(1, np.float32))

    assert [name for name, _ in More().named_parameters()] == ["factor", "extra"]


def test_train_and_eval_reach_every_module() -> None:
    model = Everything()
    assert all(module.training for module in model.modules())
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    assert all(module.training for module in model.train().modules())


def test_zero_grad() -> None:
    model = Scale()
    model(Tensor([1.0, 2.0])).backward(np.ones(2, np.float32))
    assert model.factor.grad is not None
    model.zero_grad()
    assert model.factor.grad is None


def test_load_state_dict_copies_bit_for_bit_and_keeps_dtype() -> None:
    rng = np.random.default_rng(0)
    model, other = Everything(), Everything()
    for array in model.state_dict().values():
        array[...] = rng.integers(1, 100) + (rng.random(array.shape) if array.dtype == np.float32 else 0)
    parameter, before = other.alpha, other.alpha.data
    assert other.load_state_dict(model.state_dict()) == ([], [])
    for name, array in other.state_dict().items():
        np.testing.assert_array_equal(array, model.state_dict()[name])
        assert array is not model.state_dict()[name]
    assert other.alpha is parameter and other.alpha.data is before  # an optimiser that holds it stays connected
    other.load_state_dict({name: array.astype(np.float64) for name, array in model.state_dict().items()})
    assert other.alpha.dtype == np.float32


def test_load_state_dict_reports_everything_at_once_and_changes_nothing() -> None:
    model = Sequential(Scale(), Scale(), Scale())
    state = {name: np.full_like(array, 9) for name, array in model.state_dict().items()}
    del state["0.count"], state["2.factor"]
    state["1.factor"] = np.zeros(5, np.float32)
    state["0.factr"] = state["head"] = np.zeros(1, np.float32)
    text = (
        r"do not fit this Sequential: missing \(2\): 0.count, 2.factor; unexpected \(2\): 0.factr, head; "
        r"wrong shape \(1\): 1.factor is \(5,\), but \(2,\) is needed"
    )
    with pytest.raises(CheckpointError, match=text):
        model.load_state_dict(state)
    assert all((array != 9).all() for array in model.state_dict().values())


def test_strict_refuses_a_name_too_many_or_too_few() -> None:
    state = Scale().state_dict()
    with pytest.raises(CheckpointError, match=r"fit this Scale: unexpected \(1\): odd$"):
        Scale().load_state_dict({**state, "odd": np.zeros(1)})
    with pytest.raises(CheckpointError, match=r"fit this Scale: missing \(1\): count$"):
        Scale().load_state_dict({"factor": state["factor"]})


def test_load_state_dict_not_strict() -> None:
    model = Scale()
    assert model.load_state_dict({"factor": np.full(2, 5.0), "odd": np.zeros(1)}, strict=False) == (["count"], ["odd"])
    np.testing.assert_array_equal(model.factor.data, [5, 5])
    with pytest.raises(CheckpointError, match="wrong shape"):
        model.load_state_dict({"factor": np.zeros(3)}, strict=False)


def test_astype_leaves_integer_buffers_alone() -> None:
    model = BatchNorm2d(2).astype(np.float64)
    assert {name: str(array.dtype) for name, array in model.state_dict().items()} == {
        "weight": "float64",
        "bias": "float64",
        "running_mean": "float64",
        "running_var": "float64",
        "num_batches_tracked": "int64",
    }


def test_deepcopy_is_independent() -> None:
    model = Scale()
    twin = copy.deepcopy(model)
    twin.factor.data += 1
    assert (model.factor.data == 1).all() and (twin.factor.data == 2).all()
    with pytest.raises(AttributeError):
        twin.factr = 1


def test_module_list_and_sequential() -> None:
    scales = ModuleList(Scale(factor) for factor in (2, 3))
    assert len(scales) == 2 and scales[1] is list(scales)[1]
    np.testing.assert_array_equal(Sequential(*scales)(Tensor([1.0, 1.0])).data, [6, 6])


def test_a_module_without_forward_says_so() -> None:
    with pytest.raises(NotImplementedError, match="ModuleList has no forward"):
        ModuleList()(Tensor([1.0]))


def test_watch_sees_every_innermost_layer_and_leaves_no_trace() -> None:
    model = Sequential(Scale(2), Sequential(Scale(3)))
    seen = []
    x = Tensor([1.0, 1.0])
    with watch(model, lambda name, layer, inputs, output: seen.append((name, inputs[0].data[0], output.data[0]))):
        model(x)
    assert seen == [("0", 1, 2), ("1.0", 2, 6)]
    model(x)
    assert len(seen) == 2
    assert all("forward" not in vars(module) for module in model.modules())


def test_watch_ends_even_after_an_error() -> None:
    model = Sequential(Scale())
    with pytest.raises(RuntimeError, match="enough"), watch(model, lambda *_: None):
        raise RuntimeError("enough")
    assert "forward" not in vars(model[0])


def test_repr_lists_the_layers_by_name() -> None:
    model = Sequential(Conv2d(3, 4, 3, padding=1, rng=0), Sequential(Conv2d(4, 2, 1, stride=2, bias=False, rng=0)))
    assert repr(model) == (
        "Sequential(\n  0: Conv2d(3, 4, kernel_size=(3, 3), padding=(1, 1))\n"
        "  1.0: Conv2d(4, 2, kernel_size=(1, 1), stride=(2, 2), bias=False)\n)"
    )


def test_the_signature_stays_readable() -> None:
    assert list(inspect.signature(Scale).parameters) == ["start"]
    assert list(inspect.signature(Conv2d).parameters)[:3] == ["in_channels", "out_channels", "kernel_size"]


def test_inherited_init_is_sealed_too() -> None:
    class Same(Scale):
        """Changes nothing."""

    with pytest.raises(AttributeError, match="Same has no attribute 'other'"):
        Same(2).other = 1

"""The Keras tutorial's network: the published count, its sizes, its padding, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from network_checks import assert_every_parameter_counts, assert_one_seed_one_network, counts, pictures

from minidepth import Tensor, no_grad
from minidepth.errors import InputError
from minidepth.models import XceptionUNet
from minidepth.nn import BatchNorm2d, Conv2d, watch


def test_published_count() -> None:
    trained, moving = counts(XceptionUNet)
    assert (trained, moving, trained + moving) == (2_055_203, 3_776, 2_058_979)


def test_logits_of_three_classes_as_large_as_the_picture() -> None:
    model = XceptionUNet(base_channels=2, rng=0).eval()
    shapes: dict[str, tuple[int, ...]] = {}
    with no_grad(), watch(model, lambda name, layer, x, y: shapes.update({name: y.shape[1:]})):
        y = model(*pictures((2, 3, 32, 48))).data
    assert y.shape == (2, 3, 32, 48) and (model.outputs, model.multiple) == (("labels",), 16)
    assert np.abs(np.exp(y).sum(axis=1) - 1).max() > 0.01  # no softmax
    assert shapes["entry.1"] == (2, 16, 24)
    assert [shapes[f"down.{i}.pool"] for i in range(3)] == [(4, 8, 12), (8, 4, 6), (16, 2, 3)]
    assert [shapes[f"up.{i}.enlarge"] for i in range(4)] == [(16, 4, 6), (8, 8, 12), (4, 16, 24), (2, 32, 48)]


def test_stride_2_pads_on_the_right_and_at_the_bottom_as_keras_does() -> None:
    model = XceptionUNet(1, base_channels=1, rng=0).eval()
    pad, conv = model.entry[0], model.entry[1]
    conv.weight.data[...] = np.arange(1, 10).reshape(1, 1, 3, 3)
    x = np.zeros((1, 1, 16, 16), np.float32)
    x[0, 0, 0, 0], x[0, 0, 15, 15] = 1, 1
    y = conv(pad(Tensor(x))).data[0, 0]
    assert y.shape == (8, 8)
    assert y[0, 0] == 1  # under the first tap, so nothing was put in front
    assert y[7, 7] == 5  # under the middle tap, so one was put behind
    pool = model.down[0].pool
    y = pool(Tensor(np.arange(-16.0, 0.0).reshape(1, 1, 4, 4))).data[0, 0]
    np.testing.assert_array_equal(y, [[-6, -5], [-2, -1]])  # and what is behind the edge is never the largest


def test_only_the_1x1_convolution_of_a_separable_one_has_a_bias() -> None:
    names = [name for name in XceptionUNet(base_channels=1, rng=0).state_dict() if name.startswith("down.0.convs.")]
    assert names[:3] == ["down.0.convs.1.weight", "down.0.convs.2.weight", "down.0.convs.2.bias"]
    depthwise = [m for m in XceptionUNet(base_channels=2, rng=0).modules() if isinstance(m, Conv2d) and m.groups > 1]
    assert len(depthwise) == 6 and all(conv.groups == conv.in_channels == conv.out_channels for conv in depthwise)


def test_constants_of_keras() -> None:
    norms = [module for module in XceptionUNet(base_channels=1, rng=0).modules() if isinstance(module, BatchNorm2d)]
    assert {(norm.eps, norm.momentum) for norm in norms} == {(1e-3, 0.01)} and len(norms) == 15


def test_every_parameter_counts_and_one_seed_gives_one_network() -> None:
    model = XceptionUNet(base_channels=2, rng=0)
    void = [f"down.{i}.convs.{j}.bias" for i in range(3) for j in (2, 6)]  # biases in front of a batch-norm
    void += [f"up.{i}.convs.{j}.bias" for i in range(4) for j in (1, 4)] + ["entry.1.bias"]
    assert_every_parameter_counts(model, *pictures((2, 3, 32, 32)), without=tuple(void))
    assert_one_seed_one_network(XceptionUNet, base_channels=4)


@pytest.mark.parametrize(
    "shape, text",
    [
        ((1, 3, 160, 168), "a picture of 160x168 .* multiples of 16, such as 160x160"),
        ((1, 3, 16, 32), "a picture of 16x32 .* is too small; both must be at least 32"),
        ((1, 4, 16, 16), r"the input has shape \(1, 4, 16, 16\); it must be \(N, 3, H, W\)"),
    ],
)
def test_inputs_that_do_not_fit(shape: tuple[int, ...], text: str) -> None:
    with pytest.raises(InputError, match=f"XceptionUNet: {text}"):
        XceptionUNet(base_channels=1, rng=0)(*pictures(shape))


def test_bad_width() -> None:
    with pytest.raises(InputError, match="XceptionUNet: classes is 0; it must be at least 1"):
        XceptionUNet(classes=0)

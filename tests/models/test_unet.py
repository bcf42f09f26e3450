"""The U-Net: published parameter counts and sizes, PyTorch's names, and every option in use."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from kept import kept_bytes

from minidepth import Tensor, models, no_grad, ops
from minidepth.errors import InputError
from minidepth.models.unet import CopyAndCrop, UNet, halve_channels_double_size
from minidepth.nn import Conv2d, ConvTranspose2d, watch

COUNTS = [
    ({"in_channels": 1, "out_channels": 2, "padding": "valid"}, 31_030_658),  # the network of the paper
    ({}, 31_031_745),
    ({"norm": "batch"}, 31_037_633),
    ({"base_channels": 16}, 1_941_105),
    ({"base_channels": 16, "norm": "batch"}, 1_942_577),
    ({"base_channels": 8}, 485_817),
    ({"base_channels": 32, "norm": "batch"}, 7_763_041),
]


@pytest.mark.parametrize("options, count", COUNTS, ids=[str(count) for _, count in COUNTS])
def test_parameter_count(options: dict, count: int) -> None:
    assert sum(parameter.size for parameter in models.build("unet", rng=0, **options).parameters()) == count


@no_grad()
def test_without_padding_it_has_the_sizes_of_the_paper() -> None:
    model = UNet(1, 2, base_channels=1, padding="valid", rng=0)
    assert model(Tensor(np.zeros((1, 1, 572, 572), np.float32))).shape == (1, 2, 388, 388)
    assert model(Tensor(np.zeros((2, 1, 188, 204), np.float32))).shape == (2, 2, 4, 20)


def test_names_are_those_of_pytorch() -> None:
    names = list(UNet(base_channels=2, depth=2, norm="batch", rng=0).state_dict())
    norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    block = ["conv1.weight", *(f"bn1.{name}" for name in norm), "conv2.weight", *(f"bn2.{name}" for name in norm)]
    expected = [f"{place}.{name}" for place in ("down.0", "down.1", "bottom") for name in block]
    expected += ["up.0.weight", "up.0.bias", "up.1.weight", "up.1.bias"]
    expected += [f"{place}.{name}" for place in ("merge.0", "merge.1") for name in block]
    assert names == [*expected, "head.weight", "head.bias"]


def test_without_norm_every_convolution_has_a_bias() -> None:
    names = list(UNet(base_channels=2, depth=1, rng=0).state_dict())
    assert names[:4] == ["down.0.conv1.weight", "down.0.conv1.bias", "down.0.conv2.weight", "down.0.conv2.bias"]


OPTIONS = list(itertools.product(["transposed", "bilinear", "nearest"], [None, "batch"], ["relu", "leaky_relu"]))


@pytest.mark.parametrize("up, norm, activation", OPTIONS)
def test_every_option_computes_and_reaches_every_parameter(up: str, norm: str | None, activation: str) -> None:
    model = UNet(2, 3, base_channels=4, depth=2, up=up, norm=norm, activation=activation, rng=0)
    rng = np.random.default_rng(1)
    y = model(Tensor(rng.standard_normal((2, 2, 8, 12)).astype(np.float32)))
    assert y.shape == (2, 3, 8, 12) and y.dtype == np.float32
    y.backward(rng.standard_normal(y.shape).astype(np.float32))
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


def test_copy_and_crop_takes_the_middle_and_puts_the_skip_first() -> None:
    skip = Tensor(np.arange(30.0).reshape(1, 1, 5, 6))
    below = Tensor(-np.ones((1, 2, 3, 2)))
    joined = CopyAndCrop()(skip, below)
    assert joined.shape == (1, 3, 3, 2)
    np.testing.assert_array_equal(joined.data[0, 0], [[8, 9], [14, 15], [20, 21]])
    assert (joined.data[0, 1:] == -1).all()


@pytest.mark.parametrize("up", ["bilinear", "nearest"])
def test_the_1x1_convolution_may_come_before_the_enlargement(up: str) -> None:
    layers = halve_channels_double_size(6, up, "pytorch", 0)
    conv, enlarge = layers[0], layers[1]
    x = Tensor(np.random.default_rng(0).standard_normal((2, 6, 3, 4)).astype(np.float32))
    assert layers(x).shape == (2, 3, 6, 8)
    np.testing.assert_allclose(layers(x).data, conv(enlarge(x)).data, rtol=1e-4, atol=1e-6)


def test_bilinear_enlarges_about_pixel_centres() -> None:
    layers = halve_channels_double_size(2, "bilinear", "he", 0)
    layers[0].weight.data[...] = [[[[1]], [[0]]]]
    x = Tensor(np.array([[[[0, 4]], [[9, 9]]]], np.float32))
    np.testing.assert_allclose(layers(x).data, [[[[0, 1, 3, 4], [0, 1, 3, 4]]]])


def test_leaky_slope_is_used() -> None:
    x = Tensor(np.random.default_rng(0).standard_normal((1, 1, 4, 4)).astype(np.float32))
    relu, leaky, zero = (
        UNet(1, 1, 2, 1, activation=activation, negative_slope=slope, rng=0)(x).data
        for activation, slope in [("relu", 0.3), ("leaky_relu", 0.3), ("leaky_relu", 0.0)]
    )
    np.testing.assert_allclose(relu, zero, rtol=1e-5, atol=1e-7)
    assert abs(relu - leaky).max() > 0.01


def test_one_seed_gives_equal_bytes() -> None:
    first, again, other = (UNet(base_channels=2, depth=2, rng=seed).state_dict() for seed in (3, 3, 4))
    assert all(first[name].tobytes() == again[name].tobytes() for name in first)
    for name in first:
        if "weight" in name:
            assert (first[name] != other[name]).all(), name
    assert not np.array_equal(first["down.0.conv2.weight"], first["merge.1.conv2.weight"])  # one stream, not one seed


def test_he_initialisation_keeps_the_signal_alive() -> None:
    x = Tensor(np.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype(np.float32))
    he, pytorch = (UNet(base_channels=8, init=init, rng=0)(x).data.std() for init in ("he", "pytorch"))
    assert 0.1 < he < 10 and pytorch < 0.1 * he


def test_gradient_descent_lowers_the_error() -> None:
    rng = np.random.default_rng(0)
    model = UNet(1, 1, base_channels=4, depth=1, norm="batch", rng=0)
    x = Tensor(rng.standard_normal((2, 1, 8, 8)).astype(np.float32))
    errors = []
    for _ in range(5):
        error = (model(x) - ops.sigmoid(x)) ** 2
        model.zero_grad()
        error.backward(np.full(error.shape, 1 / error.size, np.float32))
        errors.append(error.data.mean())
        for parameter in model.parameters():
            parameter.data -= 0.05 * parameter.grad
    assert errors[-1] < 0.7 * errors[0]


@pytest.mark.parametrize(
    "size, text",
    [
        ((240, 322), "240x322 .* must be multiples of 16, such as 240x320"),
        ((7, 16), "7x16 .* must be multiples of 16, such as 16x16"),
        ((0, 16), "0x16 .* must be multiples of 16, such as 16x16"),
    ],
)
def test_size_that_cannot_be_halved(size: tuple[int, int], text: str) -> None:
    with pytest.raises(InputError, match=text):
        UNet(base_channels=1, rng=0)(Tensor(np.zeros((1, 3, *size), np.float32)))


@pytest.mark.parametrize(
    "size, text",
    [
        ((570, 572), "570x572 .* a multiple of 16 less 4 and at least 188, such as 572x572"),
        ((172, 188), "172x188 .* at least 188, such as 188x188"),
    ],
)
def test_size_that_does_not_fit_without_padding(size: tuple[int, int], text: str) -> None:
    with pytest.raises(InputError, match=text):
        UNet(base_channels=1, padding="valid", rng=0)(Tensor(np.zeros((1, 3, *size), np.float32)))


def test_needed_multiple() -> None:
    assert UNet(base_channels=1, rng=0).multiple == 16
    assert UNet(base_channels=1, depth=2, rng=0).multiple == 4


@pytest.mark.parametrize("shape", [(1, 4, 16, 16), (3, 16, 16)])
def test_wrong_input_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"UNet: the input has shape \(.*\); it must be \(N, 3, H, W\)"):
        UNet(base_channels=1, rng=0)(Tensor(np.zeros(shape, np.float32)))


@pytest.mark.parametrize(
    "options, text",
    [
        ({"padding": "full"}, "padding is 'full'; use 'same' or 'valid' or 'mirror'"),
        ({"up": "cubic"}, "up is 'cubic'; use 'transposed' or 'bilinear' or 'nearest'"),
        ({"norm": "layer"}, "norm is 'layer'; use None or 'batch'"),
        ({"activation": "gelu"}, "activation is 'gelu'"),
        ({"init": "zero"}, "init is 'zero'"),
        ({"depth": 0}, "depth is 0; it must be at least 1"),
        ({"base_channels": 0}, "base_channels is 0"),
    ],
)
def test_bad_options(options: dict, text: str) -> None:
    with pytest.raises(InputError, match=f"UNet: {text}"):
        UNet(**options)


def test_build_knows_its_names_and_options() -> None:
    assert isinstance(models.build("unet", base_channels=1, depth=1, rng=0), UNet)
    with pytest.raises(InputError, match="model 'vnet' is unknown .did you mean 'unet'.*; use unet, "):
        models.build("vnet")
    with pytest.raises(
        InputError, match="model unet has no option width, size; it has: in_channels, out_channels, base_ch"
    ):
        models.build("unet", width=3, depth=1, size=2)


@pytest.mark.parametrize("padding, size", [("same", (32, 48)), ("valid", (44, 52))])
@pytest.mark.parametrize("up, norm", [("transposed", "batch"), ("bilinear", None), ("nearest", "batch")])
def test_recompute_gives_the_same_bits_and_keeps_less(up: str, norm: str | None, padding: str, size) -> None:
    results, kept = [], []
    for recompute in (False, True):
        model = UNet(base_channels=4, depth=2, up=up, norm=norm, padding=padding, recompute=recompute, rng=0)
        rng = np.random.default_rng(1)
        y = model(Tensor(rng.standard_normal((2, 3, *size)).astype(np.float32)))
        kept.append(kept_bytes(y))
        y.backward(rng.standard_normal(y.shape).astype(np.float32))
        gradients = {f"gradient of {name}": parameter.grad for name, parameter in model.named_parameters()}
        results.append({**gradients, **model.state_dict(), "y": y.data})
    expected, found = results
    for name, array in expected.items():
        assert found[name].tobytes() == array.tobytes(), name
    assert kept[1] < 0.65 * kept[0]


def test_recompute_runs_every_level_twice_but_the_last() -> None:
    model = UNet(base_channels=2, depth=2, recompute=True, rng=0)
    runs: list[str] = []
    with watch(model, lambda name, layer, inputs, output: runs.append(name)):
        model(Tensor(np.zeros((1, 3, 8, 12), np.float32))).backward(np.ones((1, 1, 8, 12)))
    convolutions = [name for name, layer in model.named_modules() if isinstance(layer, (Conv2d, ConvTranspose2d))]
    once = ["up.1", "merge.1.conv1", "merge.1.conv2", "head"]
    assert {name: runs.count(name) for name in convolutions} == {
        name: 1 if name in once else 2 for name in convolutions
    }


@pytest.mark.parametrize("depth, margin, size", [(1, 8, (10, 14)), (2, 20, (24, 32))])
def test_mirrored_frame_is_the_valid_network_on_a_mirrored_picture(depth, margin, size):
    mirror, valid = (UNet(base_channels=2, depth=depth, padding=padding, rng=0) for padding in ("mirror", "valid"))
    x = np.random.default_rng(0).standard_normal((2, 3, *size)).astype(np.float32)
    framed = np.pad(x, ((0, 0), (0, 0), (margin, margin), (margin, margin)), mode="reflect")
    y = mirror(Tensor(x)).data
    assert y.shape == (2, 1, *size)
    np.testing.assert_array_equal(y, valid(Tensor(framed)).data)


@pytest.mark.parametrize("size, fits", [((388, 380), "388x388"), ((64, 64), "100x100")])
def test_a_picture_that_does_not_fit_in_its_mirrored_frame(size, fits):
    with pytest.raises(
        InputError, match=rf"{size[0]}x{size[1]}.*mirrored frame of 92 pixels.*16 plus 4.*such as {fits}"
    ):
        UNet(base_channels=1, padding="mirror", rng=0)(Tensor(np.zeros((1, 3, *size), np.float32)))

"""MobileNet with its decoders: published counts, FastDepth's names and first weights, every option in use."""

from __future__ import annotations

import numpy as np
import pytest
from network_checks import assert_every_parameter_counts, assert_one_seed_one_network, counts, pictures

from minidepth import models
from minidepth.errors import InputError
from minidepth.models import MobileNet, mobilenet_pruned
from minidepth.models.decoders import DECODERS
from minidepth.models.mobilenet import STRIDES
from minidepth.nn import watch
from minidepth.nn.init import empty_weights
from minidepth.summary import summarize

ENCODER = [(32, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512)]
ENCODER += [*[(512, 512)] * 5, (512, 1024), (1024, 1024)]
STAGES = [(1024, 512), (512, 256), (256, 128), (128, 64), (64, 32)]
NARROW = (2, 4, 4, 6, 6, 8, 8, 10, 8, 10, 8, 10, 8, 16, 8, 8, 6, 4, 2)
NARROW_SHUFFLE = (*NARROW[:13], 1024, *NARROW[14:])


@pytest.mark.parametrize(
    "options, count",
    [({}, 3_960_930), ({"decoder": "nnconv5"}, 20_668_194), ({"skip": "concat"}, 4_016_034)],
)
def test_published_count(options: dict, count: int) -> None:
    assert counts(MobileNet, **options)[0] == count
    assert counts(lambda: models.build("mobilenet", **options))[0] == count


@pytest.mark.parametrize(
    "name, parameters, weights, multiply_adds",
    [("mobilenet", 3_960_930, 3_933_088, 0.737e9), ("mobilenet_pruned", 1_360_786, 1_343_664, 0.366e9)],
)
def test_published_sizes(name: str, parameters: int, weights: int, multiply_adds: float) -> None:
    with empty_weights():
        model = models.build(name)
    sizes = {name: parameter.size for name, parameter in model.named_parameters()}
    assert sum(sizes.values()) == parameters
    assert sum(p.size for p in model.parameters() if p.ndim == 4) == weights
    summary = summarize(model, models.MODELS[name].size)
    assert round(summary.multiply_adds / 1e9, 3) == multiply_adds / 1e9
    assert summary.rows[-1].output_shape == (1, 1, 224, 224)


def test_the_encoder_by_plain_arithmetic() -> None:
    """A separable layer of C to O channels: 9 C + C O weights, and two numbers for each norm's channel."""
    expected = 9 * 3 * 32 + 2 * 32 + sum(9 * c + 2 * c + c * o + 2 * o for c, o in ENCODER)
    assert expected == 3_206_976
    assert counts(lambda: MobileNet().encoder)[0] == expected


@pytest.mark.parametrize("decoder", DECODERS)
def test_decoder_by_plain_arithmetic(decoder: str) -> None:
    k = {"upconv": 5, "upproj": 5}.get(decoder) or int(decoder.strip("abcdefghijklmnopqrstuvwxyz"))
    expected = 32 + 2  # the last 1x1
    stages = STAGES
    if decoder.startswith("shuffle"):
        stages, expected = [(256, 256), (64, 64), (16, 16), (4, 4)], 0
    for c, o in stages:
        if decoder.endswith("dw"):
            expected += k * k * c + 2 * c + c * o + 2 * o
        else:
            expected += k * k * c * o + 2 * o
        if decoder == "upproj":
            expected += 9 * o * o + 2 * o + k * k * c * o + 2 * o
    assert counts(MobileNet, decoder=decoder, skip="none")[0] - 3_206_976 == expected


def test_names_are_those_of_fastdepths_files() -> None:
    norm = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"]
    names = ["0.0.weight", *(f"0.1.{name}" for name in norm)]
    for i in range(1, 14):
        for conv in (0, 3):
            names += [f"{i}.{conv}.weight", *(f"{i}.{conv + 1}.{name}" for name in norm)]
    with empty_weights():
        state = MobileNet().state_dict()
    encoder = [name.removeprefix("encoder.") for name in state if name.startswith("encoder.")]
    assert encoder == names
    assert state["encoder.0.0.weight"].shape == (32, 3, 3, 3)
    for i, (c, o) in enumerate(ENCODER, 1):
        assert state[f"encoder.{i}.0.weight"].shape == (c, 1, 3, 3)
        assert state[f"encoder.{i}.3.weight"].shape == (o, c, 1, 1)
    for i, (c, o) in enumerate(STAGES):  # decode_conv1 is our decoder.0, and so on
        assert state[f"decoder.{i}.0.0.weight"].shape == (c, 1, 5, 5)
        assert state[f"decoder.{i}.1.0.weight"].shape == (o, c, 1, 1)
    assert state["last.0.weight"].shape == (1, 32, 1, 1)
    assert not [name for name in state if name.endswith(".0.bias") or name.endswith(".3.bias")]


def test_first_weights_have_fastdepths_spread() -> None:
    state = models.build("mobilenet", rng=0).state_dict()
    for name, fan_out in [
        ("encoder.13.3.weight", 1024),
        ("encoder.13.0.weight", 9 * 1024),
        ("encoder.0.0.weight", 288),
    ]:
        assert state[name].std() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)
    assert state["decoder.0.0.0.weight"].std() == pytest.approx((2 / (25 * 1024)) ** 0.5, rel=0.03)
    assert (state["encoder.13.4.weight"] == 1).all() and not state["encoder.13.4.bias"].any()


@pytest.mark.parametrize("decoder", [name for name in DECODERS if "7" not in name and "9" not in name])
@pytest.mark.parametrize("skip", ["none", "add", "concat"])
def test_every_option_computes_and_reaches_every_parameter(decoder: str, skip: str) -> None:
    options: dict = {"decoder": decoder, "skip": skip, "widths": NARROW}
    if decoder.startswith("shuffle"):
        if skip != "none":
            return
        options["widths"] = NARROW_SHUFFLE
    model = MobileNet(**options, rng=0)
    (x,) = pictures((2, 3, 32, 64))
    y = model(x)
    assert y.shape == (2, 1, 32, 64) and y.dtype == np.float32 and (y.data >= 0).all()
    assert_every_parameter_counts(model, x)


def test_seeds() -> None:
    assert_one_seed_one_network(MobileNet, widths=NARROW[:13] + (12,) + NARROW[14:])


def test_sizes_and_strides_are_those_of_the_table() -> None:
    seen: dict[str, tuple[int, ...]] = {}
    model = mobilenet_pruned(rng=0).eval()
    with watch(model, lambda name, layer, inputs, output: seen.update({name: output.shape})):
        model(*pictures((1, 3, 64, 64)))
    sides, side = [], 64
    for stride in STRIDES:
        side //= stride
        sides.append(side)
    widths = (16, 56, 88, 120, 144, 256, 408, 376, 272, 288, 296, 328, 480, 512)
    expected = [(1, width, side, side) for width, side in zip(widths, sides)]
    assert [seen[f"encoder.{i}.{5 if i else 2}"] for i in range(14)] == expected
    assert sides == [32, 32, 16, 16, 8, 8, 4, 4, 4, 4, 4, 4, 2, 2]


@pytest.mark.parametrize("stage, layer", [(1, 5), (2, 3), (3, 1)])
def test_skips_join_where_the_sizes_meet(stage: int, layer: int) -> None:
    """With a stage of the decoder silenced, what is left behind it is the encoder's own."""
    model = MobileNet(widths=NARROW, rng=0).eval()
    model.decoder[stage][1][1].weight.data[...] = 0  # the norm of its 1x1
    entered: list[np.ndarray] = []
    given: list[np.ndarray] = []

    def note(name: str, module: object, inputs: tuple, output: object) -> None:
        if name == f"decoder.{stage + 1}.0.0":
            entered.append(inputs[0].data)
        if name == f"encoder.{layer}.5":
            given.append(output.data)

    with watch(model, note):
        model(*pictures((1, 3, 64, 32)))
    np.testing.assert_array_equal(entered[0], given[0])
    assert given[0].any()


@pytest.mark.parametrize(
    "options, text",
    [
        ({"decoder": "nnconv4dw"}, "decoder 'nnconv4dw' is unknown; use nnconv, blconv, deconv or shuffle with kernel"),
        ({"skip": "sum"}, "MobileNet: skip is 'sum'; use 'add' or 'concat' or 'none'"),
        ({"widths": (1, 2, 3)}, r"widths must be 19 numbers of at least 1, 14 of the encoder and 5 .* not \(1, 2, 3\)"),
        ({"widths": (0,) * 19}, "widths must be 19 numbers of at least 1"),
        ({"widths": (*range(1, 20),)}, "stage 2 of the decoder gives 16 channels, layer 5 of the encoder 6, so they"),
        ({"decoder": "shuffle5dw"}, "makes one channel of four in each of its 5 stages; it needs 1024 .* skip='none'"),
        ({"decoder": "shuffle3", "skip": "none", "widths": NARROW}, r"needs 1024 channels \(not 16\) from the enc"),
        ({"in_channels": 0}, "MobileNet: in_channels is 0; it must be at least 1"),
    ],
)
def test_bad_options(options: dict, text: str) -> None:
    with pytest.raises(InputError, match=text):
        MobileNet(**options)


@pytest.mark.parametrize(
    "shape, text",
    [
        ((1, 4, 32, 32), r"MobileNet: the input has shape \(1, 4, 32, 32\); it must be \(N, 3, H, W\)"),
        ((1, 3, 240, 320), "a picture of 240x320 .* multiples of 32, such as 256x320"),
    ],
)
def test_bad_picture(shape: tuple[int, ...], text: str) -> None:
    with pytest.raises(InputError, match=text):
        MobileNet(widths=NARROW, rng=0)(*pictures(shape))

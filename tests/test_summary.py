"""The summary: rows by hand, the published cost of the U-Net, and that looking changes nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from minidepth import Tensor, nn
from minidepth.errors import InputError
from minidepth.models import DepthMaskNet8, MaskNet3, UNet
from minidepth.nn.init import empty_weights
from minidepth.summary import Row, summarize


def test_rows_by_hand() -> None:
    model = nn.Sequential(
        nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=2, rng=0),
        nn.BatchNorm2d(8),
        nn.Identity(),
        nn.ReLU(),
        nn.ConvTranspose2d(8, 2, 2, stride=2, bias=False, rng=0),
    )
    summary = summarize(model, (6, 10), in_channels=4)
    assert summary.rows == [
        Row("0", "Conv2d", (1, 8, 3, 5), 8 * 2 * 9 + 8, 8 * 3 * 5 * 2 * 9),
        Row("1", "BatchNorm2d", (1, 8, 3, 5), 16, 0),
        Row("3", "ReLU", (1, 8, 3, 5), 0, 0),
        Row("4", "ConvTranspose2d", (1, 2, 6, 10), 8 * 2 * 4, 3 * 5 * 8 * 2 * 4),
    ]
    assert summary.parameters == 152 + 16 + 64
    assert summary.multiply_adds == 120 * 18 + 15 * 64
    assert summary.activation_bytes == 4 * (3 * 120 + 120)
    assert summary.input_shape == (1, 4, 6, 10) and summary.model == "Sequential"


def test_the_unet_costs_what_is_published() -> None:
    """At 480x640: 226 G multiply-adds and 187.1 M convolution outputs. At a twentieth of the sides both are 1/400."""
    summary = summarize(UNet(norm="batch", padding="same", depth=4, base_channels=64, rng=0), (48, 64))
    outputs = sum(math.prod(row.output_shape) for row in summary.rows if row.kind.startswith("Conv"))
    assert round(100 * summary.multiply_adds / 1e9) == 226
    assert round(100 * outputs / 1e6, 1) == 187.1
    assert summary.parameters == 31_037_633 == sum(row.parameters for row in summary.rows)


PLANE = 224 * 224  # the published table of MaskNet3 has a plane more than its layers: 578, not 577


@pytest.mark.parametrize("make, numbers", [(MaskNet3, 29_001_728 - PLANE), (DepthMaskNet8, 39_513_600)])
def test_published_number_of_activations_for_two_pictures_of_224x224(make, numbers: int) -> None:
    with empty_weights():
        summary = summarize(make(), (224, 224))
    assert sum(math.prod(row.output_shape) for row in summary.rows) == numbers
    assert summary.activation_bytes == 4 * numbers


def test_two_inputs_and_two_outputs() -> None:
    summary = summarize(DepthMaskNet8(base_channels=1, rng=0), (32, 64))
    assert summary.outputs == (("mask", (1, 1, 32, 64)), ("depth", (1, 1, 32, 64)))
    lines = str(summary).splitlines()
    assert "DepthMaskNet8, one background and one image of 3 x 32 x 64 (channels x height x width)" in lines
    assert "out                mask 1 x 32 x 64; depth 1 x 32 x 64" in lines


def test_depthwise_and_linear_layers_are_counted() -> None:
    model = nn.Sequential(
        nn.Conv2d(6, 6, 3, padding=1, groups=6, bias=False, rng=0), nn.Linear(5, 7, rng=0), nn.PixelShuffle(1)
    )
    summary = summarize(model, (4, 5), in_channels=6)
    assert [row.multiply_adds for row in summary.rows] == [6 * 4 * 5 * 9, 6 * 4 * 7 * 5, 0]
    assert [row.parameters for row in summary.rows] == [54, 42, 0]
    assert summary.rows[1].output_shape == (1, 6, 4, 7)


def test_moving_statistics_are_named_beside_the_parameters() -> None:
    with_norm, without = (
        summarize(UNet(base_channels=2, depth=1, norm=norm, rng=0), (2, 2)) for norm in ("batch", None)
    )
    assert (with_norm.statistics, without.statistics) == (2 * (2 * 2 + 2 * 4 + 2 * 2), 0)
    assert "and 32 moving statistics" in str(with_norm) and "statistics" not in str(without)


def test_a_layer_used_twice_has_two_rows_but_its_parameters_once() -> None:
    conv = nn.Conv2d(3, 3, 1, rng=0)
    summary = summarize(nn.Sequential(conv, nn.ReLU(), conv), (2, 2))
    assert [row.parameters for row in summary.rows] == [12, 0, 0]
    assert summary.parameters == 12 and summary.multiply_adds == 2 * 36


def test_every_arrow_of_the_figure_has_its_row() -> None:
    rows = {row.name: row for row in summarize(UNet(base_channels=2, depth=2, rng=0), (8, 12)).rows}
    assert rows["pool"].output_shape == (1, 4, 2, 3)
    assert rows["join"].output_shape == (1, 4, 8, 12)
    assert rows["head"].output_shape == (1, 1, 8, 12)


def test_looking_changes_nothing() -> None:
    model = UNet(base_channels=2, depth=1, norm="batch", rng=0)
    model.bottom.eval()
    before = {name: array.copy() for name, array in model.state_dict().items()}
    summarize(model, (4, 4))
    assert all(np.array_equal(array, before[name]) for name, array in model.state_dict().items())
    assert model.training and not model.bottom.training and not model.bottom.bn1.training
    assert model(Tensor(np.zeros((1, 3, 4, 4), np.float32))).requires_grad


def test_no_graph_is_kept() -> None:
    class Spy(nn.Module):
        def __init__(self) -> None:
            self.weight = nn.Parameter(np.ones(1, np.float32))
            self.remembers = []

        def forward(self, x: Tensor) -> Tensor:
            self.remembers.append((x * self.weight).requires_grad)
            return x

    spy = Spy()
    summarize(spy, (1, 1))
    assert spy.remembers == [False]


def test_table() -> None:
    text = str(summarize(UNet(base_channels=16, norm="batch", rng=0), (32, 48)))
    lines = text.splitlines()
    assert lines[0].split() == ["layer", "kind", "output", "parameters", "multiply-adds", "memory"]
    assert lines[2].split() == "down.0.conv1 Conv2d 16 x 32 x 48 432 663.55 k 0.09 MiB".split()
    assert "UNet, one picture of 3 x 32 x 48 (channels x height x width)" in lines
    assert any(line.startswith("parameters         1,942,577 (7.41 MiB") for line in lines)
    assert max(map(len, lines)) <= 100


def test_a_size_that_does_not_fit() -> None:
    model = UNet(base_channels=1, rng=0)
    with pytest.raises(InputError, match="multiples of 16"):
        summarize(model, (30, 32))
    assert model.training

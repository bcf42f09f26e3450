"""``minidepth models``: published counts and costs, nothing drawn, every line one that can be typed."""

from __future__ import annotations

import json

import numpy as np
import pytest

from minidepth import cli, listing, models
from minidepth.errors import InputError
from minidepth.models import MODELS


@pytest.fixture(scope="module")
def found() -> dict[str, listing.Line]:
    return {line.model: line for line in listing.lines()}


def test_every_network_and_variant_has_a_line(found: dict[str, listing.Line]) -> None:
    variants = [f"{name}:{variant.options}" for name, entry in MODELS.items() for variant in entry.variants]
    assert set(found) == {*MODELS, *variants}
    assert len(found) >= 20
    for line in found.values():
        assert line.parameters > 10_000 and line.multiply_adds > line.parameters and line.purpose and line.source, line


PUBLISHED = [  # parameters that are trained, and moving statistics
    ("unet:padding=valid,in_channels=1,out_channels=2", 31_030_658, 0),
    ("pets_unet", 31_031_875, 0),
    ("pets_unet:up=transposed", 31_031_875, 0),
    ("xception_unet", 2_055_203, 3_776),
    ("keras_depth_unet", 1_964_545, 1_920),
    ("custom_unet", 8_634_593, 3_840),
    ("scratch_unet", 31_037_633, 11_776),
    ("scratch_unet:up=bilinear,any_size", 17_262_977, 8_832),
    ("masknet3", 76_097, 384),
    ("depthmasknet8", 7_083_874, 9_024),
]


@pytest.mark.parametrize("model, parameters, statistics", PUBLISHED)
def test_published_counts(found, model: str, parameters: int, statistics: int) -> None:
    assert (found[model].parameters, found[model].statistics) == (parameters, statistics)


def test_published_costs(found: dict[str, listing.Line]) -> None:
    """226 G multiply-adds of the scratch U-Net for a picture of 480x640; and one by hand."""
    assert round(found["scratch_unet"].multiply_adds / 1e9) == 226
    by_hand = 224 * 224 * (2 * 32 * 3 * 9 + 2 * 64 * 64 * 9 + 64)
    assert found["masknet3"].multiply_adds == by_hand


def test_no_weight_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args, **options):
        raise RuntimeError("a weight was drawn")

    class Generator:
        standard_normal = random = uniform = normal = fail

    monkeypatch.setattr(np.random, "default_rng", lambda seed=None: Generator())
    assert listing.line("masknet3", "", (8, 8), "", "").parameters == 76_097
    with pytest.raises(RuntimeError, match="was drawn"):
        models.build("masknet3")


def test_size_of_a_network_and_of_a_variant() -> None:
    assert listing.named("unet")[1] == (240, 320)
    assert listing.named("unet:padding=valid,in_channels=1,out_channels=2")[1] == (572, 572)
    assert listing.named("masknet3:base_channels=1")[1] == (224, 224)
    with pytest.raises(InputError, match="model masknet3 has no option up"):
        listing.named("masknet3", up="bilinear")


def test_the_table_from_words(capsys: pytest.CaptureFixture) -> None:
    assert cli.main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["model", "system", "parameters", "mult-adds", "at", "what", "it", "is", "for"]
    (row,) = (line for line in lines if line.startswith("masknet3 "))
    assert row.split()[:6] == ["masknet3", "004-A", "76,097", "3.79", "G", "224x224"]
    assert lines[lines.index(row) + 1].split() == ["(MODEST", "project", "2020)"]
    assert any(line.startswith("  :up=bilinear-3x3 ") for line in lines)


def test_json_from_words(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("minidepth.listing.MODELS", {"masknet3": MODELS["masknet3"]})
    assert cli.main(["models", "--json"]) == 0
    (line,) = json.loads(capsys.readouterr().out)
    assert (line["model"], line["parameters"], line["size"]) == ("masknet3", 76_097, [224, 224])

"""Every published system: its settings can be used, and a narrow network of its kind learns with them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from minidepth import run_folder
from minidepth.config import TrainConfig
from minidepth.data.make import make
from minidepth.errors import InputError
from minidepth.models import MODELS
from minidepth.nn.init import empty_weights
from minidepth.presets import PRESETS, listing, settings_of
from minidepth.train_parts import build_parts

NARROW = {  # network -> the option that makes it small, for steps that take milliseconds
    "unet": "base_channels=2", "pets_unet": "base_channels=2", "xception_unet": "base_channels=4",
    "keras_depth_unet": "base_channels=4", "custom_unet": "base_channels=4", "scratch_unet": "base_channels=2",
    "resnet34_unet_preact": "width=8", "resnet34_unet": "width=8", "resnet50_unet": "width=4",
    "masknet3": "base_channels=4", "depthmasknet8": "base_channels=4", "densedepth": "width=8,growth=4",
    "fcrn": "width=4", "multi_scale": "width=4",
}  # fmt: skip
COUNTS = {  # trained numbers of the published networks
    "p0": 31_031_875, "000-a": 31_031_875, "000-a-tutorial": 2_055_203, "000-b": 1_964_545, "001-a": 3_960_930,
    "001-b": 20_668_194, "001-concat": 4_016_034, "001-pruned": 1_360_786, "002-a": 24_438_804, "002-b": 8_634_593,
    "003-a": 31_037_633, "003-c": 147_808_641, "004-a": 76_097, "004-b": 7_083_874, "r1": 42_657_689,
    "r1-half": 21_365_405, "r2": 63_566_913, "r3": 67_569_473,
}  # fmt: skip
STEPS = 6
WIDE = ("001-b", "001-upproj")
"""Ways up with tens of millions of weights: they are tried with the pruned widths."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A few frames of each kind of data."""
    root = tmp_path_factory.mktemp("standins")
    for kind in ("pets", "modest", "rooms", "diode"):
        make(kind, root / kind, 16, (64, 64), seed=0)
    return root


def narrow_config(name, folders):
    """The preset as it is, with a small network on small pictures."""
    settings = dict(settings_of(name))
    model = settings["model"].partition(":")[0]
    if model in NARROW:
        settings["model"] += (":" if ":" not in settings["model"] else ",") + NARROW[model]
    if name in WIDE:
        settings["model"] = settings["model"].replace("mobilenet", "mobilenet_pruned")
    if name == "p0":
        settings["base_channels"], settings["model"] = 2, "unet:padding=mirror"
    if name == "004-d":
        settings["model"] = "depthmasknet8:base_channels=8"
    size = (100, 100) if name == "p0" else (64, 64)
    data = str(folders / PRESETS[name].data)
    return TrainConfig(
        **{**settings, "data": data, "size": size, "batch": 2, "val_split": 0, "workers": 0, "schedule": "constant"},
        device="cpu",
    )


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_can_be_used_as_it_is(name, folders):
    """Loss, optimiser, schedule and augmentation are known, the size fits, and the network is the published one."""
    config = TrainConfig(**settings_of(name), data=str(folders / PRESETS[name].data))
    with empty_weights():
        network = run_folder.build_model(dataclasses.replace(config, classes=3 if config.task == "labels" else 0))
    if name in COUNTS:
        assert sum(parameter.size for parameter in network.parameters()) == COUNTS[name]
    assert not any(side % getattr(network, "multiple", 1) for side in config.size)


@pytest.mark.parametrize("name", PRESETS)
def test_a_few_steps_lower_the_loss(name, folders):
    """On one batch, with the preset's own loss, optimiser and learning rate."""
    parts = build_parts(narrow_config(name, folders))
    parts.task.start(parts.network, parts.guesses)
    batch = next(iter(parts.batches.epoch(0)))
    values = []
    for _ in range(STEPS):
        loss = parts.task.loss(parts.loss, parts.task.run(parts.network.train(), batch), batch)
        values.append(loss.item())
        loss.backward()
        parts.optimizer.step()
        parts.optimizer.zero_grad()
    assert np.isfinite(values).all()
    assert min(values[1:]) < values[0], values


def test_every_network_but_the_small_one_has_a_preset():
    used = {preset.settings["model"].partition(":")[0] for preset in PRESETS.values()}
    assert used == set(MODELS)


def test_the_listing_names_every_preset_with_its_loss():
    text = listing()
    for name, preset in PRESETS.items():
        assert f"\n{name} " in "\n" + text and preset.settings["loss"] in text


def test_an_unknown_preset_names_the_near_one():
    with pytest.raises(InputError, match=r"--preset 003b is unknown \(did you mean '003-b'\?\)"):
        settings_of("003b")

"""Weights into networks by name: what is used, ignored and missing, all misfits in one text, and nothing half done."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch_files as tf

from minidepth import checkpoint, models
from minidepth.errors import CheckpointError, InputError
from minidepth.models.resnet import resnet34
from minidepth.nn import BatchNorm2d, Conv2d, Module, Sequential
from minidepth.pretrained import Report, load_weights
from minidepth.pretrained.load import grouped

SMALL = {"width": 4, "blocks": (1, 1, 1, 1)}


def published(network: Module, seed: int = 1) -> dict[str, np.ndarray]:
    """What a file of this network's encoder would hold: its names without ``encoder.``, other numbers, a classifier."""
    rng = np.random.default_rng(seed)
    names = {n.removeprefix("encoder."): a for n, a in network.state_dict().items() if n.startswith("encoder.")}
    state = {
        n: np.array(7) if n.endswith("tracked") else rng.random(a.shape, dtype=np.float32) for n, a in names.items()
    }
    return state | {"fc.weight": rng.random((10, 16), dtype=np.float32), "fc.bias": rng.random(10, dtype=np.float32)}


def copy_of(network: Module) -> dict[str, np.ndarray]:
    return {name: array.copy() for name, array in network.state_dict().items()}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return all(np.array_equal(one[name], other[name]) for name in one | other)


def small() -> Module:
    return models.build("resnet34_unet", **SMALL, rng=0)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_an_encoder_is_loaded_and_the_decoder_left(tmp_path: Path, prefix: str) -> None:
    network = small()
    before, state = copy_of(network), published(network)
    path = tf.save(tmp_path / "a.pth", {prefix + name: array for name, array in state.items()})
    report = load_weights(network, path)
    for name, array in network.state_dict().items():
        short = name.removeprefix("encoder.")
        if name.endswith("num_batches_tracked") or short == name:
            assert np.array_equal(array, before[name]), name
        else:
            assert np.array_equal(array, state[short]) and report.used[name] == prefix + short
    assert report.origin == "torchvision's ResNet" and report.input == "imagenet"
    assert {name.removeprefix(prefix) for name in report.ignored} == {
        name for name in state if name.startswith("fc.") or name.endswith("num_batches_tracked")
    }
    decoder = [n for n in before if not n.startswith("encoder.") and not n.endswith("num_batches_tracked")]
    assert list(report.missing) == decoder and decoder
    # every name of the file and of the network is in one of the lists
    assert sorted([*report.used.values(), *report.ignored]) == sorted(prefix + name for name in state)


def test_the_report_in_words(tmp_path: Path) -> None:
    network = small()
    path = tf.save(tmp_path / "a.pth", published(network), wrap=lambda s: {"epoch": 3, "state_dict": s, "lr": 0.1})
    lines = str(load_weights(network, path)).splitlines()
    n_used = sum(n.startswith("encoder.") and not n.endswith("tracked") for n in network.state_dict())
    assert lines[0] == f"weights from {path} (torch file (ZIP): torchvision's ResNet): {n_used} arrays loaded"
    assert lines[1].startswith("  ignored in the file (") and "fc.* (2)" in lines[1] and "epoch, lr" in lines[1]
    assert lines[2].startswith("  not in the file, left as they were (")
    assert lines[3].startswith("  note: ") and "imagenet" in lines[3] and len(lines) == 4


def test_a_bare_encoder_and_old_files_without_counters(tmp_path: Path) -> None:
    encoder = resnet34(**SMALL, rng=0)
    state = {n: a for n, a in published(small()).items() if not n.endswith("num_batches_tracked")}
    report = load_weights(encoder, tf.save(tmp_path / "a.pth", state, "legacy"))
    assert report.missing == () and set(report.ignored) == {"fc.weight", "fc.bias"}
    assert all(np.array_equal(encoder.state_dict()[name], state[name]) for name in report.used)


def test_numbers_of_other_precision_become_those_of_the_network(tmp_path: Path) -> None:
    network = small()
    state = {n: a.astype(np.float16) if a.dtype.kind == "f" else a for n, a in published(network).items()}
    report = load_weights(network, tf.save(tmp_path / "a.pth", state))
    for ours, name in report.used.items():
        array = network.state_dict()[ours]
        assert array.dtype == np.float32 and np.array_equal(array, state[name].astype(np.float32))


def test_a_whole_network_of_ours(tmp_path: Path) -> None:
    trained, fresh = models.build("resnet34_unet", **SMALL, rng=5), small()
    for name, array in trained.state_dict().items():
        if name.endswith("num_batches_tracked"):
            array[...] = 9
    checkpoint.save(tmp_path / "best.safetensors", trained.state_dict(), {"any": 1})
    report = load_weights(fresh, tmp_path / "best.safetensors")
    assert same(fresh.state_dict(), trained.state_dict())
    assert report.origin == "a whole ResNet34UNet" and report.input == "" and report.notes == ()
    assert report.ignored == report.missing == () and set(report.used) == set(fresh.state_dict())

    both = {f"model.{name}": array for name, array in trained.state_dict().items()}
    checkpoint.save(tmp_path / "last.safetensors", {**both, "optimizer.x": np.ones(3)}, {"epoch": 3})
    fresh = small()
    report = load_weights(fresh, tmp_path / "last.safetensors")
    assert same(fresh.state_dict(), trained.state_dict()) and report.ignored == ("optimizer.x",)


def test_fastdepth_names(tmp_path: Path) -> None:
    widths = (2,) * 14 + (2,) * 5
    network = models.build("mobilenet", widths=widths, rng=0)
    state = {f"model.{name}": array for name, array in published(network).items() if not name.startswith("fc.")}
    state |= {"fc.weight": np.ones((3, 2), np.float32)}
    path = tf.save(tmp_path / "a", {f"module.{name}": array for name, array in state.items()}, "legacy")
    report = load_weights(network, path)
    assert report.origin == "FastDepth's MobileNet" and report.input == "unit"
    assert report.used["encoder.13.4.running_var"] == "module.model.13.4.running_var"
    for ours, name in report.used.items():
        assert np.array_equal(network.state_dict()[ours], state[name.removeprefix("module.")])


def test_dense_layers_of_old_torchvision_files(tmp_path: Path) -> None:
    network = models.build("densedepth", width=4, growth=2, blocks=(1, 1, 1, 1), rng=0)
    state = {name: array for name, array in published(network).items() if not name.startswith("fc.")}
    state["classifier.weight"] = np.ones((3, 2), np.float32)
    old = {n.replace("norm1.", "norm.1.").replace("norm2.", "norm.2.").replace("conv1.", "conv.1."): n for n in state}
    old = {name.replace("conv2.", "conv.2."): n for name, n in old.items()}
    assert "features.denseblock1.denselayer1.norm.2.running_mean" in old
    report = load_weights(network, tf.save(tmp_path / "a.pth", {name: state[n] for name, n in old.items()}))
    assert report.origin == "torchvision's DenseNet" and "classifier.weight" in report.ignored
    for ours in report.used:
        assert np.array_equal(network.state_dict()[ours], state[ours.removeprefix("encoder.")])
    assert all(not name.startswith("encoder.") for name in report.missing)


def test_keras_mobilenet(tmp_path: Path) -> None:
    """Names and layouts; the note says how it was trained, and what differs."""
    widths = (2, 3, 4, 4, 5, 5, 6, 6, 6, 6, 6, 6, 7, 7)
    network = models.build("mobilenet", widths=(*widths, 7, 5, 4, 3, 2), rng=0)
    rng = np.random.default_rng(0)
    layers = {"conv1": rng.random((3, 3, 3, 2)), "conv1_bn": 2}
    for i, (n_in, n_out) in enumerate(zip(widths, widths[1:]), start=1):
        layers |= {f"conv_dw_{i}": rng.random((3, 3, n_in, 1)), f"conv_dw_{i}_bn": n_in}
        layers |= {f"conv_pw_{i}": rng.random((1, 1, n_in, n_out)), f"conv_pw_{i}_bn": n_out}
    layers["conv_preds"] = rng.random((1, 1, 7, 10))
    with h5py.File(tmp_path / "a.h5", "w") as root:
        root.attrs["layer_names"] = [name.encode() for name in layers]
        for name, array in layers.items():
            kernel = "depthwise_kernel" if "_dw_" in name else "kernel"
            parts = ("gamma", "beta", "moving_mean", "moving_variance") if isinstance(array, int) else (kernel,)
            group = root.create_group(name)
            group.attrs["weight_names"] = [f"{name}/{part}:0".encode() for part in parts]
            for part in parts:
                group[f"{name}/{part}:0"] = rng.random(array) if isinstance(array, int) else array
        variance = root["conv_pw_13_bn/conv_pw_13_bn/moving_variance:0"][()]
    report = load_weights(network, tmp_path / "a.h5")
    assert report.origin == "Keras' MobileNet" and report.ignored == ("conv_preds.weight",)
    assert all(not name.startswith("encoder.") for name in report.missing)
    state = network.state_dict()
    np.testing.assert_array_equal(state["encoder.0.0.weight"][1, 2, 0, 1], np.float32(layers["conv1"][0, 1, 2, 1]))
    np.testing.assert_array_equal(state["encoder.3.0.weight"][2, 0, 0, 1], np.float32(layers["conv_dw_3"][0, 1, 2, 0]))
    np.testing.assert_array_equal(state["encoder.2.3.weight"][3, 1, 0, 0], np.float32(layers["conv_pw_2"][0, 0, 1, 3]))
    np.testing.assert_array_equal(state["encoder.13.4.running_var"], variance.astype(np.float32))
    assert "shift by a pixel" in str(report) and "1e-3" in str(report)


# --- what does not fit ---


def misfit(network: Module, path: Path) -> str:
    """The one text, after which the network is as it was."""
    before = copy_of(network)
    with pytest.raises(CheckpointError) as error:
        load_weights(network, path)
    assert same(before, network.state_dict())
    text = str(error.value)
    assert isinstance(error.value, InputError) and text.startswith(f"{path}: ") and text.isprintable()
    return text


def test_all_misfits_are_told_at_once(tmp_path: Path) -> None:
    network = small()
    state = published(network)
    del state["layer3.0.bn2.running_var"], state["bn1.weight"]
    state["layer9.0.conv1.weight"] = state["layer4.0.conv7.weight"] = np.ones(3, np.float32)
    state["conv1.weight"] = np.ones((4, 1, 7, 7), np.float32)
    state["layer1.0.conv1.weight"] = state["layer1.0.conv1.weight"].astype(np.int32)
    text = misfit(network, tf.save(tmp_path / "a.pth", state))
    assert text == (
        f"{tmp_path / 'a.pth'}: this file of torchvision's ResNet does not fit this ResNet34UNet: "
        "not in the file (2): encoder.bn1.weight, encoder.layer3.0.bn2.running_var; "
        "no place for (2): encoder.layer9.0.conv1.weight, encoder.layer4.0.conv7.weight; "
        "other shapes (1): encoder.conv1.weight; encoder.conv1.weight is (4, 1, 7, 7), here (4, 3, 7, 7); "
        "other kinds of numbers (1): encoder.layer1.0.conv1.weight"
    )


def test_another_architecture(tmp_path: Path) -> None:
    """A ResNet-50 for a ResNet-34, an encoder for a network without one, a network for another one."""
    wide = models.build("resnet50_unet", width=2, rng=0)
    text = misfit(small(), tf.save(tmp_path / "a.pth", published(wide)))
    assert "torchvision's ResNet does not fit this ResNet34UNet" in text
    assert "no place for (" in text and "other shapes (" in text and len(text) < 1500

    unet = models.build("unet", base_channels=2, rng=0)
    text = misfit(unet, tf.save(tmp_path / "a.pth", published(wide)))
    assert f"not in the file ({len(unet.state_dict())})" in text

    checkpoint.save(tmp_path / "best.safetensors", unet.state_dict(), {})
    text = misfit(small(), tmp_path / "best.safetensors")
    assert "this file does not fit this ResNet34UNet: not in the file (" in text
    for name in ("down.", "head.", "up.", "merge.", "bottom."):
        assert name in text


def test_numbers_that_are_none(tmp_path: Path) -> None:
    for value, dtype in ((np.nan, np.float32), (-np.inf, np.float32), (1e39, np.float64), (-1e39, np.float64)):
        network = small()
        state = published(network)
        state["bn1.bias"] = state["bn1.bias"].astype(dtype)
        state["bn1.bias"][1] = value
        text = misfit(network, tf.save(tmp_path / "a.pth", state))
        assert "not a number, or infinite or too large: encoder.bn1.bias; get the file again" in text


def test_hostile_names_are_safe_to_print(tmp_path: Path) -> None:
    state = published(small()) | {"\x1b[2J" + "x" * 5000: np.ones(3, np.float32), "a\nb.c": np.ones(3, np.float32)}
    text = misfit(small(), tf.save(tmp_path / "a.pth", state))
    assert "?[2J" in text and "a?b.c" in text and len(text) < 1000


def test_groups_cover_all_names_and_stay_short() -> None:
    assert grouped([]) == ""
    assert grouped(["a.b", "c"]) == "a.b, c"
    many = [f"layer{i}.{j}.conv{k}.weight" for i in range(4) for j in range(3) for k in range(2)]
    assert grouped(many) == "layer0.* (6), layer1.* (6), layer2.* (6), layer3.* (6)"
    assert grouped(["fc.weight", *many]).startswith("fc.weight, layer0.* (6), ")
    assert grouped([str(i) for i in range(20)]) == "0, 1, 2, 3, 4, 5, 6, 7 and 12 more"


def test_a_network_in_float64_on_two_layers(tmp_path: Path) -> None:
    """Any module of ours takes a whole file of its kind, from torch too."""
    network = Sequential(Conv2d(2, 3, 1, rng=0), BatchNorm2d(3)).astype(np.float64)
    state = {"0.weight": np.ones((3, 2, 1, 1), np.float32), "0.bias": np.zeros(3, np.float32)}
    state |= {f"1.{n}": np.full(3, 2, np.float32) for n in ("weight", "bias", "running_mean", "running_var")}
    report = load_weights(network, tf.save(tmp_path / "a.pth", state | {"1.num_batches_tracked": np.array(4)}))
    assert isinstance(report, Report) and report.missing == () and report.ignored == ()
    assert network.state_dict()["0.weight"].dtype == np.float64 and network.state_dict()["1.num_batches_tracked"] == 4

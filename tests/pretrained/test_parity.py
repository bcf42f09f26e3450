"""Whole published networks: weights from a file into our encoders give the outputs that torch and Keras compute.

The weights follow from their names (tests/published_networks.py), the outputs were kept in golden/ by make_golden.py;
where torch is installed, it also saves the files and computes the outputs anew.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch_files as tf
from published_networks import shapes_of, state_of, torch_features

from minidepth import Tensor, models, no_grad
from minidepth.nn import Module
from minidepth.nn.init import empty_weights
from minidepth.pretrained import load_weights

FOLDER = Path(__file__).parent
_spec = importlib.util.spec_from_file_location("make_golden", FOLDER / "make_golden.py")
make_golden = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(make_golden)

NETWORKS = {  # published file -> a network here, who the report says published it, the container in the tests
    "resnet34": ("resnet34_unet", "torchvision's ResNet", "zip"),
    "resnet50": ("resnet50_unet", "torchvision's ResNet", "legacy"),
    "mobilenet": ("mobilenet", "FastDepth's MobileNet", "legacy"),
    "densenet169": ("densedepth", "torchvision's DenseNet", "zip"),
}


def build(name: str) -> Module:
    with empty_weights():
        return models.build(name)


def features(network: Module, x: np.ndarray) -> list[np.ndarray]:
    """The five feature maps of the encoder, in evaluation mode."""
    network.eval()
    with no_grad():
        if isinstance(network, models.MobileNet):
            y, maps = Tensor(x), []
            for i, layer in enumerate(network.encoder):
                y = layer(y)
                if i in (1, 3, 5, 11, 13):
                    maps.append(y)
        else:
            maps = network.encoder(Tensor(x))
    return [y.numpy() for y in maps]


def write(path: Path, network: str, container: str) -> Path:
    state = state_of(shapes_of(network))
    if network != "mobilenet":
        return tf.save(path, state, container)
    state = {f"module.{name}": array for name, array in state.items()}
    return tf.save(path, state, container, lambda content: {"epoch": 9, "best_prec1": 70.1, "state_dict": content})


def close(found: np.ndarray, expected: np.ndarray) -> None:
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("published", NETWORKS)
def test_outputs_are_those_that_torch_computed(tmp_path: Path, published: str) -> None:
    name, origin, container = NETWORKS[published]
    network = build(name)
    report = load_weights(network, write(tmp_path / "a.pth", published, container))
    assert report.origin == origin
    encoder = [n for n in network.state_dict() if n.startswith("encoder.") and "num_batches" not in n]
    assert list(report.used) == encoder
    with np.load(FOLDER / "golden" / "networks.npz") as golden:
        for i, found in enumerate(features(network, make_golden.PICTURE)):
            close(make_golden.samples(found), golden[f"{published}.{i}"])


@pytest.mark.parametrize("published", NETWORKS)
def test_the_same_with_torch_itself(tmp_path: Path, published: str) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    state, x = state_of(shapes_of(published)), np.random.default_rng(5).random((2, 3, 32, 64), dtype=np.float32)
    tensors = {n: torch.from_numpy(array) for n, array in state.items()}
    torch.save(tensors, tmp_path / "a.pth", _use_new_zipfile_serialization=NETWORKS[published][2] != "zip")
    network = build(NETWORKS[published][0])
    load_weights(network, tmp_path / "a.pth")
    for found, expected in zip(features(network, x), torch_features(published, state, x), strict=True):
        assert found.shape == expected.shape
        close(found, expected)


@pytest.mark.parametrize("published", NETWORKS)
def test_the_lists_of_names_are_whole(published: str) -> None:
    """What the published files are known to hold: numbers of arrays and of parameters."""
    shapes = shapes_of(published)
    sizes = {n: int(np.prod(shape)) for n, shape in shapes.items() if "running" not in n and "tracked" not in n}
    parameters = {"resnet34": 21_797_672, "resnet50": 25_557_032, "mobilenet": 4_231_976, "densenet169": 14_149_480}
    assert sum(sizes.values()) == parameters[published]
    if published in ("resnet34", "resnet50"):
        assert len(shapes) == {"resnet34": 218, "resnet50": 320}[published]


def write_keras(path: Path, state: dict[str, np.ndarray]) -> Path:
    """A file of weights alone, as Keras 2 writes it."""
    with h5py.File(path, "w") as root:
        layers = list(dict.fromkeys(name.split("/")[0] for name in state))
        root.attrs["layer_names"] = np.array(layers, dtype="S")
        root.attrs["backend"], root.attrs["keras_version"] = b"tensorflow", b"2.1.0"
        for layer in layers:
            group = root.create_group(layer)
            weights = [f"{name}:0" for name in state if name.split("/")[0] == layer]
            group.attrs["weight_names"] = np.array(weights, dtype="S")
            for name in weights:
                group[name] = state[name.removesuffix(":0")]
    return path


def test_the_resnet_34_of_keras(tmp_path: Path) -> None:
    state = state_of(shapes_of("keras_resnet34"))
    assert sum(array.size for array in state.values()) == 21_302_473
    network = build("resnet34_unet_preact")
    report = load_weights(network, write_keras(tmp_path / "resnet34_imagenet_1000_no_top.h5", state))
    assert report.origin == "Keras' ResNet-34" and report.input == "bytes" and "0 to 255" in str(report)
    assert len(report.used) == len(state)
    with np.load(FOLDER / "golden" / "networks.npz") as golden:
        for i, found in enumerate(features(network, 255 * make_golden.PICTURE)):
            close(make_golden.samples(found), golden[f"keras_resnet34.{i}"])

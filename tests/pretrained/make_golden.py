"""Make the files in golden/: what torch and Keras write, and what networks compute, for machines without them.

python tests/pretrained/make_golden.py        (with torch and keras installed, KERAS_BACKEND=torch)
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from published_networks import keras_features, shapes_of, state_of, torch_features

FOLDER = Path(__file__).with_name("golden")
PICTURE = np.random.default_rng(11).random((1, 3, 64, 96), dtype=np.float32)
SAMPLES = 24
"""Numbers kept of every feature map."""


def samples(features: np.ndarray) -> np.ndarray:
    """Numbers from random places of a feature map, the same for every map of its size."""
    places = np.random.default_rng(features.size).choice(features.size, SAMPLES)
    return features.ravel()[places]


def main() -> None:
    kept = {}
    for network in ("resnet34", "resnet50", "mobilenet", "densenet169"):
        maps = torch_features(network, state_of(shapes_of(network)), PICTURE)
        kept |= {f"{network}.{i}": samples(features) for i, features in enumerate(maps)}
    maps = keras_features(state_of(shapes_of("keras_resnet34")), 255 * PICTURE)
    kept |= {f"keras_resnet34.{i}": samples(features) for i, features in enumerate(maps)}
    np.savez_compressed(FOLDER / "networks.npz", **kept)
    torch_files()
    keras_files()


def torch_files() -> None:
    """Small real files of torch, and their numbers."""
    import torch

    torch.manual_seed(0)
    block = torch.nn.Sequential(torch.nn.Conv2d(2, 3, 2), torch.nn.BatchNorm2d(3))
    tensors = {**block.state_dict(), "parameter": block[0].weight, "turned": torch.randn(3, 2).T}
    tensors |= {"half": torch.randn(2).half(), "bfloat16": torch.randn(3).bfloat16()}
    torch.save(tensors, FOLDER / "torch_zip.pth")
    torch.save(tensors, FOLDER / "torch_zip_protocol4.pth", pickle_protocol=4)
    torch.save(tensors, FOLDER / "torch_legacy.pth", _use_new_zipfile_serialization=False)
    arrays = {n: (t.float() if t.dtype == torch.bfloat16 else t).detach().numpy() for n, t in tensors.items()}
    np.savez_compressed(FOLDER / "torch_files.npz", **arrays)


def keras_files() -> None:
    """Small real files of Keras in its two forms, and their numbers as Keras has them."""
    import keras

    layers = keras.layers
    x = picture = keras.Input((8, 8, 3))
    for layer in (
        layers.BatchNormalization(scale=False, name="bn_data"),
        layers.Conv2D(4, (3, 2), use_bias=False, name="conv0"),
        layers.DepthwiseConv2D((3, 2), depth_multiplier=2, name="dw"),
        layers.SeparableConv2D(5, 2, name="sep"),
        layers.Conv2DTranspose(6, (2, 3), name="up"),
        keras.Sequential([keras.Input((None, None, 6)), layers.Conv2D(2, 1, name="in1")], name="inner"),
        layers.GlobalAveragePooling2D(name="mean"),
        layers.Dense(3, name="fc"),
    ):
        x = layer(x)
    model = keras.Model(picture, x)
    for weight in model.weights:
        weight.assign(np.random.default_rng(weight.value.numel()).random(weight.shape, dtype=np.float32))
    for name in ("keras.h5", "keras.keras"):
        model.save(FOLDER / name)
    np.savez_compressed(FOLDER / "keras_files.npz", **{w.path.replace("/", " "): w.numpy() for w in model.weights})


if __name__ == "__main__":
    main()

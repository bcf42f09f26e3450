"""Published encoders as torch modules, under the names that their published weights have.

Written from the papers' tables and the lists of names and shapes, without torchvision; they share no code with
minidepth. `fill` gives every network numbers that follow from its names alone, so that golden files need not hold them.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict

import numpy as np

RESNETS = {"resnet34": (3, 4, 6, 3), "resnet50": (3, 4, 6, 3)}
MOBILENET_WIDTHS = (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
MOBILENET_STRIDES = (2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)
DENSENET_169 = (6, 12, 32, 32)


def numbers(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """What the array called `name` holds: uniform numbers, from a seed that is the name's checksum."""
    drawn = np.random.default_rng(zlib.crc32(name.encode())).random(shape, dtype=np.float32)
    if name.endswith(("running_var", "moving_variance")):
        return drawn + np.float32(0.5)
    if name.endswith(("running_mean", "moving_mean", "bias", "beta")):
        return (drawn - np.float32(0.5)) / np.float32(5)
    if len(shape) == 1:  # the weight of a batch-norm
        return np.float32(0.5) + drawn / np.float32(2)
    fan_in = np.prod(shape[1:])
    return ((drawn - np.float32(0.5)) * np.float32((24 / fan_in) ** 0.5)).astype(np.float32)


def state_of(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Arrays for a list of names and shapes; counters are 7."""
    counter = np.array(7, np.int64)
    return {n: counter if n.endswith("num_batches_tracked") else numbers(n, shape) for n, shape in shapes.items()}


def shapes_of(network: str) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a published file, with its classifier, without torch."""
    shapes: dict[str, tuple[int, ...]] = OrderedDict()

    def conv(name: str, *shape: int) -> None:
        shapes[f"{name}.weight"] = shape

    def norm(name: str, channels: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (channels,)
        shapes[f"{name}.num_batches_tracked"] = ()

    def linear(name: str, n_out: int, n_in: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (n_out, n_in), (n_out,)

    if network in RESNETS:
        conv("conv1", 64, 3, 7, 7)
        norm("bn1", 64)
        channels, wide = 64, network == "resnet50"
        for layer, (blocks, width) in enumerate(zip(RESNETS[network], (64, 128, 256, 512)), start=1):
            for block in range(blocks):
                name, n_out = f"layer{layer}.{block}", width * (4 if wide else 1)
                kernels = ((width, channels, 1), (width, width, 3), (n_out, width, 1))
                for i, (c_out, c_in, k) in enumerate(kernels if wide else ((width, channels, 3), (width, width, 3)), 1):
                    conv(f"{name}.conv{i}", c_out, c_in, k, k)
                    norm(f"{name}.bn{i}", c_out)
                if block == 0 and channels != n_out:
                    conv(f"{name}.downsample.0", n_out, channels, 1, 1)
                    norm(f"{name}.downsample.1", n_out)
                channels = n_out
        linear("fc", 1000, channels)
    elif network == "mobilenet":
        conv("model.0.0", 32, 3, 3, 3)
        norm("model.0.1", 32)
        for i, (n_in, n_out) in enumerate(zip(MOBILENET_WIDTHS, MOBILENET_WIDTHS[1:]), start=1):
            conv(f"model.{i}.0", n_in, 1, 3, 3)
            norm(f"model.{i}.1", n_in)
            conv(f"model.{i}.3", n_out, n_in, 1, 1)
            norm(f"model.{i}.4", n_out)
        linear("fc", 1000, 1024)
    elif network == "densenet169":
        conv("features.conv0", 64, 3, 7, 7)
        norm("features.norm0", 64)
        channels = 64
        for block, layers in enumerate(DENSENET_169, start=1):
            for layer in range(1, layers + 1):
                name = f"features.denseblock{block}.denselayer{layer}"
                norm(f"{name}.norm1", channels)
                conv(f"{name}.conv1", 128, channels, 1, 1)
                norm(f"{name}.norm2", 128)
                conv(f"{name}.conv2", 32, 128, 3, 3)
                channels += 32
            if block < 4:
                norm(f"features.transition{block}.norm", channels)
                conv(f"features.transition{block}.conv", channels // 2, channels, 1, 1)
                channels //= 2
        norm("features.norm5", channels)
        linear("classifier", 1000, channels)
    else:  # the pre-activation ResNet-34 of Keras, by layer and array, in Keras' shapes
        for part in ("beta", "moving_mean", "moving_variance"):
            shapes[f"bn_data/{part}"] = (3,)
        shapes["conv0/kernel"] = (7, 7, 3, 64)

        def keras_norm(name: str, channels: int) -> None:
            for part in ("gamma", "beta", "moving_mean", "moving_variance"):
                shapes[f"{name}/{part}"] = (channels,)

        keras_norm("bn0", 64)
        channels = 64
        for stage, (units, width) in enumerate(zip((3, 4, 6, 3), (64, 128, 256, 512)), start=1):
            for unit in range(1, units + 1):
                name = f"stage{stage}_unit{unit}_"
                keras_norm(f"{name}bn1", channels)
                shapes[f"{name}conv1/kernel"] = (3, 3, channels, width)
                keras_norm(f"{name}bn2", width)
                shapes[f"{name}conv2/kernel"] = (3, 3, width, width)
                if unit == 1:
                    shapes[f"{name}sc/kernel"] = (1, 1, channels, width)
                channels = width
        keras_norm("bn1", 512)
    return shapes


def torch_features(network: str, state: dict[str, np.ndarray], x: np.ndarray) -> list[np.ndarray]:
    """Feature maps at five sizes, by torch's functions alone, in evaluation mode."""
    import torch
    from torch.nn import functional as F  # noqa: N812

    weights = {name: torch.from_numpy(array) for name, array in state.items()}

    def conv(x, name: str, stride: int = 1, padding: int = 0, groups: int = 1):
        return F.conv2d(x, weights[f"{name}.weight"], stride=stride, padding=padding, groups=groups)

    def norm(x, name: str):
        parts = [weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(x, *parts, training=False, eps=1e-5)

    def resnet(x):
        x = F.relu(norm(conv(x, "conv1", 2, 3), "bn1"))
        maps, x = [x], F.max_pool2d(x, 3, 2, 1)
        for layer, blocks in enumerate(RESNETS[network], start=1):
            for block in range(blocks):
                name, stride = f"layer{layer}.{block}", 2 if layer > 1 and block == 0 else 1
                shortcut = x
                if f"{name}.downsample.0.weight" in weights:
                    shortcut = norm(conv(x, f"{name}.downsample.0", stride), f"{name}.downsample.1")
                if network == "resnet34":
                    x = F.relu(norm(conv(x, f"{name}.conv1", stride, 1), f"{name}.bn1"))
                    x = norm(conv(x, f"{name}.conv2", 1, 1), f"{name}.bn2")
                else:
                    x = F.relu(norm(conv(x, f"{name}.conv1"), f"{name}.bn1"))
                    x = F.relu(norm(conv(x, f"{name}.conv2", stride, 1), f"{name}.bn2"))
                    x = norm(conv(x, f"{name}.conv3"), f"{name}.bn3")
                x = F.relu(x + shortcut)
            maps.append(x)
        return maps

    def mobilenet(x):
        maps = []
        for i, (stride, width) in enumerate(zip(MOBILENET_STRIDES, (3, *MOBILENET_WIDTHS))):
            if i == 0:
                x = F.relu6(norm(conv(x, "model.0.0", stride, 1), "model.0.1"))
                continue
            x = F.relu6(norm(conv(x, f"model.{i}.0", stride, 1, groups=width), f"model.{i}.1"))
            x = F.relu6(norm(conv(x, f"model.{i}.3"), f"model.{i}.4"))
            if i in (1, 3, 5, 11, 13):
                maps.append(x)
        return maps

    def densenet(x):
        x = F.relu(norm(conv(x, "features.conv0", 2, 3), "features.norm0"))
        maps = [x]
        x = F.max_pool2d(x, 3, 2, 1)
        maps.append(x)
        for block, layers in enumerate(DENSENET_169, start=1):
            for layer in range(1, layers + 1):
                name = f"features.denseblock{block}.denselayer{layer}"
                y = conv(F.relu(norm(x, f"{name}.norm1")), f"{name}.conv1")
                y = conv(F.relu(norm(y, f"{name}.norm2")), f"{name}.conv2", 1, 1)
                x = torch.cat([x, y], 1)
            if block < 4:
                x = conv(F.relu(norm(x, f"features.transition{block}.norm")), f"features.transition{block}.conv")
                x = F.avg_pool2d(x, 2)
                if block < 3:
                    maps.append(x)
        return [*maps, F.relu(norm(x, "features.norm5"))]

    run = {"mobilenet": mobilenet, "densenet169": densenet}.get(network, resnet)
    with torch.no_grad():
        return [features.numpy() for features in run(torch.from_numpy(x))]


def keras_features(state: dict[str, np.ndarray], x: np.ndarray) -> list[np.ndarray]:
    """The pre-activation ResNet-34 built in Keras; its feature maps as (N, C, H, W)."""
    import keras

    layers = keras.layers

    def norm(x, name: str, scale: bool = True):
        return layers.BatchNormalization(epsilon=2e-5, momentum=0.99, scale=scale, name=name)(x)

    def conv(x, name: str, width: int, k: int, stride: int, padding: int):
        x = layers.ZeroPadding2D(padding)(x) if padding else x
        return layers.Conv2D(width, k, strides=stride, use_bias=False, name=name)(x)

    picture = keras.Input((*x.shape[2:], 3))
    y = conv(norm(picture, "bn_data", scale=False), "conv0", 64, 7, 2, 3)
    y = layers.ReLU()(norm(y, "bn0"))
    maps = [y]
    y = layers.MaxPooling2D(3, 2)(layers.ZeroPadding2D(1)(y))
    for stage, (units, width) in enumerate(zip((3, 4, 6, 3), (64, 128, 256, 512)), start=1):
        for unit in range(1, units + 1):
            name, stride = f"stage{stage}_unit{unit}_", 2 if stage > 1 and unit == 1 else 1
            active = layers.ReLU()(norm(y, f"{name}bn1"))
            if stage > 1 and unit == 1:
                maps.append(active)
            shortcut = conv(active, f"{name}sc", width, 1, stride, 0) if unit == 1 else y
            y = conv(active, f"{name}conv1", width, 3, stride, 1)
            y = conv(layers.ReLU()(norm(y, f"{name}bn2")), f"{name}conv2", width, 3, 1, 1)
            y = layers.Add()([y, shortcut])
    maps.append(layers.ReLU()(norm(y, "bn1")))
    model = keras.Model(picture, maps)
    for weight in model.weights:
        weight.assign(state[weight.path])
    return [np.asarray(y).transpose(0, 3, 1, 2) for y in model.predict(x.transpose(0, 2, 3, 1), verbose=0)]

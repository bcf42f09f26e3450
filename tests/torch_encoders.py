"""The networks on ResNets and DenseNet once more, in plain PyTorch: the oracle of tests/models/test_encoder_parity.py.

Written down from the papers' figures, without classes and without torchvision. `w` are weights by name, the encoder's
under the names that torchvision (for the pre-activation ResNet: Keras) gives them.
"""

from __future__ import annotations

import torch

F = torch.nn.functional


class Net:
    """Weights, and whether batch-norm is being trained."""

    def __init__(self, weights: dict, training: bool) -> None:
        self.w, self.training = weights, training

    def has(self, name: str) -> bool:
        return any(key.startswith(name + ".") for key in self.w)

    def conv(self, x, name: str, stride: int = 1, padding: int = 0):
        return F.conv2d(x, self.w[name + ".weight"], self.w.get(name + ".bias"), stride, padding)

    def norm(self, x, name: str, eps: float = 1e-5, momentum: float = 0.1):
        mean, var = self.w[name + ".running_mean"], self.w[name + ".running_var"]
        weight, bias = self.w.get(name + ".weight"), self.w[name + ".bias"]
        return F.batch_norm(x, mean, var, weight, bias, self.training, momentum, eps)


def resnet(net: Net, x):
    """torchvision's ResNet; a block with a conv3 is a bottleneck."""
    x = half = F.relu(net.norm(net.conv(x, "encoder.conv1", 2, 3), "encoder.bn1"))
    x = F.max_pool2d(x, 3, 2, 1)
    features = [half]
    for layer in (1, 2, 3, 4):
        block = 0
        while net.has(name := f"encoder.layer{layer}.{block}"):
            stride = 2 if layer > 1 and block == 0 else 1
            deep = net.has(name + ".conv3")
            y = net.conv(x, name + ".conv1", *((1, 0) if deep else (stride, 1)))
            y = F.relu(net.norm(y, name + ".bn1"))
            y = net.norm(net.conv(y, name + ".conv2", stride if deep else 1, 1), name + ".bn2")
            if deep:
                y = net.norm(net.conv(F.relu(y), name + ".conv3"), name + ".bn3")
            if net.has(name + ".downsample"):
                x = net.norm(net.conv(x, name + ".downsample.0", stride), name + ".downsample.1")
            x = F.relu(x + y)
            block += 1
        features.append(x)
    return features


def resnet_preact(net: Net, x):
    """The pre-activation ResNet of Keras: explicit frames of zeros, and no padding in the layers themselves."""

    def norm_relu(x, name: str):
        return F.relu(net.norm(x, name, 2e-5, 0.01))

    x = F.pad(net.norm(x, "encoder.bn_data", 2e-5, 0.01), (3, 3, 3, 3))
    x = half = norm_relu(net.conv(x, "encoder.conv0", 2), "encoder.bn0")
    x = F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2)
    features = [half]
    for stage in (1, 2, 3, 4):
        unit = 1
        while net.has((name := f"encoder.stage{stage}_unit{unit}") + "_conv1"):
            stride = 2 if stage > 1 and unit == 1 else 1
            activated = norm_relu(x, name + "_bn1")
            if unit == 1 and stage > 1:
                features.append(activated)
            shortcut = net.conv(activated, name + "_sc", stride) if unit == 1 else x
            y = net.conv(F.pad(activated, (1, 1, 1, 1)), name + "_conv1", stride)
            x = net.conv(F.pad(norm_relu(y, name + "_bn2"), (1, 1, 1, 1)), name + "_conv2") + shortcut
            unit += 1
    return [*features, norm_relu(x, "encoder.bn1")]


def densenet(net: Net, x):
    """torchvision's DenseNet, its features at five sizes."""
    at = "encoder.features."
    x = half = F.relu(net.norm(net.conv(x, at + "conv0", 2, 3), at + "norm0"))
    x = quarter = F.max_pool2d(x, 3, 2, 1)
    features = [half, quarter]
    for block in (1, 2, 3, 4):
        layer = 1
        while net.has(name := f"{at}denseblock{block}.denselayer{layer}"):
            y = net.conv(F.relu(net.norm(x, name + ".norm1")), name + ".conv1")
            y = net.conv(F.relu(net.norm(y, name + ".norm2")), name + ".conv2", padding=1)
            x = torch.cat([x, y], 1)
            layer += 1
        if block < 4:
            name = f"{at}transition{block}"
            x = F.avg_pool2d(net.conv(F.relu(net.norm(x, name + ".norm")), name + ".conv"), 2)
            features.append(x)
    return [*features[:-1], F.relu(net.norm(x, at + "norm5"))]


def resnet34_unet(net: Net, x, encoder=resnet, eps: float = 1e-5, momentum: float = 0.1):
    *skips, x = encoder(net, x)
    for up in range(5):
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        if skips:
            x = torch.cat([x, skips.pop()], 1)
        for i in (1, 2):
            x = net.conv(x, f"up.{up}.conv{i}", padding=1)
            x = F.relu(net.norm(x, f"up.{up}.bn{i}", eps, momentum))
    return torch.sigmoid(net.conv(x, "head.0", padding=1))


def resnet34_unet_preact(net: Net, x):
    return resnet34_unet(net, x, resnet_preact, 1e-3, 0.01)


def resnet50_unet(net: Net, x):
    def conv_block(x, name: str):
        return F.relu(net.norm(net.conv(x, name + ".conv", padding=1), name + ".norm"))

    skips = [x, *resnet(net, x)]
    x = conv_block(conv_block(skips.pop(), "bridge.0"), "bridge.1")
    for up in range(5):
        name = f"up.{up}"
        if net.has(name + ".up.0"):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = net.conv(x, name + ".up.0")
        else:
            x = F.conv_transpose2d(x, net.w[name + ".up.weight"], net.w[name + ".up.bias"], 2)
        x = torch.cat([x, skips.pop()], 1)
        x = conv_block(conv_block(x, name + ".merge.0"), name + ".merge.1")
    return net.conv(x, "head")


def densedepth(net: Net, x, first_activation: bool = True):
    *skips, x = densenet(net, x)
    x = net.conv(x, "bottom")
    for up in range(4):
        x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
        x = net.conv(torch.cat([x, skips.pop()], 1), f"up.{up}.conv1", padding=1)
        if first_activation:
            x = F.leaky_relu(x, 0.2)
        x = F.leaky_relu(net.conv(x, f"up.{up}.conv2", padding=1), 0.2)
    return net.conv(x, "head", padding=1)


def densedepth_port(net: Net, x):
    return densedepth(net, x, first_activation=False)


def fcrn(net: Net, x):
    """With the up-projection's plain form: zeros between the pixels, then a 5x5 convolution."""

    def unpool_and_convolve(x, name: str):
        zeros = torch.zeros_like(x)
        rows = torch.stack([torch.stack([x, zeros], -1), torch.stack([zeros, zeros], -1)], 3)
        unpooled = rows.reshape(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
        weight = net.w[name + ".weight"].flip(2, 3).transpose(0, 1)
        return F.conv2d(unpooled, weight, net.w[name + ".bias"], padding=2)

    x = net.norm(net.conv(resnet(net, x)[-1], "bottom.0"), "bottom.1")
    for up in range(4):
        name = f"up.{up}"
        y = F.relu(net.norm(unpool_and_convolve(x, name + ".up1"), name + ".bn1"))
        y = net.norm(net.conv(y, name + ".conv", padding=1), name + ".bn2")
        x = F.relu(y + net.norm(unpool_and_convolve(x, name + ".up2"), name + ".bn3"))
    return net.conv(x, "head", padding=1)


def multi_scale(net: Net, x):
    def up(x, name: str, size):
        x = F.interpolate(x, size=size, mode="bilinear", align_corners=False)
        y = F.relu(net.norm(net.conv(x, name + ".conv1", padding=2), name + ".bn1"))
        y = net.norm(net.conv(y, name + ".conv2", padding=1), name + ".bn2")
        return F.relu(y + net.norm(net.conv(x, name + ".conv3", padding=2), name + ".bn3"))

    def conv_norm_relu(x, name: str, padding: int):
        return F.relu(net.norm(net.conv(x, name + ".conv", padding=padding), name + ".norm"))

    scales = resnet(net, x)[1:]
    half = [2 * size for size in scales[0].shape[2:]]
    sizes = [*(scale.shape[2:] for scale in reversed(scales[:-1])), half]
    x = conv_norm_relu(scales[-1], "bottom", 0)
    for level, size in enumerate(sizes):
        x = up(x, f"up.{level}", size)
    fused = torch.cat([up(scale, f"fuse.{i}", half) for i, scale in enumerate(scales)], 1)
    x = torch.cat([x, conv_norm_relu(fused, "merge", 2)], 1)
    x = conv_norm_relu(conv_norm_relu(x, "refine.0", 2), "refine.1", 2)
    return net.conv(x, "head", padding=2)

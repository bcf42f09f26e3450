"""The U-Net of resnet34_unet.py with the pre-activation ResNet-34 of resnet_preact.py on its way down.

24,456,154 numbers: 24,438,804 are trained, 17,350 are moving statistics.

Source: the ResNet34 run of kyovchev's monocular depth project (2020), by Yakubovskiy's segmentation_models for Keras.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minidepth.models.conv_norm_act import keras_batch_norm
from minidepth.models.resnet34_unet import ResNet34UNet
from minidepth.models.resnet_preact import PreActResNet34
from minidepth.nn.init import Rng


def resnet34_unet_preact(
    in_channels: int = 3,
    out_channels: int = 1,
    width: int = 64,
    blocks: Sequence[int] = (3, 4, 6, 3),
    rng: Rng = None,
) -> ResNet34UNet:
    """The U-Net with the pre-activation ResNet-34; the arguments are those of `resnet34_unet`."""
    rng = np.random.default_rng(rng)
    encoder = PreActResNet34(width, blocks, in_channels, rng)
    return ResNet34UNet(encoder, in_channels, out_channels, keras_batch_norm, rng)

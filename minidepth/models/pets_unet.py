"""The U-Net that labels pets: the network of models/unet.py with three channels in, three classes out, same size.

It was built "to the exact specifications of the paper" and then trained where labels are as large as the pictures, so
its convolutions must be padded; ``padding="valid"`` is the paper's own form. 31,031,875 parameters, whether the way up
is a transposed convolution or an enlargement followed by a 2x2 convolution.

Its published form ends in a softmax over the classes. Here it ends in their logits: the cross-entropy takes those, as
softmax and logarithm together are exact where one after the other is not, and the largest logit is the likeliest class.

Source: a course's own U-Net for the Oxford-IIIT pets (classes: pet, background, border), put into the Keras tutorial
"Image segmentation with a U-Net-like architecture", F. Chollet (2019), whose pictures are 160x160.
"""

from __future__ import annotations

from minidepth.models.unet import UNet
from minidepth.nn.init import Rng


class PetsUNet(UNet):
    """(N, in_channels, H, W) -> (N, classes, H, W), logits; sizes as for UNet.

    Args:
        in_channels, classes: a colour picture, and what a pixel can be.
        base_channels: channels of the first level; every level down doubles them.
        depth: how often height and width are halved.
        padding: ``"same"``, or ``"valid"`` as in the paper: the logits are then of a smaller picture.
        up: ``"nearest-2x2"``, an enlargement followed by a 2x2 convolution, or ``"transposed"``.
        init: recipe of the first weights, see nn/init.py; ``"glorot"`` is that of Keras.
        rng: the generator, or seed, that they are drawn from.
    """

    outputs = ("labels",)

    def __init__(
        self,
        in_channels: int = 3,
        classes: int = 3,
        base_channels: int = 64,
        depth: int = 4,
        padding: str = "same",
        up: str = "nearest-2x2",
        init: str = "glorot",
        rng: Rng = None,
    ) -> None:
        super().__init__(in_channels, classes, base_channels, depth, padding, up, init=init, rng=rng)

"""A convolution finds out which filter was used on a picture, from the picture before and after. Takes a few seconds.

Nobody tells it the nine numbers. It starts from zeros, compares its own result with the filtered picture, and follows
the gradient that `conv2d` computes for its weight.
"""

import numpy as np

from minidepth import Tensor, ops, optim
from minidepth.data import rooms
from minidepth.nn import Parameter

SECRET = np.array([[1, 0, -1], [2, 0, -2], [1, 0, -1]], np.float32)  # Sobel's: answers to upright edges

picture = rooms.render(np.random.default_rng(0)).image.mean(axis=2) / 255
x = Tensor(picture[None, None].astype(np.float32))  # (1, 1, H, W)
target = ops.conv2d(x, Tensor(SECRET[None, None]))

weight = Parameter(np.zeros((1, 1, 3, 3), np.float32))
optimizer = optim.SGD([weight], lr=0.4, momentum=0.98)
for step in range(1001):
    error = ((ops.conv2d(x, weight) - target) ** 2).mean()
    optimizer.zero_grad()
    error.backward()
    optimizer.step()
    if step % 200 == 0:
        print(f"step {step}: error {error.item():.1e}")

print(f"used:\n{SECRET}\nfound:\n{weight.data[0, 0].round(2) + 0.0}")  # + 0.0 turns -0. into 0.

"""The operations of `op_settings` by PyTorch: the value, and the gradient of every input.

Imported only by tests that skip without torch, and by golden/make_golden.py.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from op_settings import OPERATORS
from reference import SOBEL_X, SOBEL_Y


def value_and_gradients(
    op: str, inputs: list[np.ndarray], options: dict[str, Any], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """The value, a random cotangent dL/dy, and dL/d(input) for each input, all in float64."""
    tensors = [torch.tensor(array, requires_grad=True) for array in inputs]
    y = _call(op, tensors, options)
    cotangent = rng.standard_normal(tuple(y.shape))
    y.backward(torch.tensor(cotangent, dtype=torch.float64))
    return y.detach().numpy(), cotangent, [tensor.grad.numpy() for tensor in tensors if tensor.grad is not None]


def _call(op: str, tensors: list[torch.Tensor], options: dict[str, Any]) -> torch.Tensor:
    if op in OPERATORS:
        return OPERATORS[op](*tensors, **options)
    if op == "cat":
        return torch.cat(tensors, **options)
    if op.startswith("batch_norm"):
        options = dict(options)
        slope = options.pop("negative_slope", 1)
        running = [torch.tensor(options.pop(name), dtype=torch.float64) for name in ("running_mean", "running_var")]
        y = F.leaky_relu(F.batch_norm(tensors[0], *running, *tensors[1:], **options), slope)
        return F.relu6(y) if op == "batch_norm_relu6" else y
    if op == "interpolate":  # a pair is a tuple for torch
        options = {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
        return F.interpolate(*tensors, **options)
    if op == "sobel":
        return _sobel(*tensors, **options)
    if op == "unpool_zeros":
        return _unpool_zeros(*tensors, **options)
    if op == "dropout":
        return _dropout(*tensors, **options)
    if op in ("max", "min"):
        return getattr(torch, f"a{op}")(*tensors, **options)
    place = torch if hasattr(torch, op) and op not in _FUNCTIONAL else F
    return getattr(place, op)(*tensors, **options)


torch.set_num_threads(1)  # the arrays are tiny

_FUNCTIONAL = {
    "conv2d",
    "conv_transpose2d",
    "max_pool2d",
    "avg_pool2d",
    "adaptive_avg_pool2d",
    "pixel_shuffle",
    "pad",
    "leaky_relu",
    "relu",
    "relu6",
    "softmax",
}


def _unpool_zeros(x: torch.Tensor, stride: list[int]) -> torch.Tensor:
    """A transposed convolution of each channel, whose kernel is 1 at the top left."""
    kernel = torch.zeros(x.shape[1], 1, *stride, dtype=x.dtype)
    kernel[:, :, 0, 0] = 1
    return F.conv_transpose2d(x, kernel, stride=tuple(stride), groups=x.shape[1])


def _dropout(x: torch.Tensor, p: float, training: bool, rng: int) -> torch.Tensor:
    """PyTorch has numbers of its own: the mask is drawn as ops/dropout.py says it is."""
    key = np.random.default_rng(rng).integers(-(2**63), 2**63, 2).view(np.uint64)
    mask = np.random.Generator(np.random.Philox(key=key)).random(tuple(x.shape), np.float32) >= np.float32(p)
    return torch.where(torch.tensor(mask), x / (1 - p), 0.0) if training else x


def _sobel(x: torch.Tensor, padding: str) -> torch.Tensor:
    if padding != "valid":
        x = F.pad(x, (1, 1, 1, 1), mode="constant" if padding == "zeros" else "replicate")
    planes = x.reshape(-1, 1, *x.shape[2:])
    parts = [F.conv2d(planes, torch.tensor([[taps]], dtype=x.dtype)) for taps in (SOBEL_X, SOBEL_Y)]
    return torch.cat([part.reshape(*x.shape[:2], *part.shape[2:]) for part in parts], dim=1)

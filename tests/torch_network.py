"""A network written down for PyTorch without classes, compared with one of ours: values, gradients, statistics.

Imported only by tests that skip without torch. Everything is float64, so that the two agree to rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from network_checks import outputs_of

from minidepth import Tensor
from minidepth.nn import Module

torch.set_num_threads(1)  # the arrays are tiny


class Layers:
    """The layers of a network as calls of torch.nn.functional; weights by their names in the state_dict."""

    def __init__(self, weights: dict[str, Any], training: bool) -> None:
        self.weights, self.training = weights, training

    def conv(self, x: Any, name: str, **options: Any) -> Any:
        return F.conv2d(x, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"), **options)

    def conv_transpose(self, x: Any, name: str, **options: Any) -> Any:
        return F.conv_transpose2d(x, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"), **options)

    def norm(self, x: Any, name: str, eps: float = 1e-5, momentum: float = 0.1) -> Any:
        mean, var, weight, bias = (
            self.weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, var, weight, bias, self.training, momentum, eps)


Wiring = Callable[..., Any]


def assert_agrees(model: Module, wiring: Wiring, *shapes: tuple[int, ...], training: bool, seed: int = 1) -> None:
    """Outputs, gradients of inputs and parameters, and moving statistics agree with those of ``wiring(layers, *x)``."""
    rng = np.random.default_rng(seed)
    model.astype(np.float64).train(training)
    for name, array in model.state_dict().items():
        if name.endswith(("running_mean", "norm.bias")):
            array[...] = rng.normal(size=array.shape)
        if name.endswith(("running_var", "norm.weight")):
            array[...] = rng.uniform(0.5, 1.5, array.shape)
        if name.endswith(".bias"):
            array[...] = 0.3 * rng.normal(size=array.shape)  # zero at first by Glorot's recipe, and then unseen
    weights = {name: torch.tensor(array.copy()) for name, array in model.state_dict().items()}
    for name, _ in model.named_parameters():
        weights[name].requires_grad_()

    inputs = [rng.standard_normal(shape) for shape in shapes]
    theirs_x = [torch.tensor(x, requires_grad=True) for x in inputs]
    expected = wiring(Layers(weights, training), *theirs_x)
    expected = list(expected) if isinstance(expected, tuple) else [expected]
    ours_x = [Tensor(x, requires_grad=True) for x in inputs]
    ys = outputs_of(model, *ours_x)
    assert [y.shape for y in ys] == [tuple(y.shape) for y in expected]
    for y, other in zip(ys, expected):
        np.testing.assert_allclose(y.data, other.detach().numpy(), rtol=1e-9, atol=1e-11)

    cotangents = [rng.standard_normal(y.shape) for y in ys]
    sum((y * torch.tensor(u)).sum() for y, u in zip(expected, cotangents)).backward()
    sum((y * Tensor(u)).sum() for y, u in zip(ys, cotangents)).backward()
    ours = {f"input {i}": x.grad for i, x in enumerate(ours_x)}
    theirs = {f"input {i}": x.grad.numpy() for i, x in enumerate(theirs_x)}
    ours.update({name: parameter.grad for name, parameter in model.named_parameters()})
    theirs.update({name: weights[name].grad.numpy() for name, _ in model.named_parameters()})
    scale = max(np.abs(grad).max() for grad in theirs.values())  # some are 0 but for rounding: a bias before batch-norm
    for name, grad in ours.items():
        np.testing.assert_allclose(grad, theirs[name], rtol=1e-7, atol=1e-11 * scale, err_msg=name)
    for name, array in model.state_dict().items():
        if "running" in name:
            np.testing.assert_allclose(array, weights[name].numpy(), rtol=1e-9, atol=1e-13, err_msg=name)

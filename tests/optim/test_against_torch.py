"""Where PyTorch is installed: the same weights after many steps, with a rate that changes, and the same clipping."""

from __future__ import annotations

import numpy as np
import pytest

from minidepth import optim
from minidepth.nn import Parameter

torch = pytest.importorskip("torch")

SETTINGS = {
    "sgd:momentum=0": ("SGD", {}),
    "sgd:momentum=0.99": ("SGD", {"momentum": 0.99}),
    "sgd:nesterov": ("SGD", {"momentum": 0.9, "nesterov": True}),
    "adam": ("Adam", {}),
    "adam:amsgrad,beta2=0.9": ("Adam", {"amsgrad": True, "betas": (0.9, 0.9)}),
    "adamw:amsgrad,beta1=0.5,eps=1e-4": ("AdamW", {"amsgrad": True, "betas": (0.5, 0.999), "eps": 1e-4}),
    "rmsprop": ("RMSprop", {}),
    "rmsprop:momentum=0.999,alpha=0.9": ("RMSprop", {"momentum": 0.999, "alpha": 0.9}),
}


@pytest.mark.parametrize("text", SETTINGS)
@pytest.mark.parametrize("max_norm", [None, 2.0])
def test_the_same_weights(text: str, max_norm: float | None) -> None:
    rng = np.random.default_rng(0)
    start = rng.standard_normal((7, 5))
    name, options = SETTINGS[text]
    theirs = torch.nn.Parameter(torch.tensor(start.copy()))
    reference = getattr(torch.optim, name)([theirs], lr=0.1, weight_decay=0.02, **options)
    ours = Parameter(start.copy())
    optimizer = optim.build(text, [ours], lr=0.1, weight_decay=0.02)
    for step in range(20):
        grad = rng.standard_normal((7, 5)) * 0.8**step  # falling, so that amsgrad differs
        optimizer.lr = reference.param_groups[0]["lr"] = 0.1 / (1 + step)
        ours.grad, theirs.grad = grad.copy(), torch.tensor(grad)
        if max_norm is not None:
            norm = torch.nn.utils.clip_grad_norm_([theirs], max_norm).item()
            assert optim.clip_grad_norm_([ours], max_norm) == pytest.approx(norm, rel=1e-12)
        optimizer.step()
        reference.step()
    np.testing.assert_allclose(ours.data, theirs.detach().numpy(), rtol=1e-11)
